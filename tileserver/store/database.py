"""The database of what users follow: sites, geoservices, observations, alerts, messages.

SQLite by default, PostgreSQL by its address; the same statements run on both. Unlike the catalogue it cannot
be made anew: it is migrated, never thrown away.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError

from comeo.errors import ComeoError
from comeo.settings import SettingsError
from tileserver.errors import BusyError, StoreError

_BUSY_MS: Final = 10_000
_ALTERING: Final = 0x7461626C6573  # "tables": of PostgreSQL's advisory locks
_READS: Final = "comeo_reads"
_BUSY_WORDS: Final = ("locked", "deadlock", "lock timeout")
_T = TypeVar("_T")
_AT_ONCE: Final = 500  # values of one statement


class Database:
    """An open database; threads and processes have connections of their own.

    Args:
        address: Path of an SQLite file, which is made where there is none, or an SQLAlchemy URL
            (`postgresql+psycopg://user@host/name`).

    Raises:
        SettingsError: If the address is of no database that is supported.
    """

    def __init__(self, address: str) -> None:
        self.url = _url(address)
        self.engine = _engine(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file of SQLite; None for others."""
        return Path(self.url.database or "") if self.is_sqlite else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: all of it happens, or nothing.

        Raises:
            BusyError: If somebody else is writing for long.
            StoreError: If the database cannot be written.
        """
        with self.refusing("written"), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def altering(self) -> Iterator[Connection]:
        """A transaction that alters tables, one process at a time.

        SQLite makes an altered table anew and drops the old one, whose rows others refer to: so references
        are checked at the end instead.

        Raises:
            BusyError: If somebody else is writing for long.
            StoreError: If the database cannot be written.
        """
        with self.refusing("written"), self.engine.connect() as connection:
            if not self.is_sqlite:
                with connection.begin():
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ALTERING})
                    yield connection
                return
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA journal_mode = WAL")  # stays with the file
            driver.execute("PRAGMA foreign_keys = OFF")  # says nothing inside a transaction
            try:
                with connection.begin():
                    yield connection
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    if broken:
                        raise ComeoError(f"a migration would break references of {broken[0][0]}; report this")
            finally:
                driver.execute("PRAGMA foreign_keys = ON")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing.

        Raises:
            StoreError: If the database cannot be read.
        """
        options: dict[str, Any] = {_READS: True}
        if not self.is_sqlite:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.refusing("read"), self.engine.connect().execution_options(**options) as connection:
            yield connection

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    @contextlib.contextmanager
    def refusing(self, done: str) -> Iterator[None]:
        """Say in a sentence what the database refuses: to be read, to be written."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            refusal = self._refusal(done, error)
            if refusal is None:
                raise
            raise refusal from error

    def _refusal(self, done: str, error: DBAPIError | sqlite3.Error) -> ComeoError | None:
        own = error.orig if isinstance(error, DBAPIError) else error
        is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
        is_refused = isinstance(error, (OperationalError, sqlite3.OperationalError))
        is_strange = type(error) in (DatabaseError, sqlite3.DatabaseError)  # damaged, or no database at all
        if is_refused and any(word in str(own) for word in _BUSY_WORDS):
            return BusyError("the database is busy; try again")
        if not (is_lost or is_refused or is_strange):
            return None
        name = self.path.name if self.path else self.url.render_as_string(hide_password=True)
        reason = (str(own).splitlines() or [type(own).__name__])[0]
        return StoreError(f"{name} cannot be {done}: {reason} (COMEO_DATABASE)")


def insert_new(
    connection: Connection, table: Table, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> int:
    """Insert rows but for those that are there already, by any unique key; how many were new."""
    if not rows:
        return 0
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table).on_conflict_do_nothing().returning(*table.primary_key)
    return len(connection.execute(statement, rows).all())  # drivers do not agree on counts


def _url(address: str) -> URL:
    """Parse an address; a path is SQLite's."""
    if "://" not in address:
        return URL.create("sqlite", database=str(Path(address).expanduser().resolve()))
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise SettingsError("COMEO_DATABASE is neither a path nor the URL of a database") from error
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    is_kept = url.database not in (None, "", ":memory:")
    if url.drivername not in ("sqlite", "postgresql+psycopg") or not is_kept:
        raise SettingsError(
            f"COMEO_DATABASE is a URL of {url.drivername}; give a path, or postgresql+psycopg://user@host/name"
        )
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        options = f"-c lock_timeout={_BUSY_MS}"  # as SQLite's
        engine = create_engine(
            url, pool_pre_ping=True, connect_args={"options": options}, hide_parameters=True
        )
    else:
        engine = create_engine(url, connect_args={"timeout": _BUSY_MS / 1000}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))  # a connection is of one process
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says, see `_begin_sqlite`
    for statement in (
        f"PRAGMA busy_timeout = {_BUSY_MS}",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
    ):
        connection.execute(statement)


def _begin_sqlite(connection: Connection) -> None:
    """Whoever is to write takes the lock at once: a transaction that reads first could not get it later."""
    reads = connection.get_execution_options().get(_READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def parts(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Values in parts that are few enough for one statement."""
    return (values[first : first + _AT_ONCE] for first in range(0, len(values), _AT_ONCE))
