"""Archives that have gone, been replaced or been damaged since the last scan: 404 or 503, and no path."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.tileserver.conftest import Server
from tests.tileserver.places import position, tile_path
from tileserver.catalog import Hit

NAME = "middle.zarr.zip"
ITEM, COLLECTION = "/collections/optical/items/middle", "/collections/optical"
LON, LAT = position(0.4, 0.4)
TILE = f"tiles/WebMercatorQuad/{tile_path(0.4, 0.4, 14)}"
Z, X, Y = tile_path(0.4, 0.4, 14).split("/")
AREA = f"{LON},{LAT},{LON + 0.01},{LAT + 0.01}"
POLYGON = {
    "type": "Polygon",
    "coordinates": [[[LON, LAT], [LON + 0.01, LAT], [LON + 0.01, LAT + 0.01], [LON, LAT]]],
}
WMTS = (
    f"service=WMTS&version=1.0.0&style=&tilematrixset=WebMercatorQuad&tilematrix={Z}&tilerow={Y}&tilecol={X}"
    "&format=image/png"
)
INFO = f"{WMTS}&request=GetFeatureInfo&i=100&j=100&infoformat"
DAY = "datetime=2020-05-10"
GETS = (
    f"{ITEM}/{TILE}.png", f"{ITEM}/{TILE}.tif", f"{ITEM}/{TILE}.png?style=error",
    f"{ITEM}/tilejson.json", f"{ITEM}/preview.png", f"{ITEM}/point/{LON},{LAT}", f"{ITEM}/statistics",
    f"{ITEM}/info", f"{ITEM}/certificate?blocks=true", f"{ITEM}/archive", f"{ITEM}/bbox/{AREA}.tif",
    f"{ITEM}/bbox/{AREA}.png", f"{ITEM}/bbox/{AREA}.kmz", f"{ITEM}/overlay.kml",
    f"{COLLECTION}/{TILE}.png?{DAY}", f"{COLLECTION}/tilejson.json?{DAY}",
    f"{COLLECTION}/point/{LON},{LAT}?{DAY}", f"{COLLECTION}/bbox/{AREA}.kmz?{DAY}",
    f"{COLLECTION}/overlay.kml?{DAY}",
    f"/wmts?{WMTS}&request=GetTile&layer=optical&time=2020-05-10",
    f"/wmts?{INFO}=application/json&layer=optical&time=2020-05-10",
    f"/wmts/collections/optical/items/middle?{INFO}=text/html&layer=optical/middle",
    "/wmts/collections/optical/items/middle?service=WMTS&request=GetCapabilities",
    f"/ogc/collections/optical/map/tiles/WebMercatorQuad/{Z}/{Y}/{X}?{DAY}",
)  # fmt: skip
POSTS: tuple[tuple[str, Mapping[str, object]], ...] = (
    (f"{ITEM}/feature.tif", POLYGON),
    (f"{ITEM}/feature.png", POLYGON),
    (f"{ITEM}/feature.kmz", POLYGON),
    (f"{ITEM}/extracts/estimate", {}),
    (f"{ITEM}/extracts/estimate", {"format": "kmz"}),
)
# Answers that need no archive stay as they are.
DOCUMENTS = (
    "/wmts?service=WMTS&request=GetCapabilities", "/ogc/collections", "/stac/search",
    "/stac/collections/optical/items", "/stac/collections/optical/items/middle", f"{COLLECTION}/info",
    f"{ITEM}/styles/ndvi/legend.png", "/readyz",
)  # fmt: skip


def _replaced(path: Path) -> None:
    other = path.with_name("other")
    shutil.copy(path.with_name("old.zarr.zip"), other)
    other.replace(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _linked(path: Path) -> None:
    """To itself: the system's error is not that there is no such file."""
    path.unlink()
    path.symlink_to(path)


