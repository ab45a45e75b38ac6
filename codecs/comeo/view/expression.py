"""Band arithmetic as users write it: `(B08-B04)/(B08+B04)`, several results between `;`.

Python's own parser reads it, and only what is listed here is ever evaluated: numbers, band names, arithmetic,
comparisons, and a few functions. Everything is float32, so no number can grow without bound.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import to_power
from comeo.errors import BoundError, ParameterError

Values = NDArray[np.float32]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.Mod: np.mod,
    ast.BitAnd: np.logical_and,
    ast.BitOr: np.logical_or,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: np.logical_not,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
POWER = "pow"
"""The function that turns decibels into power."""
_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "exp": (1, np.exp),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "sin": (1, np.sin),
    "cos": (1, np.cos),
    "tan": (1, np.tan),
    "arctan": (1, np.arctan),
    "tanh": (1, np.tanh),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
    "where": (3, np.where),
    POWER: (1, to_power),
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Attributes:
        text: As written, without spaces around its parts.
        parts: One tree a result.
        bands: Names that it uses, in order of appearance.
        terms: Operators, names and numbers: each takes a pass over all pixels.
    """

    text: str
    parts: tuple[ast.expr, ...]
    bands: tuple[str, ...]
    terms: int

    @property
    def names(self) -> list[str]:
        """Name of each result: its own text."""
        return self.text.split(";")

    @property
    def whole_bands(self) -> list[str | None]:
        """Of each result the band that it is, unchanged, or None."""
        return [part.id if isinstance(part, ast.Name) else None for part in self.parts]

    def evaluate(self, bands: Mapping[str, Values]) -> Values:
        """Compute the results.

        Args:
            bands: (y, x) of every band in `self.bands`; NaN where invalid.

        Returns:
            (results, y, x), float32; NaN where any band that the result uses is, or the result is not finite.
        """
        shape = np.shape(next(iter(bands.values())))
        out = np.empty((len(self.parts), *shape), np.float32)
        with np.errstate(all="ignore"):
            for row, part in enumerate(self.parts):
                out[row] = _evaluate(part, bands)
                for name in _names(part):
                    out[row][np.isnan(bands[name])] = np.nan
        out[~np.isfinite(out)] = np.nan
        return out


@lru_cache(maxsize=256)
def parse(text: str, max_length: int, max_nodes: int, max_results: int) -> Expression:
    """Parse and check an expression.

    Raises:
        BoundError: If it is too long or too costly.
        ParameterError: If it is not valid.
    """
    if len(text) > max_length:
        raise BoundError(
            f"the expression has {len(text)} characters, more than {max_length}", "max_expression_length"
        )
    texts = [part.strip() for part in text.split(";") if part.strip()]
    if not texts:
        raise ParameterError("the expression is empty")
    if len(texts) > max_results:
        raise BoundError(f"the expression has {len(texts)} results, more than {max_results}", "max_bands")
    parts = tuple(_parse_part(part) for part in texts)
    nodes = sum(isinstance(node, ast.expr) for part in parts for node in ast.walk(part))
    if nodes > max_nodes:  # Before anything recursive looks at them.
        raise BoundError(f"the expression has {nodes} terms, more than {max_nodes}", "max_expression_nodes")
    for part, source in zip(parts, texts, strict=True):
        _check(part, source)
    bands = tuple(dict.fromkeys(name for part in parts for name in _names(part)))
    if not bands:
        raise ParameterError(f"the expression {_short(text)} names no band")
    return Expression(";".join(texts), parts, bands, nodes)


def _parse_part(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ParameterError(f"the expression {_short(text)} cannot be read: {error}") from error


def _check(tree: ast.expr, source: str) -> None:
    """Refuse everything that `_evaluate` does not handle."""
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            _check_node(node, _short(ast.get_source_segment(source, node) or source))


def _check_node(node: ast.expr, source: str) -> None:
    match node:
        case ast.Name():
            return
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value):
            if abs(value) < 1e30:
                return
        case ast.BinOp(op=op) if type(op) in _BINARY:
            return
        case ast.UnaryOp(op=op) if type(op) in _UNARY:
            return
        case ast.Compare(ops=[op]) if type(op) in _COMPARE:
            return
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            count = _FUNCTIONS[name][0]
            if len(args) == count:
                return
            hint = "; it is the power of decibels, and x to the y is x**y" if name == POWER else ""
            raise ParameterError(f"{name} takes {count} argument{'s' * (count > 1)}, not {len(args)}{hint}")
        case ast.Call():
            raise ParameterError(
                f"{source} calls an unknown function; functions of expressions are {', '.join(_FUNCTIONS)}"
            )
        case _:
            pass
    raise ParameterError(
        f"{source} is not allowed in an expression; use band names, numbers, + - * / % **, "
        "comparisons, & | ~ and functions"
    )


def _names(tree: ast.expr) -> list[str]:
    """Names of bands in a tree: all names but those of functions being called."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(node.id for node in nodes))


def _evaluate(node: ast.expr, bands: Mapping[str, Values]) -> Any:
    match node:
        case ast.Name(id=name):
            return bands[name]
        case ast.Constant(value=int() | float() as value):
            return np.float32(value)
        case ast.BinOp(left=left, op=op, right=right):
            return _float(_BINARY[type(op)](_evaluate(left, bands), _evaluate(right, bands)))
        case ast.UnaryOp(op=op, operand=operand):
            return _float(_UNARY[type(op)](_evaluate(operand, bands)))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _float(_COMPARE[type(op)](_evaluate(left, bands), _evaluate(right, bands)))
        case ast.Call(func=ast.Name(id=name), args=args):
            return _float(_FUNCTIONS[name][1](*(_evaluate(argument, bands) for argument in args)))
    raise ParameterError(f"{type(node).__name__} has no place in an expression")


def _float(values: Any) -> Any:
    """Keep to float32: truth values are 1 and 0."""
    return np.asarray(values, np.float32)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
