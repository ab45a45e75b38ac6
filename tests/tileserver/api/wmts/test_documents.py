"""Documents of one collection, one day, one scene, for ArcMap, and of a large catalogue."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comeo.compression import compress
from tests.tileserver.api.wmts.conftest import Validate, found
from tests.tileserver.conftest import STEP, Server, optical_scene
from tests.tileserver.places import tile_path
from tileserver import Settings, create_app
from tileserver.api.wmts import routes
from tileserver.catalog import ArchivePool
from tileserver.catalog.sqlite import versioned
from tileserver.render import describe

DOCUMENT = "1.0.0/WMTSCapabilities.xml"


def layers(root: Any) -> Any:
    return found(root, "//w:Layer/ows:Identifier/text()")


@pytest.fixture(scope="module")
def document(client: FlaskClient, valid_capabilities: Validate) -> Any:
    def fetch(scope: str = "", query: str = "") -> Any:
        answer = client.get(f"/wmts/{scope}{DOCUMENT}{query}")
        assert answer.status_code == 200, answer.data
        return valid_capabilities(answer.data)

    return fetch


def test_every_collection_that_can_be_shown_is_a_layer(document: Any) -> None:
    assert layers(document()) == ["optical", "plain", "radar"]


def test_one_collection(document: Any) -> None:
    root = document("collections/radar/")
    assert layers(root) == ["radar"]
    assert found(root, "//w:Style/ows:Identifier/text()")[0] == "vv"
    (href,) = found(root, "//ows:Operation[@name='GetTile']//ows:Get/@xlink:href")
    assert href == "http://localhost/wmts/collections/radar?"


def test_one_day_is_its_own_default(document: Any, client: FlaskClient) -> None:
    root = document("collections/optical/dates/2020-05-10/")
    assert found(root, "//w:Dimension/w:Value/text()") == ["2020-05-10"]
    assert found(root, "string(//w:Dimension/w:Default)") == "2020-05-10"
    zoom, col, row = tile_path(0.5, 0.5, 13).split("/")
    tile = (
        f"service=WMTS&request=GetTile&version=1.0.0&layer=optical&style=ndvi&format=image/png"
        f"&tilematrixset=WebMercatorQuad&tilematrix={zoom}&tilerow={row}&tilecol={col}"
    )
    same = client.get(f"/wmts?{tile}&time=2020-05-10").data
    assert client.get(f"/wmts/collections/optical/dates/2020-05-10?{tile}").data == same
    assert client.get(f"/wmts?{tile}").data != same


def test_one_scene(document: Any, client: FlaskClient) -> None:
    root = document("collections/optical/items/new/")
    assert layers(root) == ["optical/new"]
    assert found(root, "//w:Dimension/w:Value/text()") == ["2020-05-20"]
    zoom, col, row = tile_path(0.2, 0.2, 13).split("/")
    template = found(root, "string(//w:ResourceURL[@resourceType='tile']/@template)")
    places = {
        "Style": "ndvi", "Time": "2020-05-20", "TileMatrixSet": "GoogleMapsCompatible", "TileMatrix": zoom,
        "TileRow": row, "TileCol": col,
    }  # fmt: skip
    for name, value in places.items():
        template = template.replace(f"{{{name}}}", value)
    answer = client.get(template.removeprefix("http://localhost"))
    item = f"/collections/optical/items/new/tiles/WebMercatorQuad/{zoom}/{col}/{row}.png?style=ndvi"
    assert answer.data == client.get(item).data


@pytest.mark.parametrize(
    "scope",
    [
        "collections/none", "collections/optical/dates/2020-05-11",
        "collections/optical/dates/20200510", "collections/optical/dates/today",
        "collections/optical/items/none",
    ],
)  # fmt: skip
def test_what_there_is_not(client: FlaskClient, valid_report: Validate, scope: str) -> None:
    answer = client.get(f"/wmts/{scope}/{DOCUMENT}")
    assert answer.status_code == 404
    valid_report(answer.data)


def test_short_names_of_coordinate_systems(document: Any) -> None:
    long, short = document(), document(query="?crs=epsg")
    names = "//w:Contents/w:TileMatrixSet/ows:SupportedCRS/text()"
    urn = "urn:ogc:def:crs"
    assert found(long, names) == [f"{urn}:EPSG::3857", f"{urn}:OGC:1.3:CRS84", f"{urn}:EPSG::32632"]
    assert found(short, names) == ["EPSG:3857", "EPSG:4326", "EPSG:32632"]
    corners = "//w:TileMatrix/w:TopLeftCorner/text()"
    assert found(long, corners) == found(short, corners)
    hrefs = found(short, "//ows:Operation[@name='GetCapabilities']//ows:Get/@xlink:href")
    assert hrefs == ["http://localhost/wmts?crs=epsg&", f"http://localhost/wmts/{DOCUMENT}?crs=epsg"]


def test_a_document_can_be_kept_until_something_changes(
    server: Server, own_archives: Path, valid_capabilities: Validate
) -> None:
    client = server(own_archives)
    first = client.get(f"/wmts/{DOCUMENT}")
    etag = first.headers["ETag"]
    assert client.get(f"/wmts/{DOCUMENT}", headers={"If-None-Match": etag}).status_code == 304
    compress(optical_scene("newest", 25, seed=30), own_archives / "newest.zarr.zip", step=STEP)
    second = client.get(f"/wmts/{DOCUMENT}", headers={"If-None-Match": etag})
    before, after = (valid_capabilities(answer.data) for answer in (first, second))
    assert int(after.get("updateSequence")) > int(before.get("updateSequence"))
    assert found(after, "//w:Dimension/w:Value/text()").count("2020-05-25") == 1
    (own_archives / "newest.zarr.zip").unlink()
    third = valid_capabilities(client.get(f"/wmts/{DOCUMENT}").data)
    assert int(third.get("updateSequence")) > int(after.get("updateSequence"))
    assert "2020-05-25" not in found(third, "//w:Dimension/w:Value/text()")


def test_the_provider_is_who_the_operator_says(
    server: Server, archives: Path, valid_capabilities: Validate
) -> None:
    root = valid_capabilities(server(archives, provider="Büro <Erde> & Co").get(f"/wmts/{DOCUMENT}").data)
    assert found(root, "string(//ows:ProviderName)") == "Büro <Erde> & Co"


def test_names_are_escaped(server: Server, tmp_path: Path, valid_capabilities: Validate) -> None:
    """No archive can have such a name today; XML, URLs and GDAL's lists of them are careful all the same."""
    compress(optical_scene("one", 1), tmp_path / "one.zarr.zip", step=STEP)
    client = server(tmp_path, catalog=tmp_path / "catalog-1.sqlite")
    with sqlite3.connect(versioned(tmp_path / "catalog-1.sqlite", [tmp_path])) as db:
        db.execute("UPDATE items SET collection = ?", ("o'field, \x01 & <north>",))
    db.close()
    root = valid_capabilities(client.get(f"/wmts/{DOCUMENT}").data)
    assert layers(root) == ["o'field, \ufffd & <north>"]
    urls = found(root, "//@template | //@xlink:href")
    assert urls
    assert not any(mark in url for url in urls for mark in (",", '"', "<", " ", "\x01"))
    legend = found(root, "string(//w:LegendURL/@xlink:href)").removeprefix("http://localhost")
    assert client.get(legend).mimetype == "image/png"
    zoom, col, row = tile_path(0.2, 0.2, 13).split("/")
    path = found(root, "string(//w:ResourceURL[@resourceType='tile']/@template)")
    places = {
        "Style": "true-color", "Time": "current", "TileMatrixSet": "WebMercatorQuad", "TileMatrix": zoom,
        "TileRow": row, "TileCol": col,
    }  # fmt: skip
    for name, value in places.items():
        path = path.replace(f"{{{name}}}", value)
    assert client.get(path.removeprefix("http://localhost")).mimetype == "image/png"


