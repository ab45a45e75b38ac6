"""Inputs of the entropy model's networks: values decoded so far, as small integers.

Values are in sixteenths of a step. Everything here is integer arithmetic, so that encoder and decoder, and
any two machines, see the same.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.dct.layout import Array, compiled
from comeo.codecs.learned.layout import Layout, Pass, Plan

UNIT_BITS: Final = 4
UNIT: Final = 1 << UNIT_BITS  # values are sixteenths of a step, features sixteenths of an octave
COPIES: Final = 8  # of the energy classes among the features: small weights are the finer ones
PEAK: Final = 127  # largest feature
LARGEST: Final = 240 * UNIT  # values beyond count as this: the last whose logarithm stays below PEAK
NEIGHBOUR_PEAK: Final = 2047  # of whole values as they are
VALUE_PEAK: Final = 32_767  # of values whose products are summed
CROSS_PEAK: Final = 2047  # of a crossed prediction
MEAN_PEAK: Final = 32_767 * UNIT  # of a mean
RIDGE: Final = 32 * UNIT * UNIT  # added to the sum of squares that a crossed prediction divides by
RATIO_BITS: Final = 16  # of the quotient after the point
RATIO_PEAK: Final = 1 << 24  # of the quotient
SUM_SHIFT: Final = 6  # low bits of those sums that the networks don't see
MAGNITUDE: Final = np.floor(UNIT * np.log2(1 + np.arange(LARGEST + 1) / UNIT) + 0.5).astype(np.uint8)


class Inputs(NamedTuple):
    """Inputs of the network of a pass.

    Attributes:
        features: (tiles, features) uint8: energy classes, sums of products, magnitudes in the tile, those of
            the pairs around it, those of the group's own pairs (sums, then differences), those of the
            crossed prediction.
        neighbours: (tiles, values) float32, whole values that means are predicted from, or None.
        bends: (tiles, values) int8, magnitudes with signs that these predictions are bent by, or None.
        crossed: (tiles, channels) float32, the crossed prediction in sixteenths, or None.
    """

    features: NDArray[np.uint8]
    neighbours: NDArray[np.float32] | None
    bends: NDArray[np.int8] | None
    crossed: NDArray[np.float32] | None


def fixed_count(layout: Layout) -> int:
    """Number of features that every network has: energy classes and sums of products."""
    return COPIES * layout.components + 3 * len(layout.pairs)


def neighbour_count(layout: Layout, number: int, later: bool | int) -> int:
    """How many values means are predicted from.

    Args:
        layout: Of the groups.
        number: The group.
        later: Whether a pass has decoded some of the group's tiles before.
    """
    group = layout.groups[number]
    return 0 if group.before is None else 5 * group.before + (4 * group.count if later else 0)


def bend_count(layout: Layout, number: int, later: bool | int) -> int:
    """How many values means are bent by; as `neighbour_count`."""
    group = layout.groups[number]
    return 0 if group.before is None else 5 * (group.before + (group.count if later else 0))


def own_kinds(layout: Layout, number: int, later: bool | int) -> int:
    """Number of features of each of a group's channels; as `neighbour_count`."""
    group = layout.groups[number]
    pairs = 0 if not later else 2 if group.before is None else 4
    return pairs + (1 if group.crossed else 0)


