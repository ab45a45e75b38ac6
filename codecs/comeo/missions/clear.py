"""Which pixels are clear: six classes of what a pixel shows, and masks that keep some of them.

The classes are those that every use of a scene has to tell apart, from whatever product or method they come:
an index of vegetation keeps land, a map of floods land and water, a picture all but cloud. Their numbers are
their order: of the classes that a coarser pixel covers the greatest stands for it, so that a pixel is only
called clear land if all of it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import ParameterError
from comeo.missions.map_class import MapClass

NODATA: Final = 0
CLEAR: Final = "clear"
Classes = NDArray[np.uint8]


CLASSES: Final = (
    MapClass(1, "land", "Clear land", (140, 170, 92)),
    MapClass(2, "water", "Water", (58, 112, 178)),
    MapClass(3, "snow", "Snow or ice", (120, 214, 232)),
    MapClass(4, "shadow", "Shadow or dark", (82, 66, 58)),
    MapClass(5, "thin", "Thin cloud or doubtful", (198, 178, 212)),
    MapClass(6, "cloud", "Cloud", (240, 240, 240)),
)
BY_NAME: Final[Mapping[str, MapClass]] = MappingProxyType({each.name: each for each in CLASSES})
LAND, WATER, SNOW, SHADOW, THIN, CLOUD = (each.number for each in CLASSES)
CLOUDY: Final = (THIN, CLOUD)
CLEAR_CLASSES: Final = (LAND, WATER, SNOW)
NEARBY: Final = 500.0
"""Metres to each side that are near, for `ClearMask.cloud_nearby`."""
WORDS: Final = (CLEAR, *BY_NAME)
"""Vocabulary of masks: `clear` is land, water and snow; the others are the classes."""


@dataclass(frozen=True, slots=True)
class ClearMask:
    """A choice of classes; pixels of all others count as without data.

    Attributes:
        numbers: Of the classes to keep, ascending.
        buffer: Pixels nearer than this to one of shadow or cloud that is not kept do not count, in metres.
        cloud_nearby: Pixels around which more than this share of all within `NEARBY` is cloud do not count;
            None for any share.
    """

    numbers: tuple[int, ...]
    buffer: float = 0.0
    cloud_nearby: float | None = None

    @classmethod
    def of(cls, words: Iterable[str]) -> ClearMask:
        """Read a mask off words, of which the pixels of any are kept: `clear`, or `land` and `water`.

        Raises:
            ParameterError: If a word is unknown, or there is none.
        """
        words = list(words)
        if unknown := [word for word in words if word not in WORDS]:
            raise ParameterError(
                f"the mask {unknown[0][:40]!r} is unknown; give {', '.join(WORDS[:-1])} or {WORDS[-1]}, "
                "several with commas between them"
            )
        if not words:
            raise ParameterError(f"the mask names no class; give one of {', '.join(WORDS)}")
        kept: set[int] = set()
        for word in words:
            kept.update(CLEAR_CLASSES if word == CLEAR else (BY_NAME[word].number,))
        return cls(tuple(sorted(kept)))

    @property
    def looks_around(self) -> bool:
        """Whether a pixel's neighbours decide, too."""
        return self.buffer > 0 or self.cloud_nearby is not None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes that are kept."""
        return tuple(each.name for each in CLASSES if each.number in self.numbers)

    def keeps(self, classes: Classes) -> NDArray[np.bool_]:
        """Where classes are those of the mask."""
        table = np.zeros(256, bool)
        table[list(self.numbers)] = True
        return table[classes]


def counts_of(classes: Classes) -> NDArray[np.int64]:
    """Pixels of each class, by its number; of those without data at 0: (7,)."""
    counts: NDArray[np.int64] = np.bincount(classes.ravel(), minlength=CLOUD + 1).astype(np.int64)
    return counts


def shares_of(counts: NDArray[np.int64]) -> dict[str, float] | None:
    """Shares of the classes in percent of the pixels that have data, by name; None if there are none.

    Args:
        counts: As `counts_of` returns them.
    """
    total = int(counts[1:].sum())
    if not total:
        return None
    return {each.name: round(100.0 * int(counts[each.number]) / total, 4) for each in CLASSES}


def clear_percentage(shares: Mapping[str, float]) -> float:
    """Share of clear pixels in percent: land, water and snow together."""
    return round(sum(shares[each.name] for each in CLASSES if each.number in CLEAR_CLASSES), 4)


def cloud_percentage(shares: Mapping[str, float]) -> float:
    """Share of cloud in percent, thin and doubtful cloud included."""
    return round(sum(shares[each.name] for each in CLASSES if each.number in CLOUDY), 4)
