"""The SQLite file: its schema, connections and transactions, and making it anew when it is damaged."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from comeo.errors import ComeoError
from tileserver.catalog.finding import Root, places_of
from tileserver.catalog.sqlite import filters, journal, leftovers
from tileserver.catalog.sqlite.damage import Verdict, verdict_of
from tileserver.errors import BusyError

VERSION = 6
APPLICATION = 0x434F4D45
"""`COME`, by which a file is known to be a catalogue."""
_SCHEMA = """
CREATE TABLE files (
    path TEXT PRIMARY KEY, signature TEXT NOT NULL, error TEXT,
    twin INTEGER NOT NULL -- 1 where another archive has the same id, and that is the error
);
CREATE TABLE refused ( -- archives that cannot be read, wherever they lie
    size INTEGER NOT NULL, digest TEXT NOT NULL, error TEXT NOT NULL, UNIQUE (size, digest)
);
CREATE TABLE items (
    path TEXT PRIMARY KEY, signature TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL,
    datetime INTEGER, -- microseconds since 1970, null where it is unknown
    west REAL NOT NULL, south REAL NOT NULL, east REAL NOT NULL, north REAL NOT NULL,
    etag TEXT NOT NULL, bands TEXT NOT NULL, item TEXT NOT NULL, info TEXT NOT NULL, UNIQUE (collection, id)
);
CREATE INDEX items_by_time ON items (datetime DESC, collection, id);
CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL);
INSERT INTO meta VALUES ('complete', 0);
"""  # and the journal's
_BUSY_SECONDS = 30.0
_MEND_SECONDS = 1.0
"""Shortest time between two files that one process makes anew: the disk may damage whatever is written."""
_DOCUMENTS = "NOT json_valid(bands) OR NOT json_valid(item) OR NOT json_valid(info)"
log = logging.getLogger(__name__)


def versioned(path: Path, roots: Sequence[Root]) -> Path:
    """Name of the file for this version of the schema, and these folders: `catalog-6-1f0c2d3e.sqlite`.

    Servers of two versions, or of different folders, may be given one name: each then has a file of its own.
    """
    digest = hashlib.sha256(os.fsencode("\0".join(places_of(roots)))).hexdigest()[:8]
    return path.with_name(f"{path.stem}-{VERSION}-{digest}{path.suffix}")


class Database:
    """Connections to the file, one a thread, none across a fork.

    A file that is missing or damaged is replaced by an empty one, in one step, while no process is opening
    it. Processes that have the former file open go on with it until their next `check`. There is no
    write-ahead log, since its index is a mapped file: truncating that kills the process.

    Args:
        path: Name that is set; see `versioned` for the one that is used.
        roots: Folders that are served.

    Raises:
        ComeoError: If the file cannot be opened, or is another program's.
    """

    def __init__(self, path: Path, roots: Sequence[Root]) -> None:
        self.path = versioned(path, roots)
        self._local = threading.local()
        self._inode = -1
        self._complete = -1  # inode of a file that is known to hold all archives
        self._mended = -float("inf")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            leftovers.sweep(path, self.path, APPLICATION)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise ComeoError(f"the catalogue {self.path} cannot be opened: {error}") from error

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode.

        Raises:
            OSError: If the file cannot be opened.
            sqlite3.Error: Likewise.
        """
        state = (os.getpid(), self._inode)
        if getattr(self._local, "state", None) != state:
            self.close()
            with self._locked(fcntl.LOCK_SH):
                self._local.db = self._connect()
            self._local.state = state
            self._complete = -1  # a removed file that no process had open may have left its inode to this one
        connection: sqlite3.Connection = self._local.db
        return connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction; an exception undoes it."""
        db = self.connection
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    @property
    def complete(self) -> bool:
        """Whether all archives have been looked at since the file was made."""
        if self._complete != self._inode:
            row = self.connection.execute("SELECT value FROM meta WHERE key = 'complete'").fetchone()
            if not row or not row[0]:
                return False
            self._complete = self._inode
        return True

    def check(self) -> None:
        """Notice that another process has replaced the file, or that it has been deleted."""
        inode = self._on_disk()
        if inode == -1:
            self._prepare()
        else:
            self._inode = inode

    def verify(self) -> bool:
        """Read the whole file, as it is on disk, and say whether it is sound."""
        with self._locked(fcntl.LOCK_SH):
            return self._is_sound()

    def mend(self, error: Exception) -> None:
        """After an error, make the file anew if it is damaged, unless another process has done so.

        Raises:
            BusyError: If the error passes by itself, or the file has just been made anew.
            Exception: The error itself, if the file is sound.
        """
        verdict = verdict_of(error)
        if verdict == Verdict.PASSES:
            raise BusyError(f"the catalogue is busy ({error}); try again in a moment") from error
        state = getattr(self._local, "state", None)
        inode = state[1] if state else self._inode  # of the file that this thread has asked
        self.close()
        if verdict == Verdict.DOUBTFUL and self._on_disk() == inode and self.verify():
            raise error
        now = time.monotonic()
        with self._locked(fcntl.LOCK_EX):
            if self._on_disk() in (inode, -1):
                if now - self._mended < _MEND_SECONDS:
                    raise BusyError("the catalogue is damaged again and again; try again later") from error
                self._mended = now
                log.error("catalogue damaged, made anew", extra={"fields": {"error": str(error)}})
                self._replace()
            self._inode = self._on_disk()

    def close(self) -> None:
        """Close this thread's connection."""
        state = getattr(self._local, "state", None)
        if state is not None and state[0] == os.getpid():
            self._local.db.close()
        self._local.state = None

    def _prepare(self) -> None:
        """Make the file, or make it anew if it is damaged."""
        if not self.verify():
            with self._locked(fcntl.LOCK_EX):
                if not self._is_sound():  # nor has another process just replaced it
                    self._replace()
        self._inode = self._on_disk()
        journal.begin(self.connection)

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
                (application,) = db.execute("PRAGMA application_id").fetchone()
                (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                (checked,) = db.execute("PRAGMA integrity_check(1)").fetchone()
                ours = (application, version) == (APPLICATION, VERSION)
                if ours and checked == "ok":
                    odd = db.execute(f"SELECT count(*) FROM items WHERE {_DOCUMENTS}").fetchone()[0]  # noqa: S608
                    return not odd and journal.is_sound(db)
        except sqlite3.DatabaseError as error:
            if verdict_of(error) == Verdict.PASSES:
                raise
            return False
        if tables and application != APPLICATION and checked == "ok":
            raise ComeoError(
                f"{self.path} is a database of something else; "
                "move it away, or set another name for the catalogue"
            )
        return False

    def _replace(self) -> None:
        """Put an empty database in the file's place. Nobody is opening the file meanwhile."""
        leftovers.sweep_unfinished(self.path)
        fresh = leftovers.unfinished(self.path)
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as db:
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.executescript(f"BEGIN; {_SCHEMA} {journal.SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            journal.begin(db)
        # The journal of the old file would be played back into the new one. A connection that still uses it
        # finds that its file has been moved, and writes no more.
        Path(f"{self.path}-journal").unlink(missing_ok=True)
        fresh.replace(self.path)

    def _connect(self) -> sqlite3.Connection:
        place = f"file:{quote(os.fsencode(self.path))}?mode=rw"  # a missing file is not made by opening it
        db = sqlite3.connect(place, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            db.execute("PRAGMA synchronous = OFF")  # what a crash loses is read again from the archives
            db.execute("PRAGMA mmap_size = 0")
            db.execute("PRAGMA cell_size_check = ON")
            filters.register(db)
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
        self.path.parent.mkdir(parents=True, exist_ok=True)  # it may have gone, too
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)
