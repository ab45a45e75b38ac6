"""What a relay remembers: one SQLite file, one transaction for each thing that is done.

What is in files is there before the journal says so: after a kill, at any point, the journal says less than
there is, never more.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from comeo.archive.stores.extents import Extents
from comeo.errors import ComeoError
from tileserver.relay.plan.definition import LAYERS, SEEN, Layer
from tileserver.relay.plan.offers import Key

_VERSION: Final = 2
_SCHEMA: Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE origin (
    uuid TEXT PRIMARY KEY, epoch INTEGER NOT NULL, cursor INTEGER NOT NULL, problem TEXT
) WITHOUT ROWID;
CREATE TABLE scene (
    collection TEXT NOT NULL, id TEXT NOT NULL, etag TEXT NOT NULL, origin TEXT NOT NULL,
    seq INTEGER NOT NULL, line TEXT NOT NULL, state TEXT NOT NULL, since TEXT NOT NULL,
    aside INTEGER NOT NULL,
    received TEXT NOT NULL, layers TEXT NOT NULL, published INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    dropped TEXT, dropped_at TEXT, problem TEXT, keeps TEXT,
    PRIMARY KEY (collection, id, etag)
) WITHOUT ROWID;
CREATE TABLE spent (day TEXT PRIMARY KEY, wire INTEGER NOT NULL, useful INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE spent_on_demand (day TEXT PRIMARY KEY, wire INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE told (
    collection TEXT NOT NULL, id TEXT NOT NULL, etag TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (collection, id, etag)
) WITHOUT ROWID;
CREATE TABLE looked (
    collection TEXT NOT NULL, id TEXT NOT NULL, etag TEXT NOT NULL, at TEXT NOT NULL, extents TEXT NOT NULL,
    PRIMARY KEY (collection, id, etag)
) WITHOUT ROWID;
"""
"""`told` has lines as they were signed, to be passed on, that of a drop without an etag; `looked` bytes
that came as somebody looked.
"""
State = Literal["coming", "whole", "faulty"]
SPEED: Final = "speed"
"""Fact: bytes a second that the line carries."""
NOTHING: Final = Extents()
_KEY: Final = "collection = ? AND id = ? AND etag = ?"
_PUT: Final = f"INSERT OR REPLACE INTO scene VALUES ({', '.join('?' * 17)})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of a scene that is wanted, under way, or here.

    Attributes:
        key: Which.
        origin: UUID of who said so.
        seq: Of the line.
        line: What it says (`PutLine`), as JSON.
        state: `coming`: some of it may be missing; `whole`: it has its final name; `faulty`: it is not what
            the line says, and is not asked for again.
        since: When it began to be wanted.
        aside: Whether it lies aside, as another version is being served.
        received: Bytes that are on the disk; more than those that are published.
        layers: That are published.
        published: Bytes that readers see.
        confirmed: Whether the present epoch of its origin has it.
        dropped: Why the origin has it no more.
        dropped_at: Since when.
        problem: What is wrong, for people.
        keeps: Layers that are kept at most, where it has faded; None: all.
    """

    key: Key
    origin: str
    seq: int
    line: str
    state: State
    since: datetime
    aside: bool = False
    received: Extents = NOTHING
    layers: tuple[Layer, ...] = ()
    published: int = 0
    confirmed: bool = True
    dropped: str | None = None
    dropped_at: datetime | None = None
    problem: str | None = None
    keeps: tuple[Layer, ...] | None = None

    @property
    def here(self) -> tuple[Layer, ...]:
        """Layers that are here."""
        return LAYERS if self.state == "whole" else self.layers

    def here_of(self, size: int) -> Extents:
        """Bytes that are on the disk, of an archive of so many."""
        return Extents([(0, size)]) if self.state == "whole" else self.received

    @property
    def is_seen(self) -> bool:
        """Whether anything of it can be shown."""
        return not SEEN.isdisjoint(self.here)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an origin.

    Attributes:
        epoch: Of its feed.
        cursor: Last line of it that was read.
        problem: Why nothing more is taken from it, for people.
    """

    epoch: int
    cursor: int
    problem: str | None = None


class Spent(NamedTuple):
    """What bytes have cost.

    Attributes:
        day: The local day.
        wire: Bytes on the wire.
        useful: Bytes of archives among them.
        on_demand: Whether they came as somebody looked.
    """

    day: date
    wire: int
    useful: int = 0
    on_demand: bool = False


class Looked(NamedTuple):
    """What has come of a scene as somebody looked at it, and may be among layers, too.

    Attributes:
        key: Which version.
        at: When it came last.
        extents: Bytes.
    """

    key: Key
    at: datetime
    extents: Extents


