"""Conditions on properties as SQL, with all values bound, and the functions that this SQL calls."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from tileserver.catalog.filters import (
    Always,
    And,
    Comparison,
    Condition,
    Entry,
    Folded,
    In,
    Kind,
    Like,
    Meets,
    Missing,
    Not,
    Operand,
    Or,
    Property,
    Some,
)
from tileserver.catalog.footprints import footprint
from tileserver.catalog.rows import microseconds

_COLUMNS = frozenset(("id", "collection", "datetime"))
_TYPES = {"text": "'text'", "number": "'integer', 'real'", "list": "'array', 'text'"}
_PART = re.compile(r"\\(.)|(%)|(_)|(.)", re.DOTALL)
_MANY = {"*": "[*]", "?": "[?]", "[": "[[]"}
Sql = tuple[str, list[Any]]


def register(db: sqlite3.Connection) -> None:
    """Give a connection the functions that conditions call."""
    db.create_function("comeo_fold", 1, _fold, deterministic=True)
    db.create_function("comeo_meets", 6, _meets, deterministic=True)


def sql_of(condition: Condition) -> Sql:  # noqa: PLR0911 - one for each kind
    """SQL of a condition, and its values."""
    match condition:
        case Always(value):
            return ("1" if value else "0"), []
        case Not(inner):
            text, values = sql_of(inner)
            return f"(NOT {text})", values
        case And(inner):
            return _joined(" AND ", [sql_of(one) for one in inner])
        case Or(inner):
            return _joined(" OR ", [sql_of(one) for one in inner])
        case Comparison(left, operator, right):
            return _joined(f" {operator} ", [_operand(left), _operand(right)])
        case In(operand, values):
            return _joined("", [_operand(operand), (f" IN ({', '.join('?' * len(values))})", list(values))])
        case Like(operand, pattern):
            return _joined("", [_operand(operand), (" GLOB ?", [_glob(pattern)])])
        case Missing(operand):
            return _joined("", [_operand(operand), (" IS NULL", [])])
        case Some(operand, inner):
            return _some(operand, inner)
        case Meets(geometry):
            return _near(geometry)


def _joined(operator: str, parts: Sequence[Sql]) -> Sql:
    return (
        f"({operator.join(text for text, _ in parts)})",
        [value for _, values in parts for value in values],
    )


def _operand(operand: Operand) -> Sql:  # noqa: PLR0911 - one for each kind
    match operand:
        case Entry():
            return "value", []
        case Folded(inner):
            text, values = _operand(inner)
            return f"comeo_fold({text})", values
        case Property(name, _) if name in _COLUMNS:
            return name, []
        case Property(name, "list"):  # never compared itself: whether there is one is all that is asked
            return f"iif({_is_of('list')}, 1, NULL)", [_path(name)]
        case Property(name, kind):
            return f"iif({_is_of(kind)}, json_extract(item, ?), NULL)", [_path(name), _path(name)]
        case datetime():
            return "?", [microseconds(operand)]
        case _:
            return "?", [operand]


def _is_of(kind: Kind) -> str:
    return f"json_type(item, ?) IN ({_TYPES[kind]})"


def _path(name: str) -> str:
    return f'$.properties."{name}"'


def _some(operand: Property, condition: Condition) -> Sql:
    known, known_values = _operand(operand)
    inner, inner_values = sql_of(condition)
    return (
        f"iif({known}, EXISTS (SELECT 1 FROM json_each(item, ?) WHERE type = 'text' AND {inner}), NULL)",  # noqa: S608
        [*known_values, _path(operand.name), *inner_values],
    )


def _glob(pattern: str) -> str:
    """Pattern of LIKE in the words of GLOB, which tells cases apart."""
    return "".join(_glob_parts(pattern))


def _glob_parts(pattern: str) -> Iterator[str]:
    for escaped, many, one, plain in _PART.findall(pattern):
        character = escaped or plain
        yield "*" if many else "?" if one else _MANY.get(character, character)


def _near(geometry: BaseGeometry) -> Sql:
    """A look at the box, which is cheap, and then at the footprint."""
    west, south, east, north = geometry.bounds
    return (
        "(south <= ? AND north >= ? AND (east < west OR (west <= ? AND east >= ?)) "
        "AND comeo_meets(?, json_extract(item, '$.geometry'), west, south, east, north))",
        [north, south, east, west, shapely.to_wkb(geometry)],
    )


def _fold(text: object) -> str | None:
    return text.casefold() if isinstance(text, str) else None


def _meets(wkb: bytes, geojson: str | None, west: float, south: float, east: float, north: float) -> bool:
    area, shape = _area(wkb), footprint(geojson, (west, south, east, north))
    try:
        return bool(area.intersects(shape))
    except ShapelyError:  # whatever GEOS cannot compare meets where its box does
        return True


@lru_cache(maxsize=16)
def _area(wkb: bytes) -> BaseGeometry:
    return shapely.from_wkb(wkb)
