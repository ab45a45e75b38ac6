"""Polygons on grids."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from comeo.errors import NotFoundError
from comeo.grid import Grid
from comeo.view.polygon import geometry_bounds, moved_polygon, outside

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
    np.testing.assert_array_equal(outside(moved_polygon(SQUARE, WGS84), grid), ~inside)


def test_a_polygon_without_a_place_in_the_projection_is_refused() -> None:
    far_side = CRS.from_proj4("+proj=ortho +lat_0=-40 +lon_0=-170")
    with pytest.raises(NotFoundError, match="outside"):
        moved_polygon(SQUARE, far_side)
