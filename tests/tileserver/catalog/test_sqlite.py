"""SQLite as a catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tileserver.catalog.contract import CatalogTests
from tileserver.catalog import SqliteCatalog


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
