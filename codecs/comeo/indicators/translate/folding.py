"""Formulas with what is known beforehand worked out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from comeo.indicators.formula import FUNCTIONS, Evaluation
from comeo.indicators.translate.common import NEVER, called
from comeo.indicators.tree import Call, Name, Node, Number

_FALSE, _TRUE = Number(0.0), Number(1.0)
_TRUTHS = frozenset({"<", "<=", ">", ">=", "==", "!=", "and", "or", "not", "isvalid"})


def fold(function: str, *arguments: Node) -> Node:  # noqa: PLR0911 - a rule each
    """A call with constants worked out, as a program that is read step by step needs it.

    What is unknown counts as false in conditions, as in JavaScript.
    """
    match function, arguments:
        case "if_", (condition, yes, no):
            return _chosen(condition, yes, no)
        case "and", (one, other):
            return _both(one, other)
        case "or", (one, other):
            return (
                fold("not", _both(fold("not", one), fold("not", other)))
                if _constant(one, other)
                else Call("or", (one, other))
            )
        case "not", (Call(function="not", arguments=(inner,)),) if is_truth(inner):
            return inner
        case "isvalid", (argument,) if argument == NEVER:
            return _FALSE
        case "*", (Number(value=10.0), Call(function="log10", arguments=(Call(function="lin") as power,))):
            return called("db", power)
        case (("db" | "lin"), _):
            return called(function, *arguments)
    if NEVER in arguments and function != "isvalid":
        return _FALSE if function in _TRUTHS else NEVER
    if all(isinstance(each, Number) for each in arguments) and not FUNCTIONS[function].spatial:
        call = Call(function, arguments)
        with np.errstate(all="ignore"):
            value = float(Evaluation(call, {}, ()).of(call))
        exact = _exact(function, arguments)
        if math.isinf(value):  # has no text; on the way it may still give a number, as in 1 / (1 / 0)
            return call
        return NEVER if math.isnan(value) else Number(value if exact is None else exact)
    return Call(function, arguments)


def put_known(node: Node, known: Mapping[str, float]) -> Node:
    """A formula with numbers for some names, and worked out as far as that goes."""
    done: dict[int, Node] = {}

    def of(node: Node) -> Node:
        match node:
            case Name(name=name):
                return Number(float(known[name])) if name in known else node
            case Call(function=function, arguments=arguments) if node is not NEVER:
                if id(node) not in done:
                    done[id(node)] = fold(function, *map(of, arguments))
                return done[id(node)]
        return node

    return of(node)


def is_truth(node: Node) -> bool:
    """Whether a formula is 0 or 1 by what it is."""
    return isinstance(node, Call) and node.function in _TRUTHS


def _chosen(condition: Node, yes: Node, no: Node) -> Node:
    if isinstance(condition, Number):
        return yes if condition.value else no
    if condition == NEVER:
        return no
    if (yes, no) == (_TRUE, _FALSE) and is_truth(condition):
        return condition
    if (yes, no) == (_FALSE, _TRUE):
        return fold("not", condition)
    return yes if yes == no else Call("if_", (condition, yes, no))


def _both(one: Node, other: Node) -> Node:
    for each, rest in ((one, other), (other, one)):
        if each in (NEVER, _FALSE):
            return _FALSE
        if isinstance(each, Number):
            return rest if is_truth(rest) or isinstance(rest, Number) else Call("!=", (rest, _FALSE))
    return Call("and", (one, other))


def _constant(*arguments: Node) -> bool:
    return any(isinstance(each, Number) or each == NEVER for each in arguments)


def _exact(function: str, arguments: tuple[Node, ...]) -> float | None:
    """Arithmetic in double precision, so that constants of a script keep their digits."""
    values = [each.value for each in arguments if isinstance(each, Number)]
    if len(values) != 2:
        return -values[0] if function == "-" else None
    one, other = values
    match function:
        case "+" | "-":
            return one + other if function == "+" else one - other
        case "*":
            return one * other
        case "/":
            return one / other if other else None
    return None
