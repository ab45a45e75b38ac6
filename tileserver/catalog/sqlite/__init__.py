"""A catalogue in an SQLite file that all processes of a server share."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from comeo.errors import ComeoError
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
from tileserver.catalog.feed import Changes, Position
from tileserver.catalog.finding import Root
from tileserver.catalog.following import FollowingCache
from tileserver.catalog.kinds import BandSet
from tileserver.catalog.sqlite import journal, queries, summaries
from tileserver.catalog.sqlite.database import Database, versioned
from tileserver.catalog.sqlite.indexer import Indexer
from tileserver.errors import BusyError

__all__ = ["SqliteCatalog", "versioned"]

ATTEMPTS = 3
KEPT_SEARCHES = 512
KEPT_SUMMARIES = 512
_CHECK_SHARE = 20  # a check of the whole file may take one part in so many of the time
_MISREAD = (sqlite3.Error, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What damage looks like: to SQLite, and in a row that it takes for sound."""
T = TypeVar("T")
Watch = Callable[[int, int, int], None]
log = logging.getLogger(__name__)


class SqliteCatalog(Catalog):
    """Scenes in an SQLite file. Whichever process comes first looks at the folders, for all others.

    A file that turns out damaged is made anew, and the question asked again.

    Args:
        roots: Archives, or folders of archives, on disk or as addresses in buckets.
        database: Name of the file; the version of its schema and a digest of the roots are put into it, see
            `versioned`.
        scan_seconds: Shortest time between two looks at the folders.
        watch: Called after each look with the numbers of archives that are served and that are broken, and
            of scenes that differ from most of their collection.

    Raises:
        ComeoError: If the file cannot be opened.
    """

    def __init__(
        self, roots: Iterable[Root], database: Path, scan_seconds: float, watch: Watch | None = None
    ) -> None:
        roots = tuple(roots)
        self._database = Database(database, roots)
        self._watch = watch
        self._indexer = Indexer(self._database, roots, scan_seconds, self._looked)
        self._looked_at, self._odd = -1, 0
        self._said: dict[str, str] = {}
        self._band_sets: FollowingCache[Search, tuple[BandSet, ...]] = FollowingCache(
            self, KEPT_SEARCHES, lambda search: search.collections
        )
        self._summaries: FollowingCache[str, CollectionSummary | None] = FollowingCache(
            self, KEPT_SUMMARIES, lambda name: (name,)
        )
        self._next_check = -float("inf")

    def refresh(self, *, force: bool = False) -> None:
        """See `Catalog.refresh`."""
        self._mending(lambda: self._indexer.refresh(force=force))

    def rebuild(self) -> None:
        """See `Catalog.rebuild`."""
        self._mending(self._indexer.rebuild)

    def check(self) -> None:
        """See `Catalog.check`."""
        started = time.monotonic()
        if started >= self._next_check:
            self._next_check = -float("inf")  # until it has been found sound
            self._mending(self._verify)
            ended = time.monotonic()
            self._next_check = ended + max(1.0, _CHECK_SHARE * (ended - started))
        self._ask(lambda db: queries.count(db, Search()))

    def get(self, collection: str, item: str) -> Record | None:
        """See `Catalog.get`."""
        return self._ask(lambda db: queries.get(db, collection, item))

    def hits(
        self, search: Search, limit: int, after: Cursor | None = None, order: Order = NEWEST_FIRST
    ) -> list[Hit]:
        """See `Catalog.hits`."""
        return self._ask(lambda db: queries.hits(db, search, limit, after, order))

    def count(self, search: Search | None = None) -> int:
        """See `Catalog.count`."""
        return self._ask(lambda db: queries.count(db, search or Search()))

    def item(self, record: Record) -> dict[str, Any]:
        """See `Catalog.item`."""
        return self._ask(lambda db: queries.document(db, "item", record), fresh=False)

    def info(self, record: Record) -> dict[str, Any]:
        """See `Catalog.info`."""
        return self._ask(lambda db: queries.document(db, "info", record), fresh=False)

    def collection_names(self) -> list[str]:
        """See `Catalog.collection_names`."""
        return self._ask(summaries.collection_names)

    def collection(self, name: str) -> CollectionSummary | None:
        """See `Catalog.collection`. Kept until scenes of it come, change or go."""
        return self._summaries.get(name, lambda: self._ask(lambda db: summaries.collection(db, name)))

    def coverage(self, search: Search) -> Coverage | None:
        """See `Catalog.coverage`."""
        return self._ask(lambda db: summaries.coverage(db, search))

    def band_sets(self, search: Search) -> tuple[BandSet, ...]:
        """See `Catalog.band_sets`. Kept, for the latest searches, until scenes come, change or go."""
        return self._band_sets.get(search, lambda: self._ask(lambda db: summaries.band_sets(db, search)))

    def days(self, collection: str) -> list[str]:
        """See `Catalog.days`."""
        return self._ask(lambda db: summaries.days(db, collection))

    def revision(self) -> int:
        """See `Catalog.revision`: milliseconds since 1970 of the last change, or a little more."""
        return self._ask(queries.revision)

    def position(self) -> Position:
        """See `Catalog.position`."""
        return self._ask(journal.position)

    def changes(self, after: Position | None, limit: int) -> Changes:
        """See `Catalog.changes`."""
        return self._ask(lambda db: journal.changes(db, after, limit))

    def broken(self) -> dict[str, str]:
        """See `Catalog.broken`."""
        return self._ask(queries.broken)

    def refuse(self, record: Record, error: str) -> None:
        """See `Catalog.refuse`."""
        self._mending(lambda: self._indexer.refuse(record, error))

    def close(self) -> None:
        """See `Catalog.close`."""
        self._database.close()

    def _ask(self, question: Callable[[sqlite3.Connection], T], *, fresh: bool = True) -> T:
        """Ask the database, brought up to date if the answer is to be fresh.

        Raises:
            BusyError: While it is being made anew.
        """

        def ask() -> T:
            if fresh or not self._database.complete:
                self._indexer.refresh()
            if not self._database.complete:
                raise BusyError("the archives are being indexed; try again in a moment")
            return question(self._database.connection)

        return self._mending(ask)

    def _mending(self, work: Callable[[], T]) -> T:
        """Do something with the database; if it is damaged, make it anew and do it again.

        Raises:
            BusyError: If that does not help, or another process is at it.
        """
        for _ in range(ATTEMPTS):
            try:
                return work()
            except ComeoError:
                raise
            except OSError as error:
                raise BusyError(f"the catalogue cannot be used: {error.strerror or error}") from error
            except _MISREAD as error:
                self._database.mend(error)
        raise BusyError("the catalogue is damaged again and again; try again later")

    def _verify(self) -> None:
        if not self._database.verify():
            # Of the kind that needs no second look: if it is whole again by then, asking again is enough.
            raise sqlite3.OperationalError("the catalogue is damaged")

    def _looked(self, served: int, broken: int) -> None:
        """After a look at the folders: name the scenes that differ from most of their collection, once."""
        db = self._database.connection  # not asked by `_ask`, which would look at the folders again
        revision = queries.revision(db)
        if self._database.complete and revision != self._looked_at:
            names = summaries.collection_names(db)
            found = [one for name in names if (one := summaries.collection(db, name)) is not None]
            said = {one.id: one.oddity for one in found if one.odd}
            for name, sentence in said.items():
                if self._said.get(name) != sentence:
                    log.warning("scenes differ", extra={"fields": {"differing": sentence}})
            self._looked_at, self._said = revision, said
            self._odd = sum(one.odd_count for one in found)
        if self._watch:
            self._watch(served, broken, self._odd)
