"""Small texts under short names, in one SQLite file: drafts, published documents of indicators, links.

Names of drafts and links are made of the text's SHA-256: whoever gives the same text twice gets the same
name, and a name means one text for ever. Several processes may use a file at once.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from comeo.errors import ComeoError
from tileserver.errors import BusyError, ConflictError

Kind = Literal["draft", "published", "link"]
State = Literal["published", "deprecated"]
DAY: Final = 86_400.0
LASTS: Final[dict[str, float]] = {"draft": DAY, "link": 2 * 365 * DAY, "published": float("inf")}
"""Seconds that a text is kept after it was last given."""
MOST: Final[dict[str, int]] = {"draft": 2000, "link": 100_000, "published": 10_000}
MOST_BYTES: Final[dict[str, int]] = {"draft": 64 << 20, "link": 128 << 20, "published": 256 << 20}
LETTERS: Final = 8
_BUSY_SECONDS: Final = 10.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS texts (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL, listed INTEGER NOT NULL, given REAL NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS texts_by_age ON texts (kind, given);
"""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is kept.

    Attributes:
        name: Of it.
        body: The text, in UTF-8.
        state: Of a published document; empty for others.
        listed: Whether lists name it.
        expires: Seconds since 1970 at which it is forgotten.
    """

    name: str
    body: bytes
    state: str
    listed: bool
    expires: float


class Kept:
    """The texts of a file.

    Args:
        path: Of the SQLite file; it is made where there is none.

    Raises:
        ComeoError: If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        with self._transaction():
            pass

    def give(self, kind: Literal["draft", "link"], body: bytes) -> Text:
        """Keep a text, and return it with its name. The oldest drafts give way to new ones.

        Raises:
            BusyError: If there is no room for more links.
        """
        now = time.time()
        with self._transaction() as connection:
            for attempt in range(16):
                name = _short(kind, body, attempt)
                row = connection.execute("SELECT body FROM texts WHERE name = ?", (name,)).fetchone()
                if row is None or row[0] == body:
                    break
            if row is None:
                self._make_room(connection, kind, len(body), now)
            expires = now + LASTS[kind]
            connection.execute(
                "INSERT INTO texts VALUES (?, ?, ?, ?, '', 0, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET given = excluded.given, expires = excluded.expires",
                (name, kind, body, hashlib.sha256(body).hexdigest(), now, expires),
            )
        return Text(name, body, "", False, expires)

    def publish(self, name: str, body: bytes, *, listed: bool) -> bool:
        """Keep a text for good.

        Args:
            name: `id@version`.
            body: The text.
            listed: Whether lists name it.

        Returns:
            Whether it is new; False if the same text has this name already.

        Raises:
            ConflictError: If another text has this name.
            BusyError: If there is no room for more.
        """
        now = time.time()
        with self._transaction() as connection:
            row = connection.execute("SELECT body, listed FROM texts WHERE name = ?", (name,)).fetchone()
            if row is not None:
                if row[0] != body:
                    raise ConflictError(f"{name} is published, and never changes; raise the version")
                if row[1] != listed:
                    how = "for everybody" if row[1] else "for those who have its name"
                    raise ConflictError(f"{name} is published {how}, which never changes; raise the version")
                return False
            self._make_room(connection, "published", len(body), now)
            digest = hashlib.sha256(body).hexdigest()
            connection.execute(
                "INSERT INTO texts VALUES (?, 'published', ?, ?, 'published', ?, ?, ?)",
                (name, body, digest, int(listed), now, LASTS["published"]),
            )
        return True

    def set_state(self, name: str, state: State) -> bool:
        """Set the state of a published text; False if there is none of that name."""
        with self._transaction() as connection:
            statement = "UPDATE texts SET state = ? WHERE name = ? AND kind = 'published'"
            return connection.execute(statement, (state, name)).rowcount > 0

    def find(self, kind: Kind, name: str) -> Text | None:
        """The text of a name, unless it has expired."""
        statement = (
            "SELECT name, body, state, listed, expires FROM texts WHERE name = ? AND kind = ? AND expires > ?"
        )
        rows = self._read(statement, (name, kind, time.time()))
        row = rows[0] if rows else None
        return None if row is None else Text(row[0], bytes(row[1]), row[2], bool(row[3]), row[4])

    def versions(self, identity: str) -> list[Text]:
        """The published texts whose names begin with `identity@`."""
        return self._published("name >= ? AND name < ?", f"{identity}@", f"{identity}A")  # A follows @

    def listed(self) -> list[Text]:
        """All published texts that lists name."""
        return self._published("listed = 1")

    def _published(self, condition: str, *values: str) -> list[Text]:
        statement = (
            "SELECT name, body, state, listed, expires FROM texts "  # noqa: S608 - conditions of ours
            f"WHERE kind = 'published' AND {condition} ORDER BY name"
        )
        rows = self._read(statement, values)
        return [Text(row[0], bytes(row[1]), row[2], bool(row[3]), row[4]) for row in rows]

    def _read(self, statement: str, values: Sequence[str | float]) -> list[Any]:
        """Rows of a query.

        Raises:
            BusyError: If somebody else is writing for long.
            ComeoError: If the file cannot be read.
        """
        with self._refused("read"):
            return self._connection().execute(statement, values).fetchall()

    def _make_room(self, connection: sqlite3.Connection, kind: Kind, size: int, now: float) -> None:
        connection.execute("DELETE FROM texts WHERE expires <= ?", (now,))
        statement = "SELECT count(*), coalesce(sum(length(body)), 0) FROM texts WHERE kind = ?"
        count, total = connection.execute(statement, (kind,)).fetchone()
        while count >= MOST[kind] or total + size > MOST_BYTES[kind]:
            if kind != "draft":
                raise BusyError(
                    f"there is no room for more: {MOST[kind]} texts of this kind are kept at most"
                )
            oldest = "SELECT name, length(body) FROM texts WHERE kind = 'draft' ORDER BY given LIMIT 1"
            name, length = connection.execute(oldest).fetchone()
            connection.execute("DELETE FROM texts WHERE name = ?", (name,))
            count, total = count - 1, total - length

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection; none crosses a fork."""
        if getattr(self._local, "process", None) != os.getpid():
            made = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            for statement in _SCHEMA.split(";"):  # also where the file has been deleted since
                made.execute(statement)
            self._local.connection, self._local.process = made, os.getpid()
        connection: sqlite3.Connection = self._local.connection
        return connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._refused("written"):
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk may have ended it
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _refused(self, done: str) -> Iterator[None]:
        """Say in a sentence what the file refuses: to be read, to be written."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise BusyError("the store is busy; try again") from error
            raise ComeoError(f"{self.path.name} cannot be {done}: {error} (COMEO_STORE)") from error
        except sqlite3.DatabaseError as error:
            raise ComeoError(f"{self.path.name} is no store of this server: {error} (COMEO_STORE)") from error


def _short(kind: str, body: bytes, attempt: int) -> str:
    """A name of eight letters and digits; of another attempt another one."""
    digest = hashlib.sha256(attempt.to_bytes(2, "big") + body).digest()
    letters = base64.b32encode(digest)[:LETTERS].decode().lower()
    return f"draft-{letters}" if kind == "draft" else letters
