"""Backscatter in decibels: the one place that knows that its means are means of power.

Sentinel-1 is stored as 10·log10 of backscatter, where its errors are even; but a mean of decibels is the
geometric mean of power, and lies below the mean by 0.4 dB on even ground to 4.4 dB beside bright targets.
Whatever sums pixels, weighs them or takes their mean converts to power first and back behind it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from comeo.scene import Band

DECIBEL: Final = "dB"
_LOG2_OF_TEN: Final = float(np.log2(10.0))
_FARTHEST: Final = np.float32(300)  # float32 reaches to ±380 dB; sums of millions of pixels stay below


def uses_power(bands: Sequence[Band]) -> bool:
    """Whether bands are decibels, so that means of them are means of power.

    In an archive either all bands of a group are, or none: see `comeo.compression.apart`.
    """
    return all(band.unit == DECIBEL for band in bands)


def to_power(decibels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear power of decibels, of any shape; NaN stays NaN.

    A power of two, which NumPy takes four times as fast as one of ten. What is beyond ±300 dB, which no
    measurement is, counts as that, so that power and its sums are neither infinite nor 0.
    """
    octaves = np.clip(decibels, -_FARTHEST, _FARTHEST)
    octaves *= np.float32(_LOG2_OF_TEN / 10)
    power: NDArray[np.float32] = np.exp2(octaves)
    return power


def to_decibels(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """10·log10 of power, of any shape; NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = np.asarray(np.log2(power) * np.float32(10 / _LOG2_OF_TEN))  # of a single number, too
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


@dataclass(frozen=True, slots=True)
class Reduction:
    """What the means of some bands are means of: their power, if they are in decibels, or their numbers.

    Whoever sums pixels or weighs them does so between `before` and `after`.

    Attributes:
        scales: (scale, offset) of each band in decibels: dB = stored number × scale + offset; None for a band
            whose numbers are averaged as they are.
    """

    scales: tuple[tuple[float, float] | None, ...]

    @property
    def is_plain(self) -> bool:
        """Whether all bands are averaged as they are, and `before` and `after` return what they are given."""
        return not any(self.scales)

    def before(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is summed or weighed, of stored numbers (bands, …); NaN stays NaN."""
        if self.is_plain:
            return values
        if set(self.scales) == {(1.0, 0.0)}:
            return to_power(values)
        out = values.copy()
        for row, scale in enumerate(self.scales):
            if scale is not None:
                out[row] = to_power(values[row] * np.float32(scale[0]) + np.float32(scale[1]))
        return out

    def after(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stored numbers of what has been summed or weighed, (bands, …); NaN where there is no power."""
        if self.is_plain:
            return values
        if set(self.scales) == {(1.0, 0.0)}:
            return to_decibels(values)
        out = values.copy()
        for row, scale in enumerate(self.scales):
            if scale is not None:
                own = slice(row, row + 1)  # an array even where values are (bands,)
                out[own] = (to_decibels(values[own]) - np.float32(scale[1])) / np.float32(scale[0])
        return out

    def down(self, values: NDArray[np.float32], reduce: int) -> NDArray[np.float32]:
        """Means of 2^reduce × 2^reduce pixels (bands, y, x) that are not NaN: see `reduce_power`."""
        summed = self.before(values)
        known = ~np.isnan(summed)
        counts = _sums(known.astype(np.float32), reduce)
        sums = _sums(np.where(known, summed, np.float32(0)), reduce)
        return self.after(np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0))


PLAIN: Final = Reduction(())
"""Of numbers that are averaged as they are."""


def reduction_of(bands: Sequence[Band]) -> Reduction:
    """What means of these bands are means of, by their units."""
    return Reduction(tuple((band.scale, band.offset) if band.unit == DECIBEL else None for band in bands))


def ratio_decibels(power: float, reference: float) -> float:
    """10·log10 of the ratio of two powers, in dB; NaN where the reference has none."""
    return 10 * math.log10(power / reference) if reference > 0 else math.nan


def mean_decibels(decibels: NDArray[Any]) -> float:
    """The mean power of pixels, of any shape, in decibels; NaN is not counted, and NaN without a pixel."""
    power = np.exp2(np.asarray(decibels, np.float64) * (_LOG2_OF_TEN / 10))
    known = power[np.isfinite(power)]
    return float(10 * np.log10(known.mean())) if known.size else float("nan")
