"""What a script's expressions stand for, beside formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comeo.indicators.tree import Call, Name, Node, Number

if TYPE_CHECKING:
    from tree_sitter import Node as Syntax


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: its members are bands."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of several dates."""


@dataclass(frozen=True, slots=True)
class Dates:
    """A value for each date."""

    value: Node


@dataclass(frozen=True, slots=True)
class Combined:
    """Values of several dates made one.

    Attributes:
        value: Of a date.
        statistic: As documents call it.
        dates: How many there have to be.
    """

    value: Node
    statistic: str
    dates: int = 1


@dataclass(frozen=True, slots=True)
class Enough:
    """Whether there are so many dates."""

    dates: int


@dataclass(frozen=True, slots=True)
class Closure:
    """A function of the script."""

    parameters: tuple[str, ...]
    body: Syntax
    scope: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Native:
    """A function that is known by name: of `Math`, of Sentinel Hub, or brought by our own scripts."""

    name: str
    call: Callable[[list[Any], int], Any]


def is_number(value: Any) -> bool:
    """Whether a value is a formula."""
    return isinstance(value, (Number, Name, Call))
