"""Tiles of a layer: those that mercantile finds, which knows nothing of our matrices."""

from __future__ import annotations

import mercantile
from hypothesis import given
from hypothesis import strategies as st

from comeo.grid import Bounds
from tileserver.render.links import Limits, link
from tileserver.render.matrixsets import matrix_set, tile_grid

# Hundredths of a degree, and a bit: never on the border of a tile, where floating point would decide.
BOXES = st.tuples(
    st.integers(-17_900, 17_800), st.integers(-8000, 7900), st.integers(1, 100), st.integers(1, 100)
).map(lambda box: tuple(n / 100 + 0.003 for n in (box[0], box[1], box[0] + box[2], box[1] + box[3])))


@given(BOXES, st.integers(0, 18))
def test_a_layer_has_the_tiles_that_its_bounds_touch(box: Bounds, zoom: int) -> None:
    made = link("WebMercatorQuad", box, 18)
    assert made is not None
    west, south, east, north = box
    first, last = mercantile.tile(west, north, zoom), mercantile.tile(east, south, zoom)
    assert Limits(first.y, last.y, first.x, last.x) == made.limits(zoom)


@given(st.integers(0, 22), st.floats(-180, 179.99), st.floats(-85, 85))
def test_a_tile_lies_where_everybody_has_it(zoom: int, lon: float, lat: float) -> None:
    tile = mercantile.tile(lon, lat, zoom)
    grid = tile_grid(matrix_set("WebMercatorQuad"), tile.x, tile.y, zoom)
    assert grid is not None
    expected = mercantile.xy_bounds(tile)
    assert all(abs(ours - theirs) < 1e-6 for ours, theirs in zip(grid.bounds, expected, strict=True))
