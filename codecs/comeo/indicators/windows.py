"""What a formula computes of the pixels around each: means, medians, spread, extremes, and Lee's filter.

A window is square, 2·radius + 1 pixels to a side. Pixels that are not known (NaN), and those beyond the
image, do not count; a pixel that is not known itself stays so. So the halo of an image's edge is `radius`
wide, and what lies within it is the same however the image was cut out of a larger one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Values = NDArray[np.float32]
_T = TypeVar("_T", bound=np.floating[Any])
LOOKS: Final = 4.4
"""Equivalent number of looks of Sentinel-1's GRD products of mode IW (ESA, Sentinel-1 Product Definition)."""


def mean(values: Values, radius: int) -> Values:
    """Means of what is known in the windows."""
    return _restored(values, _mean(values, radius))


def std(values: Values, radius: int) -> Values:
    """Standard deviations, of the population, of what is known in the windows."""
    return _restored(values, np.sqrt(_variance(values, radius)[1]))


def lee(values: Values, radius: int) -> Values:
    """Lee's filter of power with the speckle of `LOOKS`.

    Where the spread is that of speckle alone the mean stands, where it is much more the pixel itself. Lee
    1980, "Digital image enhancement and noise filtering by use of local statistics", IEEE PAMI 2(2), for
    multiplied noise: x̂ = m + k·(x − m), k = max(0, var − m²/L) / (var·(1 + 1/L)).
    """
    middle, variance = _variance(values, radius)
    gain = lee_gain(middle, variance)
    return _restored(values, middle + gain * (values - middle))


def lee_gain(middle: Values, variance: Values) -> Values:
    """The weight of the pixel itself, 0 to 1: see `lee`."""
    speckle = np.float32(1 / LOOKS)
    above = np.maximum(variance - middle * middle * speckle, 0)
    gain: Values = np.divide(above, variance * (1 + speckle), out=np.zeros_like(above), where=variance > 0)
    return gain


def median(values: Values, radius: int) -> Values:
    """Medians of what is known in the windows."""
    return _restored(values, _over_windows(values, radius, _medians))


def least(values: Values, radius: int) -> Values:
    """Least of what is known in the windows."""
    return _restored(values, _extreme(values, radius, np.inf, np.minimum))


def greatest(values: Values, radius: int) -> Values:
    """Greatest of what is known in the windows."""
    return _restored(values, _extreme(values, radius, -np.inf, np.maximum))


def statistics(values: Values, radius: int) -> tuple[Values, Values]:
    """Mean and variance of what is known in the windows."""
    return _variance(values, radius)


def _restored(values: Values, results: Values) -> Values:
    return np.where(np.isnan(values), np.float32(np.nan), results).astype(np.float32)


def _mean(values: Values, radius: int) -> Values:
    known = ~np.isnan(values)
    counts = _sums(known.astype(np.float32), radius)
    sums = _sums(np.where(known, values, np.float32(0)), radius)
    means: Values = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means


def _variance(values: Values, radius: int) -> tuple[Values, Values]:
    """Mean and variance; in double precision, since a variance is a small difference."""
    middle = _mean(values, radius)
    exact = values.astype(np.float64)
    known = ~np.isnan(exact)
    counts = np.maximum(_sums(known.astype(np.float64), radius), 1)
    filled = np.where(known, exact, 0.0)
    first, second = _sums(filled, radius) / counts, _sums(filled * filled, radius) / counts
    return middle, np.maximum(second - first * first, 0).astype(np.float32)


def _sums(values: NDArray[_T], radius: int) -> NDArray[_T]:
    """Sums over windows, what lies beyond the image counting as 0.

    Added up term by term, always in the same order, so that a sum does not depend on where the image begins.
    """
    for axis in (0, 1):
        sides = [(0, 0), (0, 0)]
        sides[axis] = (radius, radius)
        wide = np.moveaxis(np.pad(values, sides), axis, 0)
        length = values.shape[axis]
        total = wide[:length].copy()
        for start in range(1, 2 * radius + 1):
            total += wide[start : start + length]
        values = np.moveaxis(total, 0, axis)
    return values


def _extreme(
    values: Values, radius: int, unknown: float, choose: Callable[[Values, Values], Values]
) -> Values:
    values = np.where(np.isnan(values), np.float32(unknown), values)
    for axis in (0, 1):
        sides = [(0, 0), (0, 0)]
        sides[axis] = (radius, radius)
        wide = np.moveaxis(np.pad(values, sides, constant_values=unknown), axis, 0)
        length = values.shape[axis]
        found = wide[:length]
        for start in range(1, 2 * radius + 1):
            found = choose(found, wide[start : start + length])
        values = np.moveaxis(found, 0, axis)
    return values


def _medians(windows: Values) -> Values:
    """Medians of what is known in each row (rows, pixels)."""
    rising = np.sort(windows, axis=1)  # what is not known comes last
    last = np.maximum(np.count_nonzero(~np.isnan(rising), axis=1) - 1, 0)
    rows = np.arange(len(rising))
    return np.asarray((rising[rows, last // 2] + rising[rows, (last + 1) // 2]) / 2, np.float32)


def _over_windows(values: Values, radius: int, reduce: Callable[[Values], Values]) -> Values:
    """Apply a function to the pixels of each window, row by row: all at once are 225 images."""
    side = 2 * radius + 1
    wide = np.pad(values, radius, constant_values=np.float32(np.nan))
    out = np.empty_like(values)
    for row in range(values.shape[0]):
        window = sliding_window_view(wide[row : row + side], side, axis=1)
        out[row] = reduce(window.transpose(1, 0, 2).reshape(values.shape[1], -1))
    return out
