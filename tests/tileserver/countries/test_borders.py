"""Borders: of a file made up here, and of the one that `make install` made."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry

from comeo.errors import ComeoError
from tileserver.countries import borders
from tileserver.countries.borders import FILE, area_of_countries

STEP = 0.25


def topology(rings: dict[str, list[list[tuple[float, float]]]]) -> dict[str, Any]:
    """A document of countries, each of a polygon; rings are two arcs, the second one backwards."""
    arcs: list[list[tuple[int, int]]] = []
    shapes = []
    for code, polygon in rings.items():
        numbers = []
        for ring in polygon:
            grid = [(round((lon + 180) / STEP), round((lat + 90) / STEP)) for lon, lat in [*ring, ring[0]]]
            half = len(grid) // 2
            arcs += [grid[: half + 1], grid[half:][::-1]]
            numbers.append([len(arcs) - 2, ~(len(arcs) - 1)])
        properties = {"iso3": f"{code}X", "name": f"Land of {code}"}
        shapes.append({"type": "MultiPolygon", "id": code, "properties": properties, "arcs": [numbers]})
    steps = [[arc[0], *((x - left, y - low) for (left, low), (x, y) in pairwise(arc))] for arc in arcs]
    return {
        "type": "Topology", "arcs": steps, "transform": {"scale": [STEP, STEP], "translate": [-180, -90]},
        "objects": {"countries": {"type": "GeometryCollection", "geometries": shapes}},
    }  # fmt: skip


def area(rings: dict[str, list[list[tuple[float, float]]]], wanted: str) -> BaseGeometry:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(borders, "_topology", lambda: topology(rings))
        return area_of_countries(wanted)


def ring(west: float, south: float, width: float, height: float) -> list[tuple[float, float]]:
    """Corners, beyond 180 as they are written: from -180 on."""
    corners = [(west, south), (west + width, south), (west + width, south + height), (west, south + height)]
    return [(lon - 360 if lon > 180 else lon, lat) for lon, lat in corners]


grid = st.integers(-170 * 4, 180 * 4).map(lambda value: value * STEP)


@given(grid, st.integers(-80, 60), st.integers(1, 60), st.integers(1, 20))
def test_a_country_is_where_its_border_says(west: float, south: int, width: int, height: int) -> None:
    """Wherever it lies, across the antimeridian too."""
    found = area({"AA": [ring(west, south, width, height)]}, "country:AAX")
    assert found.area == pytest.approx(width * height)
    assert found.contains(Point((west + width / 2 + 180) % 360 - 180, south + height / 2))
    assert found.bounds[0] >= -180
    assert found.bounds[2] <= 180


def test_countries_are_joined_and_enclaves_left_out() -> None:
    rings = {
        "AA": [ring(0, 0, 10, 10), ring(4, 4, 2, 2)],
        "BB": [ring(10, 0, 5, 10)],
        "CC": [ring(4, 4, 2, 2)],
    }
    assert area(rings, "country:AA").area == pytest.approx(96)
    assert area(rings, "country:aa, BBX").equals(box(0, 0, 15, 10).difference(box(4, 4, 6, 6)))
    assert area(rings, "country:AA,CC").area == pytest.approx(100)


def test_an_islet_smaller_than_the_grid_has_an_area() -> None:
    for place in ([(3.0, 4.0)] * 3, [(3.0, 4.0), (3.25, 4.0), (3.0, 4.0)]):
        found = area({"AA": [place]}, "country:AA")
        assert found.covers(Point(3, 4))
        assert 0 < found.area < 1


def test_a_border_that_crosses_itself_is_mended() -> None:
    found = area({"AA": [[(0, 0), (2, 2), (2, 0), (0, 2)]]}, "country:AA")
    assert found.is_valid
    assert found.area == pytest.approx(2)


def test_land_around_a_pole_reaches_it() -> None:
    found = area({"AA": [[(lon, -70.0) for lon in range(-180, 180, 60)]]}, "country:AA")
    assert found.bounds == (-180, -90, 180, -70)


def test_without_borders_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(borders, "viewer_places", lambda: [tmp_path])
    with pytest.raises(ComeoError, match=r"run `make reference install` .* or name a GeoJSON file"):
        area_of_countries("country:KE")
    for content in (b"{", gzip.compress(b"{"), gzip.compress(b"[]"), gzip.compress(b'{"arcs": []}')[:-9]):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(ComeoError, match="cannot be read"):
            area_of_countries("country:KE")
    (tmp_path / FILE).write_bytes(gzip.compress(json.dumps(topology({"KE": [ring(0, 0, 1, 1)]})).encode()))
    assert area_of_countries("country:KE").area == pytest.approx(1)


@pytest.mark.parametrize(
    ("code", "near"),
    [
        ("UK", "UK is no country's code of ISO 3166-1; near it are GB (United Kingdom), UA (Ukraine)"),
        ("kenya", "KENYA is no country's code of ISO 3166-1; near it is KE (Kenya)"),
        ("GER", "near it are DE (Germany), "),
        ("KEM", "KE (Kenya)"),
        ("XQ", "XQ is no country's code of ISO 3166-1; write one as country:KE"),
        (
            "SN,DRC",
            "DRC is no country's code of ISO 3166-1; near it are CD (Democratic Republic of the Congo)",
        ),
    ],
)
def test_an_unknown_code_is_told_with_those_near_it(code: str, near: str) -> None:
    with pytest.raises(ComeoError) as refused:
        area_of_countries(f"country:{code}")
    assert near in str(refused.value)


@pytest.fixture(scope="module")
def world() -> dict[str, BaseGeometry]:
    """All countries of Natural Earth."""
    document = borders._topology()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(borders, "_topology", lambda: document)
        return {code: area_of_countries(f"country:{code}") for code in borders._countries(document)}


def test_all_codes_have_an_area(world: dict[str, BaseGeometry]) -> None:
    assert len(world) == 250  # ISO 3166-1 has 249, and Kosovo its own
    for code, found in world.items():
        assert found.is_valid, code
        assert found.area > 0, code
        assert found.geom_type in {"Polygon", "MultiPolygon"}, code
        assert found.bounds[2] <= 180, code


@pytest.mark.parametrize(
    ("code", "lon", "lat"),
    [
        ("KE", 36.8, -1.3), ("FR", 2.35, 48.85), ("NO", 10.7, 59.9), ("XK", 21.1, 42.6), ("SO", 44.1, 9.6),
        ("FJ", 178.0, -17.8), ("FJ", -179.9, -16.8), ("RU", -172, 66.5), ("RU", 37.6, 55.7),
        ("US", 173, 52.9), ("US", -150, 65), ("FR", -53, 4), ("GF", -53, 4), ("RE", 55.5, -21.1),
        ("SJ", 16, 78.5), ("AQ", 0, -89),
        ("CX", 105.63, -10.5), ("TV", 179.2, -8.52), ("VA", 12.453, 41.903), ("TK", -171.2, -9.34),
    ],
)  # fmt: skip
def test_places_lie_in_their_countries(
    world: dict[str, BaseGeometry], code: str, lon: float, lat: float
) -> None:
    """Within two kilometres, which lines of fewer positions, and the grid, may be off by."""
    assert world[code].distance(Point(lon, lat)) < 0.02


def test_parts_are_apart(world: dict[str, BaseGeometry]) -> None:
    assert world["FR"].covers(world["GF"])
    assert not world["KE"].intersects(Point(32.6, 0.3))  # Kampala
    assert world["FJ"].area < 2
    assert not world["ZA"].intersects(Point(28.2, -29.5))  # Lesotho
    assert shapely.intersection(world["SN"], world["GM"]).area == pytest.approx(0, abs=1e-9)
