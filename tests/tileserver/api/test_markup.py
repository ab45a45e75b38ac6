"""Text of archives is nobody's markup and nobody's script, in any document that it comes to."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comeo.archive import open_archive
from comeo.archive.text import is_plain, plain
from tests.comeo.archive.rewriting import change_document
from tests.tileserver.conftest import Server

MARKS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "a</name><b>c", "[x](javascript:alert(3))",
    "java\tscript:alert(4)", "&lt;svg onload=alert(5)&gt;", "java&#115;cript:alert(6)", "<!--", "]]><i>",
    "DATA:text/html,<x", "\x1b[2J",
)  # fmt: skip
TELLTALE = (
    "alert(",
    "onerror",
    "<b>c",
    "<!--alert",
    "]]><i>",
    "data:text/html",
    "\x1b",
    "[2j",
    "javascript:",
)
ITEM = "/collections/optical/items/old"
DOCUMENTS = (
    "/readyz", "/stac", "/stac/collections", "/stac/collections/optical", "/stac/collections/optical/items",
    "/stac/search", f"/stac{ITEM}", f"{ITEM}/info", f"{ITEM}/tilejson.json", f"{ITEM}/overlay.kml",
    f"{ITEM}/certificate", f"{ITEM}/statistics", "/collections/optical/tilejson.json",
    "/collections/optical/overlay.kml", "/collections/optical/series.kml",
    "/wmts?service=WMTS&request=GetCapabilities", "/ogc/collections/optical/map/tiles",
)  # fmt: skip
KEPT = {
    "id",
    "collection",
    "datetime",
    "type",
    "codec",
    "format_version",
    "certificate",
    "proj:code",
    "model",
}


def marked(value: Any, mark: str, name: str = "") -> Any:
    """A document with a mark in every text that is not an identifier of something."""
    if isinstance(value, dict):
        return {key: marked(member, mark, key) for key, member in value.items()}
    if isinstance(value, list):
        return [marked(element, mark, name) for element in value]
    return f"{value}{mark}" if isinstance(value, str) and name not in KEPT else value


def put_marks(mark: str) -> Any:
    def change(document: Any) -> Any:
        attributes = document["attributes"]
        item = attributes["stac_discovery"]
        geometry = item["geometry"]
        item["properties"] |= {
            "attribution": "by", "title": "t", "description": "d", "license": "l", mark: "key",
            "providers": [{"name": "n", "url": "https://example.org/"}], "href": "x", "sci:doi": "10",
            "nested": [[{"deep": "x"}]],
        }  # fmt: skip
        item |= {
            "title": "t",
            "links": [{"href": "h", "rel": "r"}],
            "assets": {"a": {"href": "h", "title": "t"}},
        }
        attributes["stac_discovery"] = {**marked(item, mark), "type": "Feature", "geometry": geometry}
        attributes["comeo"]["source"] = {"name": f"S2A{mark}", "sha256": f"0{mark}"}
        return document

    return change


def put_marks_on_bands(mark: str) -> Any:
    def change(document: Any) -> Any:
        for band in document["attributes"]["bands"]:
            band |= {"unit": mark[:32], "eo:common_name": mark, "description": mark}
        return document

    return change


@pytest.mark.parametrize("mark", MARKS)
def test_no_document_carries_it(server: Server, own_archives: Path, mark: str) -> None:
    for name in ("middle", "new", "radar", "plain"):
        (own_archives / f"{name}.zarr.zip").unlink()
    path = own_archives / "old.zarr.zip"
    change_document(path, "zarr.json", put_marks(mark))
    change_document(path, "r10m/zarr.json", put_marks_on_bands(mark))
    client = server(own_archives)
    assert client.get("/readyz").json == {"status": "ready", "archives": 1, "broken": {}}
    found = 0
    for address in DOCUMENTS:
        answer = client.get(address)
        found += answer.status_code == 200
        _assert_free(answer.data, address)
    assert found >= 12
    kmz = client.get(f"{ITEM}/bbox/8.64,47.45,8.66,47.46.kmz")
    if kmz.status_code == 200:
        with zipfile.ZipFile(io.BytesIO(kmz.data)) as entries:
            for name in entries.namelist():
                if name.endswith(".kml"):
                    _assert_free(entries.read(name), name)
    with open_archive(path) as archive:
        assert any("attribution" in name for name in archive.left_out)


def test_extensions_and_links_are_http(server: Server, own_archives: Path) -> None:
    def change(document: Any) -> Any:
        item = document["attributes"]["stac_discovery"]
        item["stac_extensions"] += [
            "javascript:alert(1)",
            "ftp://x/y",
            "https://example.org/a b",
            "//x",
            "file:///etc",
        ]
        item["properties"] |= {
            "x:href": "vbscript:y",
            "preview_url": "data:,x",
            "homepage_url": "https://example.org/",
        }
        return document

    change_document(own_archives / "old.zarr.zip", "zarr.json", change)
    document = server(own_archives).get(f"/stac{ITEM}").json
    assert all(
        entry.startswith("https://stac-extensions.github.io/") for entry in document["stac_extensions"]
    )
    assert "x:href" not in document["properties"]
    assert "preview_url" not in document["properties"]
    assert document["properties"]["homepage_url"] == "https://example.org/"


def test_credits_are_escaped_for_clients_that_take_them_for_html(server: Server, own_archives: Path) -> None:
    def change(document: Any) -> Any:
        document["attributes"]["stac_discovery"]["properties"]["attribution"] = "Büro & Co, 5 < 6"
        return document

    change_document(own_archives / "old.zarr.zip", "zarr.json", change)
    client = server(own_archives)
    assert client.get(f"{ITEM}/tilejson.json").json["attribution"] == "Büro &amp; Co, 5 &lt; 6"
    assert "Büro &amp;amp; Co" in client.get(f"{ITEM}/overlay.kml").text


@pytest.mark.parametrize(
    "text",
    ["", "Sentinel-2A", "a < b", "5 > 4 & 3", "m²", "W/m²/sr/µm", "C1: 5 %", "2020-05-01T10:30:00Z",
     "data: none",
     "EPSG:32632", "line\nanother", "AT&T; x", "Copernicus (ESA) <5 %"],
)  # fmt: skip
def test_ordinary_text_stays(text: str) -> None:
    assert is_plain(text)
    assert plain({"title": text}) == ({"title": text}, [])


TEXTS = st.text(max_size=12) | st.sampled_from(MARKS)


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=6))
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_left_is_plain_and_stays_as_it_is(document: Any) -> None:
    once, _ = plain({"x": document})
    assert plain(once) == (once, [])


def _assert_free(content: bytes, where: str) -> None:
    low = content.decode("utf-8", "replace").lower()
    assert not [tell for tell in TELLTALE if tell in low], where
