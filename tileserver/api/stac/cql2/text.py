"""CQL2 text as CQL2 JSON.

The grammar is ours and the parser lark's, LALR(1): time grows with the length alone, and nothing recurses.
Why no package does it: docs/decisions/0011-cql2-by-lark.md.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput
from lark.visitors import v_args

from comeo.errors import ParameterError

Json = Any
# Literals that look like functions with text or numbers.
_INSTANTS = ("timestamp", "date")
_LITERALS = ("interval", "bbox")
_SHAPES = {
    name.lower(): name
    for name in ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
}


def parse(text: str) -> Json:
    """Read CQL2 text.

    Returns:
        The same as CQL2 JSON; names of functions are as the client wrote them.

    Raises:
        ParameterError: Saying where it cannot be read.
    """
    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        place = min(max(error.pos_in_stream or 0, 0), len(text))
        if isinstance(getattr(error, "token", None), Token) and error.token.type == "$END":  # type: ignore[attr-defined]
            place = len(text)
        rest = f"before {text[place : place + 20]!r}" if text[place:].strip() else "at its end"
        raise ParameterError(
            f"filter is not CQL2 text: it cannot be read {rest} (character {place + 1}); an example is "
            "eo:cloud_cover < 10 AND platform = 'sentinel-2a'"
        ) from error


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=_ToJson(), maybe_placeholders=False)


def _op(name: str, *args: Json) -> Json:
    return {"op": name, "args": list(args)}


def _negated(name: str, *args: Json) -> Json:
    return _op("not", _op(name, *args))


@v_args(inline=True)
class _ToJson(Transformer[Token, Json]):
    """Makes CQL2 JSON while the text is being parsed; a method a rule of the grammar."""

    def disjunction(self, *args: Json) -> Json:
        return _op("or", *args)

    def conjunction(self, *args: Json) -> Json:
        return _op("and", *args)

    def negated(self, arg: Json) -> Json:
        return _op("not", arg)

    def comparison(self, left: Json, operator: Token, right: Json) -> Json:
        return _op("<>" if operator == "!=" else str(operator), left, right)

    def like(self, *args: Json) -> Json:
        return _op("like", *args)

    def not_like(self, *args: Json) -> Json:
        return _negated("like", *args)

    def between(self, *args: Json) -> Json:
        return _op("between", *args)

    def not_between(self, *args: Json) -> Json:
        return _negated("between", *args)

    def in_(self, *args: Json) -> Json:
        return _op("in", *args)

    def not_in(self, *args: Json) -> Json:
        return _negated("in", *args)

    def is_null(self, arg: Json) -> Json:
        return _op("isNull", arg)

    def is_not_null(self, arg: Json) -> Json:
        return _negated("isNull", arg)

    def call(self, name: Token, args: list[Json]) -> Json:
        known = name.lower()
        if known in _INSTANTS and len(args) == 1:
            return {known: args[0]}
        return {known: args} if known in _LITERALS else _op(str(name), *args)

    def property(self, name: Token) -> Json:
        return {"property": str(name)}

    def quoted_property(self, name: Token) -> Json:
        return {"property": name[1:-1].replace('""', '"')}

    def text(self, token: Token) -> str:
        return token[1:-1].replace("''", "'").replace("\\'", "'")

    def number(self, token: Token) -> float:
        return float(token)

    def true(self) -> bool:
        return True

    def false(self) -> bool:
        return False

    def array(self, *args: Json) -> list[Json]:
        return list(args)

    def operands(self, *args: Json) -> list[Json]:
        return list(args)

    def positions(self, *parts: Json) -> list[Json]:
        return list(parts)

    def position(self, *numbers: Token) -> list[float]:
        return [float(number) for number in numbers]

    def shape(self, name: Token, positions: list[Json]) -> Json:
        kind = _SHAPES[name.lower()]
        single = kind == "Point" and len(positions) == 1
        # WKT writes the points of a MultiPoint with parentheses of their own, or without.
        points = kind == "MultiPoint" and all(
            len(part) == 1 and isinstance(part[0], list) for part in positions
        )
        coordinates = positions[0] if single else [part[0] for part in positions] if points else positions
        return {"type": kind, "coordinates": coordinates}

    def collection(self, *members: Json) -> Json:
        return {"type": "GeometryCollection", "geometries": list(members)}
