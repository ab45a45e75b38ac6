"""If-None-Match is compared weakly (RFC 9110, 13.1.2): a proxy or compression may have weakened our ETag."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from tests.tileserver.places import ITEM, position, tile_path, tile_url
from tileserver.http.conditional import answer_unless_known

WEST, NORTH = position(0.2, 0.2)
EAST, SOUTH = position(0.6, 0.6)
AREA = f"{WEST},{SOUTH},{EAST},{NORTH}"
ZOOM, COLUMN, ROW = tile_path(0.5, 0.5, 13).split("/")
REVALIDATED = [
    tile_url(),
    tile_url("/collections/optical"),
    f"{ITEM}/preview.webp?max_size=128",
    f"{ITEM}/archive",
    f"{ITEM}/bbox/{AREA}.tif?bands=B04",
    f"{ITEM}/bbox/{AREA}.kmz",
    f"{ITEM}/overlay.kml",
    f"{ITEM}/styles/ndvi/legend.png",
    f"{ITEM}/info",
    f"{ITEM}/tilejson.json",
    "/collections/optical/overlay.kml",
    "/wmts/1.0.0/WMTSCapabilities.xml",
    f"/wmts/1.0.0/collections/optical/ndvi/current/WebMercatorQuad/{ZOOM}/{ROW}/{COLUMN}.png",
    f"/ogc/collections/optical/map/tiles/WebMercatorQuad/{ZOOM}/{ROW}/{COLUMN}?f=png",
    "/ogc/collections",
    "/stac",
    "/stac/search",
]


@pytest.mark.parametrize("url", REVALIDATED)
def test_an_etag_that_was_weakened_on_its_way_is_still_known(client: FlaskClient, url: str) -> None:
    accepted = {"Accept-Encoding": "gzip, deflate, br"}
    with client.get(url, headers=accepted) as first:
        assert first.status_code == 200, first.data[:300]
        tag, _ = first.get_etag()
        given = first.headers["ETag"]
    for known in (given, f'"{tag}"', f'W/"{tag}"', f'"other", W/"{tag}"', "*"):
        with client.get(url, headers={**accepted, "If-None-Match": known}) as again:
            assert again.status_code == 304, known
            assert again.data == b""
            assert again.get_etag()[0] == tag
    with client.get(url, headers={**accepted, "If-None-Match": 'W/"other"'}) as other:
        assert other.status_code == 200


@given(tag=st.text(st.characters(codec="latin-1", exclude_characters='"', min_codepoint=33), min_size=1))
def test_any_etag_is_known_again_and_no_other(tag: str) -> None:
    app = Flask(__name__)
    for name in (f'"{tag}"', f'W/"{tag}"'):
        with app.test_request_context(headers={"If-None-Match": name}):
            assert answer_unless_known(tag, _never).status_code == 304
            assert answer_unless_known(f"{tag}x", lambda: Response("new")).data == b"new"


def test_only_reading_is_answered_with_not_modified() -> None:
    with Flask(__name__).test_request_context(method="POST", headers={"If-None-Match": '"same"'}):
        assert answer_unless_known("same", lambda: Response("made")).data == b"made"


def _never() -> Any:
    raise AssertionError("the client has this answer")
