"""SQLite as a catalogue."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.tileserver.catalog.contract import CatalogTests
from tileserver.catalog import SqliteCatalog
from tileserver.catalog.finding import Finder


class TestSqlite(CatalogTests):
    """See `CatalogTests`."""

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.database = tmp_path / "database" / "catalog.sqlite"

    def open(self, root: Path) -> SqliteCatalog:
        """One file for all of a test."""
        return SqliteCatalog([root], self.database, 0)


def test_the_numbers_of_archives_are_told_after_each_look(own_archives: Path, tmp_path: Path) -> None:
    counts: list[tuple[int, int, int]] = []
    catalog = SqliteCatalog(
        [own_archives],
        tmp_path / "catalog.sqlite",
        3600,
        lambda served, broken, odd: counts.append((served, broken, odd)),
    )
    catalog.refresh(force=True)
    (own_archives / "old.zarr.zip").write_bytes(b"damaged")
    catalog.refresh(force=True)
    assert counts == [(5, 0, 0), (4, 1, 0)]


class _Clock:
    """A clock of both kinds, set by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


def test_a_look_follows_the_one_before_after_the_time_that_is_set(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not after twice that: a look is noted when it ends, which is after it began."""
    clock = _Clock()
    monkeypatch.setattr("tileserver.catalog.indexer.time", clock)
    monkeypatch.setattr("tileserver.catalog.sqlite.claim.time", clock)
    find = Finder.find

    def slow_find(*arguments: Any, **named: Any) -> dict[str, str]:
        clock.now += 0.1
        return find(*arguments, **named)

    monkeypatch.setattr(Finder, "find", slow_find)
    (tmp_path / "archives").mkdir()
    catalog = SqliteCatalog([tmp_path / "archives"], tmp_path / "catalog.sqlite", 2)
    assert catalog.count() == 0
    shutil.copy(archives / "old.zarr.zip", tmp_path / "archives")
    for moment, count in ((1001, 0), (1002, 0), (1002.05, 0), (1002.2, 1)):
        clock.now = moment
        assert catalog.count() == count
