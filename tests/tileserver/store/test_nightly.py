"""A backup each night: whole or not there, the last 14 kept, whatever the clock says."""

from __future__ import annotations

import errno
import os
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.tileserver.store.test_backup import fill, rows
from tileserver.store.backup import restore
from tileserver.store.database import Database
from tileserver.store.nightly import KEPT, backup_of_day, backups_in, folder_beside

DAY = date(2026, 11, 29)


def test_a_backup_a_day_is_restored(database: Database, address: str, tmp_path: Path) -> None:
    fill(database)
    folder = tmp_path / "backups"
    made = backup_of_day(database, folder, DAY)
    assert made == folder / "comeo-000001-2026-11-29.zip"
    assert backup_of_day(database, folder, DAY) is None, "one a day"
    other = Database(str(tmp_path / "other.sqlite") if database.is_sqlite else address)
    restore(other, made)
    assert rows(other) == rows(database)
    other.close()


def test_the_last_are_kept_whatever_the_clock_said(sqlite_database: Database, tmp_path: Path) -> None:
    days = [DAY + timedelta(days=number) for number in (*range(KEPT), 365, 366, KEPT, KEPT + 1)]
    (tmp_path / "notes.zip").write_text("of the operator")
    for day in days:
        assert backup_of_day(sqlite_database, tmp_path, day)
    assert [each.stem[-10:] for each in backups_in(tmp_path)] == [each.isoformat() for each in days[-KEPT:]]
    assert (tmp_path / "notes.zip").exists()


@pytest.mark.parametrize("where", ["fsync", "replace", "write"])
def test_a_full_disk_leaves_the_backups_that_there_are(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for number in range(KEPT):
        backup_of_day(sqlite_database, tmp_path, DAY + timedelta(days=number))
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as limited:
        if where == "write":
            limited.setattr(zipfile.ZipFile, "writestr", full)
        else:
            limited.setattr(os, where, full)
        with pytest.raises(OSError, match="No space left"):
            backup_of_day(sqlite_database, tmp_path, DAY + timedelta(days=KEPT))
    assert sorted(tmp_path.iterdir()) == before
    assert backup_of_day(sqlite_database, tmp_path, DAY + timedelta(days=KEPT))
    assert len(backups_in(tmp_path)) == KEPT


def test_what_a_killed_worker_left_is_removed(sqlite_database: Database, tmp_path: Path) -> None:
    left = tmp_path / "comeo-000001-2026-11-29.zip.77.part"
    left.write_bytes(b"half")
    made = backup_of_day(sqlite_database, tmp_path, DAY)
    assert list(tmp_path.glob("comeo-*")) == [made]


def test_they_lie_beside_the_database(sqlite_database: Database) -> None:
    assert sqlite_database.path is not None
    assert folder_beside(sqlite_database) == sqlite_database.path.with_name("comeo.sqlite.backups")
    assert folder_beside(Database("postgresql+psycopg://a@b/c")) == Path("comeo.backups")
