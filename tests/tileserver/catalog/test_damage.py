"""A catalogue may be damaged at any time: the server makes it anew, and meanwhile says what is true."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.tileserver.conftest import Server
from tileserver import Settings, create_app
from tileserver.catalog import Search, SqliteCatalog
from tileserver.catalog.sqlite import leftovers, versioned
from tileserver.catalog.sqlite.database import APPLICATION
from tileserver.errors import BusyError

PAGE = 4096
ADDRESSES = (
    "/readyz", "/stac/collections", "/stac/search?limit=10", "/collections/optical/items/new/info",
    "/collections/optical/items/middle/tilejson.json", "/stac/collections/optical/items/old",
    "/wmts?service=WMTS&request=GetCapabilities",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tileserver.catalog.sqlite.database._MEND_SECONDS", 0.0)


def _overwrite(path: Path, page: int, filling: str) -> None:
    content = bytes(PAGE) if filling == "zeroes" else random.Random(page).randbytes(PAGE)
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(content)


def _pages(path: Path) -> range:
    return range(path.stat().st_size // PAGE)


def _facts(catalog: SqliteCatalog) -> object:
    records = catalog.search(Search(), 10)
    return (
        records, catalog.count(), catalog.collections(), catalog.days("optical"), catalog.broken(),
        [(catalog.item(record), catalog.info(record)) for record in records],
    )  # fmt: skip


@pytest.mark.parametrize("filling", ["zeroes", "garbage"])
def test_each_page_at_rest(archives: Path, tmp_path: Path, filling: str) -> None:
    catalog = SqliteCatalog([archives], tmp_path / "catalog.sqlite", 0)
    expected = _facts(catalog)
    catalog.close()
    path = versioned(tmp_path / "catalog.sqlite", [archives])
    whole = path.read_bytes()
    assert len(_pages(path)) > 10
    for page in _pages(path):
        path.write_bytes(whole)
        _overwrite(path, page, filling)
        again = SqliteCatalog([archives], tmp_path / "catalog.sqlite", 3600)
        assert _facts(again) == expected, page
        again.close()


@pytest.mark.parametrize("filling", ["zeroes", "garbage"])
def test_each_page_under_a_running_server(
    server: Server, archives: Path, tmp_path: Path, filling: str
) -> None:
    client = server(archives, catalog=tmp_path / "catalog-1.sqlite", scan_seconds=3600)
    path = versioned(tmp_path / "catalog-1.sqlite", [archives])
    page = 0
    while page in _pages(path):
        _overwrite(path, page, filling)
        for address in (*ADDRESSES[page % len(ADDRESSES) :], *ADDRESSES):
            answer = client.get(address)
            busy = answer.status_code == 503 and "Retry-After" in answer.headers
            assert answer.status_code == 200 or busy, (page, address, answer.data)
        _assert_well(client)
        page += 1


@pytest.mark.parametrize("size", [0, 1, 100, PAGE, 3 * PAGE + 17])
def test_a_catalogue_cut_short_under_a_running_server(
    server: Server, archives: Path, tmp_path: Path, size: int
) -> None:
    client = server(archives, catalog=tmp_path / "catalog-1.sqlite", scan_seconds=3600)
    os.truncate(versioned(tmp_path / "catalog-1.sqlite", [archives]), size)
    _assert_well(client)


def test_the_folder_of_the_catalogue_may_go(server: Server, archives: Path, tmp_path: Path) -> None:
    """As where something tidies up the folder of temporary files."""
    client = server(archives, catalog=tmp_path / "folder" / "catalog.sqlite", scan_seconds=0)
    shutil.rmtree(tmp_path / "folder")
    _assert_well(client)


def test_what_cannot_be_made_anew_is_said(server: Server, archives: Path, tmp_path: Path) -> None:
    client = server(archives, catalog=tmp_path / "folder" / "catalog.sqlite", scan_seconds=0)
    shutil.rmtree(tmp_path / "folder")
    (tmp_path / "folder").write_text("a file")
    for address in ("/readyz", "/stac/search"):
        answer = client.get(address)
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "2")
        assert str(tmp_path) not in answer.text
    assert client.get("/healthz").status_code == 200
    (tmp_path / "folder").unlink()
    _assert_well(client)


def test_while_archives_are_being_indexed_the_server_says_so(
    server: Server, archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = server(archives, catalog=tmp_path / "catalog-1.sqlite", scan_seconds=3600)
    path = versioned(tmp_path / "catalog-1.sqlite", [archives])
    monkeypatch.setattr("tileserver.catalog.indexer.SLICE_SECONDS", -1.0)  # one batch a request
    monkeypatch.setattr("tileserver.catalog.indexer.BATCH", 2)
    path.unlink()
    os.utime(f"{path}.scan", (0, 0))
    client.application.extensions["comeo"].scenes.catalog._indexer._checked = -float("inf")
    codes = [client.get("/readyz").status_code for _ in range(4)]
    assert codes == [503, 503, 200, 200]
    _assert_well(client)


@pytest.mark.parametrize(
    "loss", ["DELETE FROM journal", "DELETE FROM changes", "DROP TABLE changes", "DROP TABLE journal"]
)
def test_a_journal_that_is_lost(server: Server, archives: Path, tmp_path: Path, loss: str) -> None:
    """SQLite takes such a file for whole: what the journal tells is compared with the scenes."""
    client = server(archives, catalog=tmp_path / "catalog-1.sqlite", scan_seconds=3600)
    count = len(client.get("/changes").get_json()["changes"])
    path = versioned(tmp_path / "catalog-1.sqlite", [archives])
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(loss)
    if loss == "DELETE FROM changes":  # nothing fails then, and nothing is noticed before the next start
        client = create_app(
            Settings(paths=(archives,), catalog=tmp_path / "catalog-1.sqlite", workers=1, scan_seconds=3600)
        ).test_client()
    for address in ("/changes", "/wmts?service=WMTS&request=GetCapabilities"):
        assert client.get(address).status_code == 200, address
    assert len(client.get("/changes").get_json()["changes"]) == count


def test_damage_again_and_again_does_not_keep_the_server_busy(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tileserver.catalog.sqlite.database._MEND_SECONDS", 3600.0)
    catalog = SqliteCatalog([archives], tmp_path / "catalog.sqlite", 3600)
    path = versioned(tmp_path / "catalog.sqlite", [archives])
    assert catalog.count() == 5
    path.write_bytes(b"x" * 10 * PAGE)
    assert catalog.count() == 5
    path.write_bytes(b"x" * 10 * PAGE)
    with pytest.raises(BusyError, match="again"):
        catalog.count()


def test_damage_that_a_second_look_does_not_find_is_no_mistake(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where another process writes the damaged page anew in between."""
    catalog = SqliteCatalog([archives], tmp_path / "catalog.sqlite", 3600)
    looks = iter([False])
    monkeypatch.setattr(catalog._database, "verify", lambda: next(looks, True))
    catalog.check()
    assert catalog.count() == 5


