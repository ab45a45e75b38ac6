"""`filter` and `query` in the forms that clients send, their bounds, their refusals, and what is declared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.tileserver.api.stac.cql2.conftest import SCENES
from tileserver.api.stac.cql2.reading import MAX_DEPTH, MAX_TERMS

CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf/"
EVERYTHING = set(SCENES)
GSD: Any = {"property": "gsd"}


def found(client: FlaskClient, **wanted: Any) -> set[str]:
    """Ids by GET, which POST has to find, too."""
    body = {name.replace("_", "-"): value for name, value in wanted.items()}
    query = {
        name: json.dumps(value)
        if isinstance(value, dict)
        else ",".join(value)
        if isinstance(value, list)
        else value
        for name, value in body.items()
    }
    page = client.get("/stac/search", query_string={"limit": 50, **query})
    assert page.status_code == 200, page.text
    posted = client.post("/stac/search", json={"limit": 50, **body})
    assert posted.get_json()["features"] == page.get_json()["features"], posted.text
    return {item["id"] for item in page.get_json()["features"]}


def refusal(client: FlaskClient, **body: Any) -> str:
    """The sentence that refuses a search."""
    answer = client.post("/stac/search", json={name.replace("_", "-"): value for name, value in body.items()})
    assert answer.status_code == 400, answer.text
    return str(answer.get_json()["detail"])


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("eo:cloud_cover < 10", {"clear", "percent"}),
        ("\"eo:cloud_cover\"<10 and NOT id = 'clear'", {"percent"}),
        ("10 >= properties.eo:cloud_cover", {"clear", "percent", "dark"}),
        ("eo:cloud_cover BETWEEN 5 AND 12.5", {"percent", "dark", "hazy"}),
        ("eo:cloud_cover IN (5, 99)", {"percent", "grey"}),
        ("platform = 'sentinel-2a'", {"clear"}),
        ("CASEI(platform) = CASEI('Sentinel-2A')", {"clear", "grey"}),
        ("casei(platform) IN (casei('STRASSE'), 'a')", {"radar", "early"}),
        ("platform LIKE 'sentinel-2_'", {"clear", "hazy"}),
        ("platform LIKE '50\\%' OR platform LIKE 'x\\_y'", {"percent", "dark"}),
        ("platform = 'it''s' OR platform = 'it\\'s'", {"odd"}),
        ("instruments = 'msi'", {"clear", "hazy", "radar", "odd"}),
        ("A_CONTAINS(instruments, ('msi', 'other'))", {"hazy"}),
        ("a_containedby(sar:polarizations, ('VV'))", {"late"}),
        ("eo:cloud_cover = view:off_nadir", {"percent"}),
        ("id IN ('bare') AND eo:cloud_cover IS NULL", {"bare"}),
        ("collection = 'one' AND datetime < DATE('2020-05-10')", {"clear"}),
        ("datetime >= '2020-05-20'", {"late", "early"}),
        ("datetime = '2020-05-08T10:30:00Z'", {"clear"}),
        ("datetime = DATE('2020-05-08')", {"clear"}),
        ("T_AFTER(datetime, TIMESTAMP('2020-05-20T10:29:59Z'))", {"late", "early"}),
        ("t_before(datetime, timestamp('2020-05-09T00:00:00Z'))", {"clear"}),
        ("T_DURING(datetime, INTERVAL('2020-05-08', '2020-05-09'))", {"clear", "hazy"}),
        ("T_INTERSECTS(datetime, INTERVAL('..', '2020-05-08'))", {"clear"}),
        ("S_INTERSECTS(geometry, POINT(8.6369 47.4688)) OR FALSE", {"clear"}),
        ("S_INTERSECTS(geometry, POLYGON((0 0, 1 0, 1 1, 0 0)))", set()),
        ("NOT S_INTERSECTS(geometry, BBOX(8, 47, 10, 48))", set()),
        ("TRUE", EVERYTHING),
        ("", EVERYTHING),
    ],
)
def test_text(filtered: FlaskClient, text: str, ids: set[str]) -> None:
    assert found(filtered, filter=text, filter_lang="cql2-text") == ids
    assert found(filtered, filter=text) == ids


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ({"op": "<", "args": [{"property": "eo:cloud_cover"}, 5]}, {"clear"}),
        ({"op": "and", "args": [{"op": ">=", "args": [{"property": "eo:cloud_cover"}, 10]},
                                {"op": "isNull", "args": [{"property": "grid:code"}]}]}, {"hazy", "grey"}),
        ({"op": "t_after", "args": [{"property": "datetime"}, {"timestamp": "2020-05-20T00:00:00Z"}]},
         {"early", "late"}),
        ({"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Feature", "geometry": {
            "type": "Point", "coordinates": [8.6369, 47.4688]}}]}, {"clear"}),
        ({"op": "a_overlaps", "args": [{"property": "instruments"}, ["MSI", "other"]]}, {"hazy", "grey"}),
        ({"op": "in", "args": [{"property": "platform"}, ["a", "sentinel-2b"]]}, {"early", "hazy"}),
    ],
)  # fmt: skip
def test_json(filtered: FlaskClient, document: Any, ids: set[str]) -> None:
    assert found(filtered, filter=document, filter_lang="cql2-json") == ids
    assert found(filtered, filter=document) == ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"eo:cloud_cover": {"lt": 10}}, {"clear", "percent"}),
        ({"eo:cloud_cover": {"lt": "10"}}, {"clear", "percent"}),  # as pystac-client writes it
        ({"eo:cloud_cover": {"gte": 5, "lte": 10}}, {"percent", "dark"}),
        ({"properties.platform": {"eq": "a"}}, {"early"}),
        ({"platform": {"startsWith": "50%"}}, {"percent"}),
        ({"platform": {"endsWith": "2A"}}, {"grey"}),
        ({"platform": {"contains": "entinel-2b"}, "gsd": {"neq": 3}}, {"hazy"}),
        ({"platform": {"in": ["a", "x_y"]}}, {"early", "dark"}),
        ({"instruments": {"eq": "other"}}, {"hazy"}),
        ({"datetime": {"gt": "2020-05-20"}}, {"late"}),
        ({}, EVERYTHING),
    ],
)
def test_query(filtered: FlaskClient, query: Any, ids: set[str]) -> None:
    assert found(filtered, query=query) == ids


def test_conditions_go_together(filtered: FlaskClient) -> None:
    wanted = {"filter": "eo:cloud_cover < 20", "query": {"eo:cloud_cover": {"gt": 0}}}
    assert found(filtered, **wanted) == {"hazy", "dark", "percent"}
    assert found(filtered, **wanted, collections=["two"], datetime="../2020-05-10") == {"hazy"}
    url = "/stac/collections/one/items?filter=eo:cloud_cover<20"
    assert {item["id"] for item in filtered.get(url).get_json()["features"]} == {"clear", "dark"}


def test_pages_keep_the_filter(filtered: FlaskClient) -> None:
    query = {"filter": "eo:cloud_cover < 20", "filter-lang": "cql2-text", "sortby": "id", "limit": 2}
    page: Any = filtered.get("/stac/search", query_string=query).get_json()
    assert (page["numberMatched"], [item["id"] for item in page["features"]]) == (4, ["clear", "dark"])
    (following,) = [link["href"] for link in page["links"] if link["rel"] == "next"]
    last: Any = filtered.get(following.removeprefix("http://localhost")).get_json()
    assert [item["id"] for item in last["features"]] == ["hazy", "percent"]
    body = {"filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]}, "limit": 3}
    page = filtered.post("/stac/search", json=body).get_json()
    (following,) = [link for link in page["links"] if link["rel"] == "next"]
    assert following["body"]["filter"] == body["filter"]
    assert len(filtered.post("/stac/search", json=following["body"]).get_json()["features"]) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cloudiness < 10", "'cloudiness' cannot be filtered by; there are id, collection, geometry"),
        ("eo:cloud_cover <", "cannot be read at its end"),
        ("eo:cloud_cover == 1", "before '= 1' (character 17)"),
        ("eo:cloud_cover", "no condition"),
        ("eo:cloud_cover < 'x'", "eo:cloud_cover is a number, and is compared with text"),
        ("platform < 5", "platform is text, and is compared with a number"),
        ("platform = gsd", "is not compared with"),
        ("1 = 1", "needs a property"),
        ("gsd = NULL", "'NULL' cannot be filtered by"),
        ("instruments < 'a'", "is a list"),
        ("gsd LIKE 'a%'", "LIKE takes text"),
        ("datetime < 'yesterday'", "cannot be read"),
        ("datetime < DATE('2020-05-08T00:00:00Z')", "is not a time like 2024-05-01"),
        ("T_MEETS(datetime, INTERVAL('2020-05-08','..'))", "'T_MEETS' is no operator of this server"),
        ("T_DURING(datetime, INTERVAL('2020-05-09','2020-05-08'))", "ends before it starts"),
        ("S_WITHIN(geometry, BBOX(0,0,1,1))", "'S_WITHIN' is no operator"),
        ("S_INTERSECTS(geometry, BBOX(0,0,1,100))", "BBOX is west, south"),
        ("S_INTERSECTS(geometry, POINT(200 0))", "not a valid position"),
        ("geometry = 'x'", "S_INTERSECTS"),
        ("ACCENTI(platform) = 'a'", "can be compared"),
        ("gsd = 1e999", "finite"),
        ("gsd + 1 < 5", "cannot be read before '+ 1"),
    ],
)
def test_what_cannot_be_done_is_said(filtered: FlaskClient, text: str, words: str) -> None:
    assert words in refusal(filtered, filter=text, filter_lang="cql2-text")


def test_parameters_that_do_not_fit_are_refused(filtered: FlaskClient) -> None:
    document = {"op": "<", "args": [GSD, 5]}
    assert "filter-lang says" in refusal(filtered, filter=document, filter_lang="cql2-text")
    assert "not JSON" in refusal(filtered, filter="gsd < 5", filter_lang="cql2-json")
    assert "filter-lang is" in refusal(filtered, filter="gsd < 5", filter_lang="ecql")
    assert "CRS84" in refusal(filtered, filter="gsd < 5", filter_crs="EPSG:3857")
    assert found(filtered, filter="gsd<5", filter_crs="http://www.opengis.net/def/crs/OGC/1.3/CRS84") == set()
    assert "is none of eq" in refusal(filtered, query={"gsd": {"less": 5}})
    assert "cannot be filtered by" in refusal(filtered, query={"cloudiness": {"lt": 5}})
    assert "half of a character" in refusal(filtered, filter="platform = '\ud800'")
    assert "zero" in refusal(filtered, filter="platform = '\0'")
    for query in ("[]", "5", "{", '{"gsd": 5}'):
        assert filtered.get("/stac/search", query_string={"query": query}).status_code == 400


def nested(depth: int) -> Any:
    """The worst for SQLite's parser: every level in parentheses, a list at the bottom."""
    node: Any = {
        "op": "a_containedBy",
        "args": [{"op": "casei", "args": [{"property": "instruments"}]}, ["msi"]],
    }
    for level in range(depth):
        node = {"op": ("not", "or", "and")[level % 3], "args": [node] if level % 3 == 0 else [False, node]}
    return node


