"""Radar pixels on other grids are means of power."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio import warp
from rasterio.crs import CRS

from comeo.grid import WGS84, Grid
from comeo.view.resampling import RESAMPLINGS
from tests.comeo.view.exact import archived, reader_of
from tests.comeo.view.radar import LEVELS, ORIGIN, UTM33, mean_of, radar_scene, speckled
from tileserver.render.matrixsets import matrix_set, tile_grid

SIDE = 1536
TOLERANCE = 0.05  # decibels
WEIGHING = [name for name in RESAMPLINGS if name not in ("nearest", "mode")]


@pytest.fixture(scope="module")
def plane() -> NDArray[np.float32]:
    return speckled(SIDE, SIDE)


def _grid_of_tile(zoom: int, lon: float = 15.09, lat: float = 46.89) -> Grid:
    tms = matrix_set("WebMercatorQuad")
    tile = tms.tile(lon, lat, zoom)
    grid = tile_grid(tms, tile.x, tile.y, zoom)
    assert grid is not None
    return grid


@pytest.mark.parametrize("zoom", [10, 11, 12, 13])
@pytest.mark.parametrize("levels", [(0,), (0, 3)])
def test_tiles_have_the_power_of_the_plane(
    plane: NDArray[np.float32], zoom: int, levels: tuple[int, ...]
) -> None:
    image = reader_of(archived(radar_scene(plane), levels)).read(_grid_of_tile(zoom))
    for band, level in zip(image.array, LEVELS, strict=True):
        assert band.count() > 10_000
        assert mean_of(band) == pytest.approx(level, abs=TOLERANCE)


@pytest.mark.parametrize("zoom", [10, 12, 13])
def test_half_of_the_pixels_may_be_missing(plane: NDArray[np.float32], zoom: int) -> None:
    holes = np.random.default_rng(1).random((SIDE, SIDE)) < 0.5
    valid = np.broadcast_to(~holes, plane.shape)
    image = reader_of(archived(radar_scene(plane, valid))).read(_grid_of_tile(zoom))
    for band, level in zip(image.array, LEVELS, strict=True):
        assert mean_of(band) == pytest.approx(level, abs=TOLERANCE)


@pytest.mark.parametrize("resampling", WEIGHING)
@pytest.mark.parametrize("cell", [17.0, 24.0, 130.0])
def test_every_kernel_weighs_power(plane: NDArray[np.float32], resampling: Any, cell: float) -> None:
    """From 24 m on 20 m pixels are read, from 130 m on 80 m ones; each grid is turned a little."""
    transform = (
        Affine.translation(ORIGIN.c + 2000, ORIGIN.f - 2000) @ Affine.rotation(3) @ Affine.scale(cell, -cell)
    )
    grid = Grid(UTM33, transform, int(9000 // cell), int(9000 // cell))
    image = reader_of(archived(radar_scene(plane))).read(grid, resampling=resampling)
    for band, level in zip(image.array, LEVELS, strict=True):
        assert not np.ma.getmaskarray(band).any()
        # what a kernel with negative weights leaves below the lowest power is cut off
        assert mean_of(band) == pytest.approx(level, abs=0.08 if resampling in ("cubic", "lanczos") else 0.06)


@pytest.mark.parametrize("resampling", ["bilinear", "average", "cubic_spline"])
def test_a_checkerboard_is_three_decibels_below_its_bright_fields(resampling: Any) -> None:
    board = np.where(np.indices((400, 400)).sum(axis=0) % 2, 0.0, -20.0).astype(np.float32)[None]
    reader = reader_of(archived(radar_scene(board)))
    grid = Grid(UTM33, ORIGIN @ Affine.translation(16, 16) @ Affine.scale(8), 40, 40)
    found = reader.read(grid, resampling=resampling).array
    np.testing.assert_allclose(found, 10 * np.log10((1 + 0.01) / 2), atol=1e-3)
    between = Grid(UTM33, ORIGIN @ Affine.translation(16.5, 16.5), 200, 200)
    np.testing.assert_allclose(reader.read(between).array, -2.967, atol=1e-3)


def test_the_nearest_pixel_is_as_it_is(plane: NDArray[np.float32]) -> None:
    reader = reader_of(archived(radar_scene(plane)))
    own = reader.read(Grid(UTM33, ORIGIN, SIDE, SIDE)).data
    grid = Grid(UTM33, ORIGIN @ Affine.translation(40.3, 40.2) @ Affine.scale(1.01), 300, 300)
    found = reader.read(grid, resampling="nearest").data
    assert np.isin(found, own).all()


def test_no_power_is_lost_beside_a_bright_target() -> None:
    """A reflector 60 dB above the sea: a cubic kernel would leave its neighbours without any power."""
    values = np.full((1, 200, 200), -25, np.float32)
    values[0, 100, 100] = 35
    reader = reader_of(archived(radar_scene(values)))
    grid = Grid(UTM33, ORIGIN @ Affine.translation(50.4, 50.4), 100, 100)
    for resampling in ("cubic", "lanczos"):
        band = reader.read(grid, resampling=resampling).array[0]
        assert not np.ma.getmaskarray(band).any()
        assert band.min() == pytest.approx(-25, abs=1e-3)


@pytest.mark.parametrize("lon", [-180.0, 180.0])
def test_power_across_the_antimeridian(lon: float) -> None:
    crs = CRS.from_epsg(32660)
    (x,), (y,) = warp.transform(WGS84, crs, [180.0], [45.115])
    scene = radar_scene(speckled(900, 900), transform=Affine(10, 0, x - 4500, 0, -10, y + 4500), crs=crs)
    grid = Grid(WGS84, Affine(0.0009, 0, lon - 0.02, 0, -0.0006, 45.13), 40, 50)
    image = reader_of(archived(scene)).read(grid)
    for band, level in zip(image.array, LEVELS, strict=True):
        assert band.count() == band.size
        assert mean_of(band) == pytest.approx(level, abs=2 * TOLERANCE)
