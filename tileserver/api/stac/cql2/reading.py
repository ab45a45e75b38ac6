"""CQL2 JSON as a condition for catalogues. Whatever a filter says passes here, bounded and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tileserver.api.stac.cql2 import comparisons, spatial
from tileserver.api.stac.cql2.operands import Literal, Operand, Span, Subject, operand_of, refuse, span_of
from tileserver.catalog.filters import Always, And, Comparison, Condition, Missing, Not, Or, Property

MAX_DEPTH = 16
"""Of conditions in each other; SQLite's parser has a stack of a hundred symbols."""
MAX_TERMS = 500
"""Operators and operands; SQLite nests a thousand deep, and ANDs in a row count."""
_LISTS = ("a_contains", "a_containedby", "a_equals", "a_overlaps")
_TIMES = ("t_after", "t_before", "t_disjoint", "t_during", "t_equals", "t_intersects")
_SWAPPED = {"t_after": "t_before", "t_before": "t_after"}
_CONDITIONS = (
    "and", "or", "not", *comparisons.OPERATORS, "between", "in", "like", "isNull", "s_intersects",
    *_TIMES, *_LISTS,
)  # fmt: skip


def condition_of(document: Any, max_vertices: int) -> Condition:
    """Read CQL2 JSON.

    Args:
        document: As parsed from JSON, or made of text.
        max_vertices: Most vertices of a geometry in it.

    Raises:
        ParameterError: Saying what cannot be done.
        BoundError: If a geometry has too many vertices.
    """
    return _Reader(max_vertices).condition(document, 0)


class _Reader:
    """Reads one filter, and counts its terms."""

    def __init__(self, max_vertices: int) -> None:
        self._max_vertices = max_vertices
        self._terms = 0
        self._handlers: Mapping[str, Callable[[str, list[Any], int], Condition]] = {
            "and": self._junction, "or": self._junction, "not": self._negation,
            **dict.fromkeys(comparisons.OPERATORS, self._comparison),
            "between": self._between, "in": self._in, "like": self._like, "isnull": self._missing,
            "s_intersects": self._intersects,
            **dict.fromkeys(_TIMES, self._times), **dict.fromkeys(_LISTS, self._list),
        }  # fmt: skip

    def condition(self, node: Any, depth: int) -> Condition:
        self._count()
        if depth > MAX_DEPTH:
            refuse(f"conditions are nested more than {MAX_DEPTH} deep")
        if isinstance(node, bool):
            return Always(node)
        if not isinstance(node, Mapping) or not isinstance(node.get("args"), list):
            refuse(f"{str(node)[:60]} is no condition; one is like eo:cloud_cover < 10")
        name = str(node.get("op"))
        handler = self._handlers.get(name.lower())
        if handler is None:
            refuse(f"{name[:40]!r} is no operator of this server; there are {', '.join(_CONDITIONS)}")
        return handler(name.lower(), node["args"], depth)

    def _count(self) -> None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            refuse(f"there are more than {MAX_TERMS} terms")

    def _operand(self, node: Any) -> Operand:
        self._count()
        return operand_of(node)

    def _junction(self, name: str, args: list[Any], depth: int) -> Condition:
        if not args:
            refuse(f"{name} takes one condition at least")
        found = tuple(self.condition(arg, depth + 1) for arg in args)
        return And(found) if name == "and" else Or(found)

    def _negation(self, name: str, args: list[Any], depth: int) -> Condition:
        return Not(self.condition(_several(name, args, 1)[0], depth + 1))

    def _comparison(self, name: str, args: list[Any], _: int) -> Condition:
        left, right = map(self._operand, _several(name, args, 2))
        return comparisons.compare(left, comparisons.OPERATORS[name], right)

    def _between(self, name: str, args: list[Any], _: int) -> Condition:
        subject, low, high = map(self._operand, _several(name, args, 3))
        return comparisons.between(subject, low, high)

    def _in(self, name: str, args: list[Any], _: int) -> Condition:
        subject, values = _several(name, args, 2)
        return comparisons.one_of(self._operand(subject), self._values(name, values))

    def _like(self, name: str, args: list[Any], _: int) -> Condition:
        subject, pattern = map(self._operand, _several(name, args, 2))
        return comparisons.like(subject, pattern)

    def _missing(self, name: str, args: list[Any], _: int) -> Condition:
        (node,) = _several(name, args, 1)
        if isinstance(node, Mapping) and node.get("property") == "geometry":
            return Always(False)
        subject = self._operand(node)
        if not isinstance(subject, Subject):
            refuse("IS NULL takes a property")
        return Missing(subject.of)

    def _list(self, name: str, args: list[Any], _: int) -> Condition:
        subject, values = _several(name, args, 2)
        some = values if isinstance(values, list) else [values]  # text writes a list of one as its entry
        return comparisons.list_condition(name, self._operand(subject), self._values(name, some))

    def _values(self, name: str, nodes: Any) -> list[Literal]:
        if not isinstance(nodes, list):
            refuse(f"{name} takes a list of values")
        found = [self._operand(node) for node in nodes]
        values = [one for one in found if not isinstance(one, Subject)]
        if len(values) < len(found):
            refuse(f"{name} takes values, no properties")
        return values

    def _intersects(self, name: str, args: list[Any], _: int) -> Condition:
        self._count()
        return spatial.meets(_several(name, args, 2), self._max_vertices)

    def _times(self, name: str, args: list[Any], _: int) -> Condition:
        left, right = map(self._operand, _several(name, args, 2))
        if not isinstance(left, Subject):
            left, right, name = right, left, _SWAPPED.get(name, name)
            if name == "t_during":
                refuse("T_DURING takes datetime first, then an interval")
        if not isinstance(left, Subject) or left.of.kind != "instant":
            refuse(f"{name} takes datetime and a time, or an interval")
        span = span_of(right) if isinstance(right, str) else right
        if not isinstance(span, Span):
            refuse(f"{name} takes datetime and a time, or an interval")
        return _in_time(name, left.of, span)


def _several(name: str, args: list[Any], count: int) -> list[Any]:
    if len(args) != count:
        refuse(f"{name} takes {count} operand{'s' * (count > 1)}, not {len(args)}")
    return args


def _in_time(name: str, moment: Property, span: Span) -> Condition:
    """Relation of an instant to a time that may last."""
    inside = And((Comparison(moment, ">=", span.start), Comparison(moment, "<=", span.end)))
    relations: Mapping[str, Condition] = {
        "t_after": Comparison(moment, ">", span.end),
        "t_before": Comparison(moment, "<", span.start),
        "t_intersects": inside,
        "t_disjoint": Not(inside),
        "t_equals": And((Comparison(moment, "=", span.start), Comparison(moment, "=", span.end))),
        "t_during": And((Comparison(moment, ">", span.start), Comparison(moment, "<", span.end))),
    }
    return relations[name]
