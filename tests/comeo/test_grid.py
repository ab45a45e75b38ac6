"""Grids: parts of them, and whether two have the same pixels."""

from __future__ import annotations

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from comeo.grid import Grid
from comeo.scene import Window

UTM32 = CRS.from_epsg(32632)
GRID = Grid(UTM32, Affine(10, 0, 472_480, 0, -10, 5_257_490), 300, 200)
SIDES = st.integers(1, 5000)


@given(st.integers(0, 9000), st.integers(0, 9000), SIDES, SIDES)
def test_a_part_lies_where_it_was_cut(row: int, col: int, height: int, width: int) -> None:
    part = GRID.part(Window(row, col, height, width))
    assert part.offset_in(GRID) == (row, col)
    assert GRID.offset_in(part) == (-row, -col)


def test_other_pixels_have_no_offset() -> None:
    def moved(affine: Affine) -> Grid:
        return Grid(UTM32, GRID.transform @ affine, GRID.height, GRID.width)

    assert moved(Affine.identity()).offset_in(GRID) == (0, 0)
    for affine in (
        Affine.translation(0.5, 0),
        Affine.translation(0, 0.01),
        Affine.scale(2),
        Affine.scale(1.0001),
    ):
        assert moved(affine).offset_in(GRID) is None
    elsewhere = Grid(CRS.from_epsg(32633), GRID.transform, GRID.height, GRID.width)
    assert elsewhere.offset_in(GRID) is None


def test_pixel_sizes_are_in_metres() -> None:
    assert GRID.pixel_size == 10
    degrees = Grid(CRS.from_epsg(4326), Affine(0.001, 0, 8, 0, -0.001, 48), 10, 10)
    assert degrees.pixel_size == pytest.approx(111.32)


def test_bounds_hold_all_corners_whichever_way_the_rows_run() -> None:
    crs = CRS.from_epsg(32632)
    north_up = Grid(crs, Affine(10, 0, 500, 0, -10, 900), 20, 30)
    south_up = Grid(crs, Affine(10, 0, 500, 0, 10, 700), 20, 30)
    assert north_up.bounds == south_up.bounds == (500, 700, 800, 900)
