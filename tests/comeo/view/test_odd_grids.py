"""Tiles of odd grids show what PROJ says lies at each pixel's place, whatever the grid is written in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from comeo.globe import centre
from comeo.grid import WGS84, Grid
from comeo.sources import open_source
from comeo.view.projection import move_bounds
from comeo.view.reader import ArchiveReader
from tests.comeo.view.exact import archived, reader_of
from tileserver.render.matrixsets import matrix_set, tile_grid

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
SIDE = 120
SPARSE = 3  # every third pixel of a tile is looked at
ANTARCTIC, FIJI = "EPSG:3031", "EPSG:32701"
FEET = 0.3048006096012192
# Names of grids: CRS, transform, columns, rows, matrix set
GRIDS: dict[str, tuple[str, Affine, int, int, str]] = {
    "compound": ("EPSG:32632+5773", Affine(10, 0, 4e5, 0, -10, 5.3e6), SIDE, SIDE, "WebMercatorQuad"),
    "three axes": ("EPSG:4979", Affine(1e-4, 0, 8, 0, -1e-4, 47), SIDE, SIDE, "WebMercatorQuad"),
    "us survey feet": ("EPSG:2227", Affine(32.8, 0, 6e6, 0, -32.8, 2.1e6), SIDE, SIDE, "WebMercatorQuad"),
    "rounded": ("EPSG:32632", Affine(10, 1e-12, 4e5, -1e-12, -10, 5.3e6), SIDE, SIDE, "WebMercatorQuad"),
    "oblong": ("EPSG:32632", Affine(10, 0, 4e5, 0, -25, 5.3e6), SIDE, SIDE, "WebMercatorQuad"),
    "one column": ("EPSG:32632", Affine(10, 0, 4e5, 0, -10, 5.3e6), 1, SIDE, "WebMercatorQuad"),
    "one row": ("EPSG:32632", Affine(10, 0, 4e5, 0, -10, 5.3e6), SIDE, 1, "WebMercatorQuad"),
    "centimetres": ("EPSG:32632", Affine(0.02, 0, 4e5, 0, -0.02, 5.3e6), SIDE, SIDE, "UTM32WGS84Quad"),
    "kilometres": ("EPSG:32632", Affine(900, 0, 4e5, 0, -900, 5.3e6), SIDE, SIDE, "WebMercatorQuad"),
    "utm over 180": (FIJI, Affine(10, 0, 179_948, 0, -10, 8_118_600), SIDE, SIDE, "WebMercatorQuad"),
    "degrees over 180": ("EPSG:4326", Affine(1e-3, 0, 179.94, 0, -1e-3, -16), SIDE, SIDE, "WebMercatorQuad"),
    "from minus 180": ("EPSG:4326", Affine(1e-3, 0, -180.06, 0, -1e-3, -16), SIDE, SIDE, "WorldCRS84Quad"),
    "nad 83 over 180": ("EPSG:4269", Affine(1e-3, 0, 179.94, 0, -1e-3, 52), SIDE, SIDE, "WorldCRS84Quad"),
    "degrees to 360": ("EPSG:4326", Affine(1e-3, 0, 205, 0, -1e-3, -16), SIDE, SIDE, "WebMercatorQuad"),
    "globe from 0": ("EPSG:4326", Affine(3, 0, 0, 0, -1.5, 90), SIDE, SIDE, "WorldCRS84Quad"),
    "globe": ("EPSG:4326", Affine(3, 0, -180, 0, -1.5, 90), SIDE, SIDE, "WebMercatorQuad"),
    "over the pole": (ANTARCTIC, Affine(9e3, 0, -5e5, 0, -9e3, 5e5), SIDE, SIDE, "UPSAntarcticWGS84Quad"),
    "beside the pole": (ANTARCTIC, Affine(9e3, 0, 0, 0, -9e3, 0), SIDE, SIDE, "WorldCRS84Quad"),
}  # fmt: skip


def write(path: Path, crs: str, transform: Affine, cols: int, rows: int, **tags: str) -> Path:
    """A ramp of which every value says its place."""
    values = np.add.outer(np.arange(rows) * 5, np.arange(cols) * 3) + 1000
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=rows, width=cols, dtype="uint16", nodata=0,
        crs=CRS.from_user_input(crs), transform=transform,
    ) as file:  # fmt: skip
        file.write(values.astype(np.uint16), 1)
        file.set_band_description(1, "B04")
        file.update_tags(**tags)
    return path


def places_in(grid: Grid, crs: str, transform: Affine) -> tuple[NDArray[Any], NDArray[Any]]:
    """(columns, rows) of an original raster at the centres of a grid's pixels, by PROJ alone."""
    cols, rows = np.meshgrid(*(np.arange(0, side, SPARSE) + 0.5 for side in (grid.width, grid.height)))
    xs, ys = grid.transform.c + cols * grid.transform.a, grid.transform.f + rows * grid.transform.e
    system = pyproj.CRS.from_user_input(crs)
    system = system.sub_crs_list[0] if system.is_compound else system
    move = pyproj.Transformer.from_crs(grid.crs.to_wkt(), system.to_2d(), always_xy=True)
    xs, ys = move.transform(xs, ys)
    if system.is_geographic:  # into the raster's own turn of the globe
        xs = (xs - transform.c) % 360 + transform.c
    return (xs - transform.c) / transform.a, (ys - transform.f) / transform.e


