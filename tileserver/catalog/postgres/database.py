"""Connections to PostgreSQL, and the tables there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from comeo.errors import ComeoError
from comeo.settings import SettingsError
from tileserver.catalog.feed import new_epoch
from tileserver.catalog.finding import Root, places_of
from tileserver.catalog.postgres.schema import CREATE, DROP, SCHEMA, TABLES, VERSION
from tileserver.errors import BusyError

Connection = psycopg.Connection[tuple[Any, ...]]
MADE_ANEW: Final = (
    errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn, errors.UndefinedFunction,
)  # fmt: skip
"""What is said of tables that somebody has removed."""
_MAKING: Final = 0x434F4D4500  # of advisory locks: "COME"
_KEPT: Final = 8  # idle connections
_CONNECT_SECONDS: Final = 5
# Plans follow the values of each search. To compile one takes longer than most searches, and so does to start
# processes for it; a bitmap of all that lies in a large place is made before the first row is told.
_OPTIONS: Final = " ".join(
    f"-c {option}"
    for option in (
        f"search_path={SCHEMA},pg_catalog", "statement_timeout=30s", "lock_timeout=30s", "jit=off",
        "plan_cache_mode=force_custom_plan", "enable_seqscan=off", "enable_bitmapscan=off",
        "max_parallel_workers_per_gather=0", "client_min_messages=warning", "timezone=UTC",
    )
)  # fmt: skip


class _Kept(NamedTuple):
    """A connection, and the process that made it."""

    owner: int
    connection: Connection


class Database:
    """A catalogue's tables. Threads borrow connections; none crosses a fork.

    Args:
        address: `postgresql://user@host/name`, or libpq's keywords.
        roots: Folders that are served.

    Raises:
        SettingsError: If that is no address.
    """

    def __init__(self, address: str, roots: Sequence[Root]) -> None:
        self._conninfo = _conninfo(address)
        self.name = _name(self._conninfo)
        self.roots = json.dumps(places_of(roots))
        self._idle: deque[_Kept] = deque()
        self._ready = False
        weakref.finalize(self, _close, self._idle)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Borrow a connection, in autocommit mode.

        Raises:
            psycopg.Error: If it cannot be made.
        """
        connection = self._take()
        try:
            yield connection
        except BaseException:
            if connection.closed or connection.broken:
                self.close()  # the others have been cut too
            raise
        finally:
            self._give_back(connection)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that writes: one at a time, and all of it or nothing."""
        with self.connection() as connection, connection.transaction():
            connection.execute("SELECT FROM journal FOR UPDATE")
            yield connection

    def lost(self) -> None:
        """Note that the server was away: it may come back as another one, or without the tables."""
        self._ready = False
        self.close()

    def prepare(self, *, take_over: bool = False) -> None:
        """Make the tables where there are none of this version; begin an epoch where the server is another.

        Args:
            take_over: Let the tables be of this server's folders, whichever they were of.

        Raises:
            ComeoError: If they are of another server's folders, or of a newer version of the program.
            psycopg.Error: If the server is away, or refuses.
        """
        if self._ready and not take_over:
            return
        with self.connection() as db, db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", [_MAKING])
            (encoding,) = db.execute("SHOW server_encoding").fetchone() or ("",)
            if encoding != "UTF8":
                raise ComeoError(f"{self.name} is a database in {encoding}; the catalogue needs one in UTF8")
            roots = self._make(db)
            if roots != self.roots:
                if not take_over:
                    raise self._of_others(roots)
                db.execute("UPDATE state SET roots = %s, complete = false", [self.roots])
            (history,) = db.execute(
                "SELECT format('%%s-%%s', system_identifier, timeline_id) "
                "FROM pg_control_system(), pg_control_checkpoint()"
            ).fetchone() or ("",)
            # After a restore from a backup, or on a standby, numbers are given once more.
            db.execute(
                "UPDATE journal SET epoch = %s, history = %s WHERE history <> %s",
                [new_epoch(), history, history],
            )
        self._ready = True

    def check_roots(self, roots: str, version: int) -> None:
        """Refuse tables that another server has taken over.

        Raises:
            BusyError: Saying so.
        """
        if version != VERSION:
            raise BusyError("the catalogue is of another version of the program by now; restart this server")
        if roots != self.roots:
            raise BusyError(str(self._of_others(roots)))

    def close(self) -> None:
        """Close the connections that nobody has borrowed."""
        _close(self._idle)

    def _make(self, db: Connection) -> str:
        """Make the tables if there are none of this version; return the folders that they are of."""
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename = ANY(%s)"
        there = {name for (name,) in db.execute(tables, [SCHEMA, list(TABLES)])}
        row = None
        if "state" in there:
            with contextlib.suppress(errors.UndefinedColumn), db.transaction():
                row = db.execute("SELECT version, roots FROM state").fetchone()
        if row is not None and row[0] > VERSION:
            raise ComeoError(
                f"the catalogue in {self.name} is of a newer version of the program; "
                "update this server, or give it a database of its own (COMEO_CATALOG)"
            )
        if row is not None and row[0] == VERSION and len(there) == len(TABLES):
            return str(row[1])
        db.execute(DROP)
        db.execute(CREATE)
        db.execute("INSERT INTO state (version, roots) VALUES (%s, %s)", [VERSION, self.roots])
        db.execute("INSERT INTO journal VALUES (%s, '', 0, 0, 0, 0)", [new_epoch()])
        return self.roots

    def _of_others(self, roots: str) -> ComeoError:
        named = ", ".join(json.loads(roots)[:3]) or "none"
        return ComeoError(
            f"the catalogue in {self.name} is of other folders ({named}); name those, give this server a "
            "database of its own (COMEO_CATALOG), or let `comeo catalog rebuild` put these in their place"
        )

    def _take(self) -> Connection:
        with contextlib.suppress(IndexError):
            while True:
                kept = self._idle.pop()
                if kept.owner != os.getpid():  # the process that this one was forked from goes on with it
                    _INHERITED.append(kept.connection)
                elif not kept.connection.closed:
                    return kept.connection
        return psycopg.connect(self._conninfo, autocommit=True)

    def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.close()
        elif len(self._idle) < _KEPT:
            self._idle.append(_Kept(os.getpid(), connection))
        else:
            connection.close()


_INHERITED: Final[list[Connection]] = []
"""Not to be closed here: that would say goodbye for the other process."""


def _close(idle: deque[_Kept]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            kept = idle.pop()
            if kept.owner == os.getpid():
                kept.connection.close()
            else:
                _INHERITED.append(kept.connection)


def _conninfo(address: str) -> str:
    """Libpq's words for an address, with what every connection is to have.

    Raises:
        SettingsError: If it is none.
    """
    try:
        given = conninfo_to_dict(re.sub(r"^(postgres|postgresql\+psycopg)://", "postgresql://", address))
    except psycopg.ProgrammingError as error:
        raise SettingsError(
            "COMEO_CATALOG is no address of PostgreSQL; write postgresql://user:password@host/name"
        ) from error
    if not given.get("dbname"):
        raise SettingsError("COMEO_CATALOG names no database; write postgresql://user:password@host/name")
    own = {"connect_timeout": str(_CONNECT_SECONDS), "application_name": "comeo", **given}
    own["options"] = f"{given.get('options', '')} {_OPTIONS}".strip()
    return make_conninfo(**{key: str(value) for key, value in own.items() if value is not None})


def _name(conninfo: str) -> str:
    """An address for people, without the password."""
    given = conninfo_to_dict(conninfo)
    host = given.get("host") or ""
    port = f":{given['port']}" if given.get("port") else ""
    return f"postgresql://{host}{port}/{given['dbname']}"