def test_mistakes_of_a_request_do_not_make_it_anew(archives: Path, tmp_path: Path) -> None:
    catalog = SqliteCatalog([archives], tmp_path / "catalog.sqlite", 3600)
    catalog.count()
    path = versioned(tmp_path / "catalog.sqlite", [archives])
    inode = path.stat().st_ino
    with pytest.raises(sqlite3.Error):
        catalog.count(Search(ids=tuple(map(str, range(300_000)))))
    assert path.stat().st_ino == inode


def test_servers_of_different_folders_have_files_of_their_own(archives: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    first = SqliteCatalog([archives], tmp_path / "catalog.sqlite", 0)
    second = SqliteCatalog([tmp_path / "empty"], tmp_path / "catalog.sqlite", 0)
    assert [first.count(), second.count(), first.count()] == [5, 0, 5]


def test_leftovers_are_swept(archives: Path, tmp_path: Path) -> None:
    named = tmp_path / "catalog.sqlite"
    (tmp_path / "other").mkdir()
    SqliteCatalog([tmp_path / "other"], named, 0).close()
    old = versioned(named, [tmp_path / "other"])
    foreign = tmp_path / "catalog-9-01234567.sqlite"
    sqlite3.connect(foreign).execute("CREATE TABLE diary (entry)").connection.close()
    recent = tmp_path / "catalog-3-01234567.sqlite"
    shutil.copy(old, recent)
    left = tmp_path / f".{versioned(named, [archives]).name}.999.new"
    left.write_bytes(b"half")
    long_ago = time.time() - leftovers.KEPT_SECONDS - 1
    for path in tmp_path.glob("catalog-*"):
        if path != recent:
            os.utime(path, (long_ago, long_ago))
    assert SqliteCatalog([archives], named, 0).count() == 5
    assert not list(tmp_path.glob(f"{old.name}*"))
    assert foreign.exists()
    assert recent.exists()
    assert not left.exists()
    assert int.from_bytes(b"COME", "big") == APPLICATION


def _assert_well(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "archives": 5, "broken": {}})
    for address in ADDRESSES:
        assert client.get(address).status_code == 200, address
