"""Operands of CQL2 JSON: properties, text, numbers and times, each checked before it is used."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

from comeo.errors import ParameterError
from tileserver.api.stac.cql2 import queryables
from tileserver.catalog.filters import Entry, Folded, Property
from tileserver.render.temporal import parse_interval
from tileserver.text import is_text

MAX_TEXT = 1000
"""Characters of one literal."""
EARLIEST, LATEST = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))


class Span(NamedTuple):
    """A time with its precision: an instant, or the whole of a day or an interval, ends included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """A property, without regard to case if it is folded."""

    of: Property
    folded: bool = False

    @property
    def operand(self) -> Property | Folded:
        """The same for a catalogue."""
        return Folded(self.of) if self.folded else self.of

    @property
    def entry(self) -> Entry | Folded:
        """An entry of the property's list."""
        return Folded(Entry()) if self.folded else Entry()


Literal = str | float | Span
Operand = Subject | Literal


def operand_of(node: Any) -> Operand:
    """Read an operand.

    Raises:
        ParameterError: If it is none, or not one that a comparison takes.
    """
    if isinstance(node, str):
        return _text(node)
    if isinstance(node, (int, float)) and not isinstance(node, bool):
        return _number(node)
    if isinstance(node, Mapping):
        for name, read in _OBJECTS.items():
            if name in node:
                return read(node[name])
        if str(node.get("op")).lower() == "casei":
            return _folded(node.get("args"))
    return refuse(f"{str(node)[:60]} is no property, text, number or time that can be compared")


def span_of(value: Any, *, day: bool | None = None) -> Span:
    """Read a time.

    Args:
        value: A day or an instant.
        day: Whether it has to be a day, or has to be an instant.

    Raises:
        ParameterError: If it cannot be read.
    """
    if not isinstance(value, str) or "/" in value or (day is not None and day != (len(value) <= 10)):
        example = "2024-05-01" if day else "2024-05-01T10:20:30Z"
        refuse(f"{str(value)[:60]!r} is not a time like {example}")
    start, end = parse_interval(value)
    return Span(start or EARLIEST, end or LATEST)


def refuse(message: str) -> NoReturn:
    """Raise a ParameterError about the filter."""
    raise ParameterError(f"filter: {message}")


def _text(value: str) -> str:
    if not is_text(value) or "\0" in value:
        refuse("text has half of a character or a zero in it")
    if len(value) > MAX_TEXT:
        refuse(f"text has more than {MAX_TEXT} characters")
    return value


def _number(value: float) -> float:
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        refuse("a number has to be finite, and less than 1e308")
    return found


def _subject(name: Any) -> Subject:
    if not isinstance(name, str):
        refuse(f"{str(name)[:60]} is not the name of a property")
    known, found = queryables.find(name)
    if found.kind == "geometry":
        refuse("geometry is not compared; it goes into S_INTERSECTS(geometry, …)")
    return Subject(Property(known, found.kind))


def _folded(args: Any) -> Operand:
    if not isinstance(args, list) or len(args) != 1:
        refuse("CASEI takes one text")
    if isinstance(args[0], Mapping) and "op" in args[0]:
        refuse("CASEI takes a property or text, nothing that is computed")
    found = operand_of(args[0])
    if isinstance(found, Subject) and found.of.kind in ("text", "list"):
        return Subject(found.of, folded=True)
    if isinstance(found, str):
        return found.casefold()
    refuse("CASEI takes text")


def _interval(ends: Any) -> Span:
    if not isinstance(ends, list) or len(ends) != 2:
        refuse("INTERVAL takes two times, '..' for an open end")
    start = EARLIEST if ends[0] == ".." else _end(ends[0]).start
    end = LATEST if ends[1] == ".." else _end(ends[1]).end
    if end < start:
        refuse("INTERVAL ends before it starts")
    return Span(start, end)


def _end(node: Any) -> Span:
    if isinstance(node, Mapping):
        found = operand_of(node) if "timestamp" in node or "date" in node else None
        return found if isinstance(found, Span) else refuse("INTERVAL takes two times, no properties")
    return span_of(node)


_OBJECTS: Mapping[str, Callable[[Any], Operand]] = {
    "property": _subject,
    "timestamp": lambda value: span_of(value, day=False),
    "date": lambda value: span_of(value, day=True),
    "interval": _interval,
}
