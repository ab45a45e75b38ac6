"""Backscatter in decibels: the one place that knows that its means are means of power.

Sentinel-1 is stored as 10·log10 of backscatter, where its errors are even; but a mean of decibels is the
geometric mean of power, and lies below the mean by 0.4 dB on even ground to 4.4 dB beside bright targets.
Whatever sums pixels, weighs them or takes their mean converts to power first and back behind it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_LOG2_OF_TEN: Final = float(np.log2(10.0))


def to_power(decibels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear power of decibels, of any shape; NaN stays NaN.

    A power of two, which NumPy takes four times as fast as one of ten.
    """
    power: NDArray[np.float32] = np.exp2(decibels * np.float32(_LOG2_OF_TEN / 10))
    return power


def to_decibels(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """10·log10 of power, of any shape; NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = np.log2(power) * np.float32(10 / _LOG2_OF_TEN)
    decibels[~(power > 0)] = np.nan
    return decibels


def reduce_power(decibels: NDArray[np.float32], reduce: int) -> NDArray[np.float32]:
    """The mean power of each 2^reduce × 2^reduce pixels, in decibels.

    Args:
        decibels: (…, y, x) float32; NaN is not counted.
        reduce: Halvings of both sides. Cells at the right and lower edges hold what is there.

    Returns:
        (…, ⌈y / 2^reduce⌉, ⌈x / 2^reduce⌉) float32, NaN where a cell has no pixel.
    """
    size = 1 << reduce
    rows, columns = (-side % size for side in decibels.shape[-2:])
    edges = [(0, 0)] * (decibels.ndim - 2) + [(0, rows), (0, columns)]
    whole = np.pad(decibels, edges, constant_values=np.nan)
    cells = whole.reshape(*whole.shape[:-2], whole.shape[-2] // size, size, whole.shape[-1] // size, size)
    power = to_power(cells)
    counts = np.isfinite(power).sum(axis=(-3, -1), dtype=np.float32)
    sums = np.nansum(power, axis=(-3, -1), dtype=np.float64)
    return to_decibels(
        np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0).astype(np.float32)
    )
