"""The catalogue follows the folders, whatever happens in them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comeo.compression import compress
from comeo.errors import ComeoError
from comeo.settings import SettingsError
from tests.tileserver.conftest import STEP, optical_scene
from tileserver import Settings
from tileserver.catalog import ArchivePool, Record, Search, SqliteCatalog
from tileserver.catalog.child import answer
from tileserver.catalog.sqlite import versioned
from tileserver.errors import BusyError
from tileserver.render.scenes import Scenes


def test_it_can_be_rebuilt_at_will(archives: Path, tmp_path: Path) -> None:
    catalog = _catalog(archives, tmp_path)
    before = catalog.search(Search(), 10)
    catalog.rebuild()
    assert catalog.search(Search(), 10) == before
    assert len(before) == 5


def test_what_has_not_changed_is_not_read_again(own_archives: Path, tmp_path: Path) -> None:
    _catalog(own_archives, tmp_path).close()
    for path in own_archives.iterdir():
        stat = path.stat()
        path.write_bytes(b"x" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert _catalog(own_archives, tmp_path).count() == 5


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_catalogue_is_made_anew(archives: Path, tmp_path: Path, content: bytes) -> None:
    versioned(tmp_path / "catalog.sqlite", [archives]).write_bytes(content)
    assert _catalog(archives, tmp_path).count() == 5


@pytest.mark.parametrize("name", ["catalog.sqlite", "catalog-3.sqlite", "catalog-4.sqlite"])
def test_a_live_catalogue_of_another_version_is_left_alone(archives: Path, tmp_path: Path, name: str) -> None:
    """Two versions of the program are given one name, as while one is being replaced by the other."""
    path = tmp_path / name
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("PRAGMA user_version = 999")
    other.execute("CREATE TABLE items (x)")
    other.execute("INSERT INTO items VALUES (1)")
    inode = path.stat().st_ino
    assert _catalog(archives, tmp_path).count() == 5
    other.execute("INSERT INTO items VALUES (2)")
    with sqlite3.connect(path) as again:
        assert again.execute("SELECT x FROM items").fetchall() == [(1,), (2,)]
    again.close()
    other.close()
    assert path.stat().st_ino == inode


def test_a_database_of_something_else_is_left_alone(archives: Path, tmp_path: Path) -> None:
    path = versioned(tmp_path / "catalog.sqlite", [archives])
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE diary (entry TEXT)")
    db.close()
    with pytest.raises(ComeoError, match="something else"):
        _catalog(archives, tmp_path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM diary").fetchone() == (0,)
    db.close()


@pytest.mark.parametrize("damage", ["overwritten", "deleted"])
def test_a_running_server_follows_when_its_catalogue_is_replaced(
    archives: Path, tmp_path: Path, damage: str
) -> None:
    """Another process finds the file damaged, or somebody has deleted it; nobody is left with the old one."""
    first = _catalog(archives, tmp_path)
    path = versioned(tmp_path / "catalog.sqlite", [archives])
    answers: list[int] = []
    inode = path.stat().st_ino

    def ask() -> None:
        answers.append(first.count())

    thread = threading.Thread(target=ask)  # a second connection
    thread.start()
    thread.join()
    if damage == "deleted":
        path.unlink()
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # else the journal has it all
        db.close()
        with path.open("r+b") as file:
            file.write(b"x" * 4096)
    second = _catalog(archives, tmp_path)
    assert path.stat().st_ino != inode
    assert second.count() == first.count() == 5
    record = second.search(Search(), 1)[0]
    second.refuse(record, "a test")
    assert first.count() == 4
    first.close()
    assert second.count() == 4
    assert _catalog(archives, tmp_path).count() == 4


def test_a_locked_catalogue_is_not_taken_for_a_damaged_one(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tileserver.catalog.sqlite.database._BUSY_SECONDS", 0.01)
    _catalog(archives, tmp_path).close()
    path = versioned(tmp_path / "catalog.sqlite", [archives])
    inode = path.stat().st_ino
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("PRAGMA locking_mode = EXCLUSIVE")
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ComeoError, match="locked"):
            _catalog(archives, tmp_path)
    writer.close()
    assert path.stat().st_ino == inode
    assert _catalog(archives, tmp_path).count() == 5


def test_folders_that_contain_themselves_are_walked_once(own_archives: Path, tmp_path: Path) -> None:
    (own_archives / "again").symlink_to(own_archives)
    (own_archives / "sub").mkdir()
    (own_archives / "sub" / "up").symlink_to(own_archives.parent)
    (own_archives / "a_link.zarr.zip").symlink_to(own_archives / "old.zarr.zip")
    catalog = _catalog(own_archives, tmp_path)
    assert (catalog.count(), catalog.broken()) == (5, {})
    both = SqliteCatalog([own_archives, own_archives / "again"], tmp_path / "both.sqlite", 0)
    both.refresh(force=True)
    assert (both.count(), both.broken()) == (5, {})


def test_the_same_scene_twice_is_served_once_until_one_goes(own_archives: Path, tmp_path: Path) -> None:
    shutil.copy(own_archives / "middle.zarr.zip", own_archives / "twin.zarr.zip")
    catalog = _catalog(own_archives, tmp_path)
    assert catalog.count() == 5
    assert "middle.zarr.zip" in catalog.broken()["twin.zarr.zip"]
    (own_archives / "middle.zarr.zip").unlink()
    catalog.refresh(force=True)
    assert catalog.count() == 5
    assert catalog.broken() == {}


def test_folders_within_folders_and_single_files(archives: Path, tmp_path: Path) -> None:
    nested = tmp_path / "a" / "b"
    shutil.copytree(archives, nested)
    hidden = tmp_path / "a" / ".hidden"
    shutil.copytree(archives, hidden)
    assert _catalog(tmp_path / "a", tmp_path).count() == 5
    single = SqliteCatalog([archives / "old.zarr.zip"], tmp_path / "single.sqlite", 0)
    single.refresh(force=True)
    assert [record.id for record in single.search(Search(), 10)] == ["old"]


def test_archives_as_folders_are_served_too(tmp_path: Path) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    compress(optical_scene("folder", 3), folder / "folder.zarr", step=STEP)
    catalog = _catalog(folder, tmp_path)
    assert [record.id for record in catalog.search(Search(), 10)] == ["folder"]
    shutil.rmtree(folder / "folder.zarr")
    catalog.refresh(force=True)
    assert catalog.count() == 0


def test_a_torn_archive_is_named_and_read_once_it_is_whole(own_archives: Path, tmp_path: Path) -> None:
    path = own_archives / "middle.zarr.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    catalog = _catalog(own_archives, tmp_path)
    assert list(catalog.broken()) == ["middle.zarr.zip"]
    assert catalog.count() == 4
    path.write_bytes(whole)
    catalog.refresh(force=True)
    assert (catalog.count(), catalog.broken()) == (5, {})


def test_a_missing_folder_is_an_empty_catalogue(tmp_path: Path) -> None:
    assert _catalog(tmp_path / "nowhere", tmp_path).count() == 0


def test_times_keep_their_microseconds(archives: Path, tmp_path: Path) -> None:
    record = _catalog(archives, tmp_path).get("optical", "middle")
    assert record is not None
    assert record.datetime == datetime(2020, 5, 10, 10, 30, tzinfo=UTC)


def test_the_antimeridian_is_no_border(archives: Path, tmp_path: Path) -> None:
    catalog = _catalog(archives, tmp_path)
    with sqlite3.connect(versioned(tmp_path / "catalog.sqlite", [archives])) as db:
        db.execute("UPDATE items SET west = 179.5, east = -179.5, south = -17, north = -16 WHERE id = 'old'")
    db.close()
    for bbox in ((179.6, -17.0, 179.9, -16.0), (-179.9, -17.0, -179.6, -16.0), (179.0, -18.0, -179.0, -15.0)):
        assert [record.id for record in catalog.search(Search(bbox=bbox), 10)] == ["old"]
    for bbox in ((-179.0, -17.0, 179.0, -16.0), (179.6, 0.0, 179.9, 1.0)):
        assert catalog.search(Search(bbox=bbox), 10) == []
    summary = catalog.collection("optical")
    assert summary is not None
    assert summary.count == 3


def test_many_threads_share_it(own_archives: Path, tmp_path: Path) -> None:
    catalog = _catalog(own_archives, tmp_path)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                catalog.refresh(force=True)
                assert catalog.count() >= 4
        except BaseException as error:  # noqa: BLE001 - to be seen by the test
            failures.append(error)
        finally:
            catalog.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    shutil.copy(own_archives / "old.zarr.zip", own_archives / "other.zarr.zip")
    (own_archives / "old.zarr.zip").unlink()
    for thread in threads:
        thread.join()
    assert failures == []
    catalog.refresh(force=True)
    assert (catalog.count(), catalog.broken()) == (5, {})


def test_open_archives_are_bounded_and_never_closed_in_use(archives: Path, tmp_path: Path) -> None:
    records = _catalog(archives, tmp_path).search(Search(), 10)
    pool = ArchivePool(2)
    with pool.lease(records[0]) as first:
        for record in records[1:]:
            with pool.lease(record) as archive:
                assert archive.id == record.id
        assert len(pool) == 2
        level = next(iter(first.groups.values())).levels[0]
        assert first.decode_blocks(level, [(0, 0)])
    with pool.lease(records[0]) as again:
        assert again is not first


def test_a_replaced_archive_is_asked_for_again(own_archives: Path, tmp_path: Path) -> None:
    catalog = _catalog(own_archives, tmp_path)
    scenes = Scenes.open(Settings(workers=1), catalog)
    stale: Record | None = catalog.get("optical", "middle")
    assert stale is not None
    compress(optical_scene("middle", 10, seed=9), own_archives / "middle.zarr.zip", step=STEP, force=True)
    with pytest.raises(BusyError), scenes.lease(stale):
        pass


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"COMEO_PATHS": f"{tmp_path}:/b", "COMEO_THREADS": "7", "COMEO_CATALOG": "", "OTHER": "1"},
        workers=3,
        host=None,
    )
    assert (settings.paths, settings.threads, settings.workers) == ((tmp_path, Path("/b")), 7, 3)
    assert settings.host == "127.0.0.1"
    for name, value in (("THREADS", "many"), ("PORT", "70000"), ("PUBLIC_URL", "ftp://x"), ("WORKERS", "0")):
        with pytest.raises(SettingsError, match=f"COMEO_{name}"):
            Settings.from_environment({f"COMEO_{name}": value})


def _catalog(folder: Path, tmp_path: Path) -> SqliteCatalog:
    catalog = SqliteCatalog([folder], tmp_path / "catalog.sqlite", 0)
    catalog.refresh(force=True)
    return catalog


def test_a_name_that_is_no_text_does_not_stop_the_others(own_archives: Path, tmp_path: Path) -> None:
    try:
        (own_archives / os.fsdecode(b"\xff.zarr.zip")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    assert _catalog(own_archives, tmp_path).count() == 5


def test_an_unforeseen_error_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str, etag: str | None) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr("tileserver.catalog.child.read_entry", read)
    out = answer("read", "old.zarr.zip")
    assert "unexpected" in out["error"]
    assert "a mistake" in out["trace"]
    assert not out["lasting"]


def test_pipes_and_devices_do_not_stop_the_others(own_archives: Path, tmp_path: Path) -> None:
    os.mkfifo(own_archives / "pipe.zarr.zip")
    (own_archives / "zero.zarr.zip").symlink_to("/dev/zero")
    catalog = _catalog(own_archives, tmp_path)
    assert catalog.count() == 5
    assert set(catalog.broken()) == {"pipe.zarr.zip", "zero.zarr.zip"}
