"""The parameters `filter` and `query` of a search as one condition."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from comeo.errors import ParameterError
from tileserver.api.stac.cql2 import queryables, reading, text
from tileserver.catalog.filters import Condition
from tileserver.text import is_text

TEXT, JSON = "cql2-text", "cql2-json"
CRS84 = ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "http://www.opengis.net/def/crs/OGC/0/CRS84")
MAX_FILTER = 8000
"""Characters of text, or of JSON in an address."""
_COMPARISONS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_PATTERNS = {"startsWith": "{}%", "endsWith": "%{}", "contains": "%{}%"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def read(
    filter_: Any, language: str | None, crs: str | None, query: Any, max_vertices: int
) -> Condition | None:
    """Read what a search is to be narrowed to.

    Args:
        filter_: CQL2: text, JSON, or text of JSON; None or blank for none.
        language: `cql2-text` or `cql2-json`; None to go by what the filter is.
        crs: Of its geometries; CRS84 alone.
        query: Of the Query extension: an object, or text of it; None or blank for none.
        max_vertices: Most vertices of a geometry.

    Raises:
        ParameterError: Saying what cannot be read.
        BoundError: If a geometry has too many vertices.
    """
    if crs is not None and crs not in CRS84:
        raise ParameterError(f"filter-crs: geometries are in degrees, {CRS84[0]}")
    documents = [*_filters(filter_, language), *_queries(query)]
    if not documents:
        return None
    # One document, so that the bounds hold for both together.
    whole = documents[0] if len(documents) == 1 else {"op": "and", "args": documents}
    return reading.condition_of(whole, max_vertices)


def _filters(given: Any, language: str | None) -> list[Any]:
    if language not in (None, TEXT, JSON):
        raise ParameterError(f"filter-lang is {TEXT} or {JSON}")
    if given is None or (isinstance(given, str) and not given.strip()):
        return []
    if not isinstance(given, str):
        if language == TEXT:
            raise ParameterError(f"filter is JSON, and filter-lang says {TEXT}")
        return [given]
    _check_text("filter", given)
    if language == JSON or (language is None and given.lstrip().startswith("{")):
        return [_json("filter", given)]
    return [text.parse(given)]


def _queries(given: Any) -> list[Any]:
    """`{"eo:cloud_cover": {"lt": 10}}` as CQL2 JSON."""
    if isinstance(given, str):
        _check_text("query", given)
        given = _json("query", given) if given.strip() else None
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise ParameterError('query is an object like {"eo:cloud_cover": {"lt": 10}}')
    return [one for name, wanted in given.items() for one in _property_queries(str(name), wanted)]


def _property_queries(name: str, wanted: Any) -> list[Any]:
    if not isinstance(wanted, Mapping):
        raise ParameterError(f'query: {name[:60]} takes an object like {{"lt": 10}}')
    kind = queryables.find(name)[1].kind
    known = ", ".join((*_COMPARISONS, *_PATTERNS, "in"))
    found = []
    for operator, value in wanted.items():
        if operator in _COMPARISONS:
            found.append(_op(_COMPARISONS[operator], name, _value(value, kind)))
        elif operator in _PATTERNS and isinstance(value, str):
            found.append(_op("like", name, _PATTERNS[operator].format(_literally(value))))
        elif operator == "in" and isinstance(value, list):
            found.append(_op("in", name, [_value(one, kind) for one in value]))
        else:
            raise ParameterError(
                f"query: {str(operator)[:40]!r} of {name[:60]} is none of {known}, or its value no text"
            )
    return found


def _op(operator: str, name: str, value: Any) -> Any:
    return {"op": operator, "args": [{"property": name}, value]}


def _value(value: Any, kind: str) -> Any:
    """A value; pystac-client writes numbers as text: `query=["eo:cloud_cover<10"]`."""
    if kind == "number" and isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return value


def _literally(value: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", value)


def _check_text(name: str, given: str) -> None:
    if len(given) > MAX_FILTER:
        raise ParameterError(f"{name} has more than {MAX_FILTER} characters")
    if not is_text(given):
        raise ParameterError(f"{name} is not text: it has half of a character")


def _json(name: str, given: str) -> Any:
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{name} is not JSON") from error
