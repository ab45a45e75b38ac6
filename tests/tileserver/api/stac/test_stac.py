"""The STAC API: documents that pystac reads, search, pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import pytest
from flask.testing import FlaskClient
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from comeo.codecs import codec_names
from comeo.compression import compress
from comeo.scene import Scene
from tests.comeo.archive.test_hostile import put, rewritten
from tests.tileserver.conftest import STEP, Server, optical_scene
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
            if link["rel"] not in ("xyz", "wmts"):  # a template, and an address that wants a query
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
    "url", ["/stac/collections/radar/items?collections=optical", "/stac/search?cloudiness=10"]
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


def found(client: FlaskClient, query: str) -> list[str]:
    return [item["id"] for item in _get(client, f"/stac/search?{query}")["features"]]


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
        page = _get(client, address)
        names += [item["id"] for item in page["features"]]
        following = [link for link in page["links"] if link["rel"] == "next"]
        address = _path(following[0]["href"]) if following else ""
    assert names == expected


def test_order_by_post(client: FlaskClient) -> None:
    body = {
        "sortby": [{"field": "properties.platform", "direction": "asc"}, {"field": "id", "direction": "desc"}]
    }
    page: Any = client.post("/stac/search", json=body).json
    assert [item["id"] for item in page["features"]] == ["radar", "old", "new", "middle", "plain"]


def test_pages_stay_what_they_are_when_scenes_come_and_go(own_archives: Path, server: Server) -> None:
    client = server(own_archives)
    first = _get(client, "/stac/search?limit=2&collections=optical")
    assert [item["id"] for item in first["features"]] == ["new", "middle"]
    (own_archives / "middle.zarr.zip").unlink()
    compress(optical_scene("newest", 30), own_archives / "newest.zarr.zip", step=STEP)
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert [item["id"] for item in _get(client, _path(following))["features"]] == ["old"]


def test_repeated_parameters_are_carried_to_the_next_page(client: FlaskClient) -> None:
    first = _get(client, "/stac/search?ids=old&ids=new&limit=1")
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert [item["id"] for item in _get(client, _path(following))["features"]] == ["old"]


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


def test_a_token_of_another_order_is_refused(client: FlaskClient) -> None:
    first = _get(client, "/stac/search?limit=1&sortby=id")
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert client.get(_path(following).replace("sortby=id", "sortby=datetime")).status_code == 400


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
    item = _get(client, f"/stac/search?ids=old&fields={fields}")["features"][0]
    assert set(item) == members or (properties == set() and set(item) == members - {"properties"})
    if properties:
        assert properties <= set(item["properties"])
        assert "eo:cloud_cover" not in item["properties"]
        assert ("gsd" in item["properties"]) == ("gsd" in properties)


def test_what_is_excluded_alone_is_missing_and_nothing_else(client: FlaskClient) -> None:
    whole = _get(client, "/stac/search?ids=old")["features"][0]
    for fields in ("-geometry,-properties.gsd,-assets.info.href", "-geometry,-gsd,-assets.info.href"):
        item = _get(client, f"/stac/search?ids=old&fields={fields}")["features"][0]
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


def test_items_and_collections_hold_to_the_schemas(client: FlaskClient) -> None:
    validator = JsonSchemaSTACValidator()
    for collection in _get(client, "/stac/collections")["collections"]:
        validator.validate_core(collection, pystac.STACObjectType.COLLECTION, "1.1.0")
    for item in _get(client, "/stac/search")["features"]:
        validator.validate_core(item, pystac.STACObjectType.ITEM, "1.1.0")
    validator.validate_core(_get(client, "/stac"), pystac.STACObjectType.CATALOG, "1.1.0")


def test_the_archive_is_an_asset_with_its_bands(client: FlaskClient, archives: Path) -> None:
    item = _get(client, "/stac/collections/optical/items/old")
    asset = item["assets"]["archive"]
    assert asset["roles"] == ["data"]
    assert asset["file:size"] == (archives / "old.zarr.zip").stat().st_size
    bands = {band["name"]: band for band in asset["bands"]}
    assert list(bands) == ["B02", "B03", "B04", "B08", "B8A", "B11"]
    assert bands["B02"]["raster:scale"] == 1e-4
    assert bands["B02"]["raster:offset"] == -0.1
    assert (bands["B02"]["gsd"], bands["B11"]["gsd"]) == (10, 20)
    assert bands["B02"]["nodata"] == 0
    assert bands["B02"]["data_type"] == "uint16"
    properties = item["properties"]
    assert properties["proj:code"] == "EPSG:32632"
    assert properties["proj:shape"] == [360, 360]
    assert properties["proj:transform"] == [10, 0, 472_480, 0, -10, 5_257_490]
    assert properties["proj:bbox"] == [472_480, 5_253_890, 476_080, 5_257_490]
    assert any(f"codec {name}," in properties["processing:lineage"] for name in codec_names())
    names = {address.split("/")[3] for address in item["stac_extensions"]}
    assert names == {"file", "processing", "projection", "raster", "web-map-links"}
    assert not [key for part in (properties, asset, *asset["bands"]) for key in part if key.startswith("eo:")]


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
    first = _get(client, "/stac/search?limit=1&sortby=datetime")
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert [item["id"] for item in _get(client, _path(following))["features"]] == ["unknown"]
    extent = _get(client, "/stac/collections/optical")["extent"]["temporal"]["interval"]
    assert extent == [["2020-05-05T10:30:00Z", "2020-05-05T10:30:00Z"]]
    item = _get(client, "/stac/collections/optical/items/unknown")
    assert "is unknown" in item["properties"]["description"]
    (tmp_path / "archives" / "known.zarr.zip").unlink()
    only = _get(client, "/stac/collections/optical")
    assert only["extent"]["temporal"]["interval"] == [[None, None]]
    assert _get(client, "/collections/optical/info")["datetime"] == [None, None]


def test_links_lead_to_wmts_as_the_extension_has_them(client: FlaskClient) -> None:
    documents = [
        _get(client, "/stac/collections/optical"),
        _get(client, "/stac/collections/optical/items/old"),
    ]
    for document, layer in zip(documents, ("optical", "optical/old"), strict=True):
        link = next(link for link in document["links"] if link["rel"] == "wmts")
        assert link["wmts:layer"] == layer
        answer = client.get(f"{_path(link['href'])}?service=WMTS&request=GetCapabilities")
        assert answer.status_code == 200
        assert f"<ows:Identifier>{layer}</ows:Identifier>" in answer.text
    assert link["wmts:dimensions"] == {"TIME": "2020-05-01"}


def test_archives_with_a_certificate_have_it_as_an_asset(client: FlaskClient) -> None:
    asset = _get(client, "/stac/collections/optical/items/old")["assets"]["certificate"]
    certificate = client.get(_path(asset["href"]))
    assert certificate.status_code == 200
    assert certificate.content_type == asset["type"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("stac_extensions",), 5),
        (("stac_extensions",), [{}, None, "https://example.org/x.json"]),
        (("links",), "nonsense"),
        (("assets",), [1]),
        (("geometry",), {}),
        (("geometry",), {"type": "Polygon", "coordinates": [[[1, 2]]]}),
        (("geometry",), {"type": "Polygon", "coordinates": [["x"]]}),
        (("geometry",), {"type": "Point", "coordinates": [10**300, 0]}),
        (("properties", "eo:cloud_cover"), {"a": [None]}),
        (("properties", "instruments"), {"a": 1}),
        (("properties", "platform"), ["a", 1, None]),
        (("properties", "links"), []),
    ],
)
def test_what_an_archive_says_of_itself_is_not_trusted(
    tmp_path: Path, archives: Path, server: Server, path: tuple[str, ...], value: Any
) -> None:
    change = put("attributes", "stac_discovery", *path, value=value)
    content = rewritten((archives / "old.zarr.zip").read_bytes(), "zarr.json", change)
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "odd.zarr.zip").write_bytes(content)
    client = server(tmp_path / "archives")
    inside = json.dumps({"type": "Point", "coordinates": position(0.5, 0.5)})
    for query in (
        "",
        "sortby=eo:cloud_cover,platform,instruments",
        f"intersects={inside}",
        "fields=properties.links",
    ):
        answer = client.get(f"/stac/search?limit=1&{query}")
        assert answer.status_code == 200, answer.data
    assert found(client, "ids=old") == ["old"]
    assert client.get("/stac/collections/optical").status_code == 200
