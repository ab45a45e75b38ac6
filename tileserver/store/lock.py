"""One worker at a time: others try again, and one takes over when the first has ended, however it ended."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from typing import Final

from sqlalchemy import text

from tileserver.store.database import Database

_KEY: Final = 0x636F6D656F  # "comeo": of PostgreSQL's advisory locks


@contextlib.contextmanager
def only_worker(database: Database) -> Iterator[bool]:
    """Hold the lock of workers, unless another process does; yields whether it is held. Never waits.

    SQLite's worker locks a file beside the database, since the database's own locks are of its statements.

    Raises:
        ComeoError: If the database cannot be reached.
        OSError: If the file cannot be made.
    """
    if database.path is not None:
        with database.path.with_name(f"{database.path.name}.worker").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        return
    with database.refusing("locked"):
        connection = database.engine.connect()
    with connection:
        with database.refusing("locked"):
            held = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar()
            connection.commit()  # the lock is the session's, and needs no transaction that stays open
        try:
            yield bool(held)
        finally:
            if held:
                connection.invalidate()  # the lock ends with its session, which must not go back to the pool
