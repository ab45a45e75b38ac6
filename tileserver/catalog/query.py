"""Searches of the catalogue as SQL: what to find, in which order, and where a page goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from comeo.errors import ParameterError

BBox = tuple[float, float, float, float]
# Values of the sort keys, collection and id of the last item of a page.
Cursor = tuple[str | int | float | None, ...]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = {"id": "id", "collection": "collection", "datetime": "datetime"}
_PROPERTY = re.compile(r"[A-Za-z0-9_:.\-]{1,100}")
_EAST = "iif(east < west, east + 360, east)"


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; None leaves it open.

    Attributes:
        collections: STAC Collection ids.
        ids: STAC Item ids.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        start: Not before. Scenes of which nobody knows the time are then left out.
        end: Not after. Likewise.
    """

    collections: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    bbox: BBox | None = None
    start: datetime | None = None
    end: datetime | None = None


class SortKey(NamedTuple):
    """What to sort by.

    Attributes:
        field: `id`, `collection`, `datetime` or the name of another STAC Item property.
        descending: Greatest first. Items without a value come last either way.
    """

    field: str
    descending: bool = False


class Order(NamedTuple):
    """How results are sorted; collection and id decide among equals, so that pages are stable."""

    keys: tuple[SortKey, ...]

    def columns(self) -> list[str]:
        """SQL expressions whose values make a cursor."""
        return [*(_expression(key) for key in self.keys), "collection", "id"]

    def clause(self) -> str:
        """SQL behind ORDER BY. SQLite's descending order has nulls last, its ascending order first."""
        terms = []
        for key in self.keys:
            column = _expression(key)
            terms += [f"{column} DESC"] if key.descending else [f"{column} IS NULL", column]
        return ", ".join([*terms, "collection", "id"])

    def after(self, cursor: Cursor) -> tuple[str, list[Any]]:
        """SQL condition that lets pass what comes behind a cursor, and its values.

        Raises:
            ParameterError: If the cursor is of another order.
        """
        if len(cursor) != len(self.keys) + 2:
            raise ParameterError("token belongs to another search; start this one anew")
        condition, values = "(collection, id) > (?, ?)", list(cursor[-2:])
        for key, value in reversed(list(zip(self.keys, cursor, strict=False))):
            column = _expression(key)
            if value is None:
                condition = f"({column} IS NULL AND {condition})"
                continue
            further = "<" if key.descending else ">"
            condition = f"({column} {further} ? OR {column} IS NULL OR ({column} = ? AND {condition}))"
            values = [value, value, *values]
        return condition, values


NEWEST_FIRST = Order((SortKey("datetime", descending=True),))


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
    return where, values


def joined(where: Sequence[str]) -> str:
    """SQL behind WHERE."""
    return " AND ".join(where) or "1"


def microseconds(moment: datetime) -> int:
    """Time as the catalogue stores it."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def _meets(bbox: BBox) -> tuple[str, list[float]]:
    west, south, east, north = bbox
    east += 360 if east < west else 0
    turns = [f"(west <= ? AND {_EAST} >= ?)" for _ in range(3)]
    values = [north, south]
    for turn in (-360, 0, 360):
        values += [east + turn, west + turn]
    return f"(south <= ? AND north >= ? AND ({' OR '.join(turns)}))", values


def _expression(key: SortKey) -> str:
    if key.field in _COLUMNS:
        return _COLUMNS[key.field]
    if not _PROPERTY.fullmatch(key.field):
        raise ParameterError(f"sortby: {key.field[:40]!r} is no name of a property")
    return f"json_extract(item, '$.properties.\"{key.field}\"')"
