"""Collections and searches summed up in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from comeo.globe import union_of_boxes
from tileserver.catalog.base import NAMED_ODD, BBox, CollectionSummary, Coverage, Search
from tileserver.catalog.kinds import BandSet, OddScene, differences
from tileserver.catalog.properties import MOST_VALUES, SUMMARISED, summed_up
from tileserver.catalog.rows import bands_from_json, bands_to_json, moment_of
from tileserver.catalog.sqlite.queries import conditions, joined

_BOX = "min(west), min(south), max(iif(east < west, east + 360, east)), max(north)"
# Boxes that begin within one degree are summed up first: no gap between scenes that wide is lost.
_BIN = "CAST(west + 180 AS INTEGER)"
_CRS = "(SELECT json_extract(value, '$.crs') FROM json_each(info, '$.groups') LIMIT 1)"


def collection_names(db: sqlite3.Connection) -> list[str]:
    """See `Catalog.collection_names`."""
    return [name for (name,) in db.execute("SELECT DISTINCT collection FROM items ORDER BY collection")]


def collection(db: sqlite3.Connection, name: str) -> CollectionSummary | None:
    """See `Catalog.collection`."""
    search = Search(collections=(name,))
    count, start, end = db.execute(
        "SELECT count(*), min(datetime), max(datetime) FROM items WHERE collection = ?", (name,)
    ).fetchone()
    if not count:
        return None
    sets = band_sets(db, search)
    return CollectionSummary(
        name, count, _box(db, *conditions(search)), moment_of(start), moment_of(end), sets,
        _properties(db, name), *_odd(db, name, sets),
    )  # fmt: skip


def coverage(db: sqlite3.Connection, search: Search) -> Coverage | None:
    """See `Catalog.coverage`."""
    where, values = conditions(search)
    query = f"SELECT count(*) FROM items WHERE {joined(where)}"  # noqa: S608
    (count,) = db.execute(query, values).fetchone()
    if not count:
        return None
    boxes: dict[str, list[BBox]] = {}
    rows = db.execute(
        f"SELECT {_CRS} AS crs, {_BOX} FROM items WHERE {joined(where)} GROUP BY crs, {_BIN}",  # noqa: S608
        values,
    )
    for crs, *box in rows:
        boxes.setdefault(crs, []).append((box[0], box[1], box[2], box[3]))
    by_crs = {crs: union_of_boxes(found) for crs, found in boxes.items() if isinstance(crs, str)}
    return Coverage(count, union_of_boxes(box for found in boxes.values() for box in found), by_crs)


def band_sets(db: sqlite3.Connection, search: Search) -> tuple[BandSet, ...]:
    """See `Catalog.band_sets`."""
    where, values = conditions(search)
    # Of the other columns SQLite takes those of the row that has the maximum.
    query = f"""
        SELECT bands, count(*) AS scenes, collection, id, max(ifnull(datetime, -1e18)) AS newest FROM items
        WHERE {joined(where)} GROUP BY bands ORDER BY scenes DESC, newest DESC, bands
    """  # noqa: S608
    rows = db.execute(query, values)
    return tuple(BandSet(bands_from_json(text), count, (name, item)) for text, count, name, item, _ in rows)


def days(db: sqlite3.Connection, name: str) -> list[str]:
    """See `Catalog.days`."""
    rows = db.execute(
        "SELECT DISTINCT date(datetime / 1000000, 'unixepoch') AS day FROM items "
        "WHERE collection = ? AND datetime IS NOT NULL ORDER BY day",
        (name,),
    )
    return [day for (day,) in rows if day is not None]


def _box(db: sqlite3.Connection, where: Sequence[str], values: Sequence[Any]) -> BBox:
    """Smallest box around scenes, at least one."""
    query = f"SELECT {_BOX} FROM items WHERE {joined(where)} GROUP BY {_BIN}"  # noqa: S608
    return union_of_boxes(db.execute(query, values))


def _odd(db: sqlite3.Connection, name: str, sets: Sequence[BandSet]) -> tuple[tuple[OddScene, ...], int]:
    """Scenes that differ from most of a collection, the first ones by name, and their number."""
    differing = differences(sets)
    reasons = {bands_to_json(found.bands): reason for found, reason in differing}
    found: list[OddScene] = []
    for bands, reason in reasons.items():
        rows = db.execute(
            "SELECT id FROM items WHERE collection = ? AND bands = ? ORDER BY id LIMIT ?",
            (name, bands, NAMED_ODD - len(found)),
        )
        found += [OddScene(item, reason) for (item,) in rows]
    return tuple(found), sum(one.scenes for one, _ in differing)


def _properties(db: sqlite3.Connection, name: str) -> dict[str, list[Any]]:
    """Values that a collection's items have in the properties that its summary lists."""
    found: dict[str, list[Any]] = {}
    for key in SUMMARISED:
        rows = db.execute(
            "SELECT DISTINCT json_extract(item, ?) FROM items WHERE collection = ? LIMIT ?",
            (f'$.properties."{key}"', name, MOST_VALUES),
        )
        found[key] = [value for (value,) in rows]
    return summed_up(found)
