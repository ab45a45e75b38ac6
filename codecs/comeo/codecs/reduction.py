"""Means of cells: what a reduced decode gives."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray


def reduce_mask(mask: NDArray[np.bool_], reduce: int) -> NDArray[np.bool_]:
    """Shrink a mask (…, y, x) by 2^reduce: true where at least half of the covered pixels are."""
    if reduce == 0:
        return mask
    return reduce_mean(mask.astype(np.float32), reduce) >= 0.5


def reduce_mean(values: NDArray[np.float32], reduce: int) -> NDArray[np.float32]:
    """Shrink (…, y, x) by 2^reduce: the mean of the covered pixels, fewer at the far edges."""
    factor = 1 << reduce
    height, width = values.shape[-2:]
    missing = [(0, -height % factor), (0, -width % factor)]
    if missing != [(0, 0), (0, 0)]:
        values = np.pad(values, [(0, 0)] * (values.ndim - 2) + missing)
    rows = functools.reduce(np.add, (values[..., i::factor, :] for i in range(factor)))
    sums = functools.reduce(np.add, (rows[..., i::factor] for i in range(factor)))
    counts = np.outer(_cell_sizes(height, factor), _cell_sizes(width, factor))
    return np.divide(sums, counts, dtype=np.float32)


def _cell_sizes(length: int, factor: int) -> NDArray[np.float32]:
    starts = np.arange(0, length, factor)
    return np.minimum(length - starts, factor).astype(np.float32)
