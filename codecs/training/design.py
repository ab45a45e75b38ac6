"""The shape of a model that is trained: its groups of channels, and how wide their networks are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from comeo.codecs.learned.layout import FIRST_LAYOUT, Layout


@dataclass(frozen=True)
class Design:
    """Layout and widths.

    Attributes:
        layout: Groups of channels.
        first: Features in the first hidden layer of each group's networks.
        second: In the second.
        bent: Hidden features of those that bend means, of each group; 0 where means are not predicted.

    Raises:
        ValueError: If a group has no width.
    """

    layout: Layout
    first: tuple[int, ...]
    second: tuple[int, ...]
    bent: tuple[int, ...]

    def __post_init__(self) -> None:
        groups = len(self.layout.groups)
        if any(len(each) != groups for each in (self.first, self.second, self.bent)):
            raise ValueError(f"the design has {groups} groups, and needs as many widths of each kind")

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Design:
        """Make a design of what `facts` returned.

        Raises:
            ValueError: If it is none.
        """
        try:
            layout = Layout.from_facts(facts["layout"])
            return cls(layout, *(tuple(facts[name]) for name in ("first", "second", "bent")))
        except (KeyError, TypeError) as error:
            raise ValueError(f"the design is damaged: {error}") from error

    def facts(self) -> dict[str, Any]:
        """It in what JSON and a state's file know."""
        widths = {"first": list(self.first), "second": list(self.second), "bent": list(self.bent)}
        return {"layout": self.layout.facts(), **widths}


FIRST_DESIGN: Final = Design(
    FIRST_LAYOUT,
    first=(96, 96, 160, 160, 96, 128, 128, 96, 96, 64, 64),
    second=(64, 64, 96, 96, 64, 96, 96, 64, 64, 64, 48),
    bent=(64, 64, 96, 96, 64, 0, 0, 0, 0, 0, 0),
)  # of states that name none
