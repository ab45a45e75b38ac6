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


def of_pass(group: int, step: Pass, symbols: Array, energy: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Features of a pass's tiles.

    Args:
        group: The group that is coded.
        step: The pass.
        symbols: (tiles + 1, channels) int32; the last row is zero.
        energy: (tiles, COMPONENTS), the classes of each tile's block.

    Returns:
        (tiles of the pass, features): energy classes, magnitudes of the sums over the two pairs of
        neighbours of the group's own symbols, then for each group before the magnitudes in the tile and those
        of the pairs around it.
    """
    near = group < NEAR
    own = 2 * GROUPS[group] if step.known is not None else 0
    width = COPIES * COMPONENTS + own + (3 if near else 1) * STARTS[group]
    features = np.empty((len(step.tiles), width), np.uint8)
    features[:, : COPIES * COMPONENTS] = np.tile(energy[step.tiles], COPIES)
    column = COPIES * COMPONENTS
    if step.known is not None:
        _pairs(features, column, symbols, STARTS[group], GROUPS[group], step.known, MAGNITUDE)
        column += own
    for start, count in zip(STARTS[:group], GROUPS[:group], strict=True):
        _sizes(features, column, symbols, start, count, step.tiles, MAGNITUDE)
        column += count
        if near:
            _pairs(features, column, symbols, start, count, step.around, MAGNITUDE)
            column += 2 * count
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
def _sizes(
    features: Array, column: int, symbols: Array, start: int, count: int, tiles: Array, magnitude: Array
) -> None:
    last = len(magnitude) - 1
    for i in range(len(tiles)):
        for c in range(count):
            features[i, column + c] = magnitude[min(abs(symbols[tiles[i], start + c]), last)]


@compiled
def _pairs(
    features: Array, column: int, symbols: Array, start: int, count: int, around: Array, magnitude: Array
) -> None:
    last = len(magnitude) - 1
    for i in range(len(around)):
        for pair in range(2):
            one, other = around[i, 2 * pair], around[i, 2 * pair + 1]
            for c in range(count):
                size = abs(symbols[one, start + c]) + abs(symbols[other, start + c])
                features[i, column + pair * count + c] = magnitude[min(size, last)]