def multiply(database: Path, count: int, collections: int) -> None:
    """Make many scenes of the catalogue's one: same archive, other ids, days and places."""
    db = sqlite3.connect(database, isolation_level=None)
    columns = [name for _, name, *_ in db.execute("PRAGMA table_info(items)")]
    row = dict(zip(columns, db.execute("SELECT * FROM items").fetchone(), strict=True))
    info = json.loads(row["info"])
    rows = []
    for number in range(count):
        zone = 28 + number % 10
        for group in info["groups"].values():
            group["crs"] = f"EPSG:{32600 + zone}"
        west = 6.0 * (zone - 31) + 0.3 * (number % 7)
        rows.append(
            {
                **row, "path": f"{row['path']}/{number}", "id": f"scene-{number:05}",
                "collection": f"collection-{number % collections:02}",
                "datetime": row["datetime"] - number * 86_400_000_000, "info": json.dumps(info),
                "west": west, "east": west + 0.2, "south": number % 50, "north": number % 50 + 0.2,
            }
        )  # fmt: skip
    db.execute("BEGIN")  # else each row is a transaction of its own
    with db:
        db.executemany(
            f"INSERT INTO items ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [tuple(entry[name] for name in columns) for entry in rows],
        )
    db.close()


@pytest.mark.parametrize(("count", "collections"), [(1000, 1), (2000, 10)])
def test_a_large_catalogue_has_a_small_document_for_little_work(
    tmp_path: Path,
    valid_capabilities: Validate,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    collections: int,
) -> None:
    compress(optical_scene("one", 1), tmp_path / "one.zarr.zip", step=STEP)
    settings = Settings(
        paths=(tmp_path,), catalog=tmp_path / "catalog.sqlite", workers=1, scan_seconds=3600, static=tmp_path
    )
    client = create_app(settings).test_client()
    client.get(f"/wmts/{DOCUMENT}")  # what is loaded once a process
    database = versioned(tmp_path / "catalog.sqlite", [tmp_path])
    multiply(database, count, collections)
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("UPDATE meta SET value = value + 1 WHERE key = 'changed_at'")
    db.close()
    measured = _counted(monkeypatch, describe, "calculate_default_transform")
    written = _counted(monkeypatch, routes, "capabilities")
    opened = _counted(monkeypatch, ArchivePool, "lease")
    answers = [client.get(f"/wmts/{DOCUMENT}") for _ in range(3)]
    root = valid_capabilities(answers[0].data)
    assert len(layers(root)) == collections + 1
    assert len(found(root, "//w:Dimension/w:Value")) == count + 1
    assert len(answers[0].data) < 1_000_000
    # GDAL takes 10 to 40 ms to measure a raster in another projection: once a layer and matrix set.
    assert len(measured) <= 6 * (collections + 1)
    assert opened == []
    assert len(written) == 1
    assert len({answer.data for answer in answers}) == 1


