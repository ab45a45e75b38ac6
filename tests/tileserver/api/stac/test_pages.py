"""Order and pages of STAC Items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comeo.compression import compress
from tests.tileserver.api.stac.asking import found, get, path_of
from tests.tileserver.conftest import STEP, Server, optical_scene
from tests.tileserver.places import position


def test_pages_lead_to_the_next(client: FlaskClient) -> None:
    names, address = [], "/stac/search?limit=2&collections=optical,plain"
    while address:
        page = get(client, address)
        names += [item["id"] for item in page["features"]]
        assert page["numberReturned"] == len(page["features"]) <= 2
        following = [link for link in page["links"] if link["rel"] == "next"]
        address = path_of(following[0]["href"]) if following else ""
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


ORDERS = [
    ("sortby=id", ["middle", "new", "old", "plain", "radar"]),
    ("sortby=-id", ["radar", "plain", "old", "new", "middle"]),
    ("sortby=%2Bdatetime", ["old", "radar", "middle", "new", "plain"]),
    ("sortby=-properties.datetime", ["plain", "new", "middle", "old", "radar"]),
    ("sortby=collection,-datetime", ["new", "middle", "old", "plain", "radar"]),
    ("sortby=-collection,id", ["radar", "plain", "middle", "new", "old"]),
    ("sortby=platform,id", ["middle", "new", "old", "radar", "plain"]),
    ("sortby=-platform,id", ["middle", "new", "old", "radar", "plain"]),
    ("sortby=no-such-property,-id", ["radar", "plain", "old", "new", "middle"]),
]


@pytest.mark.parametrize(("query", "expected"), ORDERS)
def test_items_come_in_the_order_asked_for(client: FlaskClient, query: str, expected: list[str]) -> None:
    assert found(client, query) == expected


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize(("query", "expected"), ORDERS)
def test_pages_keep_the_order(client: FlaskClient, query: str, expected: list[str], limit: int) -> None:
    names: list[str] = []
    address = f"/stac/search?limit={limit}&{query}"
    while address:
        page = get(client, address)
        names += [item["id"] for item in page["features"]]
        following = [link for link in page["links"] if link["rel"] == "next"]
        address = path_of(following[0]["href"]) if following else ""
    assert names == expected


def test_order_by_post(client: FlaskClient) -> None:
    body = {
        "sortby": [{"field": "properties.platform", "direction": "asc"}, {"field": "id", "direction": "desc"}]
    }
    page: Any = client.post("/stac/search", json=body).json
    assert [item["id"] for item in page["features"]] == ["radar", "old", "new", "middle", "plain"]


def test_pages_stay_what_they_are_when_scenes_come_and_go(own_archives: Path, server: Server) -> None:
    client = server(own_archives)
    first = get(client, "/stac/search?limit=2&collections=optical")
    assert [item["id"] for item in first["features"]] == ["new", "middle"]
    (own_archives / "middle.zarr.zip").unlink()
    compress(optical_scene("newest", 30), own_archives / "newest.zarr.zip", step=STEP)
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert [item["id"] for item in get(client, path_of(following))["features"]] == ["old"]


def test_repeated_parameters_are_carried_to_the_next_page(client: FlaskClient) -> None:
    first = get(client, "/stac/search?ids=old&ids=new&limit=1")
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert [item["id"] for item in get(client, path_of(following))["features"]] == ["old"]


def test_a_token_of_another_order_is_refused(client: FlaskClient) -> None:
    first = get(client, "/stac/search?limit=1&sortby=id")
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert client.get(path_of(following).replace("sortby=id", "sortby=datetime")).status_code == 400


def test_pages_of_a_geometry_go_on(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tileserver.api.stac.search._BATCH", 1)
    monkeypatch.setattr("tileserver.api.stac.search.MAX_COMPARED", 2)
    inside = {"type": "Point", "coordinates": position(0.9, 0.9)}
    names: list[str] = []
    body: dict[str, Any] | None = {"intersects": inside, "limit": 3}
    pages = 0
    while body:
        page: Any = client.post("/stac/search", json=body).json
        names += [item["id"] for item in page["features"]]
        following = [link for link in page["links"] if link["rel"] == "next"]
        body = following[0]["body"] if following else None
        pages += 1
    assert names == ["middle", "old", "radar"]  # the new one is cut there
    assert pages > 1
