"""Conditions on properties as SQL, with all values bound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

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
from tileserver.catalog.rows import microseconds

_COLUMNS: Final = frozenset(("id", "collection", "datetime"))
_PART: Final = re.compile(r"\\(.)|(%)|(_)|(.)", re.DOTALL)
_TEXTS: Final = 'COLLATE "C"'  # by code points
Sql = tuple[str, list[Any]]
Meeting = Callable[[BaseGeometry], list[int]]
"""Numbers of the scenes whose footprints touch a geometry, among those that a search may find."""


def sql_of(condition: Condition, meeting: Meeting) -> Sql:  # noqa: PLR0911 - one for each kind
    """SQL of a condition, and its values."""
    match condition:
        case Always(value):
            return ("true" if value else "false"), []
        case Not(inner):
            text, values = sql_of(inner, meeting)
            return f"(NOT {text})", values
        case And(inner):
            return _joined(" AND ", [sql_of(one, meeting) for one in inner])
        case Or(inner):
            return _joined(" OR ", [sql_of(one, meeting) for one in inner])
        case Comparison(left, operator, right):
            return _joined(f" {operator} ", [_operand(left), _operand(right)])
        case In(operand, values):
            kind = "text" if all(isinstance(value, str) for value in values) else "double precision"
            return _joined("", [_operand(operand), (f" = ANY(%s::{kind}[])", [list(values)])])
        case Like(operand, pattern):
            return _joined("", [_operand(operand), (" LIKE %s", [_pattern(pattern)])])
        case Missing(operand):
            return _joined("", [_operand(operand), (" IS NULL", [])])
        case Some(operand, inner):
            return _some(operand, inner, meeting)
        case Meets(geometry):
            return "(number = ANY(%s::bigint[]))", [meeting(geometry)]


def _joined(operator: str, parts: Sequence[Sql]) -> Sql:
    return (
        f"({operator.join(text for text, _ in parts)})",
        [value for _, values in parts for value in values],
    )


def _operand(operand: Operand) -> Sql:  # noqa: PLR0911 - one for each kind
    match operand:
        case Entry():
            return f"(entry.value #>> '{{}}') {_TEXTS}", []
        case Folded(Entry()):
            return f"(entry.folded_value #>> '{{}}') {_TEXTS}", []
        case Folded(Property(name, _)) if name in _COLUMNS:
            return f"coalesce(folded ->> %s::text, {name}) {_TEXTS}", [name]
        case Folded(Property(name, _)):
            return _of_kind(name, "text", "coalesce(folded ->> %s::text, properties ->> %s::text)", 2)
        case Property(name, _) if name in _COLUMNS:
            return name, []
        case Property(name, "list"):  # never compared itself: whether there is one is all that is asked
            return _of_kind(name, "list", "1", 0)
        case Property("eo:cloud_cover", "number"):
            return "clouds", []
        case Property(name, "number"):
            return "number_of(properties -> %s::text)", [name]
        case Property(name, _):
            return _of_kind(name, "text", "properties ->> %s::text", 1)
        case datetime():
            return "%s::bigint", [microseconds(operand)]
        case str():
            return f"%s::text {_TEXTS}", [operand]
        case _:
            return "%s::double precision", [operand]


_TYPES: Final[dict[Kind, str]] = {"text": "'string'", "list": "'array', 'string'"}


def _of_kind(name: str, kind: Kind, value: str, names: int) -> Sql:
    """A property's value where it is of a kind; none else."""
    return (
        f"(CASE WHEN jsonb_typeof(properties -> %s::text) IN ({_TYPES[kind]}) THEN {value} END)"
        + (f" {_TEXTS}" if kind == "text" else ""),
        [name] * (1 + names),
    )


def _some(operand: Property, condition: Condition, meeting: Meeting) -> Sql:
    inner, values = sql_of(condition, meeting)
    entries = (
        "ROWS FROM (jsonb_array_elements(list_of(properties -> %s::text)), "
        "jsonb_array_elements(list_of(coalesce(folded -> %s::text, properties -> %s::text))))"
    )
    known, known_values = _operand(operand)
    return (
        f"(CASE WHEN {known} IS NOT NULL THEN EXISTS (SELECT FROM {entries} AS entry (value, folded_value) "
        f"WHERE jsonb_typeof(entry.value) = 'string' AND {inner}) END)",
        [*known_values, *[operand.name] * 3, *values],
    )


def _pattern(pattern: str) -> str:
    """A pattern of LIKE, in which a backslash at the end stands for itself."""
    return "".join(_pattern_parts(pattern))


def _pattern_parts(pattern: str) -> Iterator[str]:
    for escaped, many, one, plain in _PART.findall(pattern):
        yield many or one or f"\\{escaped or plain}"
