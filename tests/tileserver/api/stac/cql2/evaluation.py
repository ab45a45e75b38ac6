"""CQL2 JSON evaluated over STAC Items in plain Python: what the catalogue's answers are compared with.

Written from OGC 21-065r2, without a look at what it checks. None is unknown.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shapely.geometry import MultiPolygon, box, shape

Json = Any
_COMPARE = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
_LISTS = ("instruments", "sar:polarizations")
_NUMBERS = ("eo:cloud_cover", "gsd", "view:off_nadir")
_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "t_after": "t_before", "t_before": "t_after"}


def holds(node: Json, item: Json) -> bool | None:  # noqa: PLR0911 - one for each kind
    """Whether an item meets a condition."""
    if isinstance(node, bool):
        return node
    name, args = node["op"], node["args"]
    if name in ("and", "or", "not"):
        return _logic(name, [holds(arg, item) for arg in args])
    if name == "isNull":
        return args[0]["property"] != "geometry" and _value(args[0], item) is None
    if name == "s_intersects":
        place = args[0] if args[1] == {"property": "geometry"} else args[1]
        return bool(shape(item["geometry"]).intersects(_place(place)))
    if name in _MIRROR and not _is_property(args[0]):
        return holds({"op": _MIRROR[name], "args": [args[1], args[0]]}, item)
    if not _is_property(args[0]):
        args = [args[1], args[0]]
    subject = _value(args[0], item)
    if subject is None:
        return None
    if _name(args[0]) == "datetime":
        return _time(name, subject, args[1:])
    if isinstance(subject, list):
        return _list(name, subject, args[1])
    return _scalar(name, subject, [_value(arg, item) for arg in args[1:]])


def _logic(name: str, values: Sequence[bool | None]) -> bool | None:
    if name == "not":
        return None if values[0] is None else not values[0]
    decisive = name == "or"
    return decisive if decisive in values else None if None in values else not decisive


def _scalar(name: str, subject: Any, values: list[Any]) -> bool | None:
    if any(value is None for value in values):
        return None
    if name == "in":
        return bool(subject in values[0])
    if name == "like":
        return _like(subject, values[0])
    if name == "between":
        return bool(values[0] <= subject <= values[1])
    return bool(_COMPARE[name](subject, values[0]))


def _list(name: str, subject: list[str], node: Json) -> bool:
    values = _value(node, {})
    if name in ("=", "<>"):
        return (values in subject) == (name == "=")
    if name == "like":
        return any(_like(entry, values) for entry in subject)
    have, want = set(subject), set(values)
    return {
        "in": bool(have & want), "a_overlaps": bool(have & want), "a_contains": have >= want,
        "a_containedBy": have <= want, "a_equals": have == want,
    }[name]  # fmt: skip


def _time(name: str, moment: datetime, nodes: list[Json]) -> bool:
    if name == "in":
        return any(start <= moment <= end for start, end in map(_span, nodes[0]))
    if name == "between":
        return _span(nodes[0])[0] <= moment <= _span(nodes[1])[1]
    start, end = _span(nodes[0])
    inside = start <= moment <= end
    return {
        "=": inside, "<>": not inside, "<": moment < start, "<=": moment <= end, ">": moment > end,
        ">=": moment >= start, "t_after": moment > end, "t_before": moment < start, "t_intersects": inside,
        "t_disjoint": not inside, "t_equals": start == moment == end, "t_during": start < moment < end,
    }[name]  # fmt: skip


def _span(node: Json) -> tuple[datetime, datetime]:
    if isinstance(node, dict) and "interval" in node:
        first, last = node["interval"]
        start = datetime.min.replace(tzinfo=UTC) if first == ".." else _span(first)[0]
        return start, datetime.max.replace(tzinfo=UTC) if last == ".." else _span(last)[1]
    text = node if isinstance(node, str) else next(iter(node.values()))
    moment = datetime.fromisoformat(text)
    if len(text) > 10:
        return moment, moment
    day = moment.replace(tzinfo=UTC)
    return day, day + timedelta(days=1) - timedelta(microseconds=1)


def _place(node: Json) -> Any:
    if "bbox" not in node:
        return shape(node)
    west, south, east, north = node["bbox"]
    if west <= east:
        return box(west, south, east, north)
    return MultiPolygon([box(west, south, 180, north), box(-180, south, east, north)])


def _like(text: str, pattern: str) -> bool:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    words = {"%": ".*", "_": "."}
    expression = "".join(words.get(part, re.escape(part[1:] if len(part) > 1 else part)) for part in parts)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _is_property(node: Json) -> bool:
    return isinstance(node, dict) and (
        "property" in node or (node.get("op") == "casei" and _is_property(node["args"][0]))
    )


def _name(node: Json) -> str:
    return _name(node["args"][0]) if "op" in node else str(node["property"]).removeprefix("properties.")


def _value(node: Json, item: Json) -> Any:  # noqa: PLR0911 - one for each kind
    """Value of an operand; None if the item has none of the right kind."""
    if isinstance(node, list):
        return [_value(one, item) for one in node]
    if not isinstance(node, dict):
        return node
    if node.get("op") == "casei":
        inner = _value(node["args"][0], item)
        return [one.casefold() for one in inner] if isinstance(inner, list) else inner and inner.casefold()
    name = _name(node)
    found = item[name] if name in ("id", "collection") else item["properties"].get(name)
    if name == "datetime":
        return None if item["properties"].get("comeo:datetime_unknown") else datetime.fromisoformat(found)
    if name in _LISTS:
        texts = [found] if isinstance(found, str) else found
        return [one for one in texts if isinstance(one, str)] if isinstance(texts, list) else None
    if name in _NUMBERS:
        return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None
    return found if isinstance(found, str) else None