def check(grid: Grid, found: Any, crs: str, transform: Affine, size: tuple[int, int]) -> int:
    """Compare an image with the ramp; returns how many pixels lie safely inside."""
    cols, rows = places_in(grid, crs, transform)
    width, height = size
    values = found.array.filled(0)[0, ::SPARSE, ::SPARSE].astype(float)
    edge = min(0.5, width / 4, height / 4)  # pixels that the approximation of GDAL may be off
    inside = (cols > edge) & (cols < width - edge) & (rows > edge) & (rows < height - edge)
    beyond = (cols < -edge) | (cols > width + edge) | (rows < -edge) | (rows > height + edge)
    expected = 1000 + 3 * np.floor(cols) + 5 * np.floor(rows)
    assert (values[inside] > 0).all()
    assert not values[beyond].any()
    assert np.abs(values - expected)[inside].max(initial=0) <= 8  # the neighbour at most
    assert not inside.any() or np.mean((values != expected)[inside]) < 0.2
    return int(inside.sum())


def reader_for(path: Path) -> ArchiveReader:
    with open_source(path) as scene:
        return reader_of(archived(scene))


@pytest.mark.parametrize("name", GRIDS)
def test_tiles_show_what_lies_there(tmp_path: Path, name: str) -> None:
    crs, transform, cols, rows, set_name = GRIDS[name]
    reader = reader_for(write(tmp_path / "x.tif", crs, transform, cols, rows))
    native, tms = reader.native_grid(), matrix_set(set_name)
    box = move_bounds(native.crs, WGS84, native.bounds)
    assert box is not None
    lon, lat = centre(box)
    pixel = native.pixel_size / (111_320 if tms.rasterio_crs.is_geographic else 1)
    zoom = tms.zoom_for_res(pixel, zoom_level_strategy="upper")
    tile = tms.tile(max(-180 + 1e-9, min(lon, 180 - 1e-9)), lat, zoom)
    seen = 0
    for near in {tile, *tms.neighbors(tile)}:
        grid = tile_grid(tms, near.x, near.y, near.z)
        assert grid is not None
        seen += check(grid, reader.read(grid, ["B04"], "nearest"), crs, transform, (cols, rows))
    assert seen > 0


@pytest.mark.parametrize("name", ["utm over 180", "degrees over 180", "from minus 180"])
def test_both_sides_of_the_antimeridian_are_shown(tmp_path: Path, name: str) -> None:
    crs, transform, cols, rows, _ = GRIDS[name]
    reader = reader_for(write(tmp_path / "x.tif", crs, transform, cols, rows))
    tms = matrix_set("WebMercatorQuad")
    lat, zoom = (-17.0, 14) if crs == FIJI else (-16.05, 11)
    for lon in (179.9999, -179.9999):
        tile = tms.tile(lon, lat, zoom)
        grid = tile_grid(tms, tile.x, tile.y, zoom)
        assert grid is not None
        assert check(grid, reader.read(grid, ["B04"], "nearest"), crs, transform, (cols, rows)) > 20


def test_pixels_that_are_points_lie_half_a_pixel_away(tmp_path: Path) -> None:
    """GDAL moves the corner of a PixelIsPoint file when it writes and when it reads it: no ground moves."""
    crs, transform, cols, rows, _ = GRIDS["oblong"]
    path = write(tmp_path / "x.tif", crs, transform, cols, rows, AREA_OR_POINT="Point")
    with rasterio.open(path) as file:
        assert file.tags()["AREA_OR_POINT"] == "Point"
        assert file.transform == transform
    assert reader_for(path).native_grid().transform == transform


def test_sizes_are_in_metres_whatever_the_unit(tmp_path: Path) -> None:
    crs, transform, cols, rows, _ = GRIDS["us survey feet"]
    grid = reader_for(write(tmp_path / "x.tif", crs, transform, cols, rows)).native_grid()
    assert grid.pixel_size == pytest.approx(32.8 * FEET)
    with open_source(tmp_path / "x.tif") as scene:
        assert scene.groups[0].name == "r10m"
        assert scene.properties["gsd"] == pytest.approx(9.997, abs=1e-3)
