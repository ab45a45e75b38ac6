"""The shape of a model that is trained: its groups of channels, and how wide their networks are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from comeo.codecs.learned.layout import FIRST_LAYOUT, Group, Layout
from comeo.codecs.learned.model import FIRST_REDUCED


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

# The mean over 8 × 8 pixels of a tile is nearly all in ranks 0 to 3: they come first, of all components, so
# that an eighth of the size is read from the first three groups. Fine groups have small networks: most of
# their symbols are zero, and most of the decoder's time was theirs.
SECOND_DESIGN: Final = Design(
    Layout(
        FIRST_LAYOUT.predecessors,
        FIRST_LAYOUT.leading,
        (
            Group((0,), 0, 4, 5, before=0),
            Group((1,), 0, 4, 3, (0,), 0, (0,), before=4),
            Group((2, 3), 0, 4, 3, (0, 1), 2, (0, 1), before=8),
            Group((0,), 4, 12, 3, (0, 1, 2), 1, (0,), before=16),
            Group((0,), 12, 36, 2, (0, 3, 1, 2), 2, (0, 3), before=24),
            Group((1,), 4, 36, 2, (1, 0, 3, 4, 2), 1, (1, 0, 3, 4), before=24),
            Group((2, 3), 4, 12, 2, (2, 1, 5, 0, 3, 4), 2, (2,), (0, 3, 4, 1, 5), 2, before=16),
            Group((0,), 36, 96, 2, (3, 4, 0, 1, 5), 2, (3, 4), (4,), 10),
            Group((1,), 36, 96, 2, (5, 1, 4, 7), 1, (5, 7), (5, 7), 14),
            Group((2, 3), 12, 48, 2, (6, 2, 5, 3, 4, 7, 8), 2, (6,), (2, 6), 12),
            Group((0,), 96, 256, 1, (7, 4, 3, 0), 1, (7,), (7,), 12),
            Group((1,), 96, 256, 1, (8, 5, 1, 10), 1, (8,), (8, 10), 16),
            Group((2, 3), 48, 256, 1, (9, 6, 5, 8), 1, (9,), (9,), 16),
        ),
    ),
    first=(64, 64, 64, 96, 128, 128, 96, 96, 96, 80, 64, 48, 48),
    second=(48, 48, 48, 64, 96, 96, 64, 64, 64, 64, 48, 48, 32),
    bent=(48, 48, 48, 64, 64, 64, 48, 0, 0, 0, 0, 0, 0),
)

# Radar has two bands: the groups of the second design without the third and fourth component, and items that
# share the first alone, for scenes of three and more.
RADAR_DESIGN: Final = Design(
    Layout(
        (0, 0),
        1,
        (
            Group((0,), 0, 4, 5, before=0),
            Group((1,), 0, 4, 3, (0,), 0, (0,), before=4),
            Group((0,), 4, 12, 3, (0, 1), 1, (0,), before=8),
            Group((0,), 12, 36, 2, (0, 2, 1), 2, (0, 2), before=16),
            Group((1,), 4, 36, 2, (1, 0, 2, 3), 1, (1, 0, 2, 3), before=16),
            Group((0,), 36, 96, 2, (2, 3, 0, 1, 4), 2, (2, 3), (3,), 10),
            Group((1,), 36, 96, 2, (4, 1, 3, 5), 1, (4, 5), (4, 5), 14),
            Group((0,), 96, 256, 1, (5, 3, 2, 0), 1, (5,), (5,), 12),
            Group((1,), 96, 256, 1, (6, 4, 1, 7), 1, (6,), (6, 7), 16),
        ),
    ),
    first=(64, 64, 96, 128, 128, 96, 80, 48, 48),
    second=(48, 48, 64, 96, 96, 64, 64, 48, 48),
    bent=(48, 48, 64, 64, 64, 0, 0, 0, 0),
)

DESIGNS: Final = {"first": FIRST_DESIGN, "second": SECOND_DESIGN, "radar": RADAR_DESIGN}

# Which groups reduced reads take (see `comeo.codecs.learned.model.Model.reduced`): measured, so that one
# differs from the mean of the full read by less than a quarter of the error that such means have, pooled over
# training blocks of a rule (3 to 14 pairs of block and step): it makes that error 3 % larger. Models exported
# before have the rules in their files.
REDUCED: Final = {
    FIRST_LAYOUT: FIRST_REDUCED,
    SECOND_DESIGN.layout: (
        (33, (13, 8, 7, 6)),
        (75, (13, 9, 7, 6)),
        (110, (13, 9, 8, 6)),
        (160, (13, 9, 8, 8)),
        (500, (13, 11, 9, 8)),
        (1000, (13, 11, 11, 9)),
    ),
}