class Known:
    """Values of a batch's tiles decoded so far.

    Args:
        layout: Of the model.
        energy: (tiles, components), the classes of each tile's item.
        leaders: (tiles,) the same place's tile in the block's first item.
        plan: Where tiles lie.

    Attributes:
        values: (tiles + 1, channels) int32, the last row zero.
    """

    def __init__(
        self, layout: Layout, energy: NDArray[np.uint8], leaders: NDArray[np.int64], plan: Plan
    ) -> None:
        self._layout = layout
        self._first = leaders == np.arange(len(leaders))
        self._followers = np.flatnonzero(~self._first)
        self._leaders = leaders[self._followers]
        self.values = np.zeros((len(energy) + 1, layout.channels), np.int32)
        self._magnitudes = np.zeros((len(energy), layout.channels), np.uint8)
        self._energy = energy
        self._plan = plan
        self._sums = np.zeros((len(energy) + 1, 3 * len(layout.pairs)), np.int64)
        self._counts = np.zeros((len(layout.groups), len(energy) + 1), np.int64)

    def active(self, number: int, thorough: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(tiles,) where a group is coded; everywhere in blocks that are `thorough` (tiles,)."""
        group = self._layout.groups[number]
        counts = self._counts[list(group.parents)].sum(0)
        found: NDArray[np.bool_] = 2 * counts[:-1] + counts[self._plan.beside].sum(1) >= group.evidence
        found |= thorough
        return found & self._first if self._layout.shared(number) else found

    def share(self, number: int) -> None:
        """Let further items have what the first of each block has decoded of a group."""
        layout = self._layout
        if layout.shared(number) and len(self._followers):
            start = layout.starts[number]
            channels = slice(start, start + layout.groups[number].count)
            self.values[self._followers, channels] = self.values[self._leaders, channels]
            self._note_sizes(number, self._followers)
            shared = 3 * (layout.leading - 1)  # sums of the first pairs are those of shared components
            self._sums[self._followers, :shared] = self._sums[self._leaders, :shared]

    def note(self, number: int, tiles: NDArray[np.int64]) -> None:
        """Take note of what a pass has put into `values`."""
        self._note_sizes(number, tiles)
        layout = self._layout
        if layout.groups[number].crossed:
            start, count = layout.starts[number], layout.groups[number].count
            _add_products(self.values, tiles, start, count, *layout.places, layout.partners, self._sums)

    def _note_sizes(self, number: int, tiles: NDArray[np.int64]) -> None:
        start, count = self._layout.starts[number], self._layout.groups[number].count
        _note(self.values, tiles, start, count, MAGNITUDE, self._magnitudes, self._counts[number])

    def inputs(self, number: int, step: Pass) -> Inputs:
        """Inputs of the network of a pass."""
        layout, group = self._layout, self._layout.groups[number]
        starts, groups = layout.starts, layout.groups
        start, count, tiles = starts[number], group.count, step.tiles
        around = self._plan.around[tiles]
        column = fixed_count(layout)
        width = column + sum(groups[i].count for i in group.sizes + 2 * group.pairs)
        kinds = own_kinds(layout, number, step.known is not None)
        features = np.empty((len(tiles), width + kinds * count), np.uint8)
        totals = np.empty((len(tiles), self._sums.shape[1]), np.int64)
        _fixed(features, totals, tiles, self._energy, self._sums, self._plan.beside, self._plan.corners)
        for i in group.sizes:
            _sizes(features, column, self._magnitudes, tiles, starts[i], groups[i].count)
            column += groups[i].count
        for i in group.pairs:
            _pairs(features, column, self.values, around, starts[i], groups[i].count, MAGNITUDE, False)
            column += 2 * groups[i].count
        if step.known is not None:
            _pairs(features, column, self.values, step.known, start, count, MAGNITUDE, False)
            if group.before is not None:
                _pairs(features, column + 2 * count, self.values, step.known, start, count, MAGNITUDE, True)
        crossed = None
        if group.crossed:
            crossed = np.empty((len(tiles), count), np.float32)
            column = width + (kinds - 1) * count
            component, partners = layout.places[0], layout.partners
            _cross(
                features, column, crossed, totals, tiles, self.values, start, component, partners, MAGNITUDE
            )
        whole, bends = self._neighbours(number, step, around)
        return Inputs(features, whole, bends, crossed)

    def _neighbours(
        self, number: int, step: Pass, around: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int8]] | tuple[None, None]:
        """Values that means are predicted from, and those that bend them.

        Whole values: of the group's own four neighbours; of channels before in the tile, and in each tile
        around. Magnitudes with signs: of the mean of the own four, and of their differences from it; of the
        channels before in the tile, and of the differences around from them.
        """
        layout, later = self._layout, step.known is not None
        group, width = layout.groups[number], neighbour_count(layout, number, later)
        if group.before is None or not width:
            return None, None
        whole = np.empty((len(step.tiles), width), np.float32)
        bends = np.empty((len(step.tiles), bend_count(layout, number, later)), np.int8)
        start, count = layout.starts[number], group.count
        if step.known is not None:
            _own(whole, bends, self.values, step.known, start, count, MAGNITUDE)
        columns = whole.shape[1] - 5 * group.before, bends.shape[1] - 5 * group.before
        _before(whole, bends, *columns, self.values, step.tiles, around, group.before, MAGNITUDE)
        return whole, bends


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


# Loops run over views that start at 0: indexes that cannot be negative need no check, and compile to vectors.


@compiled
def _note(
    values: Array, tiles: Array, start: int, count: int, magnitude: Array, magnitudes: Array, counts: Array
) -> None:
    for tile in tiles:
        source, target = values[tile, start : start + count], magnitudes[tile, start : start + count]
        found = 0
        for c in range(count):
            size = abs(source[c])
            target[c] = magnitude[min(size, LARGEST)]
            found += size >= UNIT // 2
        counts[tile] += found


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
    components = energy.shape[1]
    first = COPIES * components
    for i in range(len(tiles)):
        tile = tiles[i]
        for copy in range(COPIES):
            for c in range(components):
                features[i, copy * components + c] = energy[tile, c]
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
    count = crossed.shape[1]
    pairs, partners = component[start : start + count] - 1, partner[start : start + count]
    ratios = np.empty(totals.shape[1] // 3, np.int64)
    for i in range(len(tiles)):
        for pair in range(len(ratios)):
            top, bottom = totals[i, 3 * pair] << RATIO_BITS, totals[i, 3 * pair + 1] + RIDGE
            ratios[pair] = _limited(top // bottom, RATIO_PEAK)
        before, target = values[tiles[i]], features[i, column : column + count]
        for c in range(count):
            found = 0
            value = _limited(before[partners[c]], VALUE_PEAK)
            if value != 0:
                found = (ratios[pairs[c]] * value + (1 << (RATIO_BITS - 1))) >> RATIO_BITS
                found = _limited(found, CROSS_PEAK)
            crossed[i, c] = found
            target[c] = magnitude[abs(found)]


@compiled
def _sizes(features: Array, column: int, magnitudes: Array, tiles: Array, start: int, count: int) -> None:
    for i in range(len(tiles)):
        source, target = magnitudes[tiles[i], start : start + count], features[i, column : column + count]
        for c in range(count):
            target[c] = source[c]


@compiled
def _pairs(
    features: Array,
    column: int,
    values: Array,
    around: Array,
    start: int,
    count: int,
    magnitude: Array,
    apart: bool,
) -> None:
    """Sizes of both tiles of a pair together, or how far apart they are.

    A pair that is one tile, mirrored, is not apart: the other pair stands for it.
    """
    for i in range(len(around)):
        for pair in range(2):
            mirrored = around[i, 2 * pair] == around[i, 2 * pair + 1]
            chosen = 1 - pair if apart and mirrored else pair
            one = values[around[i, 2 * chosen], start : start + count]
            other = values[around[i, 2 * chosen + 1], start : start + count]
            target = features[i, column + pair * count : column + (pair + 1) * count]
            for c in range(count):
                size = abs(one[c] - other[c]) if apart else abs(one[c]) + abs(other[c])
                target[c] = magnitude[min(size, LARGEST)]


@compiled
def _own(
    whole: Array, bends: Array, values: Array, around: Array, start: int, count: int, magnitude: Array
) -> None:
    mean = np.empty(count, np.int64)
    for i in range(len(around)):
        mean[:] = 2
        for side in range(4):
            source = values[around[i, side], start : start + count]
            target = whole[i, side * count : (side + 1) * count]
            for c in range(count):
                value = _limited(source[c], UNIT * NEIGHBOUR_PEAK)
                mean[c] += value
                target[c] = (value + UNIT // 2) >> UNIT_BITS
        for c in range(count):
            mean[c] >>= 2
            bends[i, c] = _signed(mean[c], magnitude)
        for side in range(4):
            source = values[around[i, side], start : start + count]
            bend = bends[i, (side + 1) * count : (side + 2) * count]
            for c in range(count):
                bend[c] = _signed(_limited(source[c], UNIT * NEIGHBOUR_PEAK) - mean[c], magnitude)


@compiled
def _before(
    whole: Array,
    bends: Array,
    column: int,
    first: int,
    values: Array,
    tiles: Array,
    around: Array,
    count: int,
    magnitude: Array,
) -> None:
    own = np.empty(count, np.int64)
    for i in range(len(tiles)):
        source, target = values[tiles[i]], whole[i, column : column + count]
        bend = bends[i, first : first + count]
        for c in range(count):
            own[c] = _limited(source[c], UNIT * NEIGHBOUR_PEAK)
            target[c] = (own[c] + UNIT // 2) >> UNIT_BITS
            bend[c] = _signed(own[c], magnitude)
        for side in range(4):
            source = values[around[i, side]]
            target = whole[i, column + (side + 1) * count : column + (side + 2) * count]
            bend = bends[i, first + (side + 1) * count : first + (side + 2) * count]
            for c in range(count):
                value = _limited(source[c], UNIT * NEIGHBOUR_PEAK)
                target[c] = (value + UNIT // 2) >> UNIT_BITS
                bend[c] = _signed(value - own[c], magnitude)


@compiled
def _signed(value: int, magnitude: Array) -> int:
    size: Any = np.int64(magnitude[min(abs(value), LARGEST)])
    signed: int = size if value >= 0 else -size
    return signed
