"""The viewer's page, as the server hands it out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from tests.tileserver.conftest import Server
from tileserver.api.viewer.page import LANGUAGES, PLACE, first_item
from tileserver.catalog import LAYERS
from tileserver.render.scenes import Scenes

STATIC = Path(__file__).parents[4] / "static"


@pytest.fixture
def viewer(tmp_path: Path) -> Path:
    """A folder of a built viewer, with pages in two languages."""
    for name, word in {"index.html": "plain", "index.en.html": "hello", "index.fr.html": "bonjour"}.items():
        (tmp_path / name).write_text(f"<!doctype html>{word}{PLACE}")
    return tmp_path


def first_of(client: FlaskClient) -> Any:
    """The scene that a page begins with."""
    found = re.search(r'id="first">(.*?)</script>', client.get("/").text)
    assert found
    return json.loads(found[1])


def test_the_page_speaks_the_language_that_the_browser_asks_for(
    server: Server, archives: Path, viewer: Path
) -> None:
    client = server(archives, static=viewer)
    wishes = {"fr-SN, en;q=0.5": "bonjour", "de": "hello", "ar, fr;q=0.5": "plain", "": "hello"}
    for wish, word in wishes.items():
        answer = client.get("/", headers={"Accept-Language": wish})
        assert word in answer.text
        assert "Accept-Language" in answer.headers["Vary"]
    assert client.get("/", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_page_carries_the_scene_that_it_begins_with(server: Server, archives: Path, viewer: Path) -> None:
    client = server(archives, static=viewer)
    item = first_of(client)
    whole = client.get(f"/stac/collections/{item['collection']}/items/{item['id']}").json
    assert whole is not None
    assert item["geometry"] == whole["geometry"]
    assert item["properties"].items() <= whole["properties"].items()
    assert "datetime" in item["properties"]


def test_the_scene_to_begin_with_is_the_one_that_the_viewer_chooses() -> None:
    # static/test/panels.test.ts holds firstToShow to the same cases
    for case in json.loads((STATIC / "test" / "first.cases.json").read_text()):
        records = [
            SimpleNamespace(id=each, collection="c", bbox=tuple(box)) for each, _, box, *_ in case["scenes"]
        ]
        clouds = {
            each: ({} if cloud is None else {"eo:cloud_cover": cloud}) | ({LAYERS: here[0]} if here else {})
            for each, _, _, cloud, *here in case["scenes"]
        }
        catalog = SimpleNamespace(
            search=lambda *_, found=records: found,
            item=lambda record, clouds=clouds: {"geometry": None, "properties": clouds[record.id]},
        )  # fmt: skip
        first = first_item(cast("Scenes", SimpleNamespace(catalog=catalog)))
        assert (first and first["id"]) == case["first"], case["what"]


def test_a_catalogue_without_scenes_has_none_to_begin_with(
    server: Server, viewer: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert first_of(server(empty, static=viewer)) is None


def test_the_languages_are_those_of_the_viewer() -> None:
    source = (STATIC / "src" / "language.ts").read_text(encoding="utf-8")
    listed = re.search(r"LANGUAGES = \{(.*?)\}", source)
    assert listed
    assert tuple(re.findall(r"(\w+):", listed[1])) == LANGUAGES


def test_what_is_kept_for_ever_lies_in_assets(server: Server, archives: Path, viewer: Path) -> None:
    """`assets/%2e%2e/sw.js` was the service worker, to be kept for a year."""
    client = server(archives, static=viewer)
    (viewer / "sw.js").write_text("let a = 1;")
    with client.get("/sw.js") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
    assert client.get("/assets/%2e%2e/sw.js").status_code == 404
    beyond = client.get("/sw.js", headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")
