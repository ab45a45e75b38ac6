"""Documents of the STAC API: pystac reads them, their links work, and odd archives do not spoil them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import pytest
from flask.testing import FlaskClient
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from comeo.codecs import codec_names
from tests.comeo.archive.rewriting import put, rewritten
from tests.tileserver.api.stac.asking import found, get, path_of
from tests.tileserver.conftest import Server
from tests.tileserver.places import position


def test_the_landing_page_leads_everywhere(client: FlaskClient) -> None:
    page = get(client, "/stac")
    pystac.Catalog.from_dict(page)
    assert "https://api.stacspec.org/v1.0.0/item-search" in page["conformsTo"]
    assert get(client, "/stac/conformance") == {"conformsTo": page["conformsTo"]}
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
            with client.get(path_of(link["href"]), follow_redirects=True) as answer:
                assert answer.status_code == 200, link


def test_collections_are_what_their_scenes_make_them(client: FlaskClient) -> None:
    listed = get(client, "/stac/collections")["collections"]
    assert [one["id"] for one in listed] == ["optical", "plain", "radar"]
    optical = listed[0]
    assert get(client, "/stac/collections/optical") == optical
    collection = pystac.Collection.from_dict(optical)
    assert collection.extent.temporal.intervals[0][0] is not None
    assert optical["extent"]["temporal"]["interval"] == [["2020-05-01T10:30:00Z", "2020-05-20T10:30:00Z"]]
    west, south, east, north = optical["extent"]["spatial"]["bbox"][0]
    lon, lat = position(0.5, 0.5)
    assert west < lon < east
    assert south < lat < north
    assert optical["summaries"]["platform"] == ["sentinel-2a"]


def test_items_are_valid_and_their_links_work(client: FlaskClient) -> None:
    page = get(client, "/stac/collections/optical/items")
    assert [item["id"] for item in page["features"]] == ["new", "middle", "old"]
    for document in page["features"]:
        item = pystac.Item.from_dict(document)
        assert item.collection_id == "optical"
        assert document == get(client, f"/stac/collections/optical/items/{item.id}")
        for asset in item.assets.values():
            with client.get(path_of(asset.href)) as answer:
                assert answer.status_code == 200
                assert answer.content_type == asset.media_type
        for link in document["links"]:
            if link["rel"] not in ("xyz", "wmts"):  # a template, and an address that wants a query
                assert client.get(path_of(link["href"])).status_code == 200, link


def test_items_and_collections_hold_to_the_schemas(client: FlaskClient) -> None:
    kinds = pystac.STACObjectType
    documents = [
        *((one, kinds.COLLECTION) for one in get(client, "/stac/collections")["collections"]),
        *((one, kinds.ITEM) for one in get(client, "/stac/search")["features"]),
        (get(client, "/stac"), kinds.CATALOG),
    ]
    assert {kind for _, kind in documents} == {kinds.COLLECTION, kinds.ITEM, kinds.CATALOG}
    validator = JsonSchemaSTACValidator()
    for document, kind in documents:
        assert validator.validate_core(document, kind, "1.1.0") is not None  # the schema's address
        with pytest.raises(pystac.STACValidationError):  # so that it can fail
            validator.validate_core({**document, "links": 1}, kind, "1.1.0")


def test_the_archive_is_an_asset_with_its_bands(client: FlaskClient, archives: Path) -> None:
    item = get(client, "/stac/collections/optical/items/old")
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


def test_links_lead_to_wmts_as_the_extension_has_them(client: FlaskClient) -> None:
    documents = [
        get(client, "/stac/collections/optical"),
        get(client, "/stac/collections/optical/items/old"),
    ]
    for document, layer in zip(documents, ("optical", "optical/old"), strict=True):
        link = next(link for link in document["links"] if link["rel"] == "wmts")
        assert link["wmts:layer"] == layer
        answer = client.get(f"{path_of(link['href'])}?service=WMTS&request=GetCapabilities")
        assert answer.status_code == 200
        assert f"<ows:Identifier>{layer}</ows:Identifier>" in answer.text
    assert link["wmts:dimensions"] == {"TIME": "2020-05-01"}


def test_archives_with_a_certificate_have_it_as_an_asset(client: FlaskClient) -> None:
    asset = get(client, "/stac/collections/optical/items/old")["assets"]["certificate"]
    certificate = client.get(path_of(asset["href"]))
    assert certificate.status_code == 200
    assert certificate.content_type == asset["type"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("stac_extensions",), 5),
        (("stac_extensions",), [{}, None, "https://example.org/x.json"]),
        (("links",), "nonsense"),
        (("assets",), [1]),
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
