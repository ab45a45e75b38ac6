"""What the entropy model's networks look at: values known by then, as small integers.

Values are in sixteenths of a step. Everything here is integer arithmetic, so that encoder and decoder, and
any two machines, see the same.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.dct.layout import Array, compiled
from comeo.codecs.learned.layout import (
    CHANNELS,
    COMPONENTS,
    GROUPS,
    LINEAR,
    PAIRS,
    STARTS,
    Pass,
    Plan,
    channel_places,
    partners,
)

UNIT: Final = 16  # values are sixteenths of a step, features sixteenths of an octave
COPIES: Final = 8  # of the energy classes among the features: small weights are the finer ones
PEAK: Final = 127  # largest feature
LARGEST: Final = 240 * UNIT  # values beyond count as this: the last whose logarithm stays below PEAK
NEIGHBOUR_PEAK: Final = 2047  # of whole values as they are
VALUE_PEAK: Final = 32_767  # of values whose products are summed
CROSS_PEAK: Final = 2047  # of a crossed prediction
MEAN_PEAK: Final = 32_767 * UNIT  # of a mean
RIDGE: Final = 32 * UNIT * UNIT  # added to the sum of squares that a crossed prediction divides by
SUM_SHIFT: Final = 6  # low bits of those sums that the networks don't see
FIXED: Final = COPIES * COMPONENTS + 3 * len(PAIRS)  # features that every network has

MAGNITUDE: Final = np.floor(UNIT * np.log2(1 + np.arange(LARGEST + 1) / UNIT) + 0.5).astype(np.uint8)

_COMPONENT, _RANK = channel_places()
_PARTNERS: Final = partners()


class Inputs(NamedTuple):
    """What the network of a pass looks at.

    Attributes:
        features: (tiles, features) uint8: energy classes, sums of products, magnitudes in the tile, those of
            the pairs around it, those of the group's own pairs, those of the crossed prediction.
        neighbours: (tiles, values) float32, what means are predicted from, or None.
        crossed: (tiles, channels) float32, the crossed prediction in sixteenths, or None.
    """

    features: NDArray[np.uint8]
    neighbours: NDArray[np.float32] | None
    crossed: NDArray[np.float32] | None


def neighbour_count(number: int, later: bool | int) -> int:
    """How many values means are predicted from.

    Args:
        number: The group.
        later: Whether a pass has decoded some of the group's tiles before.
    """
    if number >= LINEAR:
        return 0
    return 5 * STARTS[number] + (4 * GROUPS[number].count if later else 0)


class Known:
    """Values of a batch's tiles decoded so far.

    Args:
        energy: (tiles, COMPONENTS), the classes of each tile's block.
        plan: Where tiles lie.

    Attributes:
        values: (tiles + 1, CHANNELS) int32, the last row zero.
    """

    def __init__(self, energy: NDArray[np.uint8], plan: Plan) -> None:
        self.values = np.zeros((len(energy) + 1, CHANNELS), np.int32)
        self._magnitudes = np.zeros((len(energy), CHANNELS), np.uint8)
        self._energy = energy
        self._plan = plan
        self._sums = np.zeros((len(energy) + 1, 3 * len(PAIRS)), np.int64)
        self._busy = np.zeros((len(GROUPS), len(energy) + 1), np.bool_)

    def active(self, number: int) -> NDArray[np.bool_]:
        """(tiles,) where a group is coded."""
        parents = GROUPS[number].parents
        if not parents:
            return np.ones(len(self._energy), np.bool_)
        busy: NDArray[np.bool_] = np.logical_or.reduce(self._busy[list(parents)])
        found: NDArray[np.bool_] = busy[:-1] | busy[self._plan.beside].any(1)
        return found

    def note(self, number: int, tiles: NDArray[np.int64]) -> None:
        """Take note of what a pass has put into `values`."""
        start, count = STARTS[number], GROUPS[number].count
        _note(self.values, tiles, start, count, MAGNITUDE, self._magnitudes, self._busy[number])
        if GROUPS[number].crossed:
            _add_products(self.values, tiles, start, count, _COMPONENT, _RANK, _PARTNERS, self._sums)

    def inputs(self, number: int, step: Pass) -> Inputs:
        """What the network of a pass looks at."""
        group = GROUPS[number]
        start, count, tiles = STARTS[number], group.count, step.tiles
        width = (
            FIXED + sum(GROUPS[i].count for i in group.sizes) + 2 * sum(GROUPS[i].count for i in group.pairs)
        )
        own = width + (2 * count if step.known is not None else 0)
        features = np.empty((len(tiles), own + (count if group.crossed else 0)), np.uint8)
        totals = np.empty((len(tiles), 3 * len(PAIRS)), np.int64)
        _fixed(features, totals, tiles, self._energy, self._sums, self._plan.beside, self._plan.corners)
        column = FIXED
        for i in group.sizes:
            _sizes(features, column, self._magnitudes, tiles, STARTS[i], GROUPS[i].count)
            column += GROUPS[i].count
        for i in group.pairs:
            around = self._plan.around[tiles]
            _pairs(features, column, self.values, around, STARTS[i], GROUPS[i].count, MAGNITUDE)
            column += 2 * GROUPS[i].count
        if step.known is not None:
            _pairs(features, column, self.values, step.known, start, count, MAGNITUDE)
        crossed = None
        if group.crossed:
            crossed = np.empty((len(tiles), count), np.float32)
            _cross(
                features, own, crossed, totals, tiles, self.values, start, _COMPONENT, _PARTNERS, MAGNITUDE
            )
        return Inputs(features, self._neighbours(number, step), crossed)

    def _neighbours(self, number: int, step: Pass) -> NDArray[np.float32] | None:
        """The group's own four neighbours, then for each group before the tile and its four neighbours."""
        if not neighbour_count(number, step.known is not None):
            return None
        parts = []
        start, count = STARTS[number], GROUPS[number].count
        if step.known is not None:
            parts += [self.values[step.known[:, side], start : start + count] for side in range(4)]
        around = self._plan.around[step.tiles]
        for before in range(number):
            chosen = self.values[:, STARTS[before] : STARTS[before] + GROUPS[before].count]
            parts += [chosen[step.tiles], *(chosen[around[:, side]] for side in range(4))]
        whole = (np.concatenate(parts, axis=1) + UNIT // 2) // UNIT
        return np.clip(whole, -NEIGHBOUR_PEAK, NEIGHBOUR_PEAK).astype(np.float32)


@compiled
def quarter_octaves(value: int) -> int:
    """About 4·log2 of a sum of products, as 0…PEAK."""
    value = abs(value) >> SUM_SHIFT
    if value == 0:
        return 0
    length = 0
    while value >> length:
        length += 1
    return min(4 * (length - 1) + ((value << 2 >> (length - 1)) & 3) + 1, PEAK)


@compiled
def _limited(value: int, peak: int) -> int:
    """As a 64-bit number, whatever the array holds: products must not overflow."""
    wide: Any = np.int64(value)
    limited: int = min(max(wide, -peak), peak)
    return limited


@compiled
def _note(
    values: Array, tiles: Array, start: int, count: int, magnitude: Array, magnitudes: Array, busy: Array
) -> None:
    for tile in tiles:
        for c in range(start, start + count):
            size = abs(values[tile, c])
            magnitudes[tile, c] = magnitude[min(size, LARGEST)]
            if size >= UNIT // 2:
                busy[tile] = True


@compiled
def _add_products(
    values: Array,
    tiles: Array,
    start: int,
    count: int,
    component: Array,
    rank: Array,
    partner: Array,
    sums: Array,
) -> None:
    for tile in tiles:
        for c in range(start, start + count):
            if rank[c] == 0:
                continue
            one, other = _limited(values[tile, partner[c]], VALUE_PEAK), _limited(values[tile, c], VALUE_PEAK)
            if one == 0 and other == 0:
                continue
            pair = 3 * (component[c] - 1)
            sums[tile, pair] += one * other
            sums[tile, pair + 1] += one * one
            sums[tile, pair + 2] += other * other


@compiled
def _fixed(
    features: Array, totals: Array, tiles: Array, energy: Array, sums: Array, beside: Array, corners: Array
) -> None:
    first = COPIES * COMPONENTS
    for i in range(len(tiles)):
        tile = tiles[i]
        for copy in range(COPIES):
            for c in range(COMPONENTS):
                features[i, copy * COMPONENTS + c] = energy[tile, c]
        for j in range(sums.shape[1]):
            total = 4 * sums[tile, j]
            for side in range(4):
                total += sums[beside[tile, side], j] + sums[corners[tile, side], j]
            totals[i, j] = total
            features[i, first + j] = quarter_octaves(total)


@compiled
def _cross(
    features: Array,
    column: int,
    crossed: Array,
    totals: Array,
    tiles: Array,
    values: Array,
    start: int,
    component: Array,
    partner: Array,
    magnitude: Array,
) -> None:
    for i in range(len(tiles)):
        for c in range(crossed.shape[1]):
            pair = 3 * (component[start + c] - 1)
            before = _limited(values[tiles[i], partner[start + c]], VALUE_PEAK)
            found = 0
            if before != 0 and totals[i, pair] != 0:
                bottom = totals[i, pair + 1] + RIDGE
                found = (2 * totals[i, pair] * before + bottom) // (2 * bottom)
                found = _limited(found, CROSS_PEAK)
            crossed[i, c] = found
            features[i, column + c] = magnitude[abs(found)]


@compiled
def _sizes(target: Array, column: int, magnitudes: Array, tiles: Array, start: int, count: int) -> None:
    for i in range(len(tiles)):
        for c in range(count):
            target[i, column + c] = magnitudes[tiles[i], start + c]


@compiled
def _pairs(
    target: Array, column: int, values: Array, around: Array, start: int, count: int, magnitude: Array
) -> None:
    for i in range(len(around)):
        for pair in range(2):
            one, other = around[i, 2 * pair], around[i, 2 * pair + 1]
            for c in range(count):
                size = abs(values[one, start + c]) + abs(values[other, start + c])
                target[i, column + pair * count + c] = magnitude[min(size, LARGEST)]
