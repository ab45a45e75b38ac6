"""What people look at and is not here: servers write it down, the process that runs the relay reads it.

It lies in a file of its own, so that neither has to wait for the other, and it is worth little: what does not
get into it is asked for by the next look. Anybody may look, so there is a bound to all of it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from comeo.errors import ComeoError
from comeo.view.missing import MissingBlock
from tileserver.relay.plan.offers import Key

MOST: Final = 1000
"""Blocks that wait at most: the oldest give way to newer ones."""
KEPT: Final = timedelta(days=1)
"""So long a look counts: until the window of a night, if need be."""
_MOST_BYTES: Final = 1 << 40
_WAIT: Final = 0.25
"""Seconds that a request waits at most for another one's writing, which takes a thousandth of that."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS look (
    collection TEXT NOT NULL, id TEXT NOT NULL, etag TEXT NOT NULL, grp TEXT NOT NULL,
    level INTEGER NOT NULL, row INTEGER NOT NULL, col INTEGER NOT NULL,
    bytes INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (collection, id, etag, grp, level, row, col)
) STRICT, WITHOUT ROWID
"""
_NEWEST: Final = (
    "SELECT * FROM look ORDER BY at DESC, collection, id, etag, grp, level, row, col LIMIT -1 OFFSET ?"
)
"""From the n-th newest on."""


class LooksError(ComeoError):
    """Looks cannot be written down or read now."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of what was looked at.

    Attributes:
        places: Blocks.
        bytes: That are missing of them, about.
    """

    places: int
    bytes: int


class Looks:
    """Blocks that were looked at and are not here.

    Args:
        path: Of the file, which is made when something is written.
        most: Blocks that are kept.
    """

    def __init__(self, path: Path, most: int = MOST) -> None:
        self._path, self._most = path, most

    def put(self, blocks: Mapping[MissingBlock, int], now: datetime) -> None:
        """Write down what is looked at; the same block counts once, from its last look on.

        Args:
            blocks: With about as many bytes as are missing of each.
            now: Time.

        Raises:
            LooksError: If that is not possible now.
        """
        rows = [(*name, min(count, _MOST_BYTES), now.timestamp()) for name, count in blocks.items()]
        with self._open() as file:
            file.executemany("INSERT OR REPLACE INTO look VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            _let_go(file, now)
            (count,) = file.execute("SELECT count(*) FROM look").fetchone()
            if count > self._most:
                oldest = file.execute(_NEWEST, (self._most,)).fetchall()
                _delete(file, [row[:7] for row in oldest])

    def newest(self, now: datetime) -> dict[MissingBlock, int]:
        """What waits, the last that was looked at first, with about as many bytes as are missing of it.

        Raises:
            LooksError: If it cannot be read now.
        """
        if not self._path.exists():
            return {}
        with self._open() as file:
            _let_go(file, now)
            rows = file.execute(_NEWEST, (0,)).fetchall()
        return {MissingBlock(*name): count for *name, count, _ in rows}

    def remove(self, blocks: Iterable[MissingBlock]) -> None:
        """Let go of blocks, as they have come, or never will.

        Raises:
            LooksError: If that is not possible now.
        """
        with self._open() as file:
            _delete(file, blocks)

    def waiting(self, now: datetime) -> Waiting:
        """How much waits.

        Raises:
            LooksError: If it cannot be read now.
        """
        if not self._path.exists():
            return Waiting(0, 0)
        with self._open() as file:
            rows = file.execute(
                "SELECT count(*), coalesce(sum(bytes), 0) FROM look WHERE at BETWEEN ? AND ?", _bounds(now)
            )
            return Waiting(*rows.fetchone())

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The file, in one transaction; one that is damaged is begun anew by the next.

        Raises:
            LooksError: If it is busy, the disk refuses, or it is damaged.
        """
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=_WAIT)) as file:
                file.isolation_level = None
                file.execute("PRAGMA synchronous = OFF")  # a cut of power may take it
                file.execute("BEGIN IMMEDIATE")
                file.execute(_SCHEMA)
                yield file
                file.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise LooksError(f"{self._path.name} cannot be used now: {error}") from error
        except sqlite3.DatabaseError as error:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            raise LooksError(f"{self._path.name} is damaged, and begun anew: {error}") from error


def key_of(block: MissingBlock) -> Key:
    """The version of a scene that a block is of."""
    return Key(block.collection, block.id, block.etag)


def _let_go(file: sqlite3.Connection, now: datetime) -> None:
    """Remove looks that are too old, and those of a clock that was set back."""
    file.execute("DELETE FROM look WHERE at NOT BETWEEN ? AND ?", _bounds(now))


def _bounds(now: datetime) -> tuple[float, float]:
    """The times at which a look counts."""
    return (now - KEPT).timestamp(), (now + KEPT).timestamp()


def _delete(file: sqlite3.Connection, blocks: Iterable[tuple[Any, ...]]) -> None:
    file.executemany(
        "DELETE FROM look WHERE collection = ? AND id = ? AND etag = ? AND grp = ?"
        " AND level = ? AND row = ? AND col = ?",
        blocks,
    )
