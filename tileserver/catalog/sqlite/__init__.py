"""A catalogue in an SQLite file that all processes of a server share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tileserver.catalog.base import (
    NEWEST_FIRST,
    Catalog,
    CollectionSummary,
    Coverage,
    Cursor,
    Hit,
    Order,
    Record,
    Search,
)
from tileserver.catalog.kinds import BandSet
from tileserver.catalog.sqlite import queries, summaries
from tileserver.catalog.sqlite.database import Database, versioned
from tileserver.catalog.sqlite.indexer import Indexer

__all__ = ["SqliteCatalog", "versioned"]

KEPT_SEARCHES = 512
Watch = Callable[[int, int, int], None]
log = logging.getLogger(__name__)


class SqliteCatalog(Catalog):
    """Scenes in an SQLite file. Whichever process comes first looks at the folders, for all others.

    Args:
        roots: Archives, or folders of archives.
        database: Name of the file; the version of its schema is put into it, see `versioned`.
        scan_seconds: Shortest time between two looks at the folders.
        watch: Called after each look with the numbers of archives that are served and that are broken, and
            of scenes that differ from most of their collection.

    Raises:
        ComeoError: If the file cannot be opened.
    """

    def __init__(
        self, roots: Iterable[Path], database: Path, scan_seconds: float, watch: Watch | None = None
    ) -> None:
        self._database = Database(database)
        self._watch = watch
        self._indexer = Indexer(self._database, tuple(roots), scan_seconds, self._looked)
        self._looked_at, self._odd = -1, 0
        self._said: dict[str, str] = {}
        self._band_sets: tuple[int, dict[Search, tuple[BandSet, ...]]] = (-1, {})
        self._summaries: tuple[int, dict[str, CollectionSummary | None]] = (-1, {})

    def refresh(self, *, force: bool = False) -> None:
        """See `Catalog.refresh`."""
        self._indexer.refresh(force=force)

    def rebuild(self) -> None:
        """See `Catalog.rebuild`."""
        self._indexer.rebuild()

    def get(self, collection: str, item: str) -> Record | None:
        """See `Catalog.get`."""
        self.refresh()
        return queries.get(self._database.connection, collection, item)

    def hits(
        self, search: Search, limit: int, after: Cursor | None = None, order: Order = NEWEST_FIRST
    ) -> list[Hit]:
        """See `Catalog.hits`."""
        self.refresh()
        return queries.hits(self._database.connection, search, limit, after, order)

    def count(self, search: Search | None = None) -> int:
        """See `Catalog.count`."""
        self.refresh()
        return queries.count(self._database.connection, search or Search())

    def item(self, record: Record) -> dict[str, Any]:
        """See `Catalog.item`."""
        return queries.document(self._database.connection, "item", record)

    def info(self, record: Record) -> dict[str, Any]:
        """See `Catalog.info`."""
        return queries.document(self._database.connection, "info", record)

    def collection_names(self) -> list[str]:
        """See `Catalog.collection_names`."""
        self.refresh()
        return summaries.collection_names(self._database.connection)

    def collection(self, name: str) -> CollectionSummary | None:
        """See `Catalog.collection`. Kept until scenes come, change or go."""
        revision = self.revision()
        if self._summaries[0] != revision:
            self._summaries = (revision, {})
        kept = self._summaries[1]
        if name in kept:
            return kept[name]
        summary = summaries.collection(self._database.connection, name)
        if summary is not None:  # names that do not exist are without number
            kept[name] = summary
        return summary

    def coverage(self, search: Search) -> Coverage | None:
        """See `Catalog.coverage`."""
        self.refresh()
        return summaries.coverage(self._database.connection, search)

    def band_sets(self, search: Search) -> tuple[BandSet, ...]:
        """See `Catalog.band_sets`. Kept, for the latest searches, until scenes come, change or go."""
        revision = self.revision()
        if self._band_sets[0] != revision or len(self._band_sets[1]) >= KEPT_SEARCHES:
            self._band_sets = (revision, {})
        kept = self._band_sets[1]
        if search not in kept:
            kept[search] = summaries.band_sets(self._database.connection, search)
        return kept[search]

    def days(self, collection: str) -> list[str]:
        """See `Catalog.days`."""
        self.refresh()
        return summaries.days(self._database.connection, collection)

    def revision(self) -> int:
        """See `Catalog.revision`: milliseconds since 1970 of the last change, or a little more."""
        self.refresh()
        return queries.revision(self._database.connection)

    def broken(self) -> dict[str, str]:
        """See `Catalog.broken`."""
        self.refresh()
        return queries.broken(self._database.connection)

    def refuse(self, record: Record, error: str) -> None:
        """See `Catalog.refuse`."""
        self._indexer.refuse(record, error)

    def close(self) -> None:
        """See `Catalog.close`."""
        self._database.close()

    def _looked(self, served: int, broken: int) -> None:
        """After a look at the folders: name the scenes that differ from most of their collection, once."""
        revision = self.revision()
        if revision != self._looked_at:
            summaries = self.collections()
            said = {summary.id: summary.oddity for summary in summaries if summary.odd}
            for name, sentence in said.items():
                if self._said.get(name) != sentence:
                    log.warning("scenes differ", extra={"fields": {"differing": sentence}})
            self._looked_at, self._said = revision, said
            self._odd = sum(summary.odd_count for summary in summaries)
        if self._watch:
            self._watch(served, broken, self._odd)
