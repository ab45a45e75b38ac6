"""Searches as SQL: conditions, order, and where a page goes on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comeo.errors import ParameterError
from tileserver.catalog.base import BBox, Cursor, Hit, Order, Record, Search, SortKey
from tileserver.catalog.rows import RECORD_COLUMNS, microseconds, record_of
from tileserver.catalog.sqlite.filters import sql_of
from tileserver.errors import BusyError

_COLUMNS = {"id": "id", "collection": "collection", "datetime": "datetime"}
_EAST = "iif(east < west, east + 360, east)"
_RECORD = ", ".join(RECORD_COLUMNS)


def get(db: sqlite3.Connection, collection: str, item: str) -> Record | None:
    """See `Catalog.get`."""
    query = f"SELECT {_RECORD} FROM items WHERE collection = ? AND id = ?"  # noqa: S608
    row = db.execute(query, (collection, item)).fetchone()
    return record_of(row) if row else None


def hits(db: sqlite3.Connection, search: Search, limit: int, after: Cursor | None, order: Order) -> list[Hit]:
    """See `Catalog.hits`."""
    where, values = conditions(search)
    if after:
        condition, more = _behind(order, after)
        where.append(condition)
        values += more
    keys = [*(_expression(key) for key in order.keys), "collection", "id"]
    rows = db.execute(
        f"SELECT {_RECORD}, {', '.join(keys)} FROM items "  # noqa: S608
        f"WHERE {joined(where)} ORDER BY {_clause(order)} LIMIT ?",
        [*values, limit],
    )
    width = len(RECORD_COLUMNS)
    return [Hit(record_of(row[:width]), tuple(row[width:])) for row in rows]


def count(db: sqlite3.Connection, search: Search, most: int | None = None) -> int:
    """See `Catalog.count`."""
    where, values = conditions(search)
    # SQLite counts without a bound for as long as it takes; -1 is none.
    query = f"SELECT count(*) FROM (SELECT 1 FROM items WHERE {joined(where)} LIMIT ?)"  # noqa: S608
    return int(db.execute(query, [*values, -1 if most is None else most]).fetchone()[0])


def document(db: sqlite3.Connection, column: str, record: Record) -> dict[str, Any]:
    """A JSON document of a scene, `item` or `info`.

    Raises:
        BusyError: If the scene has gone or been replaced since it was found.
    """
    query = f"SELECT {column} FROM items WHERE collection = ? AND id = ? AND signature = ?"  # noqa: S608
    row = db.execute(query, (record.collection, record.id, record.signature)).fetchone()
    if row is None:
        raise BusyError(f"the archive of {record.id} has gone or is being replaced; try again")
    found: dict[str, Any] = json.loads(row[0])
    return found


def revision(db: sqlite3.Connection) -> int:
    """See `Catalog.revision`."""
    row = db.execute("SELECT value FROM meta WHERE key = 'changed_at'").fetchone()
    return int(row[0]) if row else 0


def broken(db: sqlite3.Connection) -> dict[str, str]:
    """See `Catalog.broken`."""
    rows = db.execute("SELECT path, error FROM files WHERE error IS NOT NULL ORDER BY path")
    return {Path(path).name: error for path, error in rows}


def conditions(search: Search) -> tuple[list[str], list[Any]]:
    """SQL conditions of a search, and their values."""
    where: list[str] = []
    values: list[Any] = []
    for column, names in (("collection", search.collections), ("id", search.ids)):
        if names is not None:
            where.append(f"{column} IN ({', '.join('?' * len(names))})")
            values += names
    for operator, moment in ((">=", search.start), ("<=", search.end)):
        if moment is not None:
            where.append(f"datetime {operator} ?")
            values.append(microseconds(moment))
    if search.bbox is not None:
        condition, corners = _meets(search.bbox)
        where.append(condition)
        values += corners
    if search.filter is not None:
        condition, given = sql_of(search.filter)
        where.append(condition)
        values += given
    return where, values


def joined(where: Sequence[str]) -> str:
    """SQL behind WHERE."""
    return " AND ".join(where) or "1"


def _meets(bbox: BBox) -> tuple[str, list[float]]:
    west, south, east, north = bbox
    east += 360 if east < west else 0
    turns = [f"(west <= ? AND {_EAST} >= ?)" for _ in range(3)]
    values = [north, south]
    for turn in (-360, 0, 360):
        values += [east + turn, west + turn]
    return f"(south <= ? AND north >= ? AND ({' OR '.join(turns)}))", values


def _clause(order: Order) -> str:
    """SQL behind ORDER BY. SQLite's descending order has nulls last, its ascending order first."""
    terms = []
    for key in order.keys:
        column = _expression(key)
        terms += [f"{column} DESC"] if key.descending else [f"{column} IS NULL", column]
    return ", ".join([*terms, "collection", "id"])


def _behind(order: Order, cursor: Cursor) -> tuple[str, list[Any]]:
    """SQL condition that lets pass the rows behind a cursor, and its values.

    Raises:
        ParameterError: If the cursor is of another order.
    """
    if len(cursor) != len(order.keys) + 2:
        raise ParameterError("token belongs to another search; start this one anew")
    condition, values = "(collection, id) > (?, ?)", list(cursor[-2:])
    for key, value in reversed(list(zip(order.keys, cursor, strict=False))):
        column = _expression(key)
        if value is None:
            condition = f"({column} IS NULL AND {condition})"
            continue
        further = "<" if key.descending else ">"
        condition = f"({column} {further} ? OR {column} IS NULL OR ({column} = ? AND {condition}))"
        values = [value, value, *values]
    return condition, values


def _expression(key: SortKey) -> str:
    """SQL of the value to sort by."""
    if key.field in _COLUMNS:
        return _COLUMNS[key.field]
    key.check()  # it becomes a part of the statement
    return f"json_extract(item, '$.properties.\"{key.field}\"')"
