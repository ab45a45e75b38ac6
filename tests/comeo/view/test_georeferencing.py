"""Tiles lie where rasterio's own warp of the original scene puts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from affine import Affine
from morecantile import Tile
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform
from skimage.registration import phase_cross_correlation

from comeo.grid import Grid
from comeo.scene import Scene, Window
from tests.comeo.view.exact import archived, reader_of, tile_image
from tests.scenes import array_group, array_scene, landscape
from tileserver.render.matrixsets import matrix_set, tile_grid

SIDE = 1400
UTM31 = CRS.from_epsg(32631)
# In the zone of UTM31WGS84Quad, so that all three matrix sets reach it without distortion.
ORIGIN = Affine(10, 0, 480_000, 0, -10, 5_260_000)
MATRIX_SETS = ("WebMercatorQuad", "WorldCRS84Quad", "UTM31WGS84Quad")
PLACES = {"middle": (0.5, 0.5), "corner": (0.02, 0.03), "edge": (0.985, 0.5)}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return array_scene(array_group(landscape(1, SIDE, SIDE), transform=ORIGIN, crs=UTM31))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", MATRIX_SETS)
@pytest.mark.parametrize("levels", [(0,), (0, 3)])
def test_tiles_lie_where_rasterio_puts_them(
    scene: Scene, levels: tuple[int, ...], name: str, place: str
) -> None:
    reader = reader_of(archived(scene, levels))
    tms = matrix_set(name)
    lon, lat = _position(scene, *PLACES[place])
    finest = tms.zoom_for_res(10.0 if name != "WorldCRS84Quad" else 10.0 / 111_320)
    for zoom in range(finest + 1, finest - 5, -1):
        tile = tms.tile(lon, lat, zoom)
        grid = tile_grid(tms, tile.x, tile.y, zoom)
        assert grid is not None
        image = reader.read(grid, ["B01"])
        assert shift_between(image.array.filled(0)[0], _reference(scene, grid)) < 0.25, (zoom, reader.archive)


def test_the_measure_sees_a_third_of_a_pixel(scene: Scene) -> None:
    tms = matrix_set("WebMercatorQuad")
    tile = tms.tile(*_position(scene, 0.5, 0.5), 13)
    grid = tile_grid(tms, tile.x, tile.y, 13)
    assert grid is not None
    moved = Grid(grid.crs, grid.transform @ Affine.translation(0.3, 0), grid.height, grid.width)
    assert shift_between(_reference(scene, moved), _reference(scene, grid)) == pytest.approx(0.3, abs=0.05)


def test_every_stored_level_is_looked_at(scene: Scene) -> None:
    archive = archived(scene, (0, 3))
    reader = reader_of(archive)
    tms = matrix_set("WebMercatorQuad")
    lon, lat = _position(scene, 0.5, 0.5)
    for zoom in range(14, 7, -1):
        tile = tms.tile(lon, lat, zoom)
        tile_image(reader, tile)
    looked_at = {(number, reduce) for _, number, reduce, _, _ in archive.decoded}
    assert looked_at >= {(0, 0), (0, 1), (0, 2), (3, 0), (3, 1)}


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic", "average", "lanczos"])
def test_every_resampling_keeps_the_place(scene: Scene, resampling: Any) -> None:
    reader = reader_of(archived(scene, (0, 3)))
    tms = matrix_set("WebMercatorQuad")
    lon, lat = _position(scene, 0.4, 0.6)
    for zoom in (14, 12, 10):
        tile = tms.tile(lon, lat, zoom)
        grid = tile_grid(tms, tile.x, tile.y, zoom)
        assert grid is not None
        image = reader.read(grid, ["B01"], resampling)
        limit = 0.5 if resampling == "nearest" else 0.25
        assert shift_between(image.array.filled(0)[0], _reference(scene, grid)) < limit


def test_a_tile_agrees_with_a_larger_one_of_the_same_area(scene: Scene) -> None:
    """No seams: four tiles side by side are the tile of twice the density."""
    reader = reader_of(archived(scene, (0, 3)))
    tms = matrix_set("WebMercatorQuad")
    lon, lat = _position(scene, 0.5, 0.5)
    for zoom in (13, 11):
        tile = tms.tile(lon, lat, zoom)
        whole = tile_image(reader, tile, scale=2).data[0].astype(float)
        quarters = [
            [tile_image(reader, Tile(2 * tile.x + col, 2 * tile.y + row, zoom + 1)).data[0] for col in (0, 1)]
            for row in (0, 1)
        ]
        mended = np.block(quarters).astype(float)
        difference = np.abs(whole - mended)
        # rasterio interpolates coordinates along a row, with an error of up to 1/8 pixel.
        steps = np.abs(np.diff(whole, axis=1))
        assert difference.mean() <= 0.125 * steps.mean()
        assert difference[:, 254:258].mean() <= 0.125 * steps[:, 254:257].mean()
        assert difference[254:258].mean() <= 0.125 * steps[254:258].mean()
        across = np.abs(np.diff(mended, axis=1))
        assert across[:, 255].mean() == pytest.approx(steps[:, 255].mean(), rel=0.03, abs=1)


def test_own_pixels_are_not_resampled(scene: Scene) -> None:
    reader = reader_of(archived(scene, (0, 3)))
    native = scene.groups[0].read(Window(300, 500, 200, 300)).values
    grid = Grid(UTM31, ORIGIN @ Affine.translation(500, 300), 200, 300)
    for resampling in ("nearest", "bilinear", "cubic"):
        np.testing.assert_array_equal(reader.read(grid, ["B01"], resampling).data, native)


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rio-tiler's transform
def test_an_area_is_the_pixels_that_it_touches(scene: Scene) -> None:
    reader = reader_of(archived(scene))
    left, top = ORIGIN @ (100.5, 200.5)
    right, bottom = ORIGIN @ (149.5, 220.5)
    image = reader.read(reader.part_grid((left, bottom, right, top), UTM31), resampling="nearest")
    assert image.array.shape == (1, 21, 50)
    assert image.transform == ORIGIN @ Affine.translation(100, 200)
    np.testing.assert_array_equal(image.data, scene.groups[0].read(Window(200, 100, 21, 50)).values)


def test_a_coarser_group_lies_under_the_finer_one() -> None:
    fine = landscape(1, 800, 800)
    coarse = fine.reshape(1, 400, 2, 400, 2).mean((2, 4)).astype(np.uint16)
    groups = (
        array_group(fine, transform=ORIGIN, crs=UTM31, names=["B04"]),
        array_group(coarse, transform=ORIGIN @ Affine.scale(2), crs=UTM31, names=["B11"]),
    )
    reader = reader_of(archived(array_scene(*groups)))
    lon, lat = _position(array_scene(*groups), 0.5, 0.5)
    tms = matrix_set("WebMercatorQuad")
    for zoom in (14, 13, 12):
        tile = tms.tile(lon, lat, zoom)
        image = tile_image(reader, tile, bands=["B11", "B04"])
        assert image.band_names == ["B11", "B04"]
        assert shift_between(image.array.filled(0)[0], image.array.filled(0)[1]) < 0.25


def test_a_scene_across_the_antimeridian_is_on_both_sides() -> None:
    crs = CRS.from_epsg(32660)
    xs, ys = transform(CRS.from_epsg(4326), crs, [180.0], [-16.5])
    origin = Affine(10, 0, round(xs[0], -1) - 5000, 0, -10, round(ys[0], -1) + 5000)
    made = array_scene(array_group(landscape(1, 1000, 1000), transform=origin, crs=crs))
    reader = reader_of(archived(made, (0, 3)))
    tms = matrix_set("WebMercatorQuad")
    for zoom in (13, 10, 7):
        for lon in (179.99, -179.99):
            tile = tms.tile(lon, -16.5, zoom)
            grid = tile_grid(tms, tile.x, tile.y, zoom)
            assert grid is not None
            image = reader.read(grid)
            reference = _reference(made, grid)
            assert (np.ma.getmaskarray(image.array)[0] == (reference == 0)).mean() > 0.995
            assert not image.array.mask.all()
            if zoom > 7:
                assert shift_between(image.array.filled(0)[0], reference) < 0.25


@pytest.mark.parametrize("name", ["UPSArcticWGS84Quad", "WorldCRS84Quad", "WebMercatorQuad", "NZTM2000Quad"])
def test_the_far_side_of_the_globe_is_empty(scene: Scene, name: str) -> None:
    reader = reader_of(archived(scene))
    tms = matrix_set(name)
    for zoom in (3, 8):
        matrix = tms.matrix(zoom)
        for x, y in ((0, 0), (matrix.matrixWidth - 1, matrix.matrixHeight - 1)):
            grid = tile_grid(tms, x, y, zoom)
            assert grid is not None
            assert reader.read(grid).array.mask.all()


@pytest.mark.parametrize("name", ["CDB1GlobalGrid", "GNOSISGlobalGrid", "EuropeanETRS89_LAEAQuad"])
def test_unusual_matrix_sets_lie_right_too(scene: Scene, name: str) -> None:
    reader = reader_of(archived(scene, (0, 3)))
    tms = matrix_set(name)
    lon, lat = _position(scene, 0.5, 0.5)
    geographic = tms.rasterio_crs.is_geographic
    zoom = tms.zoom_for_res(20.0 / (111_320 if geographic else 1))
    tile = tms.tile(lon, lat, zoom)
    grid = tile_grid(tms, tile.x, tile.y, zoom)
    assert grid is not None
    image = reader.read(grid)
    assert not image.array.mask.all()
    assert shift_between(image.array.filled(0)[0], _reference(scene, grid)) < 0.25


def _position(scene: Scene, across: float, down: float) -> tuple[float, float]:
    group = scene.groups[0]
    x, y = group.transform @ (across * group.width, down * group.height)
    lons, lats = transform(group.crs, CRS.from_epsg(4326), [x], [y])
    return lons[0], lats[0]


def _reference(scene: Scene, grid: Grid) -> NDArray[Any]:
    """The original, brought onto the grid by rasterio alone."""
    group = scene.groups[0]
    values = group.read(Window(0, 0, group.height, group.width)).values
    out = np.zeros((len(values), grid.height, grid.width), np.float32)
    reproject(
        values.astype(np.float32), out, src_transform=group.transform, src_crs=group.crs,
        dst_transform=grid.transform, dst_crs=grid.crs, resampling=Resampling.bilinear,
    )  # fmt: skip
    found: NDArray[Any] = out[0]
    return found


def shift_between(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Distance in pixels between two images, where both have pixels."""
    both = (found != 0) & (wanted != 0)
    assert both.sum() > 300
    rows, cols = np.nonzero(both)
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    mean = wanted[both].mean()
    pair = [np.where(both, image - mean, 0).astype(float)[box] for image in (found, wanted)]
    window = np.outer(np.hanning(pair[0].shape[0]), np.hanning(pair[0].shape[1]))
    # Without whitening, which makes the measure see a third less than there is.
    shift, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        pair[0] * window, pair[1] * window, upsample_factor=50, normalization=None
    )
    return float(np.hypot(*shift))
