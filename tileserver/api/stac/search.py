"""STAC API Item Search: pages, tokens, geometries, and the fields that a client wants."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import shapely
from shapely.geometry.base import BaseGeometry

from comeo.errors import ParameterError
from tileserver.catalog import NEWEST_FIRST, Cursor, Hit, Order, Record, Search, SortKey
from tileserver.catalog.footprints import footprint
from tileserver.render.scenes import Scenes
from tileserver.text import is_text

MAX_SORT_KEYS = 5
# Items whose footprints are compared with a geometry for one page; a page that ends early leads to the next.
MAX_COMPARED = 2000
MOST_COUNTED = 10_000
"""A search that finds more leaves its number out: to count a million scenes takes longer than to find ten."""
_BATCH = 500
_LARGEST_INTEGER = 1 << 63
_ITEM_MEMBERS = frozenset(
    ("type", "stac_version", "stac_extensions", "id", "collection", "geometry", "bbox", "links", "assets",
     "properties")
)  # fmt: skip
_ALWAYS = (("id",), ("collection",))
# What makes a valid item.
_DEFAULT_FIELDS = (
    *((name,) for name in ("type", "stac_version", "geometry", "bbox", "links", "assets")),
    ("properties", "datetime"),
)
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of a search.

    Attributes:
        search: Criteria.
        limit: Items on the page.
        area: Geometry that items have to meet, or None.
        order: Sorting.
        token: Of the page before, or None.
    """

    search: Search
    limit: int
    area: BaseGeometry | None = None
    order: Order = NEWEST_FIRST
    token: str | None = None


class Page(NamedTuple):
    """Records of a page, the token of the next one, and how many there are in all where that is known."""

    records: list[Record]
    token: str | None
    matched: int | None


def find_page(scenes: Scenes, request: PageRequest) -> Page:
    """Find a page of a search.

    Raises:
        ParameterError: If the token is none of this server's, or belongs to another search.
    """
    after = _read_token(request.token, request.order) if request.token else None
    if request.area is not None:
        return _page_in_area(scenes, request, request.area, after)
    hits = scenes.catalog.hits(request.search, request.limit + 1, after, request.order)
    return _page(hits[: request.limit], request, more=len(hits) > request.limit,
                 matched=_matched(scenes, request, len(hits)))  # fmt: skip


def _matched(scenes: Scenes, request: PageRequest, found: int) -> int | None:
    """How many items a search finds; None if they are too many to be counted.

    Args:
        scenes: To count in.
        request: Of a page.
        found: Hits of it, and one more where there is another page.
    """
    if request.token is None and found <= request.limit:
        return found
    number = scenes.catalog.count(request.search, MOST_COUNTED + 1)
    return number if number <= MOST_COUNTED else None


def _page_in_area(scenes: Scenes, request: PageRequest, area: BaseGeometry, after: Cursor | None) -> Page:
    """Compare footprints in batches, until the page is full or enough has been compared."""
    shapely.prepare(area)
    search = _near(request.search, area)
    found: list[Hit] = []
    last: Hit | None = None
    for _ in range(MAX_COMPARED // _BATCH):
        batch = scenes.catalog.hits(search, _BATCH, after, request.order)
        for hit in batch:
            if area.intersects(_footprint(scenes, hit.record)):
                if len(found) == request.limit:
                    return _page(found, request, more=True)
                found.append(hit)
        if len(batch) < _BATCH:
            return _page(found, request, more=False)
        last = batch[-1]
        after = last.cursor
    return _page(found, request, more=True, last=last)


def _page(
    hits: list[Hit], request: PageRequest, *, more: bool, matched: int | None = None, last: Hit | None = None
) -> Page:
    last = last or (hits[-1] if hits else None)
    token = _write_token(last.cursor, request.order) if more and last else None
    return Page([hit.record for hit in hits], token, matched)


def order_of(keys: Iterable[tuple[str, bool]]) -> Order:
    """Order of results.

    Args:
        keys: Field and whether it goes down: `datetime`, `properties.datetime` or `eo:cloud_cover`.

    Raises:
        ParameterError: If there are too many, or one cannot be sorted by.
    """
    order = Order(tuple(SortKey(_sortable(field), descending) for field, descending in keys))
    if len(order.keys) > MAX_SORT_KEYS:
        raise ParameterError(f"sortby takes at most {MAX_SORT_KEYS} fields")
    order.check()
    return order if order.keys else NEWEST_FIRST


def _sortable(field: str) -> str:
    if field in _ITEM_MEMBERS - {"id", "collection"}:
        raise ParameterError(f"items cannot be sorted by {field}, only by id, collection and properties")
    return field.removeprefix("properties.")


def select_fields(item: Mapping[str, Any], include: Iterable[str], exclude: Iterable[str]) -> dict[str, Any]:
    """Reduce an item to what a client wants, as the STAC API Fields extension has it.

    Nothing given is the least that makes a valid item; without anything to include all is; of two paths one
    in the other the longer wins, and of two equal ones what is to be included. `gsd` means `properties.gsd`.
    """
    wanted, unwanted = [_path(name) for name in include], [_path(name) for name in exclude]
    out: dict[str, Any] = {} if wanted or not unwanted else dict(item)
    for path in (*_ALWAYS, *(wanted or _DEFAULT_FIELDS)) if not out else ():
        _copy(item, out, path)
    for path in unwanted:
        if not any(other[: len(path)] == path for other in wanted):
            _remove(out, path)
    return out


def _path(field: str) -> Path:
    parts = tuple(field.split("."))
    return parts if parts[0] in _ITEM_MEMBERS else ("properties", *parts)


def _copy(source: Mapping[str, Any], target: dict[str, Any], path: Path) -> None:
    """Copy what is at a path, into new objects on the way."""
    name, *rest = path
    value = source.get(name)
    if not rest and name in source:
        target[name] = value
    elif rest and isinstance(value, Mapping):
        _copy(value, target.setdefault(name, {}), tuple(rest))


def _remove(target: dict[str, Any], path: Path) -> None:
    """Remove what is at a path, and leave alone what the copied objects are made of."""
    name, *rest = path
    if not rest:
        target.pop(name, None)
    elif isinstance(target.get(name), dict):
        target[name] = dict(target[name])
        _remove(target[name], tuple(rest))


def _near(search: Search, area: BaseGeometry) -> Search:
    """A search narrowed to a geometry's bounds, unless it has a box of its own."""
    return search if search.bbox else replace(search, bbox=area.bounds)


def _footprint(scenes: Scenes, record: Record) -> BaseGeometry:
    document = scenes.catalog.item(record).get("geometry")
    return footprint(json.dumps(document), record.bbox)


def _write_token(cursor: Cursor, order: Order) -> str:
    document = [[[key.field, key.descending] for key in order.keys], *cursor]
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _read_token(token: str, order: Order) -> Cursor:
    """Place where a page goes on.

    Raises:
        ParameterError: If the token cannot be read, or is of another order.
    """
    try:
        keys, *cursor = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        known = [[key.field, key.descending] for key in order.keys]
        if (
            keys == known
            and all(map(_is_value, cursor))
            and all(isinstance(name, str) for name in cursor[-2:])
        ):
            return tuple(cursor)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        pass
    raise ParameterError("token is not one that this server gave for this search; start it anew")


def _is_value(value: Any) -> bool:
    """Whether a catalogue could have given a value."""
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, int):
        return abs(value) < _LARGEST_INTEGER
    return value is None or (isinstance(value, float) and math.isfinite(value))
