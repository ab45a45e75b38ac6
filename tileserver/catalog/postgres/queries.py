"""Searches as SQL: conditions, place, order, and where a page goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import shapely
import shapely.wkb
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from comeo.errors import ParameterError
from comeo.scene import Band
from tileserver.catalog.base import BBox, Cursor, Hit, Order, Record, Search, SortKey
from tileserver.catalog.footprints import box_of
from tileserver.catalog.postgres.database import Connection
from tileserver.catalog.postgres.filters import sql_of
from tileserver.catalog.postgres.schema import (
    NEWEST,
    OLDEST,
    UNKNOWN_NEWEST,
    UNKNOWN_OLDEST,
    property_columns,
)
from tileserver.catalog.rows import bands_from_json, microseconds, moment_of
from tileserver.errors import BusyError

FEW: Final = 2000
"""Scenes in a place that are sorted rather than met in the order of the results."""
NARROW: Final = 1.5
"""Degrees across which there are few scenes, most likely; a tile of zoom 8 is 1.4 wide."""
_RECORD: Final = "path, signature, collection, id, datetime, west, south, east, north, etag, kind"
_WIDTH: Final = 11
_MOST_KINDS: Final = 65_536
_TURN: Final = 360.0
_kinds: dict[UUID, tuple[Band, ...]] = {}
"""Bands by kind. A kind's name is a digest of what it is: it holds for every database, for ever."""


class Part(NamedTuple):
    """A part of a statement, and its values."""

    text: str
    values: list[Any]


class Column(NamedTuple):
    """One column of an order, which is never null.

    Attributes:
        text: SQL.
        values: Of it.
        descending: Whether the greatest comes first.
        kind: SQL's type.
    """

    text: str
    values: list[Any]
    descending: bool
    kind: str


def get(db: Connection, collection: str, item: str) -> Record | None:
    """See `Catalog.get`."""
    query = f"SELECT {_RECORD} FROM items WHERE collection = %s AND id = %s"  # noqa: S608
    rows = db.execute(query, [collection, item]).fetchall()
    return next(iter(_records(db, rows)), None)


def hits(db: Connection, search: Search, limit: int, after: Cursor | None, order: Order) -> list[Hit]:
    """See `Catalog.hits`.

    Where few scenes lie in the place of a search these are sorted; else scenes are met in their order, until
    there are enough that lie there. Scenes in a narrow place are few nearly always: they are counted as they
    are met, so that a tile is one question.
    """
    columns = [column for key in order.keys for column in _columns(key)]
    names = [Column("collection", [], False, "text"), Column("id", [], False, "text")]
    where = conditions(db, search, OLDEST if OLDEST in (one.text for one in columns[:1]) else NEWEST)
    if after:
        where.append(_behind([*columns, *names], _places(order, after)))
    by_property = any(one.values for one in columns)
    shown = ", ".join([_RECORD, *(one.text for one in columns)])
    sorting = ", ".join(_ordered(one) for one in [*columns, *names])
    own = [value for one in columns for value in one.values]

    def rows_of(near: Part, more: str = "") -> list[tuple[Any, ...]]:
        text = f"SELECT {shown}{more} FROM {near.text} WHERE {joined(where)} ORDER BY {sorting} LIMIT %s"  # noqa: S608
        return db.execute(text, [*own, *near.values, *values_of(where), *own, limit]).fetchall()

    at_once = _is_narrow(search.bbox) and search.filter is None and not by_property
    rows = rows_of(_counted(source(search, few=True)), ", near") if at_once else []
    if not at_once or (rows[0][-1] > FEW if rows else not is_few(db, search)):
        few = is_few(db, search)
        rows = rows_of(source(search, few=few, columns="*" if by_property else _RECORD))
    records = _records(db, [row[:_WIDTH] for row in rows])
    return [
        Hit(record, _cursor(order, record, row[_WIDTH:])) for record, row in zip(records, rows, strict=True)
    ]


def count(db: Connection, search: Search, most: int | None = None) -> int:
    """See `Catalog.count`."""
    if search == Search():
        scenes = int(first(db, "SELECT scenes FROM journal")[0])
        return scenes if most is None else min(scenes, most)
    of_place = search == Search(collections=search.collections, bbox=search.bbox)
    where, near = conditions(db, search), source(search, few=of_place or is_few(db, search))
    text = f"SELECT count(*) FROM (SELECT FROM {near.text} WHERE {joined(where)} LIMIT %s) AS found"  # noqa: S608
    return int(first(db, text, [*near.values, *values_of(where), most])[0])


def document(db: Connection, column: str, record: Record) -> dict[str, Any]:
    """A JSON document of a scene, `item` or `info`.

    Raises:
        BusyError: If the scene has gone or been replaced since it was found.
    """
    query = (
        f"SELECT documents.{column} FROM items JOIN documents USING (number) "  # noqa: S608
        "WHERE collection = %s AND id = %s AND signature = %s"
    )
    row = db.execute(query, [record.collection, record.id, record.signature]).fetchone()
    if row is None:
        raise BusyError(f"the archive of {record.id} has gone or is being replaced; try again")
    found: dict[str, Any] = json.loads(row[0])
    return found