def _payloads(path: Path) -> None:
    """Every payload is damaged; the metadata are not."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if "/c/" in info.filename:
                start = info.header_offset + 30 + len(info.filename)
                for place in range(start, start + info.file_size - 600, 64):
                    data[place] ^= 0xFF
    path.write_bytes(data)


CHANGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "replaced": _replaced,
    "a link to itself": _linked,
    "a folder": _folder,
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "damaged": _payloads,
}


def _answers(client: FlaskClient) -> Iterator[tuple[str, TestResponse]]:
    for url in (*DOCUMENTS, *GETS):
        yield url, client.get(url)
    for url, body in POSTS:
        yield url, client.post(url, json=body)


def _check(url: str, answer: TestResponse, folder: Path) -> None:
    # A day without a scene left is a wrong TIME to WMTS.
    allowed = (200, 400, 404, 503) if url.startswith("/wmts") else (200, 404, 503)
    assert answer.status_code in allowed, (url, answer.status_code, answer.data[:400])
    assert str(folder.parent).encode() not in answer.data, url


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_gone_is_404_or_503_on_every_route(change: str, server: Server, own_archives: Path) -> None:
    client = server(own_archives, scan_seconds=3600)
    CHANGES[change](own_archives / NAME)
    for url, answer in _answers(client):
        _check(url, answer, own_archives)
        if answer.status_code == 503 and url != "/readyz":
            assert answer.headers["Retry-After"], url
    for url in GETS[:2]:
        assert client.get(url).status_code in (404, 503)


def test_a_folder_that_loses_a_shard_is_left_out(server: Server, own_archives: Path) -> None:
    path = own_archives / NAME
    folder = own_archives / "middle.zarr"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    path.unlink()
    client = server(own_archives, scan_seconds=3600)
    for shard in folder.rglob("c"):
        shutil.rmtree(shard)
    for url, answer in _answers(client):
        _check(url, answer, own_archives)


def test_a_full_disk_of_the_server_does_not_cost_the_archive(
    server: Server, own_archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of writing the file was taken for one of the archive."""

    def full(*_: object, **__: object) -> Any:
        raise OSError(28, "No space left on device", "/somewhere/else")

    client = server(own_archives)
    monkeypatch.setattr("comeo.export.cog.copy_dataset", full)
    answer = client.get(f"{ITEM}/bbox/{AREA}.tif")
    assert answer.status_code == 503
    assert answer.json is not None
    assert "No space left on device" in answer.json["detail"]
    assert "/" not in answer.json["detail"]
    monkeypatch.undo()
    assert client.get(f"{ITEM}/bbox/{AREA}.tif", buffered=True).status_code == 200


def test_the_folder_of_jobs_may_go(server: Server, archives: Path, tmp_path: Path) -> None:
    """As where something tidies up the folder of temporary files; what cannot be made anew is said."""
    client = server(archives, jobs=tmp_path / "jobs")
    for address, body, good in ((f"{ITEM}/bbox/{AREA}.tif", None, 200), (f"{ITEM}/extracts", {}, 201)):
        shutil.rmtree(tmp_path / "jobs")
        with client.open(address, method="GET" if body is None else "POST", json=body) as answer:
            assert answer.status_code == good
        client.application.extensions["comeo"].jobs.stop()
        shutil.rmtree(tmp_path / "jobs")
        (tmp_path / "jobs").write_text("a file")
        answer = client.open(address, method="GET" if body is None else "POST", json=body)
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "2")
        assert str(tmp_path) not in answer.text
        (tmp_path / "jobs").unlink()
        (tmp_path / "jobs").mkdir()


def test_a_scene_that_goes_while_a_page_is_written_is_a_503(
    server: Server, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between finding scenes and describing them, other processes may take in what has changed on disk."""
    client = server(archives)
    catalog = client.application.extensions["comeo"].scenes.catalog
    find = catalog.hits

    def found_before(*arguments: Any, **options: Any) -> list[Hit]:
        hits = find(*arguments, **options)
        return [hit._replace(record=replace(hit.record, signature="of before")) for hit in hits]

    monkeypatch.setattr(catalog, "hits", found_before)
    for answer in (client.get("/stac/search"), client.post("/stac/search", json={})):
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "2")
