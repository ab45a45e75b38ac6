"""What the entropy model's networks look at: symbols known by then, as small integers."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.dct.layout import Array, compiled
from comeo.codecs.learned.layout import COMPONENTS, GROUPS, LINEAR, NEAR, STARTS, Pass

COPIES: Final = 8  # of the energy classes among the features: small weights are the finer ones
PEAK: Final = 127  # largest feature
NEIGHBOUR_PEAK: Final = 2047  # of symbols as they are
_LARGEST: Final = 240  # symbols beyond count as this: the last whose logarithm stays below PEAK

MAGNITUDE: Final = np.floor(16 * np.log2(1 + np.arange(_LARGEST + 1)) + 0.5).astype(np.uint8)


class Context:
    """Features of a batch's tiles, kept from group to group.

    Args:
        symbols: (tiles + 1, channels) int32, filled in by the passes; the last row stays zero.
        energy: (tiles, COMPONENTS), the classes of each tile's block.
        around: (tiles, 4), see `layout.Pass`.
    """

    def __init__(
        self, symbols: NDArray[np.int32], energy: NDArray[np.uint8], around: NDArray[np.int64]
    ) -> None:
        self._symbols = symbols
        self._energy = energy
        self._around = around
        tiles, channels = len(energy), STARTS[NEAR]
        self._sizes = np.empty((tiles, channels), np.uint8)
        self._near = np.empty((tiles, 3 * channels), np.uint8)

    def add(self, group: int) -> None:
        """Take note of a group that is complete."""
        if group < NEAR:
            start, count = STARTS[group], GROUPS[group]
            _sizes(self._sizes, start, self._symbols, start, count, MAGNITUDE)
            self._near[:, 3 * start : 3 * start + count] = self._sizes[:, start : start + count]
            _pairs(self._near, 3 * start + count, self._symbols, start, count, self._around, MAGNITUDE)

    def of_pass(self, group: int, step: Pass) -> NDArray[np.uint8]:
        """Features of a pass's tiles.

        Args:
            group: The group that is coded; those before have been added.
            step: The pass.

        Returns:
            (tiles of the pass, features): energy classes, magnitudes of the sums over the two pairs of
            neighbours of the group's own symbols, then for each group before the magnitudes in the tile and
            those of the pairs around it.
        """
        before = self._near[:, : 3 * STARTS[group]] if group < NEAR else self._sizes
        own = 2 * GROUPS[group] if step.known is not None else 0
        first = COPIES * COMPONENTS
        features = np.empty((len(step.tiles), first + own + before.shape[1]), np.uint8)
        _copy(features, self._energy, before, step.tiles, first + own)
        if step.known is not None:
            _pairs(features, first, self._symbols, STARTS[group], GROUPS[group], step.known, MAGNITUDE)
        return features


def neighbours_of_pass(group: int, step: Pass, symbols: Array) -> NDArray[np.float32] | None:
    """What the means are predicted from: (tiles of the pass, symbols), or None if they are zero.

    The group's own four neighbours, then for each group before the tile itself and its four neighbours.
    """
    if group >= LINEAR or (group == 0 and step.known is None):
        return None
    parts = []
    if step.known is not None:
        parts += [symbols[step.known[:, side], : STARTS[group] + GROUPS[group]] for side in range(4)]
        parts = [part[:, STARTS[group] :] for part in parts]
    for start, count in zip(STARTS[:group], GROUPS[:group], strict=True):
        chosen = symbols[:, start : start + count]
        parts += [chosen[step.tiles], *(chosen[step.around[:, side]] for side in range(4))]
    joined = np.concatenate(parts, axis=1)
    limited: NDArray[np.float32] = np.clip(joined, -NEIGHBOUR_PEAK, NEIGHBOUR_PEAK).astype(np.float32)
    return limited


@compiled
def _copy(features: Array, energy: Array, before: Array, tiles: Array, place: int) -> None:
    for i in range(len(tiles)):
        for copy in range(COPIES):
            for c in range(COMPONENTS):
                features[i, copy * COMPONENTS + c] = energy[tiles[i], c]
        for c in range(before.shape[1]):
            features[i, place + c] = before[tiles[i], c]


@compiled
def _sizes(target: Array, column: int, symbols: Array, start: int, count: int, magnitude: Array) -> None:
    last = len(magnitude) - 1
    for i in range(len(target)):
        for c in range(count):
            target[i, column + c] = magnitude[min(abs(symbols[i, start + c]), last)]


@compiled
def _pairs(
    target: Array, column: int, symbols: Array, start: int, count: int, around: Array, magnitude: Array
) -> None:
    last = len(magnitude) - 1
    for i in range(len(around)):
        for pair in range(2):
            one, other = around[i, 2 * pair], around[i, 2 * pair + 1]
            for c in range(count):
                size = abs(symbols[one, start + c]) + abs(symbols[other, start + c])
                target[i, column + pair * count + c] = magnitude[min(size, last)]
