"""The catalogue: which scenes there are, in SQLite.

It holds nothing that the archives don't, so it can be deleted and rebuilt at will. Every process of the
server opens the same file; whichever comes first looks at the folders, at most once in a given time.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from comeo.errors import ComeoError
from comeo.scene import Band
from tileserver import metrics
from tileserver.catalog.coverage import Coverage, coverage, days, on_the_globe
from tileserver.catalog.query import (
    EPOCH,
    NEWEST_FIRST,
    BBox,
    Cursor,
    Order,
    Search,
    conditions,
    joined,
    microseconds,
)
from tileserver.catalog.scan import Entry, bands_from_json, bands_to_json, find_archives, read_entry

__all__ = ["BBox", "Catalog", "CollectionSummary", "Cursor", "Hit", "Record", "Search", "cursor_of"]
SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, signature TEXT NOT NULL, error TEXT);
CREATE TABLE items (
    path TEXT PRIMARY KEY, signature TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL,
    datetime INTEGER, -- null where nobody knows it
    west REAL NOT NULL, south REAL NOT NULL, east REAL NOT NULL, north REAL NOT NULL,
    etag TEXT NOT NULL, bands TEXT NOT NULL, item TEXT NOT NULL, info TEXT NOT NULL, UNIQUE (collection, id)
);
CREATE INDEX items_by_time ON items (datetime DESC, collection, id);
CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL);
INSERT INTO meta VALUES ('scanned_at', 0);
"""
RECORD_COLUMNS = "path, signature, collection, id, datetime, west, south, east, north, etag, bands"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """A scene of the catalogue: what it takes to find and open its archive.

    Attributes:
        datetime: Acquisition time; 1970 where it is not known.
        dated: Whether it is known.
    """

    path: str
    signature: str
    collection: str
    id: str
    datetime: datetime
    bbox: BBox
    etag: str
    bands: tuple[Band, ...]
    dated: bool = True


class Hit(NamedTuple):
    """A scene that a search found, and the cursor of its place in the results."""

    record: Record
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """A collection as its items make it.

    Attributes:
        start: Of the oldest scene whose time is known; None if no time is.
        end: Of the newest one.
    """

    id: str
    count: int
    bbox: BBox
    start: datetime | None
    end: datetime | None
    bands: tuple[Band, ...]
    properties: dict[str, list[Any]]


