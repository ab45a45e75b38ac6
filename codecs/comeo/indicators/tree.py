"""A formula as a tree of numbers, names and calls; its JSON and its text.

Operators are calls too: `nir - red` is `Call("-", (Name("nir"), Name("red")))`. In JSON a number is a number,
a name a string, and a call an array of the function's name and its arguments: `["-", "nir", "red"]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from comeo.errors import ParameterError

GREATEST: Final = 1e30
"""Numbers are computed in single precision, and lie below this."""
MOST_NODES: Final = 200
DEEPEST: Final = 200


class Place(NamedTuple):
    """Where a node stands in its text, in characters."""

    offset: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    """A number, in single precision when it is computed with."""

    value: float
    place: Place = field(default=Place(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A band, or a step of a document."""

    name: str
    place: Place = field(default=Place(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator, by its name in `comeo.indicators.functions`, and its arguments."""

    function: str
    arguments: tuple[Node, ...]
    place: Place = field(default=Place(), compare=False, repr=False)


Node = Number | Name | Call

# By how tightly they bind; what is written as a function binds tightest.
_BINDING: Final = {
    "or": 1, "and": 2, "not": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4,
    "+": 7, "-": 7, "*": 8, "/": 8, "%": 8, "**": 10,
}  # fmt: skip
_NEGATION: Final = 9
_TIGHTEST: Final = 11
_LEFT: Final = ("+", "-", "*", "/", "%", "and", "or")


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, each before its arguments, these from left to right."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        if isinstance(each, Call):
            waiting.extend(reversed(each.arguments))


def to_json(node: Node) -> Any:
    """The tree in JSON's types."""
    match node:
        case Number(value=value):
            return int(value) if value.is_integer() and abs(value) < 2**53 else value
        case Name(name=name):
            return name
        case Call(function=function, arguments=arguments):
            return [function, *map(to_json, arguments)]


def from_json(value: Any) -> Node:
    """Read a tree of JSON's types; which functions there are is for `formula.check_tree` to say.

    Raises:
        ParameterError: If it is no tree, too large or too deep.
    """
    count = 0

    def read(value: Any, depth: int) -> Node:
        nonlocal count
        count += 1
        if count > MOST_NODES or depth > DEEPEST:
            raise ParameterError(f"the tree has more than {MOST_NODES} terms; split it into steps")
        match value:
            case bool():
                pass
            case int() | float() if math.isfinite(value) and abs(value) < GREATEST:
                return Number(float(value))
            case str() if value:
                return Name(value)
            case [str(function), *arguments] if arguments:
                return Call(function, tuple(read(each, depth + 1) for each in arguments))
        raise ParameterError(
            f"{str(value)[:60]!r} is no part of a formula; write a number, a name, or an array of a function "
            "and its arguments"
        )

    return read(value, 0)


def to_text(node: Node) -> str:
    """The tree as a formula, with as few parentheses as it needs; read again it is the same tree."""
    return _text(node)[0]


def _text(node: Node) -> tuple[str, int]:  # noqa: PLR0911 - one for each kind
    """The text, and how tightly it binds."""
    match node:
        case Number(value=value):
            text = str(to_json(node)) if math.isfinite(value) else repr(value)
            return text, _NEGATION if text.startswith("-") else _TIGHTEST
        case Name(name=name):
            return name, _TIGHTEST
        case Call(function="-", arguments=(Number(value=value),)) if value >= 0:
            return f"-({to_text(node.arguments[0])})", _NEGATION
        case Call(function="-", arguments=(argument,)):
            return f"-{_within(argument, _NEGATION)}", _NEGATION
        case Call(function="not", arguments=(argument,)):
            return f"not {_within(argument, 3)}", 3
        case Call(function=function, arguments=(left, right)) if function in _BINDING:
            binding = _BINDING[function]
            left_side = _within(left, binding if function in _LEFT else binding + 1)
            # The right side of a power may be another power, or a negation.
            right_side = _within(right, _NEGATION if function == "**" else binding + 1)
            return f"{left_side} {function} {right_side}", binding
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(to_text, arguments))})", _TIGHTEST


def _within(node: Node, binding: int) -> str:
    text, own = _text(node)
    return text if own >= binding else f"({text})"
