"""The functions of formulas: what they compute of arrays, and how results change with arguments.

Arrays are float32 (y, x); a number is a scalar of the same type. A result is NaN where an argument is, but
for `isvalid`, which says whether it is a number, and `if_`, whose result is the argument that is chosen.
Truth is 1, and falsehood 0; in conditions every number but 0 is true.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import to_decibels, to_power
from comeo.indicators import windows

Values = NDArray[np.float32]
Partials = Callable[..., tuple[Any, ...]]
_LN10: Final = float(np.log(10.0))


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    Attributes:
        name: In trees; operators are their signs.
        least: Number of arguments, at least.
        compute: The result, of arguments as arrays or scalars.
        partials: Derivative by each argument, of the arguments and the result; None where the result goes in
            steps, so that its derivative is 0.
        most: Number of arguments, at most; 0 is the same as `least`.
        spatial: Whether a pixel's result depends on those around it: `compute` takes a whole image of the
            first argument, and the second is a radius in pixels, a plain number.
        openeo: The process of openEO of the same meaning, or empty.
    """

    name: str
    least: int
    compute: Callable[..., Any]
    partials: Partials | None = None
    most: int = 0
    spatial: bool = False
    openeo: str = ""

    @property
    def counts(self) -> tuple[int, int]:
        """How many arguments it takes, at least and at most."""
        return self.least, self.most or self.least


def truth(values: Any) -> Any:
    """Where values are true: not 0. NaN counts as true, and is to be told apart."""
    return np.not_equal(values, 0)


def _known(result: Any, *arguments: Any) -> Values:
    """A result as float32, NaN where an argument is."""
    out = np.asarray(result, np.float32)
    unknown = functools.reduce(np.logical_or, map(np.isnan, arguments))
    return np.where(unknown, np.float32(np.nan), out) if np.any(unknown) else out