class Catalog:
    """Scenes by collection, id, place and time.

    Args:
        roots: Archives, or folders of archives.
        database: SQLite file.
        scan_seconds: How often at most to look at the folders.
    """

    def __init__(self, roots: Iterable[Path], database: Path, scan_seconds: float) -> None:
        self._roots = tuple(roots)
        self._database = database
        self._scan_seconds = scan_seconds
        self._checked = -float("inf")
        self._scanning = threading.Lock()
        self._local = threading.local()
        self._summaries: dict[str, tuple[int, CollectionSummary]] = {}
        self._prepare()

    def refresh(self, *, force: bool = False) -> None:
        """Look for new, changed and removed archives, unless somebody has just done so."""
        now = time.monotonic()
        if not force and now - self._checked < self._scan_seconds:
            return
        if not self._scanning.acquire(blocking=force):
            return
        try:
            self._checked = now
            if self._claim_scan() or force:
                self._scan()
        finally:
            self._scanning.release()

    def rebuild(self) -> None:
        """Forget everything and index all archives again."""
        with self._transaction() as db:
            db.execute("DELETE FROM files")
            db.execute("DELETE FROM items")
        self.refresh(force=True)

    def get(self, collection: str, item: str) -> Record | None:
        """Find one scene."""
        query = f"SELECT {RECORD_COLUMNS} FROM items WHERE collection = ? AND id = ?"  # noqa: S608
        row = self._db.execute(query, (collection, item)).fetchone()
        return _record(row) if row else None

    def search(self, search: Search, limit: int, after: Cursor | None = None) -> list[Record]:
        """Find scenes, newest first.

        Args:
            search: What to look for.
            limit: How many to return at most.
            after: The last item of the page before.
        """
        return [hit.record for hit in self.hits(search, limit, after)]

    def hits(
        self, search: Search, limit: int, after: Cursor | None = None, order: Order = NEWEST_FIRST
    ) -> list[Hit]:
        """Find scenes in an order.

        Args:
            search: What to look for.
            limit: How many to return at most.
            after: The cursor of the last item of the page before.
            order: What comes first.

        Raises:
            ParameterError: If the cursor is of another order, or there can be no such property.
        """
        where, values = conditions(search)
        if after:
            condition, more = order.after(after)
            where.append(condition)
            values += more
        rows = self._db.execute(
            f"SELECT {RECORD_COLUMNS}, {', '.join(order.columns())} FROM items "  # noqa: S608
            f"WHERE {joined(where)} ORDER BY {order.clause()} LIMIT ?",
            [*values, limit],
        )
        width = RECORD_COLUMNS.count(",") + 1
        return [Hit(_record(row[:width]), tuple(row[width:])) for row in rows]

    def count(self, search: Search | None = None) -> int:
        """How many scenes a search finds in all."""
        where, values = conditions(search or Search())
        query = f"SELECT count(*) FROM items WHERE {joined(where)}"  # noqa: S608
        return int(self._db.execute(query, values).fetchone()[0])

    def item(self, record: Record) -> dict[str, Any]:
        """STAC Item that a scene's archive carries."""
        return self._document("item", record)

    def info(self, record: Record) -> dict[str, Any]:
        """What `comeo info` says of a scene's archive."""
        return self._document("info", record)

    def collections(self) -> list[CollectionSummary]:
        """All collections."""
        return [summary for name in self.collection_names() if (summary := self.collection(name))]

    def collection(self, name: str) -> CollectionSummary | None:
        """Sum up one collection, or None when it has no scenes. Kept until scenes come, change or go."""
        revision = self.revision()
        kept = self._summaries.get(name)
        if kept is None or kept[0] != revision:
            summary = self._sum_up(name)
            if summary is None:
                return None
            kept = self._summaries[name] = (revision, summary)
        return kept[1]

    def _sum_up(self, name: str) -> CollectionSummary | None:
        count, start, end, west, south, east, north = self._db.execute(
            "SELECT count(*), min(datetime), max(datetime), min(west), min(south), "
            "max(iif(east < west, east + 360, east)), max(north) FROM items WHERE collection = ?",
            (name,),
        ).fetchone()
        if not count:
            return None
        distinct = self._db.execute("SELECT DISTINCT bands FROM items WHERE collection = ?", (name,))
        bands = {band.name: band for (text,) in distinct for band in bands_from_json(text)}
        bbox = on_the_globe((west, south, east, north))
        return CollectionSummary(
            name, count, bbox, _moment(start), _moment(end), tuple(bands.values()), self._properties(name)
        )

    def collection_names(self) -> list[str]:
        """Names of all collections."""
        rows = self._db.execute("SELECT DISTINCT collection FROM items ORDER BY collection")
        return [name for (name,) in rows]

    def coverage(self, search: Search) -> Coverage | None:
        """What the scenes of a search cover together, or None if there are none."""
        return coverage(self._db, search)

    def days(self, collection: str) -> list[str]:
        """Days (UTC, `2024-05-01`) on which a collection has scenes, oldest first."""
        return days(self._db, collection)

    def revision(self) -> int:
        """A number that grows when scenes come, change or go: milliseconds since 1970 when it last did."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'changed_at'").fetchone()
        return int(row[0]) if row else 0

    def broken(self) -> dict[str, str]:
        """Archives that can't be served, by file name, with the reason."""
        rows = self._db.execute("SELECT path, error FROM files WHERE error IS NOT NULL ORDER BY path")
        return {Path(path).name: error for path, error in rows}

    def refuse(self, record: Record, error: str) -> None:
        """Take out an archive that has turned out to be damaged, until it changes."""
        log.warning("archive refused", extra={"fields": {"archive": Path(record.path).name, "error": error}})
        with self._transaction() as db:
            known = (record.path, record.signature)
            db.execute("DELETE FROM items WHERE path = ? AND signature = ?", known)
            db.execute("UPDATE files SET error = ? WHERE path = ? AND signature = ?", (error, *known))
            _count_revision(db)

    def _properties(self, name: str) -> dict[str, list[Any]]:
        """Values that a collection's items have in the properties that its summary lists."""
        out: dict[str, list[Any]] = {}
        for key in ("platform", "constellation", "instruments", "processing:level"):
            rows = self._db.execute(
                "SELECT DISTINCT json_extract(item, ?) FROM items WHERE collection = ? LIMIT 20",
                (f'$.properties."{key}"', name),
            )
            values = {value for (value,) in rows if isinstance(value, str)}
            if key == "instruments":
                values = {part for value in values for part in _string_list(value)}
            if values:
                out[key] = sorted(values)
        return out

    def _document(self, column: str, record: Record) -> dict[str, Any]:
        query = f"SELECT {column} FROM items WHERE collection = ? AND id = ?"  # noqa: S608
        row = self._db.execute(query, (record.collection, record.id)).fetchone()
        document: dict[str, Any] = json.loads(row[0]) if row else {}
        return document

    def _prepare(self) -> None:
        """Make the tables, or make them anew when they are damaged or of another version."""
        self._database.parent.mkdir(parents=True, exist_ok=True)
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == SCHEMA_VERSION:
                self._db.execute("PRAGMA quick_check").fetchone()
                return
        except sqlite3.DatabaseError:
            version = None
        self.close()
        if version != 0:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._database}{suffix}").unlink(missing_ok=True)
        with self._transaction() as db:
            for statement in filter(str.strip, SCHEMA.split(";")):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @property
    def _db(self) -> sqlite3.Connection:
        """This thread's connection; one never crosses a fork."""
        if getattr(self._local, "pid", None) != os.getpid():
            try:
                db = sqlite3.connect(self._database, isolation_level=None, timeout=30.0)
            except sqlite3.Error as error:
                raise ComeoError(f"the catalogue {self._database} can't be opened: {error}") from error
            self._local.db, self._local.pid = db, os.getpid()
            with contextlib.suppress(sqlite3.DatabaseError):
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = OFF")
        connection: sqlite3.Connection = self._local.db
        return connection

    def close(self) -> None:
        """Close this thread's connection."""
        if getattr(self._local, "pid", None) == os.getpid():
            self._local.db.close()
            self._local.pid = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _claim_scan(self) -> bool:
        """Whether it is this process's turn to look at the folders."""
        now = time.time()
        claimed = self._db.execute(
            "UPDATE meta SET value = ? WHERE key = 'scanned_at' AND (value <= ? OR value > ?)",
            (now, now - self._scan_seconds, now),
        )
        return claimed.rowcount == 1

    def _scan(self) -> None:
        found = find_archives(self._roots)
        known = {
            path: (signature, error)
            for path, signature, error in self._db.execute("SELECT path, signature, error FROM files")
        }
        gone = [path for path in known if path not in found]
        changed = [path for path, signature in found.items() if known.get(path, ("",))[0] != signature]
        if gone:  # An archive refused because another had its id gets its chance.
            changed += [path for path in found if path not in changed and known[path][1]]
        if gone or changed:
            read = [(path, found[path], _read(path)) for path in changed]
            with self._transaction() as db:
                for path in (*gone, *changed):
                    db.execute("DELETE FROM items WHERE path = ?", (path,))
                db.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])
                for path, signature, entry in read:
                    error = _insert(db, path, signature, entry)
                    db.execute("REPLACE INTO files VALUES (?, ?, ?)", (path, signature, error))
                _count_revision(db)
            log.info("catalogue changed", extra={"fields": {"read": len(changed), "removed": len(gone)}})
        metrics.ARCHIVES.set(self.count())
        metrics.BROKEN_ARCHIVES.set(len(self.broken()))


