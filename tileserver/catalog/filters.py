"""Conditions on the properties of scenes: a small typed tree, which every catalogue evaluates in its own way.

A condition is true, false or, where a scene lacks a property, unknown, as in SQL and in CQL2: NOT of unknown
is unknown, AND and OR follow Kleene, and a search finds what is true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shapely.geometry.base import BaseGeometry

from comeo.errors import ParameterError

Kind = Literal["text", "number", "instant", "list"]
Operator = Literal["=", "<>", "<", "<=", ">", ">="]
PROPERTY_NAME = re.compile(r"[A-Za-z0-9_:.\-]{1,100}")


@dataclass(frozen=True, slots=True)
class Property:
    """The value that a scene has in a property; none if it has one of another kind.

    Attributes:
        name: `id`, `collection`, `datetime` or the name of another STAC Item property.
        kind: Of its values. A list holds text; text where a list belongs is a list of one.

    Raises:
        ParameterError: If the name cannot be one.
    """

    name: str
    kind: Kind

    def __post_init__(self) -> None:
        if not PROPERTY_NAME.fullmatch(self.name):
            raise ParameterError(f"{self.name[:40]!r} is not the name of a property")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the list that `Some` looks through."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Text without regard to case, by Unicode's case folding."""

    operand: Property | Entry


Value = str | float | datetime
Operand = Property | Entry | Folded | Value


@dataclass(frozen=True, slots=True)
class Always:
    """True or false for every scene."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    """All conditions together, at least one."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the conditions, at least one."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands of one kind; text is compared by code points."""

    left: Operand
    operator: Operator
    right: Operand


@dataclass(frozen=True, slots=True)
class In:
    """One of several values, which are all of the operand's kind."""

    operand: Property | Entry | Folded
    values: tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """Text that matches a pattern as a whole.

    Attributes:
        operand: Text.
        pattern: `%` stands for any text, `_` for one character, a backslash before them for themselves.
    """

    operand: Property | Entry | Folded
    pattern: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A property without a value; never unknown."""

    operand: Property


@dataclass(frozen=True, slots=True)
class Some:
    """A condition on `Entry` that at least one entry of a list meets; unknown where there is no list."""

    operand: Property
    condition: Condition


@dataclass(frozen=True, slots=True)
class Meets:
    """A footprint that touches a geometry in degrees; see `tileserver.catalog.footprints`."""

    geometry: BaseGeometry


Condition = Always | Not | And | Or | Comparison | In | Like | Missing | Some | Meets
