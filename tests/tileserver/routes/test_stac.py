"""The STAC API: documents that pystac reads, search, pages."""

from __future__ import annotations

from typing import Any

import pystac
import pytest
from flask.testing import FlaskClient

from tests.tileserver.places import position


def test_the_landing_page_leads_everywhere(client: FlaskClient) -> None:
    page = _get(client, "/stac")
    pystac.Catalog.from_dict(page)
    assert "https://api.stacspec.org/v1.0.0/item-search" in page["conformsTo"]
    assert _get(client, "/stac/conformance") == {"conformsTo": page["conformsTo"]}
    relations = {link["rel"] for link in page["links"]}
    assert relations >= {
        "self",
        "root",
        "conformance",
        "data",
        "search",
        "service-desc",
        "service-doc",
        "child",
    }
    for link in page["links"]:
        if link.get("method") != "POST":
            with client.get(_path(link["href"]), follow_redirects=True) as answer:
                assert answer.status_code == 200, link


def test_collections_are_what_their_scenes_make_them(client: FlaskClient) -> None:
    listed = _get(client, "/stac/collections")["collections"]
    assert [one["id"] for one in listed] == ["optical", "plain", "radar"]
    optical = listed[0]
    assert _get(client, "/stac/collections/optical") == optical
    collection = pystac.Collection.from_dict(optical)
    assert collection.extent.temporal.intervals[0][0] is not None
    assert optical["extent"]["temporal"]["interval"] == [["2020-05-01T10:30:00Z", "2020-05-20T10:30:00Z"]]
    west, south, east, north = optical["extent"]["spatial"]["bbox"][0]
    lon, lat = position(0.5, 0.5)
    assert west < lon < east
    assert south < lat < north
    assert optical["summaries"]["platform"] == ["sentinel-2a"]


def test_items_are_valid_and_their_links_work(client: FlaskClient) -> None:
    page = _get(client, "/stac/collections/optical/items")
    assert [item["id"] for item in page["features"]] == ["new", "middle", "old"]
    for document in page["features"]:
        item = pystac.Item.from_dict(document)
        assert item.collection_id == "optical"
        assert document == _get(client, f"/stac/collections/optical/items/{item.id}")
        for asset in item.assets.values():
            with client.get(_path(asset.href)) as answer:
                assert answer.status_code == 200
                assert answer.content_type == asset.media_type
        for link in document["links"]:
            if link["rel"] != "xyz":
                assert client.get(_path(link["href"])).status_code == 200, link


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
    page = _get(client, f"/stac/search?{query}")
    assert [item["id"] for item in page["features"]] == found
    assert page["numberMatched"] == len(found)


def test_pages_lead_to_the_next(client: FlaskClient) -> None:
    names, address = [], "/stac/search?limit=2&collections=optical,plain"
    while address:
        page = _get(client, address)
        names += [item["id"] for item in page["features"]]
        assert page["numberReturned"] == len(page["features"]) <= 2
        following = [link for link in page["links"] if link["rel"] == "next"]
        address = _path(following[0]["href"]) if following else ""
    assert names == ["plain", "new", "middle", "old"]


def test_pages_lead_to_the_next_by_post(client: FlaskClient) -> None:
    names: list[str] = []
    body: dict[str, Any] | None = {"limit": 2, "collections": ["optical", "plain"]}
    while body:
        page: Any = client.post("/stac/search", json=body).json
        names += [item["id"] for item in page["features"]]
        following = [link for link in page["links"] if link["rel"] == "next"]
        body = following[0]["body"] if following else None
    assert names == ["plain", "new", "middle", "old"]


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
    "url", ["/stac/collections/radar/items?collections=optical", "/stac/search?filter=id%3D%27old%27"]
)
def test_a_filter_that_is_not_known_is_refused_rather_than_left_out(client: FlaskClient, url: str) -> None:
    assert client.get(url).status_code == 400


def _get(client: FlaskClient, url: str) -> Any:
    answer = client.get(url)
    assert answer.status_code == 200, answer.data[:300]
    return answer.json


def _path(address: str) -> str:
    assert address.startswith("http://localhost/")
    return address.removeprefix("http://localhost")


@pytest.mark.parametrize("name", ["ids", "collections", "datetime", "token"])
def test_half_a_character_is_a_sentence(client: FlaskClient, name: str) -> None:
    value = ["\ud800"] if name in ("ids", "collections") else "\ud800"
    answer = client.post("/stac/search", json={name: value})
    assert answer.status_code == 400
    assert name in answer.get_json()["detail"]
