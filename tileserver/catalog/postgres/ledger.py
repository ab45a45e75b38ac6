"""The indexer's view of the database: see `tileserver.catalog.ledger`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from psycopg import errors

from comeo.archive.stores import other_form
from tileserver.catalog.base import Record
from tileserver.catalog.difference import Known
from tileserver.catalog.ledger import Found, size_in
from tileserver.catalog.postgres import journal, pgstac
from tileserver.catalog.postgres.claim import Claim
from tileserver.catalog.postgres.database import Connection, Database
from tileserver.catalog.postgres.facts import as_json, facts_of
from tileserver.catalog.postgres.queries import first

_MOST_REFUSED: Final = 10_000
_COLUMNS: Final = (
    "path, signature, collection, id, datetime, west, south, east, north, etag, "
    "bytes, kind, footprint, properties, folded"
)
_UNFIT: Final = (errors.DataError, errors.ProgramLimitExceeded, UnicodeError, ValueError, RecursionError)
"""What the database, or its driver, says of values that it cannot hold."""


class PostgresLedger:
    """Archives and scenes in the tables. Methods: see `Ledger`.

    Args:
        database: The tables.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._complete = False
        self._numbers = (-1, 0, 0)

    @property
    def complete(self) -> bool:
        """See `Ledger.complete`. Once all have been looked at, they have."""
        if not self._complete:
            self._database.prepare()
            with self._database.connection() as db:
                self._complete = bool(first(db, "SELECT complete FROM state")[0])
        return self._complete

    def check(self) -> None:
        """See `Ledger.check`."""
        self._database.prepare()

    @contextlib.contextmanager
    def claim(self, *, wait: bool) -> Iterator[Claim]:
        """See `Ledger.claim`."""
        with self._database.connection() as db, Claim(db, wait=wait) as claim:
            roots, version = first(db, "SELECT roots, version FROM state")
            self._database.check_roots(roots, version)
            yield claim

    def known(self) -> Mapping[str, Known]:
        """See `Ledger.known`."""
        with self._database.connection() as db:
            rows = db.execute("SELECT path, signature, twin FROM files").fetchall()
        return {path: Known(signature, twin) for path, signature, twin in rows}

    def numbers(self) -> tuple[int, int]:
        """See `Ledger.numbers`. Counted again when something has changed."""
        with self._database.connection() as db:
            revision = journal.revision(db)
            if revision != self._numbers[0]:
                served, broken = first(
                    db,
                    "SELECT (SELECT scenes FROM journal), count(*) FROM files WHERE error IS NOT NULL",
                )
                self._numbers = (revision, served, broken)
        return self._numbers[1:]

    def may_be_refused(self, size: int) -> bool:
        """See `Ledger.may_be_refused`."""
        with self._database.connection() as db:
            return bool(first(db, "SELECT EXISTS (SELECT FROM refused WHERE size = %s)", [size])[0])

    def refused(self, size: int, digest: str) -> str | None:
        """See `Ledger.refused`."""
        with self._database.connection() as db:
            row = db.execute(
                "SELECT error FROM refused WHERE size = %s AND digest = %s", [size, digest]
            ).fetchone()
        return str(row[0]) if row else None

    def remove(self, gone: Sequence[str]) -> None:
        """See `Ledger.remove`."""
        with self._database.transaction() as db:
            _take_out(db, gone)
            db.execute("DELETE FROM files WHERE path = ANY(%s)", [list(gone)])
            journal.shorten(db)
            journal.raise_revision(db)

    def write(self, entries: Sequence[Found]) -> Sequence[tuple[str, str]]:
        """See `Ledger.write`."""
        told: list[tuple[str, str]] = []
        others = [other for entry in entries if (other := other_form(entry.path)) is not None]
        with self._database.transaction() as db:
            _take_out(db, [*(entry.path for entry in entries), *others])
            db.execute("DELETE FROM files WHERE path = ANY(%s)", [others])
            beside = pgstac.is_there(db)
            for entry in entries:
                twin, unfit = _insert(db, entry, beside=beside)
                if twin or unfit:
                    told.append((entry.path, twin or unfit))
                _note(db, entry, twin, unfit)
            db.execute(
                "DELETE FROM refused WHERE number <= (SELECT max(number) FROM refused) - %s", [_MOST_REFUSED]
            )
            journal.raise_revision(db)
        return told

    def refuse(self, record: Record, error: str) -> None:
        """See `Ledger.refuse`."""
        with self._database.transaction() as db:
            _take_out(db, [record.path], record.signature)
            db.execute(
                "UPDATE files SET error = %s WHERE path = %s AND signature = %s",
                [_text(error), record.path, record.signature],
            )
            journal.raise_revision(db)

    def finish(self) -> None:
        """See `Ledger.finish`."""
        with self._database.transaction() as db:
            db.execute("UPDATE state SET complete = true")
        self._complete = True

    def forget(self) -> None:
        """See `Ledger.forget`."""
        with self._database.transaction() as db:
            if pgstac.is_there(db):
                pgstac.remove(db, db.execute("SELECT collection, id FROM items").fetchall())
            db.execute("TRUNCATE documents, items, bins, files, refused, kinds")
            journal.forget(db)

    def lost(self) -> None:
        """Note that the database was away, or its tables."""
        self._complete = False
        self._database.lost()


