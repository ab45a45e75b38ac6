"""Where and when a collection has scenes, summed up in SQL."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from comeo.scene import Band
from tileserver.catalog.query import BBox, Search, conditions, joined
from tileserver.catalog.scan import bands_from_json


@dataclass(frozen=True, slots=True)
class Coverage:
    """What scenes cover together.

    Attributes:
        count: Of scenes.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        bands: Of all of them, each name once.
        by_crs: Box in degrees of the scenes of each projection; its east may lie beyond 180.
    """

    count: int
    bbox: BBox
    bands: tuple[Band, ...]
    by_crs: dict[str, BBox]


def coverage(db: sqlite3.Connection, search: Search) -> Coverage | None:
    """Sum up what a search finds, or None if that is nothing."""
    where, values = conditions(search)
    box = "min(west), min(south), max(iif(east < west, east + 360, east)), max(north)"
    query = f"SELECT count(*), {box} FROM items WHERE {joined(where)}"  # noqa: S608
    count, west, south, east, north = db.execute(query, values).fetchone()
    if not count:
        return None
    distinct = db.execute(f"SELECT DISTINCT bands FROM items WHERE {joined(where)}", values)  # noqa: S608
    bands = {band.name: band for (text,) in distinct for band in bands_from_json(text)}
    crs = "(SELECT json_extract(value, '$.crs') FROM json_each(info, '$.groups') LIMIT 1)"
    groups = db.execute(
        f"SELECT {crs} AS crs, {box} FROM items WHERE {joined(where)} GROUP BY crs",  # noqa: S608
        values,
    )
    by_crs = {name: tuple(bounds) for name, *bounds in groups if isinstance(name, str)}
    return Coverage(count, on_the_globe((west, south, east, north)), tuple(bands.values()), by_crs)


def on_the_globe(box: BBox) -> BBox:
    """Box whose east may lie beyond 180, as one that crosses the antimeridian or goes round the world."""
    west, south, east, north = box
    if east - west >= 360:
        return (-180.0, south, 180.0, north)
    return (west, south, east - 360 if east > 180 else east, north)


def days(db: sqlite3.Connection, collection: str) -> list[str]:
    """Days (UTC, `2024-05-01`) on which a collection has scenes, oldest first."""
    rows = db.execute(
        "SELECT DISTINCT date(datetime / 1000000, 'unixepoch') AS day FROM items "
        "WHERE collection = ? AND datetime IS NOT NULL ORDER BY day",
        (collection,),
    )
    return [day for (day,) in rows if day is not None]
