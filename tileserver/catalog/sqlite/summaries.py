"""Collections and searches summed up in SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from comeo.scene import Band
from tileserver.catalog.base import BBox, CollectionSummary, Coverage, Search
from tileserver.catalog.sqlite.queries import conditions, joined
from tileserver.catalog.sqlite.rows import bands_from_json, moment_of

_BOX = "min(west), min(south), max(iif(east < west, east + 360, east)), max(north)"
_CRS = "(SELECT json_extract(value, '$.crs') FROM json_each(info, '$.groups') LIMIT 1)"
_SUMMARISED = ("platform", "constellation", "instruments", "processing:level")
_MOST_VALUES = 20


def collection_names(db: sqlite3.Connection) -> list[str]:
    """See `Catalog.collection_names`."""
    return [name for (name,) in db.execute("SELECT DISTINCT collection FROM items ORDER BY collection")]


def collection(db: sqlite3.Connection, name: str) -> CollectionSummary | None:
    """See `Catalog.collection`."""
    count, start, end, *box = db.execute(
        f"SELECT count(*), min(datetime), max(datetime), {_BOX} FROM items WHERE collection = ?",  # noqa: S608
        (name,),
    ).fetchone()
    if not count:
        return None
    return CollectionSummary(
        name, count, _on_the_globe(box), moment_of(start), moment_of(end),
        _all_bands(band_sets(db, Search(collections=(name,)))), _properties(db, name),
    )  # fmt: skip


def coverage(db: sqlite3.Connection, search: Search) -> Coverage | None:
    """See `Catalog.coverage`."""
    where, values = conditions(search)
    query = f"SELECT count(*), {_BOX} FROM items WHERE {joined(where)}"  # noqa: S608
    count, *box = db.execute(query, values).fetchone()
    if not count:
        return None
    groups = db.execute(
        f"SELECT {_CRS} AS crs, {_BOX} FROM items WHERE {joined(where)} GROUP BY crs",  # noqa: S608
        values,
    )
    by_crs = {name: tuple(bounds) for name, *bounds in groups if isinstance(name, str)}
    return Coverage(count, _on_the_globe(box), _all_bands(band_sets(db, search)), by_crs)


def band_sets(db: sqlite3.Connection, search: Search) -> list[tuple[Band, ...]]:
    """See `Catalog.band_sets`."""
    where, values = conditions(search)
    rows = db.execute(
        f"SELECT bands FROM items WHERE {joined(where)} "  # noqa: S608
        "GROUP BY bands ORDER BY max(datetime) DESC, bands",
        values,
    )
    return [bands_from_json(text) for (text,) in rows]


def days(db: sqlite3.Connection, name: str) -> list[str]:
    """See `Catalog.days`."""
    rows = db.execute(
        "SELECT DISTINCT date(datetime / 1000000, 'unixepoch') AS day FROM items "
        "WHERE collection = ? AND datetime IS NOT NULL ORDER BY day",
        (name,),
    )
    return [day for (day,) in rows if day is not None]


def _all_bands(sets: list[tuple[Band, ...]]) -> tuple[Band, ...]:
    """Bands of all sets, each name once, as the first set that has it describes it."""
    return tuple({band.name: band for bands in reversed(sets) for band in bands}.values())


def _on_the_globe(box: Sequence[float]) -> BBox:
    """Box whose east may lie beyond 180, as one that crosses the antimeridian or goes round the world."""
    west, south, east, north = box
    if east - west >= 360:
        return (-180.0, south, 180.0, north)
    return (west, south, east - 360 if east > 180 else east, north)


def _properties(db: sqlite3.Connection, name: str) -> dict[str, list[Any]]:
    """Values that a collection's items have in the properties that its summary lists."""
    out: dict[str, list[Any]] = {}
    for key in _SUMMARISED:
        rows = db.execute(
            "SELECT DISTINCT json_extract(item, ?) FROM items WHERE collection = ? LIMIT ?",
            (f'$.properties."{key}"', name, _MOST_VALUES),
        )
        values = {value for (value,) in rows if isinstance(value, str)}
        if key == "instruments":
            values = {part for value in values for part in _string_list(value)}
        if values:
            out[key] = sorted(values)
    return out


def _string_list(text: str) -> list[str]:
    try:
        values = json.loads(text)
    except ValueError:
        return [text]
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else [text]
