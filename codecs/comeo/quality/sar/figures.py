"""Figures of radar: what compression does to power, of two versions of a band in decibels.

All take arrays (y, x) of decibels, NaN where there is no pixel, and count what both versions have. Means
are means of power. A mean over windows is taken at every position that a window of the size fits in, as if
its cells had been laid at every offset: cells at one offset favour the codec whose own cells lie there.

Sources: F. Argenti, A. Lapini, T. Bianchi, L. Alparone, "A tutorial on speckle reduction in synthetic
aperture radar images", IEEE Geoscience and Remote Sensing Magazine 1(3), 2013, for β, the ratio of averages
and what is made of homogeneous areas; L. Gomez, R. Ospina, A. C. Frery, "Unassisted quantitative evaluation
of despeckling filters", Remote Sensing 9(4) 389, 2017, for the structure of ratio images.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import ratio_decibels, to_decibels, to_power

FIELD: Final = 8
"""Pixels to a side of the windows whose means stand for fields: 80 m."""
SMOOTHING: Final = 5
"""Pixels to a side of the means of power that maps of water and of change are made from."""

Decibels = NDArray[np.float32]


def power_bias(reference: Decibels, decoded: Decibels) -> float:
    """10·log10(ΣÎ / ΣI) in dB, I the power of the reference; NaN without a pixel."""
    both = np.isfinite(reference) & np.isfinite(decoded)
    ours, theirs = (to_power(each[both]).sum(dtype=np.float64) for each in (reference, decoded))
    return ratio_decibels(theirs, ours)


def rmse(reference: Decibels, decoded: Decibels) -> float:
    """Root of the mean squared difference in dB; NaN without a pixel."""
    return _root_mean_square(np.subtract(decoded, reference, dtype=np.float64))


def window_means(decibels: Decibels, side: int) -> Decibels:
    """Mean power in dB of each window of side × side pixels: (…, y − side + 1, x − side + 1).

    NaN where a window lacks a pixel; empty if the array is smaller than a window.
    """
    height, width = (max(0, length - side + 1) for length in decibels.shape[-2:])
    power = to_power(decibels)
    rows = functools.reduce(np.add, (power[..., top : top + height, :] for top in range(side)))
    sums = functools.reduce(np.add, (rows[..., left : left + width] for left in range(side)))
    means: Decibels = to_decibels(sums / np.float32(side * side))
    return means


def window_rmse(reference: Decibels, decoded: Decibels, side: int = FIELD) -> float:
    """Root mean square difference in dB of the mean power of windows, at every position.

    With 8 it is the error of a field's mean ("ml8"), averaged over all offsets of its cells.
    """
    return rmse(window_means(reference, side), window_means(decoded, side))


def difference_rmse(
    reference: tuple[Decibels, Decibels], decoded: tuple[Decibels, Decibels], side: int = 1
) -> float:
    """Root mean square error in dB of two bands' ratio (VV − VH), of means of side × side pixels."""
    ours, theirs = (
        window_means(first, side) - window_means(second, side) for first, second in (reference, decoded)
    )
    return rmse(ours, theirs)


def laplacian_correlation(reference: Decibels, decoded: Decibels) -> float:
    """β: correlation of both versions' Laplacians, in dB. 1 where all edges are kept; NaN if one has none."""
    moments = Moments()
    moments.add(laplacian(reference), laplacian(decoded))
    return moments.correlation


def ratio_of_averages(reference: Decibels, decoded: Decibels) -> float:
    """EPD-ROA: the sum of ratios of neighbours' power in the decoded version over that in the reference.

    Neighbours in rows and in columns. 1 where edges and speckle are kept, less where they are smoothed.
    """
    ours, theirs = neighbour_ratios(reference, decoded)
    return theirs / ours if ours > 0 else math.nan


def ratio_correlation(reference: Decibels, decoded: Decibels) -> float:
    """Correlation of neighbours, in rows and in columns, in the ratio image I / Î.

    What is left in it beyond the correlation of the speckle itself is structure that was lost.
    """
    structure = RatioStructure()
    structure.add(reference, decoded)
    return structure.correlation


def changed(reference: Decibels, decoded: Decibels, threshold: float = 2.0, side: int = SMOOTHING) -> float:
    """Share of means of power that differ by more than `threshold` dB: what a map calls change.

    Given two dates between which nothing has changed these are its false alarms.
    """
    difference = window_means(decoded, side) - window_means(reference, side)
    known = np.isfinite(difference)
    return float(np.mean(np.abs(difference[known]) > threshold)) if known.any() else math.nan


