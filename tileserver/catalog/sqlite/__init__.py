"""A catalogue in an SQLite file that all processes of a server share."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from comeo.errors import ComeoError
from tileserver.catalog.base import Search
from tileserver.catalog.finding import BucketIndex, Finder, Root
from tileserver.catalog.indexed import IndexedCatalog, Watch
from tileserver.catalog.sqlite import questions
from tileserver.catalog.sqlite.database import Database, versioned
from tileserver.catalog.sqlite.ledger import SqliteLedger
from tileserver.errors import BusyError

__all__ = ["SqliteCatalog", "versioned"]

ATTEMPTS = 3
_CHECK_SHARE = 20  # a check of the whole file may take one part in so many of the time
_MISREAD = (sqlite3.Error, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What damage looks like: to SQLite, and in a row that it takes for sound."""
T = TypeVar("T")


class SqliteCatalog(IndexedCatalog[sqlite3.Connection]):
    """Scenes in an SQLite file.

    A file that turns out damaged is made anew, and the question asked again.

    Args:
        roots: Archives, or folders of archives, on disk or as addresses in buckets.
        database: Name of the file; the version of its schema and a digest of the roots are put into it, see
            `versioned`.
        scan_seconds: Shortest time between two looks at the folders.
        watch: See `IndexedCatalog`.
        index: By which buckets are looked at; None to list them.

    Raises:
        ComeoError: If the file cannot be opened.
    """

    def __init__(
        self,
        roots: Iterable[Root],
        database: Path,
        scan_seconds: float,
        watch: Watch | None = None,
        *,
        index: BucketIndex | None = None,
    ) -> None:
        roots = tuple(roots)
        self._database = Database(database, roots)
        super().__init__(questions, SqliteLedger(self._database), Finder(roots, index), scan_seconds, watch)
        self._next_check = -float("inf")

    def check(self) -> None:
        """See `Catalog.check`."""
        started = time.monotonic()
        if started >= self._next_check:
            self._next_check = -float("inf")  # until it has been found sound
            self._guarded(self._verify)
            ended = time.monotonic()
            self._next_check = ended + max(1.0, _CHECK_SHARE * (ended - started))
        self._ask(lambda db: questions.count(db, Search()))

    def close(self) -> None:
        """See `Catalog.close`."""
        self._database.close()

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """See `IndexedCatalog`."""
        return question(self._database.connection)

    def _guarded(self, work: Callable[[], T]) -> T:
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
