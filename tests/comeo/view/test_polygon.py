"""Polygons on grids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.features import geometry_mask
from shapely.geometry import mapping

from comeo.errors import NotFoundError
from comeo.grid import Grid
from comeo.view import polygon
from comeo.view.polygon import Cutter, geometry_bounds
from comeo.view.projection import move_shape

SQUARE = {"type": "Polygon", "coordinates": [[[8, 47], [9, 47], [9, 48], [8, 48], [8, 47]]]}
FAR = {"type": "Polygon", "coordinates": [[[12, 40], [13, 40], [13, 41], [12, 40]]]}
WGS84 = CRS.from_epsg(4326)


def test_bounds_are_those_of_the_positions_whatever_the_geometry_says_of_itself() -> None:
    both = {"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"], FAR["coordinates"]]}
    assert geometry_bounds(both) == (8, 40, 13, 48)
    assert geometry_bounds({**SQUARE, "bbox": [0, 0, 1, 1]}) == (8, 47, 9, 48)


def test_a_pixel_is_outside_if_its_centre_is() -> None:
    grid = Grid(WGS84, Affine(0.5, 0, 7.6, 0, -0.5, 48.4), 4, 4)
    inside = np.zeros((4, 4), bool)
    inside[1:3, 1:3] = True
    np.testing.assert_array_equal(Cutter(SQUARE, WGS84).outside(grid), ~inside)


def test_a_polygon_without_a_place_in_the_projection_is_refused() -> None:
    far_side = CRS.from_proj4("+proj=ortho +lat_0=-40 +lon_0=-170")
    with pytest.raises(NotFoundError, match="outside"):
        Cutter(SQUARE, far_side)


def _perforated(holes: int) -> dict[str, object]:
    """A square with holes in a row."""
    side = 1 / (2 * holes)
    rings = [
        [[8 + x, 47.4], [8 + x, 47.6], [8 + x + side, 47.6], [8 + x + side, 47.4], [8 + x, 47.4]]
        for x in (2 * side * (index + 0.25) for index in range(holes))
    ]
    return {"type": "Polygon", "coordinates": [*SQUARE["coordinates"], *rings]}


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 12))
def test_a_part_of_an_image_is_cut_as_the_whole_is(row: int, col: int, size: int) -> None:
    """Only what lies near a grid is drawn on it, and that changes nothing."""
    shape = {
        "type": "MultiPolygon",
        "coordinates": [_perforated(7)["coordinates"], [[[9.1, 47], [9.4, 47], [9.2, 48], [9.1, 47]]]],
    }
    transform = Affine(0.05, 0, 7.731, 0, -0.05, 48.267)
    whole = geometry_mask([shape], (42, 42), transform)
    part = Grid(WGS84, transform @ Affine.translation(col, row), size, size)
    np.testing.assert_array_equal(
        Cutter(shape, WGS84).outside(part), whole[row : row + size, col : col + size]
    )


def test_a_polygon_is_moved_once_however_many_images_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture of a KMZ moved it again: with 2 000 holes, a minute of work for one request."""
    moved: list[CRS] = []

    def move(source: CRS, target: CRS, shape: Mapping[str, Any]) -> Mapping[str, Any] | None:
        moved.append(target)
        return move_shape(source, target, shape)

    monkeypatch.setattr(polygon, "move_shape", move)
    cutter = Cutter(_perforated(200), WGS84)
    for index in range(8):
        cutter.outside(Grid(WGS84, Affine(0.1, 0, 8 + index, 0, -0.1, 48), 4, 4))
    assert len(moved) == 1


@pytest.mark.parametrize("together", [1, 7, 1 << 20])
def test_edges_are_drawn_as_gdal_draws_them(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polygon, "CROSSINGS", together)
    random = np.random.default_rng(4)
    transform = Affine(0.01, 0.003, 7.9, 0.002, -0.01, 48.1)
    for _ in range(20):
        points = random.uniform((8, 47), (9, 48), (12, 2))
        hull = shapely.MultiPoint(points).convex_hull
        shape = mapping(shapely.difference(hull, hull.centroid.buffer(0.05)))
        expected = geometry_mask([shape], (120, 110), transform)
        found = Cutter(shape, WGS84).outside(Grid(WGS84, transform, 120, 110))
        assert (found != expected).mean() < 2e-4


def test_far_from_a_polygon_all_is_outside() -> None:
    assert Cutter(_perforated(200), WGS84).outside(Grid(WGS84, Affine(0.1, 0, 20, 0, -0.1, 48), 4, 4)).all()