def _read(path: str) -> Entry | str:
    """Return what the catalogue keeps of an archive, or what is wrong with it."""
    try:
        return read_entry(path)
    except (ComeoError, OSError) as error:
        log.warning("archive refused", extra={"fields": {"archive": Path(path).name, "error": str(error)}})
        return str(error)
    except Exception:  # a mistake of ours, but never the other archives' end
        log.exception("archive refused", extra={"fields": {"archive": Path(path).name}})
        return f"{Path(path).name} can't be indexed for a reason not foreseen; the log has it"


def _insert(db: sqlite3.Connection, path: str, signature: str, entry: Entry | str) -> str | None:
    """Add a scene; return why not if it can't be."""
    if isinstance(entry, str):
        return entry
    same = db.execute(
        "SELECT path FROM items WHERE collection = ? AND id = ?", (entry.collection, entry.id)
    ).fetchone()
    if same:
        error = f"{Path(path).name} has the collection and id of {Path(same[0]).name}, which is served"
        log.warning("archive refused", extra={"fields": {"archive": Path(path).name, "error": error}})
        return error
    moment = None if entry.datetime is None else microseconds(entry.datetime)
    row = (
        path, signature, entry.collection, entry.id, moment, *entry.bbox, entry.etag,
        bands_to_json(entry.bands), json.dumps(entry.item), json.dumps(entry.info),
    )  # fmt: skip
    db.execute(f"INSERT INTO items VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    return None


def _count_revision(db: sqlite3.Connection) -> None:
    """Make the revision greater than it has ever been, whatever the clock does."""
    db.execute(
        "INSERT INTO meta VALUES ('changed_at', ?) ON CONFLICT (key) "
        "DO UPDATE SET value = max(value + 1, excluded.value)",
        (int(1000 * time.time()),),
    )


def cursor_of(record: Record) -> Cursor:
    """Place of a record in a search's results."""
    return (microseconds(record.datetime) if record.dated else None, record.collection, record.id)


def _record(row: Sequence[Any]) -> Record:
    path, signature, collection, item, moment, west, south, east, north, etag, bands = row
    return Record(
        path, signature, collection, item, _moment(moment) or EPOCH, (west, south, east, north), etag,
        bands_from_json(bands), moment is not None,
    )  # fmt: skip


def _moment(stored: int | None) -> datetime | None:
    return None if stored is None else EPOCH + timedelta(microseconds=stored)


def _string_list(text: str) -> list[str]:
    try:
        values = json.loads(text)
    except ValueError:
        return [text]
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else [text]
