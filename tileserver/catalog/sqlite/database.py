"""The SQLite file: its schema, connections and transactions."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from comeo.errors import ComeoError

VERSION = 4
_SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, signature TEXT NOT NULL, error TEXT);
CREATE TABLE items (
    path TEXT PRIMARY KEY, signature TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL,
    datetime INTEGER, -- microseconds since 1970, null where it is unknown
    west REAL NOT NULL, south REAL NOT NULL, east REAL NOT NULL, north REAL NOT NULL,
    etag TEXT NOT NULL, bands TEXT NOT NULL, item TEXT NOT NULL, info TEXT NOT NULL, UNIQUE (collection, id)
);
CREATE INDEX items_by_time ON items (datetime DESC, collection, id);
CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL);
INSERT INTO meta VALUES ('scanned_at', 0);
"""
_BUSY_SECONDS = 30.0
_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_PRIMARY_CODE = 0xFF


def versioned(path: Path) -> Path:
    """Name of the file of this version of the schema: `catalog.sqlite` → `catalog-3.sqlite`.

    Servers of two versions may be given one name: each then has a file of its own.
    """
    return path.with_name(f"{path.stem}-{VERSION}{path.suffix}")


class Database:
    """Connections to the file, one a thread, none across a fork.

    A file that is missing or damaged is replaced by an empty one, in one step, while no process is opening
    it. Processes that have the former file open go on with it until their next `check`.

    Args:
        path: Name that is set; see `versioned` for the one that is used.

    Raises:
        ComeoError: If the file cannot be opened, or is another program's.
    """

    def __init__(self, path: Path) -> None:
        self.path = versioned(path)
        self._local = threading.local()
        self._inode = -1
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise ComeoError(f"the catalogue {self.path} cannot be opened: {error}") from error

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode.

        Raises:
            ComeoError: If the file cannot be opened.
        """
        state = (os.getpid(), self._inode)
        if getattr(self._local, "state", None) != state:
            self.close()
            try:
                with self._locked(fcntl.LOCK_SH):
                    self._local.db = self._connect()
            except (OSError, sqlite3.Error) as error:
                raise ComeoError(f"the catalogue {self.path} cannot be opened: {error}") from error
            self._local.state = state
        connection: sqlite3.Connection = self._local.db
        return connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction; an exception undoes it."""
        db = self.connection
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def check(self) -> None:
        """Notice that another process has replaced the file, or somebody has deleted it."""
        inode = self._on_disk()
        if inode == -1:
            self._prepare()
        else:
            self._inode = inode

    def close(self) -> None:
        """Close this thread's connection."""
        state = getattr(self._local, "state", None)
        if state is not None and state[0] == os.getpid():
            self._local.db.close()
        self._local.state = None

    def _prepare(self) -> None:
        """Make the file, or make it anew if it is damaged."""
        with self._locked(fcntl.LOCK_SH):
            sound = self._is_sound()
        if not sound:
            with self._locked(fcntl.LOCK_EX):
                if not self._is_sound():  # nor has another process just replaced it
                    self._replace()
        self._inode = self._on_disk()

    def _is_sound(self) -> bool:
        """Whether the file exists, is whole, and has the tables.

        Raises:
            ComeoError: If it is a sound file of something else, which is left alone.
        """
        if self._on_disk() == -1:
            return False
        try:
            with contextlib.closing(self._connect()) as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()
                (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE in _DAMAGED:
                return False
            raise
        if version != VERSION and tables:
            raise ComeoError(
                f"{self.path} is a database of something else (version {version}, not {VERSION}); "
                "move it away, or set another name for the catalogue"
            )
        return bool(version == VERSION and verdict == "ok")

    def _replace(self) -> None:
        """Put an empty database in the file's place. Nobody is opening the file meanwhile."""
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as db:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        # The journal of the old file would be read as the new one's. A connection that still uses it has it
        # open, and SQLite itself deletes no journal of a file that has been moved.
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        fresh.replace(self.path)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            db.execute("PRAGMA journal_mode = WAL").fetchone()
            db.execute("PRAGMA synchronous = OFF")  # what a crash loses is read again from the archives
        except BaseException:
            db.close()
            raise
        return db

    def _on_disk(self) -> int:
        """Inode of the file, or -1 if it is missing."""
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return -1

    @contextlib.contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        """Hold the lock under which the file is opened (shared) and replaced (exclusively)."""
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)
