"""Backscatter in decibels: the one place that knows that its means are means of power.

Sentinel-1 is stored as 10·log10 of backscatter, where its errors are even; but a mean of decibels is the
geometric mean of power, and lies below the mean by 0.4 dB on even ground to 4.4 dB beside bright targets.
Whatever sums pixels, weighs them or takes their mean converts to power first and back behind it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from comeo.scene import Band

DECIBEL: Final = "dB"
_LOG2_OF_TEN: Final = float(np.log2(10.0))
_FARTHEST: Final = np.float32(370)  # the range of float32 is 2^±126


def uses_power(bands: Sequence[Band]) -> bool:
    """Whether bands are decibels, so that means of them are means of power.

    In an archive either all bands of a group are, or none: see `comeo.compression.apart`.
    """
    return all(band.unit == DECIBEL for band in bands)


def to_power(decibels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear power of decibels, of any shape; NaN stays NaN.

    A power of two, which NumPy takes four times as fast as one of ten. What is beyond ±370 dB, which no
    measurement is, counts as that, so that power is neither infinite nor 0.
    """
    octaves = np.clip(decibels, -_FARTHEST, _FARTHEST)
    octaves *= np.float32(_LOG2_OF_TEN / 10)
    power: NDArray[np.float32] = np.exp2(octaves)
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
    power = to_power(decibels)
    known = ~np.isnan(power)
    if known.all():
        known = known[(0,) * (known.ndim - 2)]
    else:
        power[~known] = 0
    counts = np.maximum(_sums(known.astype(np.float32), reduce), 1)
    return to_decibels(np.divide(_sums(power, reduce), counts, dtype=np.float32))


def _sums(values: NDArray[np.float32], reduce: int) -> NDArray[np.float32]:
    """Sums of cells of 2^reduce × 2^reduce values (…, y, x), of fewer at the far edges."""
    size = 1 << reduce
    missing = [(0, -side % size) for side in values.shape[-2:]]
    if missing != [(0, 0), (0, 0)]:
        values = np.pad(values, [(0, 0)] * (values.ndim - 2) + missing)
    rows: NDArray[np.float32] = functools.reduce(np.add, (values[..., i::size, :] for i in range(size)))
    sums: NDArray[np.float32] = functools.reduce(np.add, (rows[..., i::size] for i in range(size)))
    return sums
