"""Masks that look around: pixels near clouds and shadows, and where much around is cloud, do not count.

Both are told on the layer's own pixels, so that they are the same on every grid.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.missions.clear import CLOUD, CLOUDY, NEARBY, NODATA, SHADOW, THIN, Classes, ClearMask

Flags = NDArray[np.bool_]
_OBSCURED: Final = (SHADOW, THIN, CLOUD)


def margin_of(mask: ClearMask, size: float) -> int:
    """Pixels around a pixel that decide whether a mask keeps it, to each side.

    Args:
        mask: The mask.
        size: Metres of a pixel of the layer.
    """
    nearby = 0 if mask.cloud_nearby is None else round(NEARBY / size)
    return max(math.ceil(mask.buffer / size), nearby)


def kept(classes: Classes, mask: ClearMask, size: float) -> Flags:
    """Where a mask keeps pixels of the layer.

    Args:
        classes: (y, x) of the layer, with `margin_of` pixels around those that are wanted; 0 beyond it.
        mask: The mask.
        size: Metres of a pixel.

    Returns:
        (y, x), without the margin.
    """
    margin = margin_of(mask, size)
    inner = (slice(margin, classes.shape[0] - margin), slice(margin, classes.shape[1] - margin))
    out = mask.keeps(classes)[inner]
    if mask.buffer > 0:
        avoided = [number for number in _OBSCURED if number not in mask.numbers]
        out &= ~_near(np.isin(classes, avoided), mask.buffer / size)[inner]
    if mask.cloud_nearby is not None:
        side = 2 * round(NEARBY / size) + 1
        clouds = _sums(np.isin(classes, CLOUDY), side)
        known = _sums(classes != NODATA, side)
        out &= (clouds <= mask.cloud_nearby * known)[inner]
    return out


def _near(flags: Flags, distance: float) -> Flags:
    """Pixels whose centre is less than a distance, in pixels, from that of a flagged one."""
    out = np.zeros_like(flags)
    reach = math.ceil(distance) - 1  # nearer than the distance, not at it
    for shift in range(-reach, reach + 1):
        half = math.ceil(math.sqrt(distance**2 - shift**2)) - 1
        row = _along(flags, 2 * half + 1) > 0
        source = slice(max(0, shift), len(row) + min(0, shift))
        target = slice(max(0, -shift), len(row) + min(0, -shift))
        out[target] |= row[source]
    return out


def _sums(flags: Flags, side: int) -> NDArray[np.int64]:
    """How many pixels are flagged in the squares around pixels."""
    return _along(_along(flags, side).T, side).T


def _along(values: NDArray[np.generic], side: int) -> NDArray[np.int64]:
    """Sums of so many values around each, along rows; what lies beyond counts as 0."""
    half = side // 2
    total = np.cumsum(np.pad(values, ((0, 0), (half + 1, half))), axis=1, dtype=np.int64)
    return np.asarray(total[:, side:] - total[:, :-side])
