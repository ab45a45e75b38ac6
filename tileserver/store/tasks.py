"""What has failed, and when it is tried again. Nothing is queued: what is to be done is found by queries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from tileserver.store.tables import task

CLOCK: Final = "clock"
"""Kind of the row in which the worker keeps how the clock has run: see `watch.clock`."""
MOST_ERROR: Final = 500
_MOST_KEY: Final = 400


@dataclass(frozen=True, slots=True)
class Task:
    """A row of the table: see there.

    Attributes:
        kind: Of work.
        key: What it is done to: see `key_of`.
        lease_until: Not None while a worker is at it, or if it ended while it was.
        attempts: How often it was tried without success.
        next_at: When it is tried again.
        error: One sentence.
    """

    kind: str
    key: str
    lease_until: datetime | None
    attempts: int
    next_at: datetime
    error: str | None


def key_of(geoservice: int, *parts: str | int) -> str:
    """The key of a piece of a geoservice's work, as `12/7/scenes/S2A_…/etag`; a long one ends in a digest."""
    key = "/".join(map(str, (geoservice, *parts))) + ("" if parts else "/")
    if len(key) <= _MOST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: _MOST_KEY - len(digest) - 1]}/{digest}"


def failures(connection: Connection) -> list[Task]:
    """All that has failed, by kind and key."""
    query = select(task).where(task.c.kind != CLOCK).order_by(task.c.kind, task.c.key)
    return [Task(**row._mapping) for row in connection.execute(query)]


def failures_of(connection: Connection, geoservice: int) -> list[Task]:
    """What has failed of a geoservice, by kind and key."""
    return [each for each in failures(connection) if each.key.startswith(f"{geoservice}/")]


def find(connection: Connection, kind: str, key: str) -> Task | None:
    """The row of a piece of work."""
    found = connection.execute(select(task).where(task.c.kind == kind, task.c.key == key)).first()
    return None if found is None else Task(**found._mapping)


def keep(connection: Connection, one: Task) -> None:
    """Write a row, in the place of the one that there is."""
    own = (task.c.kind == one.kind) & (task.c.key == one.key)
    values = asdict(one)
    if connection.execute(update(task).where(own).values(values)).rowcount == 0:
        connection.execute(insert(task).values(values))


def drop(connection: Connection, some: Iterable[tuple[str, str]]) -> None:
    """Forget rows, by kind and key."""
    for kind, key in some:
        connection.execute(delete(task).where(task.c.kind == kind, task.c.key == key))


def forget(connection: Connection, geoservice: int) -> Sequence[Task]:
    """Forget what has failed of a geoservice: all is tried again at once. What it was."""
    found = failures_of(connection, geoservice)
    drop(connection, [(each.kind, each.key) for each in found])
    return found