def test_bounds_hold_and_what_they_allow_is_answered(filtered: FlaskClient) -> None:
    found(filtered, filter=nested(MAX_DEPTH))
    assert "nested" in refusal(filtered, filter=nested(MAX_DEPTH + 1))
    comparison = {"op": "=", "args": [GSD, 5]}
    many = (MAX_TERMS - 1) // 3
    assert found(filtered, filter="gsd = 5 OR " * 150 + "gsd = 10") >= {"clear"}
    for name in ("and", "or"):
        page = filtered.post("/stac/search", json={"filter": {"op": name, "args": [comparison] * many}})
        assert page.status_code == 200
    days = ["2020-05-08"] * (MAX_TERMS - 2)
    page = filtered.post(
        "/stac/search", json={"filter": {"op": "in", "args": [{"property": "datetime"}, days]}}
    )
    assert [item["id"] for item in page.get_json()["features"]] == ["clear"]
    terms = refusal(filtered, filter={"op": "and", "args": [comparison] * (many + 1)})
    assert f"more than {MAX_TERMS} terms" in terms
    assert f"more than {MAX_TERMS} terms" in refusal(
        filtered, filter={"op": "in", "args": [GSD, [1] * MAX_TERMS]}
    )
    assert "8000 characters" in refusal(filtered, filter="gsd = 5 OR " * 1000)
    ring = [[8 + i / 1e5, 47] for i in range(20_000)]
    line = {
        "op": "s_intersects",
        "args": [{"property": "geometry"}, {"type": "LineString", "coordinates": ring}],
    }
    assert filtered.post("/stac/search", json={"filter": line}).status_code == 413


