"""Formulas: read, checked, measured, and computed on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.indicators.functions import ALIASES, FUNCTIONS, OPERATORS, RADIUS, Function
from comeo.indicators.parsing import LONGEST, FormulaError, check_call, parse_formula, short
from comeo.indicators.tree import DEEPEST, MOST_NODES, Call, Name, Node, Number, walk

Values = NDArray[np.float32]
_WIDE: Final = {"focal_median": 40, "focal_std": 4, "lee": 6}
"""How many times the passes of a mean over a window others take, for `cost`."""


def names(node: Node) -> tuple[str, ...]:
    """Names that a formula uses, in order of appearance."""
    return tuple(dict.fromkeys(each.name for each in walk(node) if isinstance(each, Name)))


def halo(node: Node, pixel: float = 1.0) -> int:
    """Pixels around a pixel that its result depends on, to each side: radii summed along the deepest way.

    Args:
        node: The formula.
        pixel: Native pixels that one of them is wide.
    """
    return _deepest(node, lambda each: radius_on(_radius(each), pixel) if isinstance(each, Call) else 0)


def depth(node: Node) -> int:
    """Calls inside calls."""
    return _deepest(node, lambda _: 1)


def cost(node: Node) -> int:
    """Passes over all pixels: one a term, and two for each row of a window."""
    total = 0
    for each in walk(node):
        total += 1
        if isinstance(each, Call) and (radius := _radius(each)):
            total += 2 * (2 * radius + 1) * _WIDE.get(each.function, 1)
    return total


def check_tree(node: Node) -> None:
    """Refuse a tree, of JSON or made by a program, that no text of a formula gives.

    Raises:
        FormulaError: If a function is unknown or has arguments that it does not take.
    """
    for each in walk(node):
        match each:
            case Call(function=function, arguments=arguments, place=place):
                check_call(function, arguments, place)
            case Name(name=name, place=place) if not name.isidentifier() or name in OPERATORS:
                raise FormulaError(f"{short(name)} is not a name", place, "write letters, digits and _")


def evaluate(node: Node, values: Mapping[str, Any], shape: tuple[int, ...], pixel: float = 1.0) -> Values:
    """Compute a formula.

    Args:
        node: The formula.
        values: Array of each name that it uses, float32, NaN where not known.
        shape: (y, x) of the result. Pixels within `halo(node)` of an edge lack neighbours beyond it.
        pixel: Native pixels that one of these is wide: see `radius_on`.

    Returns:
        Float32 of that shape, NaN where the result is not finite.
    """
    with np.errstate(all="ignore"):
        result = np.broadcast_to(
            np.asarray(Evaluation(node, values, shape, pixel).of(node), np.float32), shape
        )
        out = result.copy() if not result.flags.writeable or result.base is not None else result
        if any(out is each for each in values.values()):
            out = out.copy()
        out[~np.isfinite(out)] = np.nan
    return out


class Evaluation:
    """One computation. What a tree has in several places, as steps of documents do, is computed once.

    Args:
        node: The whole formula.
        values: Array of each name.
        shape: (y, x).
        pixel: Native pixels that one of these is wide.
    """

    def __init__(
        self, node: Node, values: Mapping[str, Any], shape: tuple[int, ...], pixel: float = 1.0
    ) -> None:
        self._shared = shared(node)
        self._known: dict[int, Any] = {}
        self._values = values
        self._shape = shape
        self._pixel = pixel

    def of(self, node: Node) -> Any:
        """The value of a part of the formula: an array, or a scalar where it is the same everywhere."""
        match node:
            case Name(name=name):
                return self._values[name]
            case Number(value=value):
                return np.float32(value)
        if id(node) in self._known:
            return self._known[id(node)]
        function = FUNCTIONS[node.function]
        result = self._call(function, node.arguments)
        if id(node) in self._shared:
            self._known[id(node)] = result
        return result

    def _call(self, function: Function, arguments: tuple[Node, ...]) -> Any:
        if function.spatial:
            image = np.broadcast_to(np.asarray(self.of(arguments[0]), np.float32), self._shape)
            return function.compute(image, radius_on(radius_of(arguments[1]), self._pixel))
        return np.asarray(function.compute(*map(self.of, arguments)), np.float32)


def shared(node: Node) -> set[int]:
    """Identities of the calls that stand in several places of a tree."""
    seen, found, waiting = set[int](), set[int](), [node]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, Call):
            continue
        if id(each) in seen:
            found.add(id(each))
            continue
        seen.add(id(each))
        waiting.extend(each.arguments)
    return found


def radius_of(argument: Node) -> int:
    """The radius of a spatial function, which is a plain number."""
    return int(argument.value) if isinstance(argument, Number) else 0


def radius_on(radius: int, pixel: float) -> int:
    """A radius in native pixels, in wider ones: of the window that comes closest."""
    return int((radius + 0.5) / pixel)


def _radius(call: Call) -> int:
    return radius_of(call.arguments[1]) if FUNCTIONS[call.function].spatial else 0


def _deepest(node: Node, weight: Any) -> int:
    """Greatest sum of weights along any way from the node down."""
    most, waiting = 0, [(node, 0)]
    while waiting:
        each, above = waiting.pop()
        total = above + weight(each)
        most = max(most, total)
        if isinstance(each, Call):
            waiting.extend((argument, total) for argument in each.arguments)
    return most


__all__ = [
    "ALIASES",
    "DEEPEST",
    "FUNCTIONS",
    "LONGEST",
    "MOST_NODES",
    "OPERATORS",
    "RADIUS",
    "Evaluation",
    "FormulaError",
    "Function",
    "check_tree",
    "cost",
    "depth",
    "evaluate",
    "halo",
    "names",
    "parse_formula",
    "radius_of",
    "radius_on",
    "shared",
    "short",
]  # fmt: skip
