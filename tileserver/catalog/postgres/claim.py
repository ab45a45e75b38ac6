"""Which process looks at the folders: the one that holds an advisory lock, which ends with its connection."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from tileserver.catalog.postgres.database import Connection

_KEY: Final = 0x434F4D4501


class Claim:
    """See `tileserver.catalog.ledger.Claim`.

    Args:
        db: A connection that is kept as long as the claim.
        wait: Until another process has done its look; otherwise the claim may be without the lock.

    Attributes:
        held: Whether this process is the one.
    """

    def __init__(self, db: Connection, *, wait: bool) -> None:
        self._db = db
        self._wait = wait
        self.held = False

    def age(self) -> float:
        """Seconds since the last look, by the database's clock; without end if there was none."""
        row = self._db.execute(
            "SELECT extract(epoch FROM clock_timestamp() - looked_at)::double precision FROM state"
        ).fetchone()
        elapsed = row[0] if row else None
        return float(elapsed) if elapsed is not None and elapsed >= 0 else float("inf")

    def mark(self, *, done: bool) -> None:
        """Note a look; one that is not done is to go on at once."""
        self._db.execute("UPDATE state SET looked_at = CASE WHEN %s THEN clock_timestamp() END", [done])

    def __enter__(self) -> Self:
        if self._wait:
            self._db.execute("SET statement_timeout = 0")  # a first look takes as long as it takes
            self._db.execute("SET lock_timeout = 0")
            self._db.execute("SELECT pg_advisory_lock(%s)", [_KEY])
            self._db.execute("RESET statement_timeout")
            self._db.execute("RESET lock_timeout")
            self.held = True
        else:
            row = self._db.execute("SELECT pg_try_advisory_lock(%s)", [_KEY]).fetchone()
            self.held = bool(row and row[0])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.held and not self._db.closed:
            self._db.execute("SELECT pg_advisory_unlock(%s)", [_KEY])
        self.held = False