def test_documents_leave_the_cache_of_tiles_alone(client: FlaskClient) -> None:
    state = client.application.extensions["comeo"]
    before = state.scenes.rendered.bytes
    size = len(client.get(f"/wmts/{DOCUMENT}?cache=own").data)
    assert state.scenes.rendered.bytes == before
    assert state.documents.bytes >= size


def _counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[Any]:
    """Count calls of a function."""
    calls: list[Any] = []
    function = getattr(owner, name)

    def counting(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        return function(*arguments, **named)

    monkeypatch.setattr(owner, name, counting)
    return calls


def test_values_come_with_the_error_that_the_archive_expects(client: FlaskClient) -> None:
    zoom, col, row = tile_path(0.5, 0.5, 13).split("/")
    info = f"/wmts/1.0.0/collections/optical/ndvi/2020-05-10/WebMercatorQuad/{zoom}/{row}/{col}/20/10"
    (feature,) = client.get(f"{info}.json").get_json()["features"]
    lon, lat = feature["geometry"]["coordinates"]
    same = client.get(f"/collections/optical/items/middle/point/{lon},{lat}").get_json()
    assert feature["properties"]["bands"] == same["bands"]
    lines = dict(line.split(": ", 1) for line in client.get(f"{info}.txt").text.splitlines())
    assert lines["Scene"] == "middle"
    for band in same["bands"]:
        shown = lines[band["name"]]
        assert f"(stored {band['value']})" in shown
        assert f"± {band['physical_expected_error']:.2g} " in shown
    assert all("±" in lines[result["expression"]] for result in feature["properties"]["results"])


def test_a_scene_with_a_certificate_shows_its_expected_errors(document: Any, client: FlaskClient) -> None:
    styles = "//w:Style/ows:Identifier/text()"
    assert client.get("/collections/optical/items/middle/info").get_json()["fidelity"] is not None
    assert "error" in found(document("collections/optical/items/middle/"), styles)
    assert "error" not in found(document("collections/optical/"), styles)
    zoom, col, row = tile_path(0.5, 0.5, 13).split("/")
    tile = f"/wmts/1.0.0/items/optical/middle/error/2020-05-10/WebMercatorQuad/{zoom}/{row}/{col}"
    assert client.get(f"{tile}.png").status_code == 200
    assert client.get(f"{tile}/20/10.txt").status_code == 200
    legend = client.get("/collections/optical/items/middle/styles/error/legend.png")
    assert legend.status_code == 200
