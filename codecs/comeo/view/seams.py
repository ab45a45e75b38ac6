"""The steps across the borders of blocks in radar pictures, shared out among the pixels beside them.

Blocks are coded apart, and where most of what they hold is speckle, each comes out at a level of its own at
its border: at ×100 the step from one block to the next is 2.3 to 2.8 times the usual one between two pixels,
which is plain to see in quotients of bands. So part of each step, less the slope that both sides have anyhow,
is given to the pixels on either side. A step that is larger than coding makes is no seam, and counts no
more than such a one: at ×20, where most of a step is true, nothing is lost.

The coarser the quantisation, the smoother what it leaves, and the farther a step is seen: the share falls off
over two pixels at steps of 8 dB (×100), over five at 18. So steps come out about as large as the originals',
and the error beside borders falls; with four pixels at 8 dB it would rise (decision 0022).

This belongs to reading, so that pictures, statistics and single pixels tell the same; decoded blocks, and
what certificates say of them, are without it. Whatever window is read, a pixel comes out the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.archive import Level, reduced_size
from comeo.compiled import Array, compiled
from comeo.decibel import uses_power
from comeo.scene import Band, Window

GAIN: Final = 0.5
"""Share of a step that either side gets at the border itself."""
LIMIT: Final = 0.4
"""Largest step that counts, in quantisation steps."""
_PIXEL: Final = 3.75  # of the quantisation step, in dB: for each another pixel on either side changes
_LEAST, _MOST = 2, 6
_SIDEWAYS: Final = 3
_ALONG: Final = np.exp(-0.5 * np.arange(-_SIDEWAYS, _SIDEWAYS + 1, dtype=np.float32) ** 2)


def reach_of(step: float) -> int:
    """Pixels on either side of a border that change, of those that blocks are coded in."""
    return min(max(round(step / _PIXEL), _LEAST), _MOST)


def has_seams(bands: Sequence[Band], level: Level, reduce: int) -> bool:
    """Whether blocks of these bands have seams to be shared out: in decibels, if a pixel is in reach."""
    return uses_power(bands) and 1 << reduce <= reach_of(level.step)


def widened(level: Level, window: Window, reduce: int) -> Window:
    """The window, and what the seams in it depend on.

    A pixel hangs on a border within reach, whose step takes 3 pixels of either side, and on the steps beside
    that one; where borders cross, on both.

    Args:
        level: Of the archive.
        window: In pixels of the level at that reduction.
        reduce: Halvings at which blocks are decoded.
    """
    height, width = reduced_size(level, reduce)
    margin = len(_shares(level.step, reduce)) + 2 + _SIDEWAYS
    top, left = max(0, window.row - margin), max(0, window.col - margin)
    bottom = min(height, window.row + window.height + margin)
    right = min(width, window.col + window.width + margin)
    return Window(top, left, bottom - top, right - left)


def blend(values: NDArray[np.float32], level: Level, window: Window, reduce: int) -> None:
    """Blend the pixels beside borders of blocks, in place.

    Args:
        values: (bands, y, x) of the window, in decibels; NaN where invalid.
        level: Of the archive.
        window: As `widened` returns it; its outermost pixels come out right only at the level's edges.
        reduce: Halvings at which blocks were decoded.
    """
    side, limit = level.block >> reduce, np.float32(LIMIT * level.step)
    shares = _shares(level.step, reduce)
    share_out(values, -window.col % side, side, shares, _ALONG, limit)
    share_out(values.transpose(0, 2, 1), -window.row % side, side, shares, _ALONG, limit)


def _shares(step: float, reduce: int) -> NDArray[np.float32]:
    """Shares of a step for the pixels on a side of a border, the next one first, at a reduction."""
    cell, reach = 1 << reduce, reach_of(step)
    native = np.zeros(cell * math.ceil(reach / cell), np.float32)
    native[:reach] = GAIN * (1 - (np.arange(reach) + 0.5) / reach)
    shares: NDArray[np.float32] = native.reshape(-1, cell).mean(axis=1)
    return shares


@compiled
def share_out(values: Array, first: int, side: int, shares: Array, along: Array, limit: float) -> None:
    """Share out the steps across borders between columns, in place.

    Args:
        values: (bands, y, x) float32; NaN where invalid.
        first: The first column that begins a block, or the one before the first of all.
        side: Columns from one border to the next.
        shares: (n,) of a step for the nearest column on either side, and so on.
        along: (odd,) weights of the steps beside each other along a border.
        limit: Largest step that counts.
    """
    bands, height, width = values.shape
    steps, half = np.empty(height, np.float32), len(along) // 2
    for band in range(bands):
        plane = values[band]
        for border in range(first or side, width, side):
            for y in range(height):
                steps[y] = _step(plane, y, border, limit)
            for y in range(height):
                total, weights = np.float32(0), np.float32(0)
                for k in range(max(0, half - y), min(len(along), half + height - y)):
                    step = steps[y + k - half]
                    if step == step:  # noqa: PLR0124 - NaN
                        total += along[k] * step
                        weights += along[k]
                if weights > 0:
                    step = total / weights
                    for k in range(len(shares)):
                        if border - 1 - k >= 0:
                            plane[y, border - 1 - k] += shares[k] * step
                        if border + k < width:
                            plane[y, border + k] -= shares[k] * step


@compiled
def _step(plane: Array, y: int, border: int, limit: float) -> Any:
    """The step across a border beyond the slope of its sides, NaN where one of the two pixels is missing."""
    left, right = plane[y, border - 1], plane[y, border]
    step, slope, sides = right - left, np.float32(0), 0
    if border >= 3 and plane[y, border - 3] == plane[y, border - 3]:  # it is no NaN
        slope, sides = slope + (left - plane[y, border - 3]) * np.float32(0.5), sides + 1
    if border + 2 < plane.shape[1] and plane[y, border + 2] == plane[y, border + 2]:
        slope, sides = slope + (plane[y, border + 2] - right) * np.float32(0.5), sides + 1
    if sides:
        step -= slope / np.float32(sides)
    if step > limit:
        return limit
    return max(step, -limit)  # NaN is neither above nor below
