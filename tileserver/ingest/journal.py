"""What has been found and what has become of it: an SQLite file beside the folder of archives.

Each move of a state is one transaction. None of them waits for the disk: a process that is killed loses none,
and after a power cut, where the last ones may be gone, what they said is found out again; only what a source
is to forget has to be on the disk before it is told so (`make_durable`). Whatever is under way when the
service ends, however it ends, is found again by the next one; archives themselves are conditional on their
names, so that nothing is published twice.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from comeo.errors import ComeoError
from tileserver.ingest.document import Quality, Retry
from tileserver.ingest.orders import OPEN, UNDER_WAY, Done, Found, State

_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS work (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    scene TEXT NOT NULL,
    version TEXT NOT NULL,
    quality TEXT NOT NULL,
    place TEXT NOT NULL,
    updated REAL NOT NULL,
    moment REAL NOT NULL,
    backfill INTEGER NOT NULL,
    receipt TEXT NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    fault TEXT NOT NULL DEFAULT '',
    archive TEXT NOT NULL DEFAULT '',
    etag TEXT NOT NULL DEFAULT '',
    bytes INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    found REAL NOT NULL,
    changed REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS work_next ON work (state, backfill, moment DESC);
CREATE INDEX IF NOT EXISTS work_scene ON work (scene, quality);
CREATE INDEX IF NOT EXISTS work_receipt ON work (receipt) WHERE receipt != '';
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_INSERT: Final = """
INSERT OR IGNORE INTO work
    (key, scene, version, quality, place, updated, moment, backfill, receipt, state, found, changed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_MAX_FAULT: Final = 500
_NEWER: Final = "there is a newer version"
_NO_QUALITY: Final = "SOURCE.toml has no such quality now"


@dataclass(frozen=True, slots=True)
class Row:
    """An archive to be made, or made: see `Found`, `Done` and `State`."""

    number: int
    key: str
    scene: str
    version: str
    quality: str
    place: str
    updated: float
    moment: float
    backfill: bool
    receipt: str
    state: State
    tries: int
    due: float
    fault: str
    archive: str
    etag: str
    bytes: int
    seconds: float
    found: float
    changed: float


class Journal:
    """The journal of one folder of archives; threads and processes may have it open at once.

    Args:
        path: Of its file, which is made.

    Raises:
        ComeoError: If it is of another version of the program, or no journal.
    """

    def __init__(self, path: Path) -> None:
        self._guard = threading.RLock()
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(
                path, timeout=30.0, isolation_level=None, check_same_thread=False
            )
            self._database.row_factory = sqlite3.Row
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            version = int(self._database.execute("PRAGMA user_version").fetchone()[0])
            if version not in (0, _VERSION):
                raise ComeoError(
                    f"{path} is of another version of this program ({version}, not {_VERSION}); use that "
                    "one, or move the file away to begin anew"
                )
            self._database.executescript(_TABLES)
            self._database.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.DatabaseError as error:
            raise ComeoError(
                f"{path} cannot be used as a journal: {error}; move it away to begin anew"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except sqlite3.OperationalError as error:
                self._leave()
                raise ComeoError(f"{self.path} cannot be written: {error}; check its disk") from error
            except BaseException:
                self._leave()
                raise

    def _leave(self) -> None:
        """End a transaction that failed, unless SQLite has done so itself, as where the disk is full."""
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def _rows(self, query: str, *values: Any) -> list[Row]:
        with self._guard, closing(self._database.execute(f"SELECT * FROM work {query}", values)) as found:  # noqa: S608
            return [_row(each) for each in found]

    def add(self, source: str, product: Found, qualities: Sequence[Quality], fresh_after: float) -> int:
        """Enter a product that was found; one that is known changes nothing, unless it has come back.

        Args:
            source: Names the source.
            product: It.
            qualities: In which it is wanted.
            fresh_after: Acquired before this, it is backfill.

        Returns:
            How many archives are to be made that were not before.
        """
        now, added = time.time(), 0
        moment = product.moment.timestamp() if product.moment else product.updated
        with self._transaction() as database:
            for quality in qualities:
                values = (
                    product.key(source, quality), product.scene, product.version, quality.name, product.place,
                    product.updated, moment, moment < fresh_after, product.receipt, State.FOUND, now, now,
                )  # fmt: skip
                come = database.execute(_INSERT, values).rowcount or _come_back(database, values[0], product)
                if come:
                    added += 1
                    _settle_versions(database, product.scene, quality.name, now)
        return added

    def follow(self, wanted: str, qualities: Sequence[str]) -> None:
        """Have SOURCE.toml count as it is now for what was found before.

        Args:
            wanted: Stands for what decides which products are wanted: where that is another than the last
                time, what was left out is tried again.
            qualities: Names of those that archives are made in.
        """
        now, known = time.time(), _marks(qualities)
        with self._transaction() as database:
            database.execute(
                f"UPDATE work SET state = ?, fault = ?, changed = ? "  # noqa: S608 - only marks
                f"WHERE state IN (?, ?, ?) AND quality NOT IN ({known})",
                (State.SKIPPED, _NO_QUALITY, now, State.FOUND, State.FAILED, State.DEAD, *qualities),
            )
            if self.mark("wanted") == wanted:
                return
            again = database.execute(
                f"UPDATE work SET state = ?, tries = 0, due = 0, changed = ? "  # noqa: S608 - likewise
                f"WHERE state = ? AND fault != ? AND quality IN ({known}) RETURNING scene, quality",
                (State.FOUND, now, State.SKIPPED, _NEWER, *qualities),
            ).fetchall()
            for scene, quality in {tuple(each) for each in again}:
                _settle_versions(database, scene, quality, now)
            database.execute("INSERT OR REPLACE INTO mark VALUES ('wanted', ?)", (wanted,))

    def next(self, *, backfill: bool) -> Row | None:
        """The next archive to be made, newest acquisition first; it is under way from now on."""
        now = time.time()
        with self._transaction() as database:
            found = database.execute(
                "SELECT * FROM work WHERE state IN (?, ?) AND due <= ? AND backfill = ? "
                "ORDER BY moment DESC, number LIMIT 1", (State.FOUND, State.FAILED, now, backfill),
            ).fetchone()  # fmt: skip
            if found is None:
                return None
            database.execute(
                "UPDATE work SET state = ?, changed = ? WHERE key = ?", (State.FETCHING, now, found["key"])
            )
        return _row({**found, "state": State.FETCHING})

    def compressing(self, key: str) -> None:
        """Note that a product has been fetched, or opened where it is."""
        self._move(key, State.COMPRESSING, (State.FETCHING,))

    def verified(self, key: str, done: Done) -> None:
        """Note an archive that is complete under its name."""
        with self._transaction() as database:
            database.execute(
                "UPDATE work SET state = ?, archive = ?, etag = ?, bytes = ?, seconds = ?, fault = '', "
                "changed = ? WHERE key = ?",
                (State.VERIFIED, done.archive, done.etag, done.bytes, done.seconds, time.time(), key),
            )

    def published(self, key: str) -> None:
        """Note that nothing is left to be done for an archive."""
        self._move(key, State.PUBLISHED, (State.VERIFIED,))

    def skipped(self, key: str, why: str) -> None:
        """Note that an archive is not wanted."""
        self._move(key, State.SKIPPED, OPEN, why)

    def waiting(self, key: str, why: str) -> None:
        """Give an archive back, as if it had not been tried."""
        self._move(key, State.FOUND, UNDER_WAY, why)

    def failed(self, key: str, fault: str, retry: Retry) -> State:
        """Note a try that failed: there is another one later, or it is dead."""
        with self._transaction() as database:
            tries = int(database.execute("SELECT tries FROM work WHERE key = ?", (key,)).fetchone()[0]) + 1
            state = State.DEAD if tries >= retry.tries else State.FAILED
            now = time.time()
            database.execute(
                "UPDATE work SET state = ?, tries = ?, due = ?, fault = ?, changed = ? WHERE key = ?",
                (state, tries, now + retry.after(tries), fault[:_MAX_FAULT], now, key),
            )
        return state

    def recover(self) -> int:
        """Give back what was under way when the last service ended; returns how many that were."""
        with self._transaction() as database:
            return database.execute(
                "UPDATE work SET state = ?, changed = ? WHERE state IN (?, ?)",
                (State.FOUND, time.time(), *UNDER_WAY),
            ).rowcount

    def retry(self, keys: Iterable[str] = ()) -> int:
        """Try dead and failed ones again from now on; returns how many.

        Args:
            keys: Keys, or names of products; all if there are none.
        """
        chosen = list(keys)
        these = f" AND (key IN ({_marks(chosen)}) OR scene IN ({_marks(chosen)}))" if chosen else ""
        with self._transaction() as database:
            return database.execute(
                f"UPDATE work SET state = ?, tries = 0, due = 0, changed = ? WHERE state IN (?, ?){these}",  # noqa: S608
                (State.FOUND, time.time(), State.FAILED, State.DEAD, *chosen, *chosen),
            ).rowcount

    def make_durable(self) -> None:
        """Have all that was noted on the disk."""
        with self._guard:
            self._database.execute("PRAGMA wal_checkpoint(FULL)")

    def counts(self) -> Mapping[State, int]:
        """How many archives are in each state."""
        with self._guard:
            found = self._database.execute("SELECT state, count(*) FROM work GROUP BY state").fetchall()
        return {State(state): count for state, count in found}

    def in_state(self, *states: State, limit: int = 1000) -> list[Row]:
        """Archives in some states, the last changed first."""
        return self._rows(f"WHERE state IN ({_marks(states)}) ORDER BY changed DESC LIMIT ?", *states, limit)

    def row(self, key: str) -> Row:
        """The archive of a key."""
        return self._rows("WHERE key = ?", key)[0]

    def versions(self, row: Row) -> list[Row]:
        """All versions of a product in one quality, the latest first."""
        query = "WHERE scene = ? AND quality = ? ORDER BY updated DESC, number DESC"
        return self._rows(query, row.scene, row.quality)

    def earlier_archives(self, row: Row) -> tuple[str, ...]:
        """Names of archives of other versions that are there."""
        others = (each.archive for each in self.versions(row) if each.key != row.key and each.archive)
        return tuple(dict.fromkeys(others))

    def is_shared(self, row: Row) -> bool:
        """Whether the archive is that of another product, too, which has the same content."""
        return bool(self._rows("WHERE archive = ? AND scene != ? LIMIT 1", row.archive, row.scene))

    def forget_archive(self, key: str) -> None:
        """Note that an archive has been removed for a newer one."""
        with self._transaction() as database:
            database.execute(
                "UPDATE work SET state = ?, archive = '', fault = ?, changed = ? WHERE key = ?",
                (State.SKIPPED, _NEWER, time.time(), key),
            )

    def with_receipt(self, receipt: str) -> list[Row]:
        """Archives of the product of a receipt."""
        return self._rows("WHERE receipt = ?", receipt)

    def mark(self, name: str) -> str | None:
        """What a finder has noted."""
        with self._guard:
            found = self._database.execute("SELECT value FROM mark WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def set_mark(self, name: str, value: str) -> None:
        """Note something for the next look."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO mark VALUES (?, ?)", (name, value))

    def _move(self, key: str, state: State, before: Sequence[State], fault: str = "") -> None:
        of_these = f"key = ? AND state IN ({_marks(before)})"
        with self._transaction() as database:
            database.execute(
                f"UPDATE work SET state = ?, fault = ?, changed = ? WHERE {of_these}",  # noqa: S608 - only marks
                (state, fault[:_MAX_FAULT], time.time(), key, *before),
            )


def _come_back(database: sqlite3.Connection, key: str, product: Found) -> int:
    """Whether a product is again what it was before a version that is no longer there."""
    return database.execute(
        "UPDATE work SET state = ?, fault = '', tries = 0, due = 0, updated = ?, place = ?, changed = ? "
        "WHERE key = ? AND state = ? AND fault = ? AND archive = '' AND ? > (SELECT max(updated) "
        "FROM work other WHERE other.scene = work.scene AND other.quality = work.quality)",
        (State.FOUND, product.updated, product.place, time.time(), key, State.SKIPPED, _NEWER,
         product.updated),
    ).rowcount  # fmt: skip


def _settle_versions(database: sqlite3.Connection, scene: str, quality: str, now: float) -> None:
    """Of several versions of a product, only the latest one is still to be made."""
    rows = database.execute(
        "SELECT key FROM work WHERE scene = ? AND quality = ? ORDER BY updated DESC, number DESC",
        (scene, quality),
    ).fetchall()
    for (key,) in rows[1:]:
        database.execute(
            "UPDATE work SET state = ?, fault = ?, changed = ? WHERE key = ? AND state IN (?, ?, ?)",
            (State.SKIPPED, _NEWER, now, key, State.FOUND, State.FAILED, State.DEAD),
        )


def _row(found: Mapping[str, Any] | sqlite3.Row) -> Row:
    values = dict(found)
    return Row(**{**values, "backfill": bool(values["backfill"]), "state": State(values["state"])})


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
