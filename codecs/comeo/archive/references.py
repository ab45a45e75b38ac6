"""What blocks of a group are predicted from: decoded blocks of a finer group that show the same ground.

A level may be predicted from the level of the same number of one finer group, whose pixels are half as large.
The reference of a block is made of that level's blocks, decoded at half size: the very pixels that a look at
the finer group shows when it is zoomed out by two. It is the same at whatever size the block itself is
decoded: from finer blocks at a sixteenth of their size, means over 8×8 pixels came out up to three times as
far off as coding makes them, since what is smoothed reaches over the borders of cells.

In crops of products the coarser pixels may begin one finer pixel before or behind those at half size. Then
each takes the mean of the two that it lies over, along two of a block's edges from the blocks beyond: without
them errors there were half as large again as inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.archive.blocks import assemble, blocks_of
from comeo.archive.model import Level
from comeo.codecs.payload import SATURATED
from comeo.codecs.prediction import Reference
from comeo.scene import Window

Place = tuple[int, int]
Decode = Callable[[Level, Sequence[Place], int], Sequence[NDArray[Any]]]
"""As `Archive.decode_blocks`: level, blocks, reduction."""

REFERENCE_REDUCE: Final = 1
"""The reduction at which finer blocks are decoded."""


def finer_blocks(finer: Level, level: Level, row: int, col: int) -> list[Place]:
    """The blocks of a finer level, of pixels half as large, that a block's reference is made of."""
    return blocks_of(finer, _half_window(level, row, col), REFERENCE_REDUCE)


def _half_window(level: Level, row: int, col: int) -> Window:
    """The pixels of the finer level at half size, and one more along an axis with an offset."""
    _, height, width = level.block_shape(row, col)
    down, right = level.offset
    top, left = row * level.block + min(down, 0), col * level.block + min(right, 0)
    return Window(top, left, height + abs(down), width + abs(right))


def references(finer: Level, level: Level, blocks: Sequence[Place], decode: Decode) -> list[Reference]:
    """Make the references of blocks, each finer block being decoded once, and all in one batch.

    Args:
        finer: The level that `level` is predicted from.
        level: Of the blocks.
        blocks: (row, col) of each.
        decode: Gives blocks of the finer level.
    """
    under = (finer_blocks(finer, level, *block) for block in blocks)
    wanted = list(dict.fromkeys(chain.from_iterable(under)))
    decoded = dict(zip(wanted, decode(finer, wanted, REFERENCE_REDUCE), strict=True))
    return [reference_of(finer, level, block, decoded) for block in blocks]


def reference_of(
    finer: Level, level: Level, block: Place, decoded: Mapping[Place, NDArray[Any]]
) -> Reference:
    """Make the reference of a block.

    Args:
        finer: The level that `level` is predicted from.
        level: Of the block.
        block: Its row and column.
        decoded: Finer blocks at half size; those under it that are missing have no valid pixel.

    Returns:
        (bands of the finer level, y, x) of the block's size, NaN where pixels are invalid, and where they are
        saturated, since nothing is known of these.
    """
    under = {place: decoded[place] for place in finer_blocks(finer, level, *block) if place in decoded}
    pixels = assemble(under, finer, _half_window(level, *block), REFERENCE_REDUCE)
    values = pixels.astype(np.float32)
    if pixels.dtype.kind == "u":
        values[(pixels == 0) | (pixels == SATURATED)] = np.nan
    for axis, offset in enumerate(level.offset, start=1):
        if offset:
            values = _between(values, axis)
    return values


def _between(values: Reference, axis: int) -> Reference:
    """The mean of each pixel and the next along an axis, of those that are known: one pixel fewer.

    Args:
        values: (bands, y, x), NaN where nothing is known.
        axis: 1 or 2.
    """
    own = values if axis == 1 else values.swapaxes(1, 2)
    here, there = own[:, :-1], own[:, 1:]
    half = np.float32(0.5)  # of each, since the sum of both may be infinite
    means = np.where(np.isnan(here), there, np.where(np.isnan(there), here, half * here + half * there))
    return np.ascontiguousarray(means if axis == 1 else means.swapaxes(1, 2))
