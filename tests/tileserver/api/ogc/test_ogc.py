"""OGC API – Tiles (OGC 20-057, 17-083r4): documents lead to one another, and down to the tiles of the map."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from morecantile import TileMatrixSet

from tests.tileserver.places import tile_path

RELATION = "http://www.opengis.net/def/rel/ogc/1.0"
ZOOM, COL, ROW = tile_path(0.5, 0.5, 13).split("/")


def fetch(client: FlaskClient, url: str) -> Any:
    answer = client.get(url.removeprefix("http://localhost"))
    assert answer.status_code == 200, (url, answer.data)
    return answer.get_json()


def follow(document: Any, relation: str, **members: str) -> str:
    for link in document["links"]:
        if link["rel"] == relation and all(link[key] == value for key, value in members.items()):
            return str(link["href"])
    raise AssertionError(f"no link {relation} {members}")


def tileset(client: FlaskClient, style: str, tms: str) -> Any:
    """Tileset, found by nothing but links from the landing page."""
    collections = fetch(client, follow(fetch(client, "/ogc"), "data"))["collections"]
    (collection,) = [entry for entry in collections if entry["id"] == "optical"]
    assert len([link for link in collection["links"] if link["rel"].endswith("/tilesets-map")]) == 1
    (styled,) = [entry for entry in collection["styles"] if entry["title"] == style]
    tilesets = fetch(client, follow(styled, f"{RELATION}/tilesets-map"))["tilesets"]
    (found,) = [entry for entry in tilesets if follow(entry, "self").endswith(f"/{tms}")]
    return fetch(client, follow(found, "self"))


def test_the_landing_page_leads_everywhere(client: FlaskClient) -> None:
    page = fetch(client, "/ogc")
    assert fetch(client, follow(page, "self")) == page
    assert "openapi" in fetch(client, follow(page, "service-desc"))
    conforms = fetch(client, follow(page, "conformance"))["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset" in conforms
    assert len(set(conforms)) == len(conforms)
    schemes = fetch(client, follow(page, f"{RELATION}/tiling-schemes"))["tileMatrixSets"]
    assert {"WebMercatorQuad", "WorldCRS84Quad"} <= {entry["id"] for entry in schemes}


@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad", "UTM32WGS84Quad"])
def test_links_lead_to_the_tiles_of_the_map(client: FlaskClient, tms: str) -> None:
    found = tileset(client, "Vegetation (NDVI)", tms)
    assert found["dataType"] == "map"
    limits = {entry["tileMatrix"]: entry for entry in found["tileMatrixSetLimits"]}
    definition = fetch(client, follow(found, f"{RELATION}/tiling-scheme"))
    assert TileMatrixSet.model_validate(definition).id == tms
    assert list(limits) == [entry["id"] for entry in definition["tileMatrices"]][: len(limits)]
    zoom, col, row = tile_path(0.5, 0.5, int(list(limits)[-2]), tms).split("/")
    limit = limits[zoom]
    assert limit["minTileRow"] <= int(row) <= limit["maxTileRow"]
    assert limit["minTileCol"] <= int(col) <= limit["maxTileCol"]
    for kind, extension in (("image/png", "png"), ("image/webp", "webp"), ("image/jpeg", "jpg")):
        url = follow(found, "item", type=kind)
        for name, value in (("tileMatrix", zoom), ("tileRow", row), ("tileCol", col)):
            url = url.replace(f"{{{name}}}", value)
        answer = client.get(url.removeprefix("http://localhost"))
        assert answer.mimetype == kind
        same = f"/collections/optical/tiles/{tms}/{zoom}/{col}/{row}.{extension}?style=ndvi"
        assert answer.data == client.get(same).data


def test_the_format_is_asked_for_or_liked(client: FlaskClient) -> None:
    url = f"/ogc/collections/optical/map/tiles/WebMercatorQuad/{ZOOM}/{ROW}/{COL}"
    assert client.get(url).mimetype == "image/png"
    liked = client.get(url, headers={"Accept": "image/avif,image/webp,*/*;q=0.5"})
    assert liked.mimetype == "image/webp"
    assert "Accept" in liked.headers["Vary"]
    assert client.get(f"{url}?f=jpeg", headers={"Accept": "image/webp"}).mimetype == "image/jpeg"
    assert client.get(f"{url}?f=gif").status_code == 422


def test_datetime_chooses_scenes(client: FlaskClient) -> None:
    url = f"/ogc/collections/optical/map/tiles/WebMercatorQuad/{ZOOM}/{ROW}/{COL}"
    days = {client.get(f"{url}?datetime={day}").data for day in ("2020-05-01", "2020-05-10", "2020-05-20")}
    assert len(days) == 3
    assert client.get(f"{url}?datetime=../2020-05-15").data == client.get(f"{url}?datetime=2020-05-10").data
    assert client.get(f"{url}?datetime=soon").status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "collections/none", "collections/optical/styles/sepia/map/tiles",
        "collections/optical/map/tiles/NZTM2000Quad", "tileMatrixSets/Nowhere",
        "tileMatrixSets/UTM61WGS84Quad",
        f"collections/optical/map/tiles/WebMercatorQuad/{ZOOM}/0/0",
        "collections/optical/map/tiles/WebMercatorQuad/99/0/0",
        f"collections/optical/map/tiles/Nowhere/{ZOOM}/{ROW}/{COL}",
    ],
)  # fmt: skip
def test_what_there_is_not(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/ogc/{path}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_sets_of_utm_zones_are_that_of_zone_31_moved(client: FlaskClient) -> None:
    north, south = (fetch(client, f"/ogc/tileMatrixSets/UTM{zone}WGS84Quad") for zone in ("36", "36S"))
    model = fetch(client, "/ogc/tileMatrixSets/UTM31WGS84Quad")
    assert (north["crs"].endswith("/32636"), south["crs"].endswith("/32736")) == (True, True)
    for one, other in zip(model["tileMatrices"], north["tileMatrices"], strict=True):
        assert one == other
    for one, other in zip(model["tileMatrices"], south["tileMatrices"], strict=True):
        assert other["pointOfOrigin"][1] - one["pointOfOrigin"][1] == pytest.approx(10_000_000)
        assert other["cellSize"] == one["cellSize"]
