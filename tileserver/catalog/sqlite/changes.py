"""What is written into the database: archives that come, change, go or are refused."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from comeo.archive.stores import other_form
from tileserver.catalog.base import Record
from tileserver.catalog.difference import Known
from tileserver.catalog.ledger import Found, size_in
from tileserver.catalog.sqlite import journal, queries

_MOST_REFUSED = 10_000
_SIGNATURE = 1  # its place among the columns of an item


def known(db: sqlite3.Connection) -> dict[str, Known]:
    """See `Ledger.known`."""
    rows = db.execute("SELECT path, signature, twin FROM files")
    return {path: Known(signature, bool(twin)) for path, signature, twin in rows}


def remove(db: sqlite3.Connection, gone: Sequence[str]) -> None:
    """Remove archives."""
    db.executemany("DELETE FROM items WHERE path = ?", [(path,) for path in gone])
    db.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])
    journal.shorten(db)
    _raise_revision(db)


def write(db: sqlite3.Connection, entries: Sequence[Found]) -> Iterator[tuple[str, str]]:
    """Add archives, or put them in the place of their former states.

    Yields:
        Path and reason of each that cannot be served because another one has its id.
    """
    db.executemany("DELETE FROM items WHERE path = ?", [(entry.path,) for entry in entries])
    others = [(other,) for entry in entries if (other := other_form(entry.path)) is not None]
    for table in ("files", "items"):
        db.executemany(f"DELETE FROM {table} WHERE path = ?", others)  # noqa: S608
    for entry in entries:
        error: str | None = entry.reading.error or None
        if entry.digest and error:
            refusal = (size_in(entry.signature), entry.digest, error)
            db.execute("INSERT OR IGNORE INTO refused VALUES (?, ?, ?)", refusal)
        twin = _insert(db, entry)
        if twin:
            yield entry.path, twin
        values = (entry.path, entry.signature, twin or error, int(bool(twin)))
        db.execute("REPLACE INTO files VALUES (?, ?, ?, ?)", values)
    db.execute(
        "DELETE FROM refused WHERE rowid <= (SELECT max(rowid) FROM refused) - ?", (_MOST_REFUSED,)
    )  # fmt: skip
    _raise_revision(db)


def refuse(db: sqlite3.Connection, record: Record, error: str) -> None:
    """See `Catalog.refuse`."""
    known = (record.path, record.signature)
    db.execute("DELETE FROM items WHERE path = ? AND signature = ?", known)
    db.execute("UPDATE files SET error = ? WHERE path = ? AND signature = ?", (error, *known))
    _raise_revision(db)


def may_be_refused(db: sqlite3.Connection, size: int) -> bool:
    """Whether an archive of this size has been refused by its bytes."""
    return db.execute("SELECT 1 FROM refused WHERE size = ? LIMIT 1", (size,)).fetchone() is not None


def refused(db: sqlite3.Connection, size: int, digest: str) -> str | None:
    """Why an archive has been refused by its bytes, if it has."""
    row = db.execute("SELECT error FROM refused WHERE size = ? AND digest = ?", (size, digest)).fetchone()
    return str(row[0]) if row else None


def complete(db: sqlite3.Connection) -> None:
    """Note that all archives have been looked at."""
    db.execute("REPLACE INTO meta VALUES ('complete', 1)")


def forget(db: sqlite3.Connection) -> None:
    """Remove everything."""
    for table in ("files", "items", "refused"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608
    journal.forget(db)


def _insert(db: sqlite3.Connection, entry: Found) -> str | None:
    """Add a scene; return the reason if another one has its id."""
    row = entry.reading.row
    if row is None:
        return None
    same = queries.get(db, row[2], row[3])
    if same:
        return f"{Path(entry.path).name} has the collection and id of {Path(same.path).name}, which is served"
    values = [*row]
    values[_SIGNATURE] = entry.signature
    db.execute(f"INSERT INTO items VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608
    return None


def _raise_revision(db: sqlite3.Connection) -> None:
    """Make the revision greater than it has ever been, even if the clock was set back."""
    db.execute(
        "INSERT INTO meta VALUES ('changed_at', ?) ON CONFLICT (key) "
        "DO UPDATE SET value = max(value + 1, excluded.value)",
        (int(1000 * time.time()),),
    )