class Journal:
    """The journal of a relay.

    Args:
        path: Of its file.
        create: Whether it is made where it is missing.

    Raises:
        ComeoError: If it cannot be opened, or is not one.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self._name = path.name
        if not create and not path.exists():
            raise ComeoError(f"{path} does not exist: nothing has been fetched yet; use comeo relay run")
        try:
            mode = "rwc" if create else "rw"  # a reader of a write-ahead log has to write, too
            self._connection = sqlite3.connect(f"file:{_quoted(path)}?mode={mode}", uri=True, timeout=10.0)
            self._connection.isolation_level = None
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")  # a power cut costs the last pieces only
            self._prepare()
        except sqlite3.Error as error:
            raise ComeoError(
                f"{path} cannot be opened as the journal of a relay: {error}; where it is damaged, "
                "remove it, and run the relay: whole archives that are here are not fetched again"
            ) from error

    def _prepare(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if not version:
            made = f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {_VERSION};COMMIT;"
            self._connection.executescript(made)
        elif version != _VERSION:
            self._connection.close()
            raise ComeoError(
                f"{self._name} is of another version of this program ({version}, not {_VERSION}); use that "
                "one, or move the folder of the relay away to begin anew"
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction; those inside one are part of it.

        Raises:
            ComeoError: If the disk is full, or the file damaged.
        """
        if self._connection.in_transaction:
            yield
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise ComeoError(f"{self._name} cannot be written: {error}") from error

    def fact(self, name: str) -> str | None:
        """Something that is remembered by name."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Remember something by name."""
        with self.writing():
            self._connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def forget_fact(self, name: str) -> None:
        """Remember it no more."""
        with self.writing():
            self._connection.execute("DELETE FROM fact WHERE name = ?", (name,))

    def origin(self, uuid: str) -> Known | None:
        """What is known of an origin."""
        row = self._connection.execute(
            "SELECT epoch, cursor, problem FROM origin WHERE uuid = ?", (uuid,)
        ).fetchone()
        return None if row is None else Known(*row)

    def origins(self) -> dict[str, Known]:
        """What is known of all origins, by UUID."""
        rows = self._connection.execute("SELECT uuid, epoch, cursor, problem FROM origin ORDER BY uuid")
        return {uuid: Known(*rest) for uuid, *rest in rows.fetchall()}

    def set_origin(self, uuid: str, known: Known) -> None:
        """Remember how far an origin's feed was read."""
        with self.writing():
            self._connection.execute(
                "INSERT OR REPLACE INTO origin VALUES (?, ?, ?, ?)",
                (uuid, known.epoch, known.cursor, known.problem),
            )

    def put(self, kept: Kept) -> None:
        """Remember a scene as it is now."""
        row = (
            *kept.key, kept.origin, kept.seq, kept.line, kept.state, kept.since.isoformat(), kept.aside,
            json.dumps(list(kept.received)), json.dumps(kept.layers), kept.published,
            kept.confirmed, kept.dropped, kept.dropped_at.isoformat() if kept.dropped_at else None,
            kept.problem, None if kept.keeps is None else json.dumps(kept.keeps),
        )  # fmt: skip
        with self.writing():
            self._connection.execute(_PUT, row)

    def get(self, key: Key) -> Kept | None:
        """A version of a scene."""
        found = self._scenes(f"WHERE {_KEY}", key)
        return next(found, None)

    def versions(self, collection: str, item: str) -> list[Kept]:
        """All versions of a scene, the newest last."""
        return [*self._scenes("WHERE collection = ? AND id = ? ORDER BY seq", (collection, item))]

    def scenes(self) -> Iterator[Kept]:
        """All that there is."""
        return self._scenes("ORDER BY collection, id, seq", ())

    def models(self) -> dict[tuple[str, str], int]:
        """How many scenes of an origin need a learned model, by its UUID and the model's SHA-256."""
        rows = self._connection.execute(
            "SELECT origin, json_extract(line, '$.model') AS model, count(*) FROM scene"
            " WHERE model IS NOT NULL GROUP BY origin, model ORDER BY origin, model"
        )
        return {(origin, model): count for origin, model, count in rows}

    def unconfirmed(self, origin: str) -> list[Kept]:
        """Scenes that the present epoch of an origin has not named."""
        return [*self._scenes("WHERE origin = ? AND NOT confirmed AND dropped IS NULL", (origin,))]

    def doubt(self, origin: str) -> None:
        """Let all scenes of an origin wait to be named by a new epoch, which numbers its lines anew."""
        with self.writing():
            self._connection.execute("UPDATE scene SET confirmed = 0, seq = 0 WHERE origin = ?", (origin,))

    def remove(self, key: Key) -> None:
        """Forget a scene."""
        with self.writing():
            self._connection.execute(f"DELETE FROM scene WHERE {_KEY}", key)  # noqa: S608
            self._connection.execute(f"DELETE FROM told WHERE {_KEY}", key)  # noqa: S608
            self.forget_looked(key)

    def keep_line(self, key: Key, document: str) -> None:
        """Remember what was told of a scene, as JSON that proves it: it takes the place of what it answers.

        Args:
            key: Which version; with an empty etag, that the scene is no longer there.
            document: The line, whose it is, and which way it came.
        """
        with self.writing():
            self._connection.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", (*key, document))
            if key.etag:
                self._connection.execute(
                    "DELETE FROM told WHERE collection = ? AND id = ? AND etag = ''", key[:2]
                )

    def line_of(self, key: Key) -> str | None:
        """What was told of a scene: see `keep_line`."""
        query = f"SELECT document FROM told WHERE {_KEY}"  # noqa: S608
        row = self._connection.execute(query, key).fetchone()
        return None if row is None else str(row[0])

    def received(self, kept: Kept, received: Extents, spent: Spent) -> Kept:
        """Remember that bytes of a scene are on the disk, and what they cost; the scene as it is now."""
        after = replace(kept, received=received)
        with self.writing():
            self._connection.execute(
                f"UPDATE scene SET received = ? WHERE {_KEY}",  # noqa: S608
                (json.dumps(list(received)), *kept.key),
            )
            self.spend(*spent)
        return after

    def spend(self, day: date, wire: int, useful: int = 0, on_demand: bool = False) -> None:
        """Count bytes of a local day: see `Spent`."""
        if not wire and not useful:
            return
        with self.writing():
            if on_demand:
                self._connection.execute(
                    "INSERT INTO spent_on_demand VALUES (?, ?)"
                    " ON CONFLICT (day) DO UPDATE SET wire = wire + excluded.wire",
                    (day.isoformat(), wire),
                )
            self._connection.execute(
                "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE"
                " SET wire = wire + excluded.wire, useful = useful + excluded.useful",
                (day.isoformat(), wire, useful),
            )

    def spent(self) -> dict[date, tuple[int, int]]:
        """Bytes on the wire of each local day, and bytes of archives among them."""
        rows = self._connection.execute("SELECT day, wire, useful FROM spent ORDER BY day")
        return {date.fromisoformat(day): (wire, useful) for day, wire, useful in rows}

    def spent_on_demand(self) -> dict[date, int]:
        """Bytes on the wire of each local day that came as somebody looked."""
        rows = self._connection.execute("SELECT day, wire FROM spent_on_demand ORDER BY day")
        return {date.fromisoformat(day): wire for day, wire in rows}

    def look(self, key: Key, extents: Extents, at: datetime) -> None:
        """Remember that bytes of a scene come as somebody looks at it."""
        with self.writing():
            known = next((each.extents for each in self._looked(f"WHERE {_KEY}", key)), NOTHING)
            row = (*key, at.isoformat(), json.dumps(list(known.union(extents))))
            self._connection.execute("INSERT OR REPLACE INTO looked VALUES (?, ?, ?, ?, ?)", row)

    def looked(self) -> list[Looked]:
        """All that has come so, the oldest first."""
        return [*self._looked("ORDER BY at", ())]

    def forget_looked(self, key: Key) -> None:
        """Let what has come of a scene so be as anything else of it."""
        with self.writing():
            self._connection.execute(f"DELETE FROM looked WHERE {_KEY}", key)  # noqa: S608

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _looked(self, condition: str, values: Sequence[Any]) -> Iterator[Looked]:
        rows = self._connection.execute(f"SELECT * FROM looked {condition}", values).fetchall()  # noqa: S608
        for collection, item, etag, at, extents in rows:
            found = Extents(tuple(pair) for pair in json.loads(extents))
            yield Looked(Key(collection, item, etag), datetime.fromisoformat(at), found)

    def _scenes(self, condition: str, values: Sequence[Any]) -> Iterator[Kept]:
        for row in self._connection.execute(f"SELECT * FROM scene {condition}", values).fetchall():  # noqa: S608
            yield _kept(row)


def _kept(row: Sequence[Any]) -> Kept:
    (collection, item, etag, origin, seq, line, state, since, aside, received, layers, published,
     confirmed, dropped, dropped_at, problem, keeps) = row  # fmt: skip
    return Kept(
        Key(collection, item, etag), origin, seq, line, state, datetime.fromisoformat(since), bool(aside),
        Extents(tuple(pair) for pair in json.loads(received)), tuple(json.loads(layers)), published,
        bool(confirmed), dropped, datetime.fromisoformat(dropped_at) if dropped_at else None, problem,
        None if keeps is None else tuple(json.loads(keeps)),
    )  # fmt: skip


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def now_utc() -> datetime:
    """The time."""
    return datetime.now(UTC)
