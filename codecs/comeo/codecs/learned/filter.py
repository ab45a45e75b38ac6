"""The classified filter: takes ringing and noise of quantisation out of decoded components, at full size.

As the adaptive loop filter of VVC (ITU-T H.266, 8.8.5; Karczewicz et al., IEEE Trans. Circuits Syst.
Video Technol. 31(10), 2021), but with frozen taps of the model and behind the decoder, so that nothing is
sent for it. Each 8×8 cell of a component has a class: how much happens there, and in which direction. What is
added to a sample is a weighted sum of its differences to 24 neighbours, by symmetric pairs, each difference
limited twice: large ones tell of an edge, not of noise.

Everything from the rounded samples to the correction is whole numbers, so that the order of sums doesn't
matter and every machine finds the same; the correction is added in one float32 addition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.compiled import Array, compiled

CELL: Final = 8  # side of what has one class
MARGIN: Final = 2  # around a cell, of the window that its class is read from
WINDOW: Final = CELL + 2 * MARGIN
DIRECTIONS: Final = 4
LIMITS: Final = 2
TOP: Final = 8191  # largest sample in sixteenths: two and their double still fit into 16 bits
ONE: Final = 256  # taps are in these parts
REACH: Final = 2
OFFSETS: Final = np.array(
    [
        (0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (1, 2), (1, -2), (2, 1), (2, -1), (2, 2), (2, -2),
    ],
    np.int64,
)  # fmt: skip
"""Rows and columns to one neighbour of each pair; the other lies opposite."""

_STRAIGHT, _DIAGONAL = 181, 128  # a diagonal difference reaches √2 as far

Components = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Filter:
    """Frozen taps and what selects them.

    Attributes:
        limits: (LIMITS,) of differences, in sixteenths of a step.
        thresholds: Rising: sums of absolute differences over a window, from which on a class is more active.
        taps: (classes, LIMITS, pairs) int8, in parts of ONE; classes = DIRECTIONS · (1 + thresholds).

    Raises:
        ValueError: If they don't fit together.
    """

    limits: tuple[int, ...]
    thresholds: tuple[int, ...]
    taps: NDArray[np.int8]

    def __post_init__(self) -> None:
        shape = (DIRECTIONS * (len(self.thresholds) + 1), LIMITS, len(OFFSETS))
        if self.taps.shape != shape or self.taps.dtype != np.int8:
            raise ValueError(f"the filter's taps are int8 {shape}, not {self.taps.dtype} {self.taps.shape}")
        if len(self.limits) != LIMITS or not all(0 < limit <= TOP for limit in self.limits):
            raise ValueError(f"the filter has {LIMITS} limits from 1 to {TOP}, not {self.limits}")
        if any(low >= high for low, high in zip((0, *self.thresholds), self.thresholds, strict=False)):
            raise ValueError(f"the filter's thresholds rise from above 0, which {self.thresholds} don't")

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], taps: NDArray[np.int8]) -> Filter:
        """A filter as a model file has it: `facts` as of `Filter.facts`, and the taps."""
        return cls(tuple(facts["limits"]), tuple(facts["thresholds"]), taps)

    @property
    def facts(self) -> dict[str, list[int]]:
        """What `model.json` says of it."""
        return {"limits": list(self.limits), "thresholds": list(self.thresholds)}

    def classes(self, samples: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Class of each cell of a component.

        Args:
            samples: (y, x), see `rounded`.
        """
        height, width = samples.shape
        found = np.empty((-(-height // CELL), -(-width // CELL)), np.uint8)
        _classify(samples, np.array(self.thresholds, np.int64), found)
        return found

    def apply(self, components: Components) -> None:
        """Filter components in place.

        Args:
            components: (components, y, x), in sixteenths of a step.
        """
        limits, taps = np.array(self.limits, np.int32), self.taps.astype(np.int32)
        for component in components:
            samples = rounded(component)
            padded = np.pad(samples, REACH, "edge")
            _correct(padded, self.classes(samples), limits, taps, OFFSETS, component)


def rounded(component: Components) -> NDArray[np.int32]:
    """Samples as the filter sees them: whole sixteenths (half to even), within ±TOP."""
    return np.rint(np.clip(component, -TOP, TOP)).astype(np.int32)


@compiled
def _classify(samples: Array, thresholds: Array, found: Array) -> None:
    """Class of each cell: DIRECTIONS · activity + direction.

    Differences are those between the two samples beside (above and below, at either diagonal) each sample of
    the cell's window; where the component ends, its last sample goes on.
    """
    height, width = samples.shape
    for row in range(found.shape[0]):
        top, bottom = max(row * CELL - MARGIN, 0), min((row + 1) * CELL + MARGIN, height)
        for column in range(found.shape[1]):
            left, right = max(column * CELL - MARGIN, 0), min((column + 1) * CELL + MARGIN, width)
            across = down = falling = rising = 0
            for y in range(top, bottom):
                above, below = max(y - 1, 0), min(y + 1, height - 1)
                for x in range(left, right):
                    before, after = max(x - 1, 0), min(x + 1, width - 1)
                    across += abs(samples[y, after] - samples[y, before])
                    down += abs(samples[below, x] - samples[above, x])
                    falling += abs(samples[below, after] - samples[above, before])
                    rising += abs(samples[below, before] - samples[above, after])
            activity = 0
            for threshold in thresholds:
                activity += (across + down) * WINDOW * WINDOW >= threshold * ((bottom - top) * (right - left))
            direction, most = 0, across * _STRAIGHT
            if down * _STRAIGHT > most:
                direction, most = 1, down * _STRAIGHT
            if falling * _DIAGONAL > most:
                direction, most = 2, falling * _DIAGONAL
            if rising * _DIAGONAL > most:
                direction = 3
            found[row, column] = DIRECTIONS * activity + direction


@compiled
def _correct(
    padded: Array, classes: Array, limits: Array, taps: Array, offsets: Array, component: Array
) -> None:
    """Add the correction of each sample to a component (y, x)."""
    height, width = component.shape
    wide, narrow = limits[0], limits[1]
    weights = np.empty((taps.shape[1], taps.shape[2], width), np.int32)
    total = np.empty(width, np.int32)
    for y in range(height):
        if y % CELL == 0:
            for x in range(width):
                weights[:, :, x] = taps[classes[y // CELL, x // CELL]]
        centre = padded[y + REACH, REACH : REACH + width]
        total[:] = 0
        for pair in range(len(offsets)):
            down, right = offsets[pair]
            ones = padded[y + REACH + down, REACH + right : REACH + right + width]
            others = padded[y + REACH - down, REACH - right : REACH - right + width]
            first, second = weights[0, pair], weights[1, pair]
            for x in range(width):
                one, other = ones[x] - centre[x], others[x] - centre[x]
                total[x] += first[x] * (min(max(one, -wide), wide) + min(max(other, -wide), wide))
                total[x] += second[x] * (min(max(one, -narrow), narrow) + min(max(other, -narrow), narrow))
        row = component[y]
        for x in range(width):
            row[x] += np.float32(total[x]) * np.float32(1 / ONE)
