"""Errors of one quantity gathered piece by piece: moments exactly, percentiles from a histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_REACH: Final = 65_535  # bins on either side of zero: every difference of two 16-bit numbers


@dataclass(frozen=True, slots=True)
class Overall:
    """Errors of several quantities of one unit, each weighing the same however many values it has.

    Attributes:
        rmse: Root of the mean of their mean squared errors; NaN, as all others, without a value.
        bias: Mean of their biases.
        max_error: The largest absolute error.
        p50: Median absolute error, of the mean of their distributions.
        p95: Absolute error that 95 % do not exceed.
        p99: The same for 99 %.
    """

    rmse: float
    bias: float
    max_error: float
    p50: float
    p95: float
    p99: float


@dataclass
class Errors:
    """Errors (decoded − original) of one quantity.

    Attributes:
        resolution: Width of a bin of the histogram. With 1 the percentiles of whole numbers are exact.
        count: How many values were compared.
        total: Sum of errors.
        squares: Sum of their squares.
        largest: The largest absolute error.
        bins: Counts of errors rounded to `resolution`; the middle bin is zero.
    """

    resolution: float = 1.0
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    largest: float = 0.0
    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2 * _REACH + 1, np.int64))

    def add(self, reference: NDArray[Any], decoded: NDArray[Any]) -> None:
        """Count more values, 1-D and valid all of them."""
        if not reference.size:
            return
        if reference.dtype.kind in "ui":
            difference: NDArray[Any] = decoded.astype(np.int32) - reference
            rounded = difference
        else:
            difference = np.subtract(decoded, reference, dtype=np.float64)
            rounded = np.rint(difference / self.resolution).astype(np.int64)
        rounded = np.clip(rounded, -_REACH, _REACH) + _REACH
        self.bins += np.bincount(rounded, minlength=self.bins.size)
        self.count += difference.size
        self.total += float(difference.sum(dtype=np.float64))
        self.squares += float(np.square(difference, dtype=np.float64).sum())
        self.largest = max(self.largest, float(np.abs(difference).max()))

    @property
    def bias(self) -> float:
        """Mean error; positive when decoded values are too large. NaN without a value."""
        return self.total / self.count if self.count else math.nan

    @property
    def mse(self) -> float:
        """Mean squared error."""
        return self.squares / self.count if self.count else math.nan

    @property
    def rmse(self) -> float:
        """Root of the mean squared error."""
        return math.sqrt(self.mse)

    @property
    def mae(self) -> float:
        """Mean absolute error, to the histogram's resolution."""
        sizes = self.sizes
        return self.resolution * float(sizes @ np.arange(sizes.size)) / self.count if self.count else math.nan

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Counts of absolute errors 0, 1, 2 … times `resolution`."""
        sizes = self.bins[_REACH:].copy()
        sizes[1:] += self.bins[:_REACH][::-1]
        return sizes

    def percentile(self, share: float) -> float:
        """The absolute error that `share` percent of the values do not exceed (the inverted CDF)."""
        if not self.count:
            return math.nan
        below = np.cumsum(self.sizes)
        wanted = max(1, math.ceil(share / 100 * self.count - 1e-9))
        return min(self.largest, self.resolution * int(np.searchsorted(below, wanted)))

    def histogram(self, bins: int = 41) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Counts of signed errors in equal bins out to the 99.5th percentile; the rest is in the last.

        Returns:
            (edges of `bins` bins, counts).
        """
        reach = max(1, math.ceil(self.percentile(99.5) / self.resolution))
        width = max(1, math.ceil(2 * reach / bins))
        half = (bins * width) // 2
        places = np.arange(-_REACH, _REACH + 1)
        index = np.clip((places + half) // width, 0, bins - 1)
        counts = np.bincount(index, self.bins, minlength=bins).astype(np.int64)
        edges = (np.arange(bins + 1) * width - half) * self.resolution
        return edges.astype(np.float64), counts


def overall(errors: Sequence[Errors]) -> Overall:
    """Several quantities as one; all NaN if they are not counted in one resolution, or have no value."""
    known = [each for each in errors if each.count]
    if len({each.resolution for each in known}) != 1:
        return Overall(*[math.nan] * 6)
    below = np.cumsum(sum(each.sizes / each.count for each in known)) / len(known)
    largest = max(each.largest for each in known)

    def percentile(share: float) -> float:
        return min(largest, known[0].resolution * int(np.searchsorted(below, share / 100 - 1e-12)))

    return Overall(
        math.sqrt(math.fsum(each.mse for each in known) / len(known)),
        math.fsum(each.bias for each in known) / len(known),
        largest, percentile(50), percentile(95), percentile(99),
    )  # fmt: skip
