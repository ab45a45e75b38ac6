"""Requests are read strictly, whatever is asked; limits hold the tiles that a box touches, and no others."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from morecantile import Tile

from tests.tileserver.api.wmts.test_conformance import CAPABILITIES, INFO, TILE
from tileserver.api.wmts.requests import parameters
from tileserver.render.links import Link, link
from tileserver.render.matrixsets import matrix_set

KEYS = sorted({*TILE, *INFO, "TIME", "ACCEPTVERSIONS", "SECTIONS", "UPDATESEQUENCE", "ACCEPTFORMATS", "CRS"})
VALUES = st.one_of(
    st.sampled_from(
        ["", "WMTS", "GetTile", "GetCapabilities", "1.0.0", "optical", "optical/new", "optical/../radar", "0",
         "-1", "13", "99999999999999999999", "current", "2020-05-10", "0000-00-00", "9999-99-99", "../..",
         "WorldCRS84Quad", "image/png", "text/html", "All", "true-color", "{Time}"]
    ),
    st.text(max_size=30),
)  # fmt: skip


@given(
    base=st.sampled_from([TILE, INFO, CAPABILITIES]),
    changed=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_request_has_an_answer_of_the_standard(
    client: FlaskClient, base: dict[str, str], changed: dict[str, str]
) -> None:
    query = urlencode({**base, **changed}, errors="surrogatepass")
    answer = client.get(f"/wmts?{query}")
    assert answer.status_code in (200, 304, 400, 501), (query, answer.data)
    if answer.status_code >= 400:
        report = etree.fromstring(answer.data)
        assert str(report.tag).endswith("ExceptionReport")
        assert answer.headers["Cache-Control"] == "no-store"


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=8))
def test_keys_are_upper_case_and_values_as_given(pairs: list[tuple[str, str]]) -> None:
    once: dict[str, str] = {}
    for key, value in pairs:
        once.setdefault(key.upper(), value)
    assert parameters(once.items()) == once


SETS = ["WebMercatorQuad", "WorldCRS84Quad", "UTM32WGS84Quad", "UTM32SWGS84Quad"]


@given(
    name=st.sampled_from(SETS), zoom=st.integers(1, 16), west=st.floats(5, 11.9), south=st.floats(-60, 60),
    width=st.floats(0.001, 0.1), height=st.floats(0.001, 2),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_limits_are_the_tiles_that_the_bounds_touch(
    name: str, zoom: int, west: float, south: float, width: float, height: float
) -> None:
    made = link(name, (west, south, west + width, south + height), 14)
    assert made is not None
    limits = made.limits(zoom)
    left, bottom, right, top = made.bounds
    tms = matrix_set(name)
    first = tms.xy_bounds(Tile(limits.min_col, limits.min_row, zoom))
    last = tms.xy_bounds(Tile(limits.max_col, limits.max_row, zoom))
    slack = 1e-5 * (first.right - first.left)
    assert first.left - slack <= left < first.right + slack
    assert first.bottom - slack <= top <= first.top + slack
    assert last.left - slack <= right <= last.right + slack
    assert last.bottom - slack <= bottom <= last.top + slack


@pytest.mark.parametrize(
    ("bbox", "cols"),
    [((179.5, -17.0, -179.5, -16.0), (0, 15)), ((-180.0, -90.0, 180.0, 90.0), (0, 15))],
)
def test_across_the_antimeridian_every_column_may_be_needed(bbox: Any, cols: tuple[int, int]) -> None:
    made = link("WebMercatorQuad", bbox, 10)
    assert made is not None
    limits = made.limits(4)
    assert (limits.min_col, limits.max_col) == cols
    assert 0 <= limits.min_row <= limits.max_row <= 15


def test_beyond_the_reach_of_a_projection_there_is_no_link() -> None:
    assert link("WebMercatorQuad", (0.0, 86.0, 1.0, 89.0), 10) is None
    assert isinstance(link("WorldCRS84Quad", (0.0, 86.0, 1.0, 89.0), 10), Link)
