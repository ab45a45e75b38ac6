"""Pieces of work that fail by themselves: what fails is tried again later, and holds nothing else up.

A piece that fails has a row, which its success removes. What is no piece's fault (a full disk, a database
that is away, a scene that is being replaced) is not counted against it. There is one worker at a time, so
nobody else has to be kept from a piece by a lease: `lease_until` says that a worker was at it, and did not
live to tell, as when a damaged scene takes all memory. Such a piece waits too, but is never given up: it may
have been the power.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from comeo.errors import ComeoError
from tileserver.errors import StoreError
from tileserver.store import tasks
from tileserver.store.database import Database
from tileserver.store.tasks import MOST_ERROR, Task
from tileserver.watch.faults import is_awaited, is_no_fault

WAITS: Final = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=4), timedelta(days=1)
)  # fmt: skip
"""How long a piece waits after each failure; the last one goes on, but for those that end."""
ENDING: Final = ("observe", "verify")
"""Kinds that are given up after so many failures: a scene, or an original, stays as it is."""
_ENDED: Final = "the worker ended while it was at it"
log = logging.getLogger("comeo")


def is_dead(one: Task) -> bool:
    """Whether a piece was given up: it is tried again only when somebody asks for it."""
    return one.kind in ENDING and one.lease_until is None and one.attempts > len(WAITS)


class Pieces:
    """The pieces of a round.

    Args:
        database: Which keeps what failed.
        now: The time that is believed: see `watch.clock`.

    Attributes:
        said: Of this round: what failed, and why.
        put_off: Keys of what failed in this round for a reason that is not its own.
    """

    def __init__(self, database: Database, now: datetime) -> None:
        self._database = database
        self._now = now
        self.said: dict[str, str] = {}
        self.put_off: list[str] = []
        with database.reading() as connection:
            self._known = {(each.kind, each.key): each for each in tasks.failures(connection)}

    def attempt(
        self, kind: str, key: str, name: str, work: Callable[[], object], *, anew: bool = False,
        grave: bool = False,
    ) -> bool:  # fmt: skip
        """Do a piece of work, unless it failed and is not to be tried again yet; whether it was done.

        Args:
            kind: Of work.
            key: What it is done to: see `tasks.key_of`.
            name: The same in words.
            work: Does it.
            anew: What it rests on has changed, so that it does not wait.
            grave: It may take the process along; so it is written down before it begins.

        Raises:
            StoreError: If the database cannot be read or written, which no other piece can do then, either.
        """
        known = self._known.get((kind, key))
        if known is not None and not anew and not self._is_due(known):
            return False
        if grave:
            attempts = 1 + (known.attempts if known else 0)
            self._keep(Task(kind, key, self._now, attempts, self._now + _wait(attempts), _ENDED))
        try:
            work()
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a piece does is its own failure
            self._failed(kind, key, name, known, error)
            return False
        self._clear(kind, key)
        return True

    def done(self, connection: Connection, kind: str, key: str) -> None:
        """Let a piece's success be written in the transaction that writes its result."""
        if (kind, key) in self._known:
            tasks.drop(connection, [(kind, key)])

    def of(self, geoservice: int) -> list[Task]:
        """What has failed of a geoservice."""
        return [each for each in self._known.values() if each.key.startswith(f"{geoservice}/")]

    def is_due(self, geoservice: int) -> bool:
        """Whether something of a geoservice that has failed is to be tried again."""
        return any(self._is_due(each) for each in self.of(geoservice))

    def is_dead(self, kind: str, key: str) -> bool:
        """Whether a piece was given up."""
        return (kind, key) in self._known and is_dead(self._known[kind, key])

    def keep_only(self, kind: str, prefix: str, keys: Collection[str]) -> None:
        """Forget what failed and need not be done any more: its scene has gone, or has another archive."""
        gone = [
            (each.kind, each.key)
            for each in self._known.values()
            if each.kind == kind and each.key.startswith(prefix) and each.key not in keys
        ]
        for each in gone:
            self._clear(*each)

    def _is_due(self, one: Task) -> bool:
        """A time that lies further off than any wait was written by a clock that was wrong."""
        return not is_dead(one) and not self._now < one.next_at <= self._now + WAITS[-1]

    def _failed(self, kind: str, key: str, name: str, known: Task | None, error: Exception) -> None:
        sentence = _sentence(error)
        self.said[name] = sentence
        if is_no_fault(error):
            if not is_awaited(error):
                self.put_off.append(key)
            if known is not None:
                self._keep(known)
            else:
                self._clear(kind, key)
            return
        if not isinstance(error, ComeoError):
            log.debug("%s of %s", kind, name, exc_info=error)
        attempts = 1 + (known.attempts if known else 0)
        row = Task(kind, key, None, attempts, self._now + _wait(attempts), f"{name}: {sentence}"[:MOST_ERROR])
        self._keep(row)
        if is_dead(row):
            self.said[name] = f"{sentence} (given up after {attempts} times)"

    def _keep(self, row: Task) -> None:
        if self._known.get((row.kind, row.key)) != row:
            with self._database.writing() as connection:
                tasks.keep(connection, row)
        self._known[row.kind, row.key] = row

    def _clear(self, kind: str, key: str) -> None:
        if self._known.pop((kind, key), None) is not None:
            with self._database.writing() as connection:
                tasks.drop(connection, [(kind, key)])


class Settled:
    """What each geoservice was in step with when all of it was done the last time, and what had failed."""

    def __init__(self) -> None:
        self._states: dict[int, object] = {}

    def has(self, geoservice: int, state: object, pieces: Pieces) -> bool:
        """Whether a geoservice is in step with a state, but for what has failed."""
        return self._states.get(geoservice) == (state, pieces.of(geoservice))

    def keep(self, geoservice: int, state: object, pieces: Pieces) -> None:
        """Say that all was done, unless something was put off, which the next round tries again."""
        self._states[geoservice] = None if pieces.put_off else (state, pieces.of(geoservice))


def _wait(attempts: int) -> timedelta:
    return WAITS[min(attempts, len(WAITS)) - 1]


def _sentence(error: Exception) -> str:
    """An error in one sentence, without the path of a folder."""
    if isinstance(error, ComeoError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        name = f"{Path(str(error.filename)).name}: " if error.filename else ""
        return f"{name}{error.strerror}"
    return f"{type(error).__name__}: {error}"