@pytest.mark.parametrize(
    "text",
    ["(" * 7000, "(" * 3000 + "TRUE" + ")" * 3000, "NOT " * 1900 + "TRUE", "'" * 7001, "\\'" * 3500,
     '"' * 7001, "id LIKE '" + "%_" * 490 + "x'", "CASEI(" * 1000 + "id" + ")" * 1000 + "='a'", "-" * 5000,
     "gsd<" * 1900],
)  # fmt: skip
def test_hostile_text_is_answered(filtered: FlaskClient, text: str) -> None:
    answer = filtered.post("/stac/search", json={"filter": text})
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize(
    "document", ["[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "[" * 100_000, "9" * 5000]
)
@pytest.mark.parametrize("name", ["filter", "query", "intersects", "bbox", "nothing"])
def test_hostile_json_is_refused(filtered: FlaskClient, name: str, document: str) -> None:
    answer = filtered.post("/stac/search", data=f'{{"{name}": {document}}}', content_type="application/json")
    assert answer.status_code == 400


def test_what_is_declared_is_there(filtered: FlaskClient) -> None:
    landing: Any = filtered.get("/stac").get_json()
    declared = set(landing["conformsTo"])
    search = "https://api.stacspec.org/v1.0.0/item-search"
    assert declared >= {f"{search}#filter", f"{search}#query"}
    assert {one.removeprefix(CQL2) for one in declared if one.startswith(CQL2)} == {
        "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators",
        "case-insensitive-comparison", "basic-spatial-functions", "basic-spatial-functions-plus",
        "array-functions", "property-property",
    }  # fmt: skip
    links = {link["rel"]: link["href"] for link in landing["links"]}
    general = links["http://www.opengis.net/def/rel/ogc/1.0/queryables"]
    collection: Any = filtered.get("/stac/collections/one").get_json()
    (own,) = [link["href"] for link in collection["links"] if link["rel"].endswith("queryables")]
    for address in (general, own):
        answer = filtered.get(address.removeprefix("http://localhost"))
        assert answer.content_type == "application/schema+json"
        schema: Any = answer.get_json()
        assert schema["$id"] == address
        assert schema["additionalProperties"] is False
        for name in schema["properties"]:
            assert filtered.get(f"/stac/search?filter={name} IS NOT NULL").status_code == 200
    assert filtered.get("/stac/collections/none/queryables").status_code == 404
