"""Samples against exact places by PROJ and means by SciPy, and against GDAL's warper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform
from scipy.ndimage import map_coordinates

from comeo.archive import ArchiveGroup, Level
from comeo.grid import Grid
from comeo.view.sampling import SLACK, sample
from comeo.view.warp import MOST_OFF, Source, find_source, warp
from tileserver.render.matrixsets import matrix_set, tile_grid

ORIGIN = Affine(10, 0, 472_480, 0, -10, 5_257_490)
SIDE = 1500
UTM32 = CRS.from_epsg(32632)


def _group(numbers: tuple[int, ...] = (0, 3)) -> ArchiveGroup:
    levels = tuple(
        Level(
            group="r10m", number=number, height=-(-SIDE >> number), width=-(-SIDE >> number),
            transform=ORIGIN @ Affine.scale(2**number), block=256, shard=(6, 6), bands=2,
            dtype=np.dtype(np.uint16), step=1.0,
        )
        for number in numbers
    )  # fmt: skip
    return ArchiveGroup("r10m", (), UTM32, np.dtype(np.uint16), True, levels)


def _tile(zoom: int) -> tuple[Source, Grid]:
    tms = matrix_set("WebMercatorQuad")
    tile = tms.tile(8.7, 47.4, zoom)
    grid = tile_grid(tms, tile.x, tile.y, zoom)
    assert grid is not None
    source = find_source(_group(), grid)
    assert source is not None
    return source, grid


def _places(source: Source) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns and rows of every pixel of the target, by PROJ itself."""
    target = source.target
    across, down = np.meshgrid(np.arange(target.width) + 0.5, np.arange(target.height) + 0.5)
    xs, ys = _apply(target.transform, across, down)
    found = transform(target.crs, UTM32, xs.ravel(), ys.ravel())
    cols, rows = _apply(~source.transform, *(np.reshape(each, across.shape) for each in found))
    return cols, rows


def _apply(
    affine: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def _interpolated(values: NDArray[np.float32], cols: NDArray[np.float64], rows: NDArray[np.float64]) -> Any:
    """Weighted means of those of four pixels that there are, by SciPy."""
    at = [rows - 0.5, cols - 0.5]
    there = ~np.isnan(values)
    filled = np.where(there, values, 0).astype(np.float64)
    totals, weights = (
        np.stack([map_coordinates(plane, at, order=1, mode="grid-constant") for plane in planes])
        for planes in (filled, there.astype(np.float64))
    )
    height, width = values.shape[1:]
    inside = (cols >= 0) & (cols <= width) & (rows >= 0) & (rows <= height)
    own = there[:, np.clip(rows.astype(int), 0, height - 1), np.clip(cols.astype(int), 0, width - 1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(own & inside, totals / weights, np.nan)


def _part(found: NDArray[np.float32], source: Source) -> NDArray[np.float32]:
    rows, cols = source.offset
    return found[:, rows : rows + source.target.height, cols : cols + source.target.width]


def _values(source: Source, holes: float) -> NDArray[np.float32]:
    """Numbers that differ by up to 20 from pixel to pixel, with holes."""
    rng = np.random.default_rng(7)
    shape = (2, source.window.height, source.window.width)
    values = rng.uniform(1000, 1020, shape).astype(np.float32)
    values[rng.random(shape) < holes] = np.nan
    return values


@pytest.mark.parametrize("zoom", [15, 14, 13, 11, 10, 8])
@pytest.mark.parametrize("holes", [0.0, 0.02])
def test_bilinear_samples_are_means_of_the_pixels_around_exact_places(zoom: int, holes: float) -> None:
    source, grid = _tile(zoom)
    assert source.is_smooth
    values = _values(source, holes)
    found = _part(warp(values, source, UTM32, grid, "bilinear"), source)
    expected = _interpolated(values, *_places(source))
    assert (np.isnan(found) == np.isnan(expected)).mean() > 0.999  # places may be 0.001 pixel off
    assert np.nanmax(np.abs(found - expected)) < 0.1


@pytest.mark.parametrize("zoom", [15, 13, 11])
def test_nearest_samples_are_the_pixels_at_exact_places(zoom: int) -> None:
    source, grid = _tile(zoom)
    values = _values(source, 0.02)
    found = _part(warp(values, source, UTM32, grid, "nearest"), source)
    cols, rows = _places(source)
    height, width = values.shape[1:]
    inside = (cols >= 0) & (cols <= width) & (rows >= 0) & (rows <= height)
    expected = values[:, np.clip(rows.astype(int), 0, height - 1), np.clip(cols.astype(int), 0, width - 1)]
    expected = np.where(inside, expected, np.nan)
    assert ((found == expected) | (np.isnan(found) & np.isnan(expected))).mean() > 0.999


@pytest.mark.parametrize("zoom", [14, 12, 10])
def test_samples_are_gdals_within_what_it_allows_itself(zoom: int) -> None:
    source, grid = _tile(zoom)
    down, across = np.mgrid[: source.window.height, : source.window.width].astype(np.float32)
    values = np.stack([across, down])  # so that a sample is its place
    found = _part(warp(values, source, UTM32, grid, "bilinear"), source)
    target = source.target
    expected = np.full(found.shape, np.nan, np.float32)
    reproject(
        values, expected, src_transform=source.transform, src_crs=UTM32, dst_transform=target.transform,
        dst_crs=target.crs, resampling=Resampling.bilinear, init_dest_nodata=False, XSCALE="1", YSCALE="1",
    )  # fmt: skip
    assert (np.isnan(found) == np.isnan(expected)).mean() > 0.999
    assert np.nanmax(np.abs(found - expected)) < 0.125 + MOST_OFF


PLACES = st.floats(-3, 8, allow_subnormal=False)  # which processors may take for 0


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), PLACES, PLACES, st.booleans())
@example(2, 2, 0.999_999_999_99, 0.5, True)  # belongs to the second pixel, as with GDAL
def test_any_place_is_between_its_neighbours(
    height: int, width: int, col: float, row: float, nearest: bool
) -> None:
    values = np.arange(height * width, dtype=np.float32).reshape(1, height, width) + 1
    out = np.empty((1, 1, 1), np.float32)
    sample(values, np.full((2, 2), col), np.full((2, 2), row), nearest, out)
    if not (0 <= col <= width and 0 <= row <= height):
        assert np.isnan(out[0, 0, 0])
        return
    own = values[0, min(int(row + SLACK), height - 1), min(int(col + SLACK), width - 1)]
    off = 1e-3 if nearest else (width + 1) / 2 + 1e-3
    assert abs(out[0, 0, 0] - own) <= off


def test_grids_that_bend_between_the_points_of_the_lattice_are_left_to_gdal() -> None:
    source, _ = _tile(12)
    assert source.is_smooth
    _, rows, columns = source.lattice.shape
    bend = np.square(np.linspace(-1, 1, columns))[None, None]
    for size, smooth in ((MOST_OFF, True), (20.0 * rows * columns * MOST_OFF, False)):
        assert replace(source, lattice=source.lattice + size * bend).is_smooth is smooth
