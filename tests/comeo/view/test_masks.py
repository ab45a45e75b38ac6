"""Nodata never bleeds: the mask is the source's own, and what it hides colours nobody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform

from comeo.grid import Grid
from comeo.scene import Scene, Window
from tests.comeo.view.exact import ExactArchive, archived, reader_of, tile_image
from tests.scenes import UTM32, array_group, array_scene, corner_cut, landscape
from tileserver.render.matrixsets import matrix_set, tile_grid

SHAPE = (2, 900, 1000)
ORIGIN = Affine(10, 0, 472_480, 0, -10, 5_257_490)
LEVEL = 3000


@pytest.fixture(scope="module")
def valid() -> NDArray[np.bool_]:
    """A swath's edge, a pixel earlier in the second band, and holes of one pixel."""
    mask = corner_cut(SHAPE)
    mask[:, 100:400:7, 100:400:9] = False
    return mask


@pytest.fixture(scope="module")
def flat(valid: NDArray[np.bool_]) -> ExactArchive:
    """The same value everywhere that is valid: what differs from it has bled."""
    values = np.full(SHAPE, LEVEL, np.uint16)
    return archived(array_scene(array_group(values, valid)), (0, 3))


def test_the_mask_is_the_sources_own_at_native_resolution(
    flat: ExactArchive, valid: NDArray[np.bool_]
) -> None:
    grid = Grid(UTM32, ORIGIN, *SHAPE[1:])
    for resampling in ("nearest", "bilinear", "cubic"):
        image = reader_of(flat).read(grid, None, resampling)
        np.testing.assert_array_equal(~np.ma.getmaskarray(image.array), valid)


@pytest.mark.parametrize(
    "resampling", ["nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode"]
)
def test_no_fringe_at_any_zoom(flat: ExactArchive, resampling: Any) -> None:
    reader = reader_of(flat)
    tms = matrix_set("WebMercatorQuad")
    seen = 0
    for zoom in range(16, 8, -1):
        for lon, lat in _edge_positions():
            tile = tms.tile(lon, lat, zoom)
            image = tile_image(reader, tile, resampling=resampling)
            values = image.array.compressed().astype(int)
            seen += values.size
            assert (np.abs(values - LEVEL) <= 1).all()
    assert seen > 100_000


@pytest.mark.parametrize("resampling", ["bilinear", "cubic", "average"])
def test_the_mask_of_a_tile_is_the_nearest_pixels(
    flat: ExactArchive, valid: NDArray[np.bool_], resampling: Any
) -> None:
    tms = matrix_set("WebMercatorQuad")
    for zoom in (16, 14):
        for lon, lat in _edge_positions():
            tile = tms.tile(lon, lat, zoom)
            grid = tile_grid(tms, tile.x, tile.y, zoom)
            assert grid is not None
            image = reader_of(flat).read(grid, None, resampling)
            expected = _nearest(valid, grid)
            # Coordinates are good to 1/8 pixel: nothing but pixels on a border may differ.
            assert (np.ma.getmaskarray(image.array) == expected).mean() > 0.99


def test_real_textures_have_no_dark_or_bright_border(valid: NDArray[np.bool_]) -> None:
    values = landscape(*SHAPE)
    scene = array_scene(array_group(values, valid))
    reader = reader_of(archived(scene, (0, 3)))
    tms = matrix_set("WebMercatorQuad")
    for zoom in (14, 13, 12):
        for lon, lat in _edge_positions():
            tile = tms.tile(lon, lat, zoom)
            grid = tile_grid(tms, tile.x, tile.y, zoom)
            assert grid is not None
            inside = ~np.ma.getmaskarray(reader.read(grid).array)[0]
            border = inside & ~_shrunk(inside, 3)
            if border.sum() < 50:
                continue
            found = reader.read(grid).data[0].astype(float)
            wanted = _without_nodata(values, grid)
            assert abs((found - wanted)[border].mean()) < 40


def test_zero_is_a_value_where_there_is_no_nodata() -> None:
    values = landscape(1, 300, 300)
    values[0, 100:200, 100:200] = 0
    reader = reader_of(archived(array_scene(array_group(values))))
    image = reader.read(Grid(UTM32, ORIGIN, 300, 300))
    assert not np.ma.getmaskarray(image.array).any()
    assert image.nodata is None
    np.testing.assert_array_equal(image.data, values)


def test_floats_are_masked_where_they_are_not_numbers() -> None:
    values = landscape(2, 300, 300, dtype=np.float32)
    valid = np.ones(values.shape, bool)
    valid[:, :, :100] = False
    reader = reader_of(archived(array_scene(array_group(values, valid))))
    image = reader.read(Grid(UTM32, ORIGIN @ Affine.translation(-10, 0), 300, 310))
    np.testing.assert_array_equal(~np.ma.getmaskarray(image.array)[0, :, 10:], valid[0])
    assert np.ma.getmaskarray(image.array)[:, :, :10].all()
    inside = slice(0, 250), slice(100, 250)  # of a block: its border's pixels are blended
    np.testing.assert_allclose(image.data[:, :, 10:][:, *inside], values[:, *inside], atol=1e-5)


def _edge_positions() -> list[tuple[float, float]]:
    """Longitudes and latitudes on the swath's edge, in the holes, at the scene's corner and border."""
    columns, rows = [250.0, 500.0, 750.0, 2.0, 998.0], [250.0, 900.0, 675.0, 2.0, 30.0]
    points = [ORIGIN @ point for point in zip(columns, rows, strict=True)]
    lons, lats = transform(UTM32, CRS.from_epsg(4326), *map(list, zip(*points, strict=True)))
    return list(zip(lons, lats, strict=True))


def _nearest(valid: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """Where rasterio's nearest pixel is invalid, or there is none."""
    out = np.zeros((len(valid), grid.height, grid.width), np.uint8)
    reproject(
        valid.astype(np.uint8), out, src_transform=ORIGIN, src_crs=UTM32, dst_transform=grid.transform,
        dst_crs=grid.crs, resampling=Resampling.nearest,
    )  # fmt: skip
    empty: NDArray[np.bool_] = out == 0
    return empty


def _without_nodata(values: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """What would be seen if no pixel had been hidden."""
    out = np.zeros((len(values), grid.height, grid.width), np.float32)
    reproject(
        values.astype(np.float32), out, src_transform=ORIGIN, src_crs=UTM32, dst_transform=grid.transform,
        dst_crs=grid.crs, resampling=Resampling.bilinear,
    )  # fmt: skip
    found: NDArray[Any] = out[0]
    return found


def _shrunk(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    for _ in range(steps):
        padded = np.pad(mask, 1, mode="edge")
        mask = mask & padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2]
    return mask


def test_a_window_of_the_scene_is_what_was_archived(valid: NDArray[np.bool_]) -> None:
    scene: Scene = array_scene(array_group(landscape(*SHAPE), valid))
    reader = reader_of(archived(scene))
    pixels = scene.groups[0].read(Window(400, 600, 300, 350))
    image = reader.read(Grid(UTM32, ORIGIN @ Affine.translation(600, 400), 300, 350), resampling="nearest")
    np.testing.assert_array_equal(image.array.filled(0), np.where(pixels.valid, pixels.values, 0))
