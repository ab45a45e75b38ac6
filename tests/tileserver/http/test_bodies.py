"""Bodies of JSON from outside: what is meant is taken, the rest refused in a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.tileserver.places import ITEM, position

WEST, NORTH = position(0.2, 0.2)
EAST, SOUTH = position(0.4, 0.4)
CORNERS = [[WEST, SOUTH], [EAST, SOUTH], [EAST, NORTH], [WEST, NORTH]]
SQUARE = {"type": "Polygon", "coordinates": [[*CORNERS, CORNERS[0]]]}
OPEN = {"type": "Polygon", "coordinates": [CORNERS]}
LONG = "9" * 400


def post(client: FlaskClient, path: str, geometry: str) -> Any:
    """Give a geometry, as text of JSON, to what takes one."""
    body = (
        geometry
        if "feature" in path
        else f'{{"{"intersects" if "stac" in path else "geometry"}": {geometry}}}'
    )
    return client.post(path, data=body, content_type="application/json")


PATHS = [
    "/stac/search",
    f"{ITEM}/extracts/estimate",
    f"{ITEM}/extracts",
    f"{ITEM}/feature.npy",
    f"{ITEM}/feature.png",
]


@pytest.mark.parametrize("path", [PATHS[0], PATHS[1], PATHS[4]])
@pytest.mark.parametrize(
    "geometry",
    [OPEN, {**SQUARE, "type": "polygon"}, {"type": "Feature", "properties": {}, "geometry": SQUARE},
     {"type": "MULTIPOLYGON", "coordinates": [OPEN["coordinates"]]}],
)  # fmt: skip
def test_geometries_as_clients_write_them(client: FlaskClient, path: str, geometry: Any) -> None:
    answer, plain = post(client, path, json.dumps(geometry)), post(client, path, json.dumps(SQUARE))
    assert (answer.status_code, plain.status_code) == (200, 200), answer.text
    assert answer.data == plain.data


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "ring",
    ["[[8.6,NaN],[8.7,47.4],[8.7,47.5],[8.6,47.4]]", "[[8.6,47.4],[Infinity,47.4],[8.7,47.5],[8.6,47.4]]",
     "[[8.6,47.4,NaN],[8.7,47.4,1],[8.7,47.5,1],[8.6,47.4,NaN]]",
     f"[[8.6,{LONG}],[8.7,47.4],[8.7,47.5],[8.6,{LONG}]]",
     f"[[8.6,47.4,{LONG}],[8.7,47.4],[8.7,47.5],[8.6,47.4,{LONG}]]",
     "[[8.6,47.4],[1e999,47.4],[8.7,47.5],[8.6,47.4]]", "[[8.6,null],1,2,{}]",
     "[" * 900 + "]" * 900, "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "9" * 5000],
)  # fmt: skip
def test_no_geometry_is_a_mistake_of_the_server(client: FlaskClient, path: str, ring: str) -> None:
    answer = post(client, path, f'{{"type": "Polygon", "coordinates": [{ring}]}}')
    assert answer.status_code in (400, 404, 422), answer.text
    assert answer.content_type.startswith("application/problem+json")


@pytest.mark.parametrize(
    "body",
    [r'{"\ud800": 1}', r'{"filter": {"op": "\ud800", "args": []}}', r'{"filter": {"property": "\ud800"}}',
     r'{"query": {"\ud800": {"eq": 1}}}', r'{"query": {"gsd": {"\ud800": 1}}}', r'{"datetime": "\ud800"}',
     r'{"sortby": [{"field": "\ud800"}]}', r'{"intersects": {"type": "\ud800"}}', r'{"ids": ["\ud800"]}',
     r'{"filter": {"op": "not", "args": ["\ud800"]}}'],
)  # fmt: skip
def test_a_sentence_may_repeat_half_of_a_character(client: FlaskClient, body: str) -> None:
    answer = client.post("/stac/search", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert len(answer.get_json()["detail"]) > 10


@pytest.mark.parametrize("key", ["polygon", "Geometry", "bands_", "item", "collection", "datetime"])
def test_a_key_that_a_job_does_not_know_is_refused(client: FlaskClient, key: str) -> None:
    """Left out in silence, `polygon` instead of `geometry` would export the whole scene."""
    for path in ("extracts/estimate", "extracts"):
        answer = client.post(f"{ITEM}/{path}", json={"bands": ["B04"], key: SQUARE})
        assert answer.status_code == 422
        assert key in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("properties", "words"),
    [('{"a": NaN}', "NaN"), ('{"a": [-Infinity]}', "-Infinity"), ('{"\\ud800": 1}', "half of a character"),
     ('{"a": "\\udfff"}', "half of a character")],
)  # fmt: skip
def test_what_answers_repeat_has_to_be_json(client: FlaskClient, properties: str, words: str) -> None:
    """It was repeated: the answer was no JSON, or none at all."""
    feature = f'{{"type": "Feature", "properties": {properties}, "geometry": {json.dumps(SQUARE)}}}'
    collection = ITEM.partition("/items")[0]
    for body in (feature, json.dumps(feature)):  # in quotes, too
        answer = client.post(f"{collection}/series?style=ndvi", data=body, content_type="application/json")
        assert answer.status_code == 422
        assert words in answer.get_json()["detail"] or body != feature