def broken(db: Connection) -> dict[str, str]:
    """See `Catalog.broken`."""
    rows = db.execute("SELECT path, error FROM files WHERE error IS NOT NULL ORDER BY path")
    return {Path(path).name: error for path, error in rows}


def conditions(db: Connection, search: Search, moment: str = NEWEST) -> list[Part]:
    """SQL conditions of a search.

    Args:
        db: Where footprints are looked up.
        search: The search.
        moment: The expression that times are compared by, as an index has it.
    """
    where: list[Part] = []
    for column, names in (("collection", search.collections), ("id", search.ids)):
        if names is not None and len(names) == 1:  # so that one index has them in order
            where.append(Part(f"{column} = %s", [names[0]]))
        elif names is not None:
            where.append(Part(f"{column} = ANY(%s::text[])", [list(names)]))
    for operator, bound in ((">=", search.start), ("<=", search.end)):
        if bound is not None:
            where.append(Part(f"{moment} {operator} %s::bigint", [microseconds(bound)]))
    if search.start is not None or search.end is not None:
        where.append(Part("datetime IS NOT NULL", []))
    if search.bbox is not None:
        where.append(_meets(search.bbox))
    if search.filter is not None:
        where.append(Part(*sql_of(search.filter, lambda area: _meeting(db, list(where), area))))
    return where


def joined(where: Sequence[Part]) -> str:
    """SQL behind WHERE."""
    return " AND ".join(part.text for part in where) or "true"


def values_of(where: Iterable[Part]) -> list[Any]:
    """Values of conditions, in their order."""
    return [value for part in where for value in part.values]