def _take_out(db: Connection, paths: Sequence[str], signature: str | None = None) -> None:
    """Remove scenes by their archives' paths; if a signature is given, only where it is that."""
    rows = db.execute(
        "DELETE FROM items WHERE path = ANY(%s) AND (%s::text IS NULL OR signature = %s) "
        "RETURNING collection, id",
        [list(paths), signature, signature],
    ).fetchall()
    if rows and pgstac.is_there(db):
        pgstac.remove(db, rows)


def _insert(db: Connection, entry: Found, *, beside: bool) -> tuple[str, str]:
    """Add a scene, to pgstac `beside` too; return why it cannot be served: a twin, or odd values."""
    row = entry.reading.row
    if row is None:
        return "", ""
    path, _, collection, item, moment, west, south, east, north, etag, bands, document, info = row
    name = Path(path).name
    try:
        facts = facts_of(collection, item, (west, south, east, north), bands, document, info)
        with db.transaction():
            kind = facts.kind.digest
            db.execute(
                "INSERT INTO kinds VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [kind, collection, bands, facts.kind.crs, as_json(facts.kind.facts)],
            )
            found = db.execute(
                f"INSERT INTO items ({_COLUMNS}) VALUES ({', '.join(['%s'] * 15)}) "  # noqa: S608
                "ON CONFLICT (collection, id) DO NOTHING RETURNING number",
                [path, entry.signature, collection, item, moment, west, south, east, north, etag,
                 facts.size, kind, facts.footprint, as_json(facts.properties), as_json(facts.folded)],
            ).fetchone()  # fmt: skip
            if found is not None:
                db.execute("INSERT INTO documents VALUES (%s, %s, %s)", [found[0], document, info])
                if beside:
                    pgstac.put(db, collection, document)
                return "", ""
    except _UNFIT as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return "", f"{name} has values that the database of the catalogue cannot hold: {_text(reason)}"
    same = db.execute(
        "SELECT path FROM items WHERE collection = %s AND id = %s", [collection, item]
    ).fetchone()
    other = Path(same[0]).name if same else "another archive"
    return f"{name} has the collection and id of {other}, which is served", ""


def _note(db: Connection, entry: Found, twin: str, unfit: str) -> None:
    """Remember an archive, and what is wrong with it."""
    error = _text(entry.reading.error) or None
    if entry.digest and error:
        db.execute(
            "INSERT INTO refused (size, digest, error) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [size_in(entry.signature), entry.digest, error],
        )
    db.execute(
        "INSERT INTO files VALUES (%s, %s, %s, %s) ON CONFLICT (path) DO UPDATE SET "
        "signature = excluded.signature, error = excluded.error, twin = excluded.twin",
        [entry.path, entry.signature, twin or unfit or error, bool(twin)],
    )


def _text(words: str) -> str:
    """Words that may quote anybody's bytes, as the database can hold them."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
