"""A catalogue in PostgreSQL, which several servers may share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import psycopg
from psycopg import errors

from comeo.errors import ComeoError, ParameterError
from tileserver.catalog.base import NEWEST_FIRST, Record, Search
from tileserver.catalog.finding import BucketIndex, Finder, Root
from tileserver.catalog.indexed import IndexedCatalog, Watch
from tileserver.catalog.postgres import questions
from tileserver.catalog.postgres.database import MADE_ANEW, Connection, Database
from tileserver.catalog.postgres.ledger import PostgresLedger
from tileserver.errors import BusyError

__all__ = ["PostgresCatalog"]

ATTEMPTS: Final = 3
_AWAY: Final = "the catalogue's database cannot be used now; try again in a moment"
_PASSES: Final = (
    *MADE_ANEW, psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction,
)  # fmt: skip
"""What is said while the database is away, starts, is full or is a standby, or has lost its tables."""
T = TypeVar("T")
log = logging.getLogger(__name__)


class PostgresCatalog(IndexedCatalog[Connection]):
    """Scenes in a database. Of all servers that share it, one at a time looks at the folders.

    Tables that are missing are made anew, and the question asked again. While the database is away, requests
    are told to come back.

    Args:
        roots: Archives, or folders of archives, on disk or in buckets: the same for all servers.
        address: `postgresql://user@host/name`.
        scan_seconds: Shortest time between two looks at the folders.
        watch: See `IndexedCatalog`.
        index: By which buckets are looked at; None to list them.
        take_over: Whether the catalogue is to be of these folders, if it is of others.

    Raises:
        SettingsError: If that is no address.
        ComeoError: If the database cannot be used, or its catalogue is of other folders.
    """

    def __init__(
        self,
        roots: Iterable[Root],
        address: str,
        scan_seconds: float,
        watch: Watch | None = None,
        *,
        index: BucketIndex | None = None,
        take_over: bool = False,
    ) -> None:
        roots = tuple(roots)
        self._database = Database(address, roots)
        try:
            self._database.prepare(take_over=take_over)
        except psycopg.Error as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ComeoError(
                f"the catalogue {self._database.name} cannot be opened: {reason} (COMEO_CATALOG)"
            ) from error
        self._own = PostgresLedger(self._database)
        super().__init__(questions, self._own, Finder(roots, index), scan_seconds, watch)

    def get(self, collection: str, item: str) -> Record | None:
        """See `Catalog.get`."""
        if "\0" in collection or "\0" in item:  # which no text of the database has
            return None
        return super().get(collection, item)

    def check(self) -> None:
        """See `Catalog.check`."""
        self._ask(lambda db: questions.hits(db, Search(), 1, None, NEWEST_FIRST))

    def close(self) -> None:
        """See `Catalog.close`."""
        self._database.close()

    def _answer(self, question: Callable[[Connection], T]) -> T:
        """See `IndexedCatalog`."""
        with self._database.connection() as db:
            return question(db)

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do something with the database; if a connection was cut or tables are missing, once more.

        Raises:
            BusyError: If that does not help.
            ParameterError: If it cannot hold what is looked for.
        """
        reason = ""
        for _ in range(ATTEMPTS):
            try:
                return work()
            except ComeoError:
                raise
            except errors.QueryCanceled as error:
                raise BusyError("this search takes too long; narrow it") from error
            except (psycopg.DataError, UnicodeEncodeError) as error:
                raise ParameterError("a text has characters that no scene's properties have") from error
            except _PASSES as error:
                reason = str(error)
                self._own.lost()
        log.warning("catalogue's database away", extra={"fields": {"error": reason.splitlines()[:1]}})
        raise BusyError(_AWAY)
