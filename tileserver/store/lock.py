"""One worker at a time: a second one waits, and takes over when the first has ended, however it ended."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from typing import Final

from sqlalchemy import text

from tileserver.store.database import Database

_KEY: Final = 0x636F6D656F  # "comeo": of PostgreSQL's advisory locks


@contextlib.contextmanager
def only_worker(database: Database, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of workers; yields whether it is held, which it always is where this waits.

    SQLite's worker locks a file beside the database, since the database's own locks are of its statements.
    """
    if database.path is not None:
        with database.path.with_name(f"{database.path.name}.worker").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True
        return
    name = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    with database.engine.connect() as connection:
        held = connection.execute(text(f"SELECT {name}(:key)"), {"key": _KEY}).scalar()
        connection.commit()  # the lock is the session's, and needs no transaction that stays open
        yield held is not False
