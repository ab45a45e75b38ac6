"""Observations that have been made, kept on disk: a chart of a hundred dates is decoded once.

They are found by everything that they depend on: the archive's digest, the area, the computation and the
revision of the code that makes them. So an archive that is replaced has others, and no entry is ever wrong;
the file may be deleted at any time. All processes of a server share it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from comeo.settings import SettingsError
from comeo.view.plan import PixelPlan
from comeo.view.site import Observation
from tileserver import metrics
from tileserver.render.fingerprint import fingerprint
from tileserver.render.scenes import Scenes

REVISION: Final = 3
"""Of what `comeo.view.site` computes. Raise it whenever a number changes."""
_BEGINNING: Final = b"SQLite format 3\0"
_AT_ONCE: Final = 500  # names in one query
_BUSY_SECONDS: Final = 5.0
_FORGOTTEN: Final = 4  # a file that is full loses the oldest part of so many
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS observations (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, content BLOB NOT NULL
);
"""
_FIND: Final = "SELECT name, content FROM observations WHERE name IN (SELECT value FROM json_each(?))"
_ENTRY: TypeAdapter[Observation | None] = TypeAdapter(Observation | None)
_watch = metrics.watch_cache("observations")
log = logging.getLogger(__name__)


def computation_name(plan: PixelPlan, max_size: int) -> str:
    """Digest of what is computed of a scene, which takes as long as its formula.

    Args:
        plan: Of the scene.
        max_size: Longest side in pixels that areas are read with.
    """
    computed = plan.sources, plan.expression, plan.physical, plan.resampling, plan.mask
    return fingerprint(REVISION, max_size, computed)


def observation_name(etag: str, area: str, computed: str) -> str:
    """What an observation is found by.

    Args:
        etag: Digest of the archive.
        area: Digest of the geometry.
        computed: See `computation_name`.
    """
    return hashlib.sha256(f"{etag} {area} {computed}".encode()).hexdigest()[:32]


class Observations:
    """Observations by name, the oldest of which go when there are too many.

    None as an entry says that the scene has no pixel in the area. Where the file cannot be read or written,
    that is logged and everything is observed again.

    Args:
        path: SQLite file, made when it is first needed.
        limit: Bytes that it may take on disk; 0 keeps nothing.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._lock = threading.Lock()

    def find(self, names: Sequence[str]) -> dict[str, Observation | None]:
        """Those that are known of these names."""
        found: dict[str, Observation | None] = {}
        if not self._limit:
            return found
        with self._open() as db:
            if db is not None:
                for first in range(0, len(names), _AT_ONCE):
                    some = names[first : first + _AT_ONCE]
                    rows = db.execute(_FIND, [json.dumps(some)])
                    for name, content in rows:
                        with contextlib.suppress(ValidationError):  # it is made anew
                            found[name] = _ENTRY.validate_json(content)
                _watch(len(found), len(names) - len(found), _size(db))
        return found

    def keep(self, entries: Mapping[str, Observation | None]) -> None:
        """Keep observations; of one that is known the newer stands."""
        if not (entries and self._limit):
            return
        rows = [(name, _ENTRY.dump_json(each)) for name, each in entries.items()]
        with self._open() as db:
            if db is None:
                return
            with db:
                db.executemany("INSERT OR REPLACE INTO observations (name, content) VALUES (?, ?)", rows)
            if _size(db) > self._limit:
                with db:
                    count = db.execute("SELECT count(*) FROM observations").fetchone()[0]
                    db.execute(
                        "DELETE FROM observations WHERE number IN "
                        "(SELECT number FROM observations ORDER BY number LIMIT ?)",
                        (max(1, count // _FORGOTTEN),),
                    )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """A connection to the file; None where there cannot be one. What fails inside is logged."""
        db: sqlite3.Connection | None = None
        try:
            with self._lock:
                db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = OFF")  # what a crash loses is observed again
                db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._give_up(error)
            if db is not None:
                db.close()
            db = None
        try:
            yield db
        except sqlite3.Error as error:
            self._give_up(error)
        finally:
            if db is not None:
                db.close()

    def _give_up(self, error: sqlite3.Error) -> None:
        log.warning("observations cannot be kept", extra={"fields": {"error": str(error)}})
        broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        if broken and _is_database(self._path):
            for suffix in ("", "-wal", "-shm"):  # it is no database any more
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)


def check_file(path: Path) -> None:
    """Refuse a file that is something else: one that breaks is deleted, and the oldest entries are.

    Raises:
        SettingsError: Saying so.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    tables: set[str] = set()
    if _is_database(path):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if tables <= {"observations"}:
            return
    raise SettingsError(
        f"{path} holds something else than observations; name a file of its own, which need not exist "
        "(COMEO_OBSERVATIONS)"
    )


def _is_database(path: Path) -> bool:
    """Whether a file begins as those of SQLite do, however damaged the rest of it is."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except OSError:
        return False


def _size(db: sqlite3.Connection) -> int:
    """Bytes of the pages in use."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def observations_of(scenes: Scenes) -> Observations:
    """Those of a server, in the file that its settings name."""
    settings = scenes.settings
    if settings.observations is None:
        raise ValueError("the settings have no place for observations: see `placed`")
    return Observations(settings.observations, settings.observation_cache_bytes)


def area_name(geometry: object) -> str:
    """Digest of a geometry's positions."""
    return hashlib.sha256(repr(geometry).encode()).hexdigest()