def laplacian(decibels: Decibels) -> Decibels:
    """Four times each pixel less its four neighbours: (…, y − 2, x − 2); NaN beside missing ones."""
    centre = decibels[..., 1:-1, 1:-1]
    around = (
        decibels[..., :-2, 1:-1], decibels[..., 2:, 1:-1], decibels[..., 1:-1, :-2], decibels[..., 1:-1, 2:],
    )  # fmt: skip
    return np.asarray(4 * centre - functools.reduce(np.add, around), np.float32)


def neighbours(values: NDArray[Any], rows: int | None = None) -> Sequence[tuple[NDArray[Any], NDArray[Any]]]:
    """Pairs of neighbours (first, second) in rows and in columns of an array, the first in its first rows.

    Args:
        values: (y, x).
        rows: How many rows; None for all. A further one is only a neighbour of the last.
    """
    first = values[:rows]
    return (first[:, :-1], first[:, 1:]), (values[:-1][:rows], values[1:][:rows])


def neighbour_ratios(reference: Decibels, decoded: Decibels, rows: int | None = None) -> tuple[float, float]:
    """Sums over pairs of `neighbours` of their powers' ratio, of the reference and of the decoded version."""
    sums = np.zeros(2)
    pairs = zip(neighbours(reference, rows), neighbours(decoded, rows), strict=True)
    for (a, b), (c, d) in pairs:
        both = np.isfinite(a - b) & np.isfinite(c - d)
        sums += [to_power((near - far)[both]).sum(dtype=np.float64) for near, far in ((a, b), (c, d))]
    return float(sums[0]), float(sums[1])


class Moments:
    """Moments of two quantities, gathered piece by piece.

    Attributes:
        count: Pairs counted: those in which both are finite.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sums = np.zeros(2)
        self._products = np.zeros((2, 2))

    def add(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Count pairs of two arrays of one shape."""
        both = np.isfinite(first) & np.isfinite(second)
        pair = np.stack([first[both], second[both]]).astype(np.float64)
        self.count += pair.shape[1]
        self._sums += pair.sum(axis=1)
        self._products += pair @ pair.T

    @property
    def correlation(self) -> float:
        """Pearson's correlation; NaN where one of the two is constant, or there is no pair."""
        if not self.count:
            return math.nan
        covariance = self._products / self.count - np.outer(self._sums, self._sums) / self.count**2
        spread = covariance[0, 0] * covariance[1, 1]
        return float(covariance[0, 1] / math.sqrt(spread)) if spread > 0 else math.nan


class RatioStructure:
    """Structure of the ratio image I / Î, gathered piece by piece: none where only speckle was removed."""

    _LEVELS: Final = 64
    _PER_UNIT: Final = 16  # levels reach to a ratio of 4, what is above counts as that

    def __init__(self) -> None:
        self._moments = Moments()
        self._alike = 0.0
        self._counts = np.zeros((2, self._LEVELS))

    def add(self, reference: Decibels, decoded: Decibels, rows: int | None = None) -> None:
        """Count pairs of `neighbours` of two arrays (y, x)."""
        for pair in neighbours(to_power(reference - decoded), rows):
            both = np.isfinite(pair[0]) & np.isfinite(pair[1])
            first, second = pair[0][both], pair[1][both]
            self._moments.add(first, second)
            levels = [
                np.minimum(np.rint(each * self._PER_UNIT), self._LEVELS - 1).astype(np.int64)
                for each in (first, second)
            ]
            self._alike += float(np.sum(1 / (1 + np.square(levels[0] - levels[1]))))
            self._counts += [np.bincount(each, minlength=self._LEVELS) for each in levels]

    @property
    def correlation(self) -> float:
        """Of neighbours in rows and columns."""
        return self._moments.correlation

    @property
    def excess(self) -> float:
        """Gomez' second residual: by how much neighbours are more alike than in a shuffled ratio image.

        |h − g| / h, h the homogeneity Σ p(i, j) / (1 + (i − j)²) of neighbours' levels, g that which they
        would have if the pixels were shuffled, which needs no shuffling: then p(i, j) is p(i)·p(j).
        """
        if not self._moments.count:
            return math.nan
        homogeneity = self._alike / self._moments.count
        shares = self._counts / self._moments.count
        apart = np.subtract.outer(np.arange(self._LEVELS), np.arange(self._LEVELS))
        shuffled = float(shares[0] @ (1 / (1 + apart**2)) @ shares[1])
        return abs(homogeneity - shuffled) / homogeneity


def _root_mean_square(differences: NDArray[np.float64]) -> float:
    known = differences[np.isfinite(differences)]
    return math.sqrt(float(np.mean(np.square(known)))) if known.size else math.nan
