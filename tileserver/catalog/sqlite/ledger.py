"""The indexer's view of the SQLite file: see `tileserver.catalog.ledger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tileserver.catalog.base import Record, Search
from tileserver.catalog.difference import Known
from tileserver.catalog.ledger import Found
from tileserver.catalog.sqlite import changes, queries
from tileserver.catalog.sqlite.claim import Claim
from tileserver.catalog.sqlite.database import Database


class SqliteLedger:
    """Archives and scenes in the file. Methods: see `Ledger`.

    Args:
        database: The file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def complete(self) -> bool:
        """See `Ledger.complete`."""
        return self._database.complete

    def check(self) -> None:
        """See `Ledger.check`."""
        self._database.check()

    def claim(self, *, wait: bool) -> Claim:
        """See `Ledger.claim`."""
        return Claim(self._database.path, wait=wait)

    def known(self) -> Mapping[str, Known]:
        """See `Ledger.known`."""
        return changes.known(self._database.connection)

    def numbers(self) -> tuple[int, int]:
        """See `Ledger.numbers`."""
        db = self._database.connection
        return queries.count(db, Search()), len(queries.broken(db))

    def may_be_refused(self, size: int) -> bool:
        """See `Ledger.may_be_refused`."""
        return changes.may_be_refused(self._database.connection, size)

    def refused(self, size: int, digest: str) -> str | None:
        """See `Ledger.refused`."""
        return changes.refused(self._database.connection, size, digest)

    def remove(self, gone: Sequence[str]) -> None:
        """See `Ledger.remove`."""
        with self._database.transaction() as db:
            changes.remove(db, gone)

    def write(self, entries: Sequence[Found]) -> Sequence[tuple[str, str]]:
        """See `Ledger.write`."""
        with self._database.transaction() as db:
            return list(changes.write(db, entries))

    def refuse(self, record: Record, error: str) -> None:
        """See `Ledger.refuse`."""
        with self._database.transaction() as db:
            changes.refuse(db, record, error)

    def finish(self) -> None:
        """See `Ledger.finish`."""
        with self._database.transaction() as db:
            changes.complete(db)

    def forget(self) -> None:
        """See `Ledger.forget`."""
        with self._database.transaction() as db:
            changes.forget(db)
