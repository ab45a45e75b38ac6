"""The journal of changes: written by the database itself, whatever changes its table of items."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from tileserver.catalog.feed import MOST_GONE, Change, Changes, Position, check_place, new_epoch
from tileserver.catalog.rows import moment_of

SCHEMA: Final = """
CREATE TABLE journal ( -- one row
    epoch TEXT NOT NULL, boot TEXT NOT NULL, -- of the machine, when the epoch began
    last INTEGER NOT NULL, -- number of the latest change
    forgotten INTEGER NOT NULL -- that of the latest one that is no longer told
);
INSERT INTO journal VALUES ('', '', 0, 0);
CREATE TABLE changes ( -- the latest change of each scene; without etag it has gone
    seq INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, etag TEXT, bytes INTEGER,
    datetime INTEGER, UNIQUE (collection, id)
);
CREATE INDEX gone ON changes (seq) WHERE etag IS NULL;
CREATE TRIGGER scene_comes AFTER INSERT ON items BEGIN
    UPDATE journal SET last = last + 1;
    REPLACE INTO changes SELECT last, NEW.collection, NEW.id, NEW.etag,
        json_extract(NEW.info, '$.archive_bytes'), NEW.datetime FROM journal;
END;
CREATE TRIGGER scene_goes AFTER DELETE ON items BEGIN
    UPDATE journal SET last = last + 1;
    REPLACE INTO changes SELECT last, OLD.collection, OLD.id, NULL, NULL, NULL FROM journal;
END;
"""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def begin(db: sqlite3.Connection) -> None:
    """Begin an epoch if the machine has started again since the last one began, or there was none.

    What was written last may not have reached the disk then, and its numbers would be given once more.
    """
    boot = _BOOT.read_text().strip() if _BOOT.exists() else "unknown"
    if db.execute("SELECT boot FROM journal").fetchone() != (boot,):  # to write would wait for other writers
        db.execute("UPDATE journal SET epoch = ?, boot = ? WHERE boot <> ?", (new_epoch(), boot, boot))


def is_sound(db: sqlite3.Connection) -> bool:
    """Whether the journal is there, and tells of as many scenes as there are."""
    (sound,) = db.execute(
        "SELECT (SELECT count(*) FROM journal) = 1 AND "
        "(SELECT count(*) FROM items) = (SELECT count(*) FROM changes WHERE etag IS NOT NULL)"
    ).fetchone()
    return bool(sound)


def forget(db: sqlite3.Connection) -> None:
    """Remove all changes, and begin an epoch."""
    db.execute("DELETE FROM changes")
    db.execute("UPDATE journal SET epoch = ?, last = 0, forgotten = 0", (new_epoch(),))


def shorten(db: sqlite3.Connection, most: int = MOST_GONE) -> None:
    """Forget the scenes that went first, but for so many that went last."""
    row = db.execute(
        "SELECT seq FROM changes WHERE etag IS NULL ORDER BY seq DESC LIMIT 1 OFFSET ?", (most,)
    ).fetchone()
    if row:
        db.execute("DELETE FROM changes WHERE etag IS NULL AND seq <= ?", row)
        db.execute("UPDATE journal SET forgotten = ?", row)


def position(db: sqlite3.Connection) -> Position:
    """See `Catalog.position`."""
    return Position(*db.execute("SELECT epoch, last FROM journal").fetchone())


def changes(db: sqlite3.Connection, after: Position | None, limit: int) -> Changes:
    """See `Catalog.changes`."""
    db.execute("BEGIN")  # both questions are asked of one state
    try:
        epoch, last, forgotten = db.execute("SELECT epoch, last, forgotten FROM journal").fetchone()
        start = after or Position(epoch, 0, last)
        check_place(start, epoch, last, forgotten if after else 0)
        rows = db.execute(
            "SELECT seq, collection, id, etag, bytes, datetime FROM changes WHERE seq > ? "
            "ORDER BY seq LIMIT ?",
            (start.seq, limit + 1),
        ).fetchall()
    finally:
        db.execute("ROLLBACK")
    found = [
        Change(seq, collection, item, etag, size, moment_of(moment))
        for seq, collection, item, etag, size, moment in rows[:limit]
    ]
    more = len(rows) > limit
    end = Position(epoch, found[-1].seq, start.began) if more else Position(epoch, last)
    return Changes(found, end, more)
