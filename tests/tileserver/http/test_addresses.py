"""Addresses as clients write them: what is meant is answered alike, what contradicts itself is refused."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urljoin

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from tests.tileserver.places import ITEM, tile_url
from tileserver.http.addresses import tidy_query

CAPABILITIES = "service=WMTS&request=GetCapabilities"


@pytest.mark.parametrize(
    "url",
    ["/stac", "/stac/collections", "/stac/search?limit=2", f"/wmts?{CAPABILITIES}", f"{ITEM}/info",
     "/ogc/collections", tile_url(suffix=".png?style=ndvi"), "/healthz", "/openapi.json",
     f"{ITEM}/tilejson.json?style=ndvi"],
)  # fmt: skip
def test_a_slash_at_the_end_changes_nothing(client: FlaskClient, url: str) -> None:
    path, _, query = url.partition("?")
    with (
        client.get(url) as plain,
        client.get(f"{path}/?{query}") as slashed,
        client.get(f"{path}//?{query}") as two,
    ):
        assert (plain.status_code, slashed.status_code, two.status_code) == (200, 200, 200)
        assert plain.data == slashed.data == two.data


def test_a_slash_at_the_end_changes_nothing_for_other_methods(client: FlaskClient) -> None:
    found = client.post("/stac/search/", json={"collections": ["radar"]})
    assert [item["id"] for item in found.get_json()["features"]] == ["radar"]
    assert client.head("/stac/search/").status_code == 200
    preflight = client.options("/stac/search/", headers={"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert client.post(f"{ITEM}/extracts/estimate/", json={"bands": ["B04"]}).status_code == 200
    assert client.get("/nothing/of/this/").status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/swagger", "/docs/swagger/"])
def test_pages_with_relative_links_have_one_address(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    target = urljoin(path, answer.headers["Location"]) if answer.status_code == 302 else path
    assert target == "/docs/swagger"
    assert client.get(target).status_code == 200


@pytest.mark.parametrize(
    "query",
    [f"?{CAPABILITIES}", f"&{CAPABILITIES}", f"{CAPABILITIES}&", f"{CAPABILITIES}?", f"map=x?{CAPABILITIES}",
     f"map=x??{CAPABILITIES}", f"&?&{CAPABILITIES}&&", "service=WMTS&&request=GetCapabilities",
     "service=WMTS&amp;request=GetCapabilities"],
)  # fmt: skip
def test_separators_too_many_are_left_out(client: FlaskClient, query: str) -> None:
    plain = client.get(f"/wmts?{CAPABILITIES}")
    assert plain.status_code == 200
    answer = client.get(f"/wmts?{query}")
    assert (answer.status_code, answer.data) == (200, plain.data)


def test_parameters_that_a_client_appends_count(client: FlaskClient) -> None:
    twice = client.get(tile_url(suffix=".png?style=ndvi?resampling=nearest"))
    assert twice.status_code == 200
    assert twice.data == client.get(tile_url(suffix=".png?style=ndvi&resampling=nearest")).data
    assert twice.data != client.get(tile_url(suffix=".png?style=ndvi")).data


@given(
    st.lists(st.tuples(st.from_regex(r"[a-z][a-z:_-]{0,8}", fullmatch=True), st.text(max_size=8)), max_size=4)
)
def test_what_is_encoded_stays_as_it_is(pairs: list[tuple[str, str]]) -> None:
    query = urlencode(pairs, errors="replace")
    assert tidy_query(query) == query
    given = [(name, value.encode(errors="replace").decode()) for name, value in pairs]
    assert parse_qsl(tidy_query(f"?&{query}&?"), keep_blank_values=True) == given


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (tile_url(suffix=".png?style=ndvi&style=true-color"), "style is given more than once"),
        (tile_url(suffix=".png?bands=B04&rescale=0,1&return_mask=true&return_mask=false"), "return_mask is"),
        ("/stac/search?limit=1&limit=2", "limit is given more than once"),
        ("/stac/search?filter=id='a'&filter=id='b'", "filter is given more than once"),
        ("/collections/optical/tilejson.json?datetime=2020-05-01&datetime=2020-05-10", "datetime is given"),
        (tile_url(suffix=".png?BANDS=B04"), "no parameter BANDS, but bands"),
        (tile_url(suffix=".png?Style=ndvi"), "no parameter Style, but style"),
        ("/stac/search?Collections=radar", "no parameter Collections, but collections"),
    ],
)  # fmt: skip
def test_what_would_be_left_out_in_silence_is_refused(client: FlaskClient, url: str, words: str) -> None:
    for answer in (client.get(url), client.head(url)):
        assert answer.status_code == 400
    assert words in client.get(url).get_json()["detail"]


def test_keys_that_repeat_as_they_may(client: FlaskClient) -> None:
    """Lists as TiTiler has them; the same value twice; keys that nobody knows."""
    listed = client.get(tile_url(suffix=".npy?bands=B04&bands=B03"))
    assert listed.status_code == 200
    assert listed.data == client.get(tile_url(suffix=".npy?bands=B04,B03")).data
    assert client.get(tile_url(suffix=".png?style=ndvi&style=ndvi&_=1&_=2")).status_code == 200
    for keys in ("SERVICE=WMTS&REQUEST=GetCapabilities", "Service=wmts&rEQUEST=getcapabilities"):
        assert client.get(f"/wmts?{keys}").status_code == 200
    assert client.get(f"/wmts?{CAPABILITIES}&SERVICE=WFS").status_code == 400
