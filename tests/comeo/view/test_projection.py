"""Coordinates that have no place are told from those that do."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.crs import CRS

from comeo.view.projection import move_bounds, move_points, move_shape

DEGREES, UTM32 = CRS.from_epsg(4326), CRS.from_epsg(32632)


def test_points_without_a_place_do_not_spoil_the_others() -> None:
    xs, ys = move_points(DEGREES, UTM32, np.array([9.0, -90.0, 9.0]), np.array([0.0, 0.0, 95.0]))
    assert xs[0] == pytest.approx(500_000)
    assert ys[0] == pytest.approx(0, abs=1e-6)
    assert not np.isfinite(xs[1:]).any()


def test_bounds_across_the_antimeridian_stay_in_order() -> None:
    bounds = move_bounds(CRS.from_epsg(32660), DEGREES, (700_000, 5_000_000, 800_000, 5_100_000))
    assert bounds is not None
    assert bounds[0] > 170
    assert bounds[2] < -170


def test_shapes_without_a_place_are_none() -> None:
    there = {"type": "Polygon", "coordinates": [[[8, 1], [9, 1], [9, 2], [8, 1]]]}
    beyond = {"type": "Polygon", "coordinates": [[[-90, 0], [8, 1], [8, 2], [-90, 0]]]}
    assert move_shape(DEGREES, UTM32, there) is not None
    assert move_shape(DEGREES, UTM32, beyond) is None
