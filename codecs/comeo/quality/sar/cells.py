"""Homogeneous cells: where radar shows nothing but speckle, and what is left of it there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import to_power

CELL: Final = 16
"""Pixels to a side."""
SHARE: Final = 30.0
"""Percent of a band's cells that count as homogeneous: those that vary least in the original."""

Figures = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CellFigures:
    """Figures of homogeneous cells.

    Attributes:
        count: Homogeneous cells.
        bias: Median over them of the mean power's ratio, decoded to original, in dB.
        enl: Equivalent number of looks of the original, mean² / variance of power: median over cells.
        enl_decoded: The same of the decoded version; higher where speckle was smoothed.
        mean_of_ratio: Mean of original / decoded power (MoR): median over cells, 1 ideally.
        enl_ratio: Equivalent number of looks of original / decoded. As many as the original has where nothing
            but speckle was removed, and all of it; more where some is left.
        residual: Gomez' first residual: how far the ratio is from speckle of mean 1 and the original's looks,
            mean over cells of half of |ENL − ENL of the ratio| / ENL + |1 − MoR|.
    """

    count: int
    bias: float
    enl: float
    enl_decoded: float
    mean_of_ratio: float
    enl_ratio: float
    residual: float


class Cells:
    """Moments of cells of 16 × 16 pixels, gathered strip by strip; incomplete cells are left out."""

    def __init__(self) -> None:
        self._found: list[Figures] = []

    def add(self, reference: NDArray[np.float32], decoded: NDArray[np.float32]) -> None:
        """Count rows (y, x) of decibels that begin where a row of cells does."""
        original, other = (_cells(to_power(each)) for each in (reference, decoded))
        both = np.isfinite(original).all(axis=1) & np.isfinite(other).all(axis=1)
        original, other = original[both], other[both]
        moments = [
            moment
            for each in (original, other, original / other)
            for moment in (each.mean(axis=1), each.var(axis=1))
        ]
        self._found.append(np.stack(moments))

    def figures(self) -> CellFigures:
        """Figures of the cells whose power varies least for its mean; NaN without a cell."""
        found = np.concatenate(self._found, axis=1) if self._found else np.empty((6, 0))
        if not found.shape[1]:
            return CellFigures(0, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)
        variation = found[1] / found[0] ** 2
        found = found[:, variation <= np.percentile(variation, SHARE)]
        mean, _, decoded_mean, _, ratio_mean, _ = found
        looks = [_looks(found[row], found[row + 1]) for row in (0, 2, 4)]
        return CellFigures(
            count=found.shape[1],
            bias=float(np.median(10 * np.log10(decoded_mean / mean))),
            enl=float(np.median(looks[0])),
            enl_decoded=float(np.median(looks[1])),
            mean_of_ratio=float(np.median(ratio_mean)),
            enl_ratio=float(np.median(looks[2])),
            residual=_residual(looks[0], looks[2], ratio_mean),
        )


def homogeneous(reference: NDArray[np.float32], decoded: NDArray[np.float32]) -> CellFigures:
    """Figures of the homogeneous cells of two versions of a band (y, x) in decibels."""
    cells = Cells()
    cells.add(reference, decoded)
    return cells.figures()


def _cells(power: NDArray[np.float32]) -> Figures:
    """Pixels of whole cells, (cells, 256)."""
    rows, cols = (length // CELL for length in power.shape)
    whole = power[: rows * CELL, : cols * CELL].astype(np.float64)
    return whole.reshape(rows, CELL, cols, CELL).swapaxes(1, 2).reshape(rows * cols, CELL * CELL)


def _looks(mean: Figures, variance: Figures) -> Figures:
    """Infinite where nothing varies."""
    return np.divide(mean**2, variance, out=np.full_like(mean, np.inf), where=variance > 0)


def _residual(looks: Figures, ratio_looks: Figures, ratio_mean: Figures) -> float:
    known = np.isfinite(looks) & np.isfinite(ratio_looks)
    if not known.any():
        return math.nan
    of_looks = np.abs(looks - ratio_looks)[known] / looks[known]
    return float(np.mean((of_looks + np.abs(1 - ratio_mean[known])) / 2))
