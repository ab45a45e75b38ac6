"""GeoJSON from clients: bounded before any work, validated, and refused in plain words."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import BoundError, ParameterError, RequestError
from tileserver.render import geojson
from tileserver.render.geojson import MAX_DEPTH, geometry_of, polygon_of

SQUARE = [[8, 47], [9, 47], [9, 48], [8, 48], [8, 47]]
Json = dict[str, Any]


def polygon(*rings: Any) -> Json:
    return {"type": "Polygon", "coordinates": list(rings)}


def test_a_polygon_comes_as_it_is_from_a_feature_and_a_collection_of_one() -> None:
    one = polygon(SQUARE)
    multi = {"type": "MultiPolygon", "coordinates": [one["coordinates"]]}
    feature = {"type": "Feature", "geometry": multi}
    assert polygon_of(one, 10) == one
    assert polygon_of(feature, 10) == multi
    assert polygon_of({"type": "FeatureCollection", "features": [feature]}, 10) == multi


def test_heights_and_foreign_members_are_left_out() -> None:
    ring = [[8, 47, 400], [9, 47], [9, 48, 400], [8, 47, 400]]
    flat = [[8, 47], [9, 47], [9, 48], [8, 47]]
    document = {**polygon(ring), "bbox": "unread", "names": ["unread"], "crs": {"type": "name"}}
    assert polygon_of(document, 4) == polygon(flat)
    assert not geometry_of(document, 4).has_z


def test_what_clients_write_is_taken_as_it_is_meant() -> None:
    """As shapely takes it: types in any case, rings without their last position; and Features."""
    square = shapely.Polygon(SQUARE)
    one = {"type": "polygon", "coordinates": [SQUARE[:-1]]}
    many = {"type": "MULTIPOLYGON", "coordinates": [[SQUARE[:-1]]]}
    for document in (one, many, {"type": "Feature", "geometry": one}, {"type": "feature", "geometry": many}):
        assert shapely.equals(geometry_of(document, 10), square)
    assert polygon_of(one, 10) == polygon(SQUARE)
    triangle = polygon([[8, 47], [9, 47], [9, 48]])
    assert geometry_of(triangle, 3).area == 0.5


def test_vertices_have_a_bound_that_is_exact() -> None:
    ring = [[8 + math.cos(index / 16), 47 + math.sin(index / 16)] for index in range(100)]
    many = polygon([*ring, ring[0]])
    assert polygon_of(many, 101) == many
    for document in (many, {"type": "GeometryCollection", "geometries": [many]}):
        with pytest.raises(BoundError, match="more than 100") as refused:
            geometry_of(document, 100)
        assert refused.value.bound == "max_vertices"


def test_size_and_depth_are_bounded_before_anything_is_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object) -> Any:
        raise AssertionError("this is work")

    monkeypatch.setattr(geojson, "_SINGLE", None)
    monkeypatch.setattr(geojson, "shape_of", work)
    nested: Any = []
    for _ in range(MAX_DEPTH + 1):
        nested = [nested]
    for document in (polygon([[8, 47]] * 11), {"type": "Point", "coordinates": nested}):
        for check in (geometry_of, polygon_of):
            with pytest.raises(RequestError):
                check(document, 10)


def test_what_crosses_itself_is_refused_with_the_place() -> None:
    """A few hundred edges that all cross take minutes and gigabytes to be mended or moved."""
    chance = random.Random(0)
    ring = [[chance.uniform(8, 9), chance.uniform(47, 48)] for _ in range(5000)]
    flat = polygon([[8, 47], [9, 48], [8, 47], [8, 47]])
    for document in (polygon([*ring, ring[0]]), flat):
        for check in (geometry_of, polygon_of):
            with pytest.raises(ParameterError, match=r"not valid: [a-z -]+ at \d"):
                check(document, 10_000)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "GeoJSON object"),
        ([], "GeoJSON object"),
        ({}, "Point, MultiPoint"),
        ({"type": "Nonsense"}, "Point, MultiPoint"),
        ({"type": ["Point"], "coordinates": [8, 47]}, "Point, MultiPoint"),
        ({"type": "Polygon"}, "coordinates: input should be a valid list"),
        ({"type": "Polygon", "coordinates": "everything"}, "coordinates: input should be a valid list"),
        (polygon(), "no positions"),
        (polygon([]), "at least 4"),
        (polygon([[8, 47], [9, 47]]), r"coordinates\[0\]: .* at least 4"),
        (polygon([[8, 47], [8, 47]]), "at least 4"),
        (polygon([*SQUARE[:2], [9], *SQUARE[3:]]), r"coordinates\[0\]\[2\] is not a position"),
        (polygon([*SQUARE[:2], [9, 48, 1, 1], *SQUARE[3:]]), r"coordinates\[0\]\[2\] is not a position"),
        (polygon([*SQUARE[:2], ["9", 48], *SQUARE[3:]]), "numbers alone"),
        (polygon([*SQUARE[:2], [True, 48], *SQUARE[3:]]), "numbers alone"),
        (polygon([*SQUARE[:2], [9, None], *SQUARE[3:]]), "numbers alone"),
        (polygon([*SQUARE[:2], [[9], 48], *SQUARE[3:]]), "numbers alone"),
        (polygon([[860, 47], [9, 47], [9, 48], [860, 47]]), "longitude comes first"),
        ({"type": "Point", "coordinates": [math.nan, 0]}, "finite numbers alone"),
        ({"type": "Point", "coordinates": [math.inf, 0]}, "finite numbers alone"),
        ({"type": "Point", "coordinates": [8, 47, math.nan]}, "finite numbers alone"),
        ({"type": "Point", "coordinates": [10**400, 0]}, "finite numbers alone"),
        ({"type": "LineString", "coordinates": [[8, 47], [9, math.inf]]}, "finite numbers alone"),
        (polygon([[8, 47], [9, 47], [9, math.nan], [8, 47]]), "finite numbers alone"),
        (polygon([*SQUARE[:2], [9, 48, -(10**400)], *SQUARE[3:]]), "finite numbers alone"),
        ({"type": "feature"}, "no geometry"),
        ({"type": "MultiPolygon", "coordinates": [[]]}, "no ring"),
        ({"type": "MultiPoint", "coordinates": []}, "no positions"),
        ({"type": "GeometryCollection"}, "list of geometries"),
        ({"type": "GeometryCollection", "geometries": []}, "no positions"),
        ({"type": "GeometryCollection", "geometries": [5]}, "numbers|an object"),
    ],
)
def test_what_is_wrong_is_said(document: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        geometry_of(document, 10_000)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "GeoJSON object"),
        ({"type": "Point", "coordinates": [8, 47]}, "Polygon or MultiPolygon, not 'Point'"),
        ({"type": "Feature", "geometry": None}, "no geometry"),
        ({"type": "FeatureCollection", "features": []}, "one GeoJSON Feature"),
        ({"type": "FeatureCollection", "features": [5]}, "GeoJSON object"),
    ],
)
def test_only_one_polygon_is_an_area(document: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        polygon_of(document, 10_000)


POSITIONS = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
SHAPES = st.one_of(
    st.builds(shapely.Point, POSITIONS),
    st.builds(shapely.MultiPoint, st.lists(POSITIONS, min_size=1, max_size=5)),
    st.builds(shapely.MultiPoint, st.lists(POSITIONS, min_size=3, max_size=8)).map(
        lambda some: some.envelope
    ),
)


@given(st.lists(SHAPES, min_size=1, max_size=3))
def test_shapes_come_back_from_their_geojson(shapes: list[Any]) -> None:
    for one in (*shapes, shapely.GeometryCollection(shapes)):
        document = shapely.geometry.mapping(one)
        lists = _listed(document)
        if one.is_valid:
            assert shapely.equals_exact(geometry_of(lists, 100), one)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NAMES = (
    "type",
    "coordinates",
    "geometries",
    "geometry",
    "features",
    "Polygon",
    "Feature",
    "GeometryCollection",
)
JSON = st.recursive(
    LEAVES | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_no_json_is_a_crash(document: Any) -> None:
    for check in (geometry_of, polygon_of):
        try:
            check(document, 100)
        except RequestError as error:
            assert str(error)


def _listed(value: Any) -> Any:
    """As JSON has it: lists for tuples."""
    if isinstance(value, dict):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, (list, tuple)) else value