def first(db: Connection, text: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The first row of an answer that has one."""
    row = db.execute(text, values).fetchone()
    if row is None:
        raise LookupError("there is no row")
    return row


def bands_of(db: Connection, kinds: Iterable[UUID]) -> Mapping[UUID, tuple[Band, ...]]:
    """Bands by kind.

    Raises:
        BusyError: If the catalogue is being made anew.
    """
    wanted = set(kinds)
    missing = [kind for kind in wanted if kind not in _kinds]
    if missing:
        if len(_kinds) > _MOST_KINDS:
            _kinds.clear()
            missing = list(wanted)
        rows = db.execute("SELECT kind, bands FROM kinds WHERE kind = ANY(%s)", [missing])
        _kinds.update({kind: bands_from_json(bands) for kind, bands in rows})
    try:
        return {kind: _kinds[kind] for kind in wanted}
    except KeyError:
        raise BusyError("the archives are being indexed; try again in a moment") from None


def _records(db: Connection, rows: Sequence[tuple[Any, ...]]) -> list[Record]:
    bands = bands_of(db, (row[-1] for row in rows))
    return [
        Record(
            path,
            signature,
            collection,
            item,
            moment_of(moment),
            (west, south, east, north),
            etag,
            bands[kind],
        )
        for path, signature, collection, item, moment, west, south, east, north, etag, kind in rows
    ]


def _meets(bbox: BBox) -> Part:
    """A box that touches another, exactly: the index takes boxes for touching that are a little apart."""
    west, south, east, north = bbox
    east += _TURN if east < west else 0
    right = "(CASE WHEN east < west THEN east + 360 ELSE east END)"
    turns = [f"(west <= %s AND {right} >= %s)" for _ in range(3)]
    values = [north, south]
    for turn in (0, -_TURN, _TURN):
        values += [east + turn, west + turn]
    return Part(f"(south <= %s AND north >= %s AND ({' OR '.join(turns)}))", values)


def source(search: Search, *, few: bool, columns: str = _RECORD) -> Part:
    """SQL behind FROM: the table, or what the index of places has of it, each scene once.

    Args:
        search: Whose place it is.
        few: Whether to take that; then nothing else is looked at before. What lies in a large place is met
            sooner on another way.
        columns: What is asked for; those of a record are read of the index alone.
    """
    if search.bbox is None or not few:
        return Part("items", [])
    if search.filter is not None:
        columns = "*"
    boxes = _boxes(search.bbox)
    parts, values = [], list[str]()
    for number in range(len(boxes)):
        others = "".join(" AND NOT extent && %s::box" for _ in range(number))
        parts.append(f"SELECT {columns} FROM items WHERE extent && %s::box{others}")  # noqa: S608
        values += [boxes[number], *boxes[:number]]
    return Part(f"({' UNION ALL '.join(parts)} OFFSET 0) AS items", values)


def _counted(near: Part) -> Part:
    """A source with how many scenes lie there, `near`; of those in excess of `FEW` one alone."""
    met = f"(SELECT * FROM {near.text} LIMIT {FEW + 1}) AS met"  # noqa: S608
    return Part(f"(SELECT *, count(*) OVER () AS near FROM {met} OFFSET 0) AS items", near.values)  # noqa: S608


def _is_narrow(bbox: BBox | None) -> bool:
    if bbox is None:
        return False
    west, south, east, north = bbox
    return 0 <= east - west <= NARROW and north - south <= NARROW


def _boxes(bbox: BBox) -> list[str]:
    """A box where it meets extents, which lie between -180 and 540 and begin before 180."""
    west, south, east, north = bbox
    east += _TURN if east < west else 0
    turns = ((west + turn, east + turn) for turn in (0.0, _TURN, -_TURN))
    return [f"({left},{south}),({right},{north})" for left, right in turns if right >= -180 and left <= 540]


def is_few(db: Connection, search: Search) -> bool:
    """Whether few scenes lie in the place of a search."""
    if search.bbox is None:
        return False
    near = source(search, few=True)
    text = f"SELECT count(*) FROM (SELECT FROM {near.text} LIMIT %s) AS found"  # noqa: S608
    return bool(first(db, text, [*near.values, FEW + 1])[0] <= FEW)


def _columns(key: SortKey) -> list[Column]:
    """What to sort by for a key: never null, scenes without a value last, numbers before texts."""
    down = key.descending
    if key.field == "datetime":
        return [Column(NEWEST if down else OLDEST, [], down, "bigint")]
    if key.field in ("id", "collection"):
        return [Column(key.field, [], down, "text")]
    key.check()
    return [
        Column(text, [key.field], descending, kind)
        for text, descending, kind in property_columns("properties -> %s::text", down=down)
    ]


def _ordered(column: Column) -> str:
    return column.text + (" DESC" if column.descending else "")


def _cursor(order: Order, record: Record, found: Sequence[Any]) -> Cursor:
    """The place of a row: one value a key, and its names."""
    values: list[str | int | float | None] = []
    rest = list(found)
    for key in order.keys:
        own = [rest.pop(0) for _ in _columns(key)]
        if key.field == "datetime":
            values.append(None if own[0] in (UNKNOWN_OLDEST, UNKNOWN_NEWEST) else own[0])
        elif len(own) == 1:
            values.append(own[0])
        else:
            missing, text, number = own if key.descending else (own[1], own[2], own[0])
            values.append(text if not missing else None if abs(number) == float("inf") else number)
    return (*values, record.collection, record.id)


def _places(order: Order, cursor: Cursor) -> list[Any]:
    """Values of the columns at a cursor.

    Raises:
        ParameterError: If the cursor is of another order.
    """
    if len(cursor) != len(order.keys) + 2:
        raise _another()
    out: list[Any] = []
    for key, value in zip(order.keys, cursor, strict=False):
        if key.field == "datetime":
            unknown = UNKNOWN_OLDEST if key.descending else UNKNOWN_NEWEST
            if not isinstance(value, int | None):
                raise _another()
            out.append(unknown if value is None else value)
        elif key.field in ("id", "collection"):
            if not isinstance(value, str):
                raise _another()
            out.append(value)
        else:
            number = (
                float(value) if isinstance(value, int | float) else float("-inf" if key.descending else "inf")
            )
            text = value if isinstance(value, str) else None
            own = [number, text is None, text or ""]
            out += [*own[1:], own[0]] if key.descending else own
    return [*out, *cursor[-2:]]


def _another() -> ParameterError:
    return ParameterError("token belongs to another search; start this one anew")


def _behind(columns: Sequence[Column], places: Sequence[Any]) -> Part:
    """A condition that lets pass the rows behind a place; its first part is where an index goes on."""
    condition = Part("false", [])
    for column, place in reversed(list(zip(columns, places, strict=True))):
        further = "<" if column.descending else ">"
        bound = f"%s::{column.kind}"
        condition = Part(
            f"({column.text} {further}= {bound} AND ({column.text} {further} {bound} OR {condition.text}))",
            [*column.values, place, *column.values, place, *condition.values],
        )
    return condition


def _meeting(db: Connection, where: Sequence[Part], area: BaseGeometry) -> list[int]:
    """Numbers of the scenes that meet conditions and whose footprints touch an area."""
    west, south, east, north = area.bounds
    near = source(Search(bbox=(west, south, east, north)), few=True, columns="*")
    text = f"SELECT number, footprint, west, south, east, north FROM {near.text} WHERE {joined(where)}"  # noqa: S608
    rows = db.execute(text, [*near.values, *values_of(where)]).fetchall()
    shapes: list[BaseGeometry] = [
        box_of((left, low, right, high)) if wkb is None else shapely.wkb.loads(wkb)
        for _, wkb, left, low, right, high in rows
    ]
    shapely.prepare(area)
    return [row[0] for row, shape in zip(rows, shapes, strict=True) if _touches(area, shape)]


def _touches(area: BaseGeometry, shape: BaseGeometry) -> bool:
    try:
        return bool(area.intersects(shape))
    except ShapelyError:  # whatever GEOS cannot compare meets where its box does
        return True