def _strict(compute: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does not hand on NaN of itself, so that it does."""
    return lambda *arguments: _known(compute(*arguments), *arguments)


def _negated(a: Any, b: Any = None) -> Any:
    return np.negative(a) if b is None else np.subtract(a, b)


def _chosen(condition: Any, yes: Any, no: Any) -> Values:
    return _known(np.where(truth(condition), yes, no), condition)


def _clipped(x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _difference(a: Any, b: Any) -> Any:
    return np.divide(a - b, a + b)


def _fold(compute: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *arguments: functools.reduce(compute, arguments)


def _is_extreme(*arguments: Any) -> tuple[Any, ...]:
    """The result of least or greatest follows the argument that it is; halves where several are."""
    *values, result = arguments
    same = [np.asarray(np.equal(each, result), np.float32) for each in values]
    count = np.maximum(functools.reduce(np.add, same), 1)
    return tuple(each / count for each in same)


def _power_partials(a: Any, b: Any, result: Any) -> tuple[Any, ...]:
    return b * np.power(a, np.subtract(b, 1)), np.where(np.greater(a, 0), result * np.log(np.abs(a)), 0)


def _difference_partials(a: Any, b: Any, _: Any) -> tuple[Any, ...]:
    total = np.square(a + b)
    return 2 * b / total, -2 * a / total


def _clip_partials(x: Any, low: Any, high: Any, _: Any) -> tuple[Any, ...]:
    below, above = np.less(x, low), np.greater(x, high)
    return tuple(np.asarray(each, np.float32) for each in (~(below | above), below, above))


def _choice_partials(condition: Any, _yes: Any, _no: Any, _: Any) -> tuple[Any, ...]:
    chosen = np.asarray(truth(condition), np.float32)
    return np.float32(0), chosen, 1 - chosen


def _comparisons() -> list[Function]:
    signs: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
        "<": (np.less, "lt"), "<=": (np.less_equal, "lte"), ">": (np.greater, "gt"),
        ">=": (np.greater_equal, "gte"), "==": (np.equal, "eq"), "!=": (np.not_equal, "neq"),
    }  # fmt: skip
    return [Function(sign, 2, _strict(compute), openeo=name) for sign, (compute, name) in signs.items()]


_ARITHMETIC: Final = [
    Function("+", 2, np.add, lambda *_: (1, 1), openeo="add"),
    Function("-", 1, _negated, lambda *each: (-1,) if len(each) == 2 else (1, -1), most=2, openeo="subtract"),
    Function("*", 2, np.multiply, lambda a, b, _: (b, a), openeo="multiply"),
    Function("/", 2, np.divide, lambda _, b, result: (1 / b, -result / b), openeo="divide"),
    Function("%", 2, np.mod, lambda a, b, _: (1, -np.floor(a / b)), openeo="mod"),
    Function("**", 2, _strict(np.power), _power_partials, openeo="power"),
]
_LOGIC: Final = [
    *_comparisons(),
    Function("and", 2, _strict(np.logical_and), openeo="and"),
    Function("or", 2, _strict(np.logical_or), openeo="or"),
    Function("not", 1, _strict(np.logical_not), openeo="not"),
    Function("if_", 3, _chosen, _choice_partials, openeo="if"),
    Function("isvalid", 1, lambda x: np.asarray(np.isfinite(x), np.float32), openeo="is_valid"),
]
_ANALYSIS: Final = [
    Function("abs", 1, np.abs, lambda x, _: (np.sign(x),), openeo="absolute"),
    Function("sqrt", 1, np.sqrt, lambda _, result: (0.5 / result,), openeo="sqrt"),
    Function("exp", 1, np.exp, lambda _, result: (result,), openeo="exp"),
    Function("log", 1, np.log, lambda x, _: (1 / x,), openeo="ln"),
    Function("log10", 1, np.log10, lambda x, _: (1 / (x * np.float32(_LN10)),), openeo="log"),
    Function("sin", 1, np.sin, lambda x, _: (np.cos(x),), openeo="sin"),
    Function("cos", 1, np.cos, lambda x, _: (-np.sin(x),), openeo="cos"),
    Function("tan", 1, np.tan, lambda _, result: (1 + result * result,), openeo="tan"),
    Function("arctan", 1, np.arctan, lambda x, _: (1 / (1 + x * x),), openeo="arctan"),
    Function("tanh", 1, np.tanh, lambda _, result: (1 - result * result,), openeo="tanh"),
    Function("atan2", 2, np.arctan2, lambda y, x, _: (x / (x * x + y * y), -y / (x * x + y * y)),
             openeo="arctan2"),
    Function("floor", 1, np.floor, openeo="floor"),
    Function("round", 1, np.round, openeo="round"),
    Function("min", 2, _fold(np.minimum), _is_extreme, most=8, openeo="min"),
    Function("max", 2, _fold(np.maximum), _is_extreme, most=8, openeo="max"),
    Function("clip", 3, _clipped, _clip_partials, openeo="clip"),
    Function("nd", 2, _difference, _difference_partials, openeo="normalized_difference"),
    Function("db", 1, lambda x: to_decibels(np.asarray(x, np.float32)),
             lambda x, _: (np.float32(10 / _LN10) / x,)),
    Function("lin", 1, lambda x: to_power(np.asarray(x, np.float32)),
             lambda _, result: (result * np.float32(_LN10 / 10),)),
]  # fmt: skip
_SPATIAL: Final = [
    Function("focal_mean", 2, windows.mean, spatial=True),
    Function("focal_median", 2, windows.median, spatial=True),
    Function("focal_std", 2, windows.std, spatial=True),
    Function("focal_min", 2, windows.least, spatial=True),
    Function("focal_max", 2, windows.greatest, spatial=True),
    Function("lee", 2, windows.lee, spatial=True),
]

FUNCTIONS: Final[dict[str, Function]] = {
    each.name: each for each in (*_ARITHMETIC, *_LOGIC, *_ANALYSIS, *_SPATIAL)
}
"""All functions, operators included, by their names in trees."""
ALIASES: Final = {"where": "if_", "pow": "lin", "atan": "arctan", "arctan2": "atan2"}
"""Other spellings of functions; trees have the names on the right."""
OPERATORS: Final = frozenset(name for name in FUNCTIONS if not name.isidentifier()) | {"and", "or", "not"}
RADIUS: Final = 7
"""Pixels from the centre of the largest window to its edge."""
