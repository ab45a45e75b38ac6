"""GeoJSON from outside."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest

from comeo.errors import BoundError, ParameterError
from tileserver.api.stac.search import area_of
from tileserver.render.geojson import polygon_of


def test_polygons_have_a_bound() -> None:
    ring = [[8 + math.cos(index / 16), 47 + math.sin(index / 16)] for index in range(100)]
    polygon: dict[str, Any] = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    assert polygon_of(polygon, 101) == polygon
    with pytest.raises(BoundError, match="more than 100"):
        polygon_of(polygon, 100)
    multi = {"type": "MultiPolygon", "coordinates": [polygon["coordinates"]]}
    assert polygon_of({"type": "Feature", "geometry": multi}, 200) == multi


def test_polygons_that_cross_themselves_are_refused_at_once() -> None:
    """A few hundred edges that all cross take minutes and gigabytes to be mended or moved."""
    chance = random.Random(0)
    ring = [[chance.uniform(8, 9), chance.uniform(47, 48)] for _ in range(5000)]
    star: dict[str, Any] = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    flat: dict[str, Any] = {"type": "Polygon", "coordinates": [[[8, 47], [9, 48], [8, 47], [8, 47]]]}
    started = time.thread_time()
    for polygon in (star, flat):
        with pytest.raises(ParameterError, match=r"not valid: [a-z -]+ at \d"):
            polygon_of(polygon, 10_000)
        with pytest.raises(ParameterError, match="not valid"):
            area_of(polygon, 10_000)
    assert time.thread_time() - started < 2


def test_heights_of_positions_are_left_out() -> None:
    ring = [[8, 47, 400], [9, 47], [9, 48, 400, 1], [8, 47, 400]]
    flat = [[8, 47], [9, 47], [9, 48], [8, 47]]
    assert polygon_of({"type": "Polygon", "coordinates": [ring]}, 10)["coordinates"] == [flat]
