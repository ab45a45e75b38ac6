"""Searches for STAC Items: what they find, which fields they return, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comeo.compression import compress
from comeo.scene import Scene
from tests.tileserver.api.stac.asking import found, get, path_of
from tests.tileserver.conftest import STEP, Server, optical_scene
from tests.tileserver.places import position


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["plain", "new", "middle", "old", "radar"]),
        ("collections=radar", ["radar"]),
        ("collections=radar,plain", ["plain", "radar"]),
        ("ids=old&ids=new", ["new", "old"]),
        ("ids=", ["plain", "new", "middle", "old", "radar"]),
        ("collections=optical&datetime=2020-05-10", ["middle"]),
        ("collections=optical&datetime=2020-05-10T10:30:00Z", ["middle"]),
        ("collections=optical&datetime=../2020-05-10", ["middle", "old"]),
        ("collections=optical&datetime=2020-05-10/..", ["new", "middle"]),
        ("collections=optical&datetime=2020-05-11/2020-05-19", []),
        ("collections=optical&bbox=8.6,47.4,8.7,47.5", ["new", "middle", "old"]),
        ("collections=optical&bbox=8.6,47.4,0,8.7,47.5,100", ["new", "middle", "old"]),
        ("collections=optical&bbox=-10,-10,-9,-9", []),
        ("collections=optical&bbox=170,-90,10,90", ["new", "middle", "old"]),
        ("collections=optical&bbox=170,-90,-170,90", []),
    ],
)
def test_search_finds_what_is_asked_for(client: FlaskClient, query: str, found: list[str]) -> None:
    page = get(client, f"/stac/search?{query}")
    assert [item["id"] for item in page["features"]] == found
    assert page["numberMatched"] == len(found)


def test_a_geometry_finds_what_it_meets(client: FlaskClient) -> None:
    inside = position(0.5, 0.5)
    page: Any = client.post(
        "/stac/search",
        json={"intersects": {"type": "Point", "coordinates": inside}, "collections": ["optical"]},
    ).json
    assert [item["id"] for item in page["features"]] == ["new", "middle", "old"]
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    nothing: Any = client.post("/stac/search", json={"intersects": line}).json
    assert nothing["features"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"intersects": {"type": "Nonsense"}},
        {"intersects": {"type": "Polygon", "coordinates": "x"}},
        {"intersects": {"type": "Polygon", "coordinates": []}},
        {"intersects": []},
        {"datetime": "never"},
        {"limit": "many"},
        {"bbox": [1, 2]},
        {"collections": "optical", "token": 5},
    ],
)
def test_searches_that_make_no_sense_are_refused(client: FlaskClient, body: Any) -> None:
    answer = client.post("/stac/search", json=body)
    assert answer.status_code in {400, 422}
    assert answer.content_type.startswith("application/problem+json")


@pytest.mark.parametrize(
    "url", ["/stac/collections/radar/items?collections=optical", "/stac/search?cloudiness=10"]
)
def test_a_filter_that_is_not_known_is_refused_rather_than_left_out(client: FlaskClient, url: str) -> None:
    assert client.get(url).status_code == 400


@pytest.mark.parametrize("name", ["ids", "collections", "datetime", "token"])
def test_half_a_character_is_a_sentence(client: FlaskClient, name: str) -> None:
    value = ["\ud800"] if name in ("ids", "collections") else "\ud800"
    answer = client.post("/stac/search", json={name: value})
    assert answer.status_code == 400
    assert name in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "sortby=geometry",
        "sortby=a'b",
        "sortby=%22",
        "sortby=a,b,c,d,e,f",
        "token=e30",
        "token=W10",
        "token=%C3%A9",
        "token=W1tdLDEsMl0",
        "bbox=1,2,3,4&intersects={}",
        "intersects=x",
        "intersects=[]",
        "intersects=5",
        "intersects=true",
        'intersects={"type":"Point","coordinates":[200,0]}',
        'intersects={"type":"Point","coordinates":[NaN,0]}',
        'intersects={"type":"Point","coordinates":[1e999,0]}',
        'intersects={"type":"GeometryCollection","geometries":[]}',
        f'intersects={{"type":"Point","coordinates":[1{"0" * 400},0]}}',
        "limit=0",
        "fields=" + "," * 100,
        "sortby=id" + "&sortby=" * 100,
        "datetime=2020-05-01T00:00",
        "datetime=../..",
        "query=x",
    ],
)
def test_parameters_that_make_no_sense_are_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/stac/search?{query}")
    assert answer.status_code == 400, answer.data
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("fields", "members", "properties"),
    [
        (
            "",
            {"type", "stac_version", "id", "collection", "geometry", "bbox", "links", "assets", "properties"},
            {"datetime"},
        ),
        ("id", {"id", "collection"}, None),
        ("properties.platform,gsd", {"id", "collection", "properties"}, {"platform", "gsd"}),
        (
            "properties,-properties.gsd,bbox",
            {"id", "collection", "properties", "bbox"},
            {"platform", "datetime"},
        ),
        ("-properties,properties.gsd", {"id", "collection", "properties"}, {"gsd"}),
        ("no.such.thing,properties.neither", {"id", "collection", "properties"}, set()),
    ],
)
def test_items_have_the_fields_asked_for(
    client: FlaskClient, fields: str, members: set[str], properties: set[str] | None
) -> None:
    item = get(client, f"/stac/search?ids=old&fields={fields}")["features"][0]
    assert set(item) == members or (properties == set() and set(item) == members - {"properties"})
    if properties:
        assert properties <= set(item["properties"])
        assert "eo:cloud_cover" not in item["properties"]
        assert ("gsd" in item["properties"]) == ("gsd" in properties)


def test_what_is_excluded_alone_is_missing_and_nothing_else(client: FlaskClient) -> None:
    whole = get(client, "/stac/search?ids=old")["features"][0]
    for fields in ("-geometry,-properties.gsd,-assets.info.href", "-geometry,-gsd,-assets.info.href"):
        item = get(client, f"/stac/search?ids=old&fields={fields}")["features"][0]
        expected = json.loads(json.dumps(whole))
        del expected["geometry"], expected["properties"]["gsd"], expected["assets"]["info"]["href"]
        assert item == expected
    body = {"ids": ["old"], "fields": {"exclude": ["links"], "include": ["id", "links"]}}
    answer: Any = client.post("/stac/search", json=body).json
    assert set(answer["features"][0]) == {"id", "collection", "links"}


def test_a_geometry_can_be_given_by_get(client: FlaskClient) -> None:
    inside = json.dumps({"type": "Point", "coordinates": position(0.5, 0.5)})
    assert found(client, f"collections=optical&intersects={inside}") == ["new", "middle", "old"]
    around = {"type": "Polygon", "coordinates": [[[8, 47], [9, 47], [9, 48], [8, 48], [8, 47]]]}
    assert found(client, f"collections=optical&intersects={json.dumps(around)}") == ["new", "middle", "old"]


def test_a_polygon_that_crosses_itself_is_refused_with_the_place(client: FlaskClient) -> None:
    bow = {"type": "Polygon", "coordinates": [[[8, 47], [9, 48], [9, 47], [8, 48], [8, 47]]]}
    answer = client.post("/stac/search", json={"intersects": bow})
    assert answer.status_code == 400
    assert answer.json is not None
    assert "8.5 47.5" in answer.json["detail"]


def test_a_scene_whose_time_nobody_knows_is_found_by_no_time(tmp_path: Path, server: Server) -> None:
    known, scene = optical_scene("known", 5), optical_scene("unknown", 1)
    properties = {**scene.properties, "comeo:datetime_unknown": True, "platform": "sentinel-2a"}
    unknown = Scene(scene.id, scene.collection, scene.datetime, scene.groups, properties)
    for one in (known, unknown):
        compress(one, tmp_path / "archives" / f"{one.id}.zarr.zip", step=STEP)
    client = server(tmp_path / "archives")
    assert found(client, "") == ["known", "unknown"]
    assert found(client, "sortby=datetime") == ["known", "unknown"]
    assert found(client, "datetime=../2030-01-01") == ["known"]
    assert found(client, "datetime=1960-01-01/..") == ["known"]
    first = get(client, "/stac/search?limit=1&sortby=datetime")
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert [item["id"] for item in get(client, path_of(following))["features"]] == ["unknown"]
    extent = get(client, "/stac/collections/optical")["extent"]["temporal"]["interval"]
    assert extent == [["2020-05-05T10:30:00Z", "2020-05-05T10:30:00Z"]]
    item = get(client, "/stac/collections/optical/items/unknown")
    assert "is unknown" in item["properties"]["description"]
    (tmp_path / "archives" / "known.zarr.zip").unlink()
    only = get(client, "/stac/collections/optical")
    assert only["extent"]["temporal"]["interval"] == [[None, None]]
    assert get(client, "/collections/optical/info")["datetime"] == [None, None]
