"""Keeping the database up to date with the folders."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from comeo.errors import ComeoError
from tileserver.catalog.base import Record, Search
from tileserver.catalog.scan import Entry, find_archives, read_entry
from tileserver.catalog.sqlite import queries
from tileserver.catalog.sqlite.database import Database
from tileserver.catalog.sqlite.rows import row_of

Watch = Callable[[int, int], None]
log = logging.getLogger(__name__)


class Indexer:
    """Looks at folders and writes what has changed, in one process at a time.

    Args:
        database: Where the scenes are kept.
        roots: Archives, or folders of archives.
        scan_seconds: Shortest time between two looks.
        watch: Called after each look with the numbers of archives that are served and that are broken.
    """

    def __init__(
        self, database: Database, roots: tuple[Path, ...], scan_seconds: float, watch: Watch | None
    ) -> None:
        self._database = database
        self._roots = roots
        self._scan_seconds = scan_seconds
        self._watch = watch
        self._checked = -float("inf")
        self._scanning = threading.Lock()

    def refresh(self, *, force: bool = False) -> None:
        """See `Catalog.refresh`."""
        now = time.monotonic()
        if not force and now - self._checked < self._scan_seconds:
            return
        if not self._scanning.acquire(blocking=force):
            return
        try:
            self._checked = now
            self._database.check()
            if self._claim_scan() or force:
                self._scan()
        finally:
            self._scanning.release()

    def rebuild(self) -> None:
        """See `Catalog.rebuild`."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM files")
            db.execute("DELETE FROM items")
        self.refresh(force=True)

    def refuse(self, record: Record, error: str) -> None:
        """See `Catalog.refuse`."""
        _warn(record.path, error)
        with self._database.transaction() as db:
            known = (record.path, record.signature)
            db.execute("DELETE FROM items WHERE path = ? AND signature = ?", known)
            db.execute("UPDATE files SET error = ? WHERE path = ? AND signature = ?", (error, *known))
            _raise_revision(db)

    def _claim_scan(self) -> bool:
        """Whether no process has looked at the folders for long enough; if so, this one is to do it."""
        now = time.time()
        claimed = self._database.connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'scanned_at' AND (value <= ? OR value > ?)",
            (now, now - self._scan_seconds, now),
        )
        return claimed.rowcount == 1

    def _scan(self) -> None:
        db = self._database.connection
        found = find_archives(self._roots)
        known = {
            path: (signature, error)
            for path, signature, error in db.execute("SELECT path, signature, error FROM files")
        }
        gone = [path for path in known if path not in found]
        changed = {path for path, signature in found.items() if known.get(path, ("",))[0] != signature}
        if gone:  # An archive refused because another had its id gets its chance.
            changed |= {path for path in found if path in known and known[path][1]}
        if gone or changed:
            entries = [(path, signature, _read(path)) for path, signature in found.items() if path in changed]
            with self._database.transaction():
                _write(db, gone, entries)
            log.info("catalogue changed", extra={"fields": {"read": len(changed), "removed": len(gone)}})
        if self._watch:
            self._watch(queries.count(db, Search()), len(queries.broken(db)))


def _read(path: str) -> Entry | str:
    """The catalogue's entry of an archive, or the reason why it has none."""
    try:
        return read_entry(path)
    except (ComeoError, OSError) as error:
        _warn(path, str(error))
        return str(error)
    except Exception:  # a mistake of ours, which must not keep the other archives from being served
        log.exception("archive refused", extra={"fields": {"archive": Path(path).name}})
        return f"{Path(path).name} cannot be indexed because of an unexpected error; see the server's log"


def _write(db: sqlite3.Connection, gone: list[str], entries: list[tuple[str, str, Entry | str]]) -> None:
    """Remove and add archives, and count that as a change."""
    for path in (*gone, *(path for path, _, _ in entries)):
        db.execute("DELETE FROM items WHERE path = ?", (path,))
    db.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])
    for path, signature, entry in entries:
        error = _insert(db, path, signature, entry)
        db.execute("REPLACE INTO files VALUES (?, ?, ?)", (path, signature, error))
    _raise_revision(db)


def _insert(db: sqlite3.Connection, path: str, signature: str, entry: Entry | str) -> str | None:
    """Add a scene; return the reason if it cannot be added."""
    if isinstance(entry, str):
        return entry
    same = queries.get(db, entry.collection, entry.id)
    if same:
        error = f"{Path(path).name} has the collection and id of {Path(same.path).name}, which is served"
        _warn(path, error)
        return error
    row = row_of(path, signature, entry)
    db.execute(f"INSERT INTO items VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    return None


def _raise_revision(db: sqlite3.Connection) -> None:
    """Make the revision greater than it has ever been, even if the clock was set back."""
    db.execute(
        "INSERT INTO meta VALUES ('changed_at', ?) ON CONFLICT (key) "
        "DO UPDATE SET value = max(value + 1, excluded.value)",
        (int(1000 * time.time()),),
    )


def _warn(path: str, error: str) -> None:
    log.warning("archive refused", extra={"fields": {"archive": Path(path).name, "error": error}})
