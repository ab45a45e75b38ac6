"""Maps of open water and of change, made of means of power as their makers do.

Both need nothing but how means over 5 × 5 pixels of the two versions go together, so that is what is kept.
N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9(1), 1979.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.quality.sar.figures import SMOOTHING, window_means

CALM: Final = -15.0
"""dB of VV below which ground is taken for open water where no threshold is found."""
_LOWEST: Final = -60.0
_HIGHEST: Final = 30.0
_BINS_PER_DECIBEL: Final = 10
_BINS: Final = round((_HIGHEST - _LOWEST) * _BINS_PER_DECIBEL)
LEAST_WATER: Final = 0.005
"""Share of a scene below which its water is too little to judge by."""
_APART: Final = 5.0


@dataclass(frozen=True, slots=True)
class WaterFigures:
    """Open water in both versions, from VV after means of power over 5 × 5 pixels.

    Attributes:
        band: Name.
        share: Of the original that is below −15 dB.
        agreement: Pixels that are on the same side of −15 dB in both versions (share).
    calm_iou: Intersection over union of the pixels below −15 dB; NaN where the original hardly has any.
        threshold: Otsu's, of the original, in dB; NaN where its classes are no water and land.
        decoded_threshold: Otsu's, of the decoded version.
        iou: Intersection over union of the pixels below each version's own threshold.
    """

    band: str
    share: float
    agreement: float
    calm_iou: float
    threshold: float
    decoded_threshold: float
    iou: float


class SmoothedPairs:
    """Counts of how means of power over 5 × 5 pixels of two versions go together, gathered piece by piece.

    Attributes:
        counts: (bins, bins) of tenths of a dB from −60 to 30: rows are the reference's, columns the decoded
            version's; what is beyond counts in the last ones.
        differences: Counts of decoded − reference in fiftieths of a dB, from −20 to 20 dB.
    """

    _FINE: Final = 50
    _REACH: Final = 20

    def __init__(self) -> None:
        self.counts = np.zeros((_BINS, _BINS), np.int64)
        self.differences = np.zeros(2 * self._REACH * self._FINE + 1, np.int64)

    def add(self, reference: NDArray[np.float32], decoded: NDArray[np.float32]) -> None:
        """Count all windows of rows (y, x) of decibels; NaN where there is no pixel."""
        ours, theirs = (window_means(each, SMOOTHING) for each in (reference, decoded))
        both = np.isfinite(ours) & np.isfinite(theirs)
        ours, theirs = ours[both], theirs[both]
        pairs = _bin(ours) * _BINS + _bin(theirs)
        self.counts += np.bincount(pairs, minlength=_BINS * _BINS).reshape(_BINS, _BINS)
        reach = self._REACH * self._FINE
        steps = np.clip(np.rint((theirs - ours) * self._FINE), -reach, reach).astype(np.int64) + reach
        self.differences += np.bincount(steps, minlength=self.differences.size)

    def water(self, band: str) -> WaterFigures:
        """Figures of maps of water; NaN without a pixel, and those of Otsu without water."""
        total = int(self.counts.sum())
        nothing = math.nan
        if not total:
            return WaterFigures(band, nothing, nothing, nothing, nothing, nothing, nothing)
        calm = round((CALM - _LOWEST) * _BINS_PER_DECIBEL)
        same = self.counts[:calm, :calm].sum() + self.counts[calm:, calm:].sum()
        share, agreement = float(self.counts[:calm].sum() / total), float(same / total)
        if share < LEAST_WATER:
            return WaterFigures(band, share, agreement, nothing, nothing, nothing, nothing)
        ours, theirs = (_otsu(self.counts.sum(axis=axis)) for axis in (1, 0))
        calm_iou = self._overlap(calm, calm)
        if not _is_water(self.counts.sum(axis=1), ours):
            return WaterFigures(band, share, agreement, calm_iou, nothing, nothing, nothing)
        first, second = (_LOWEST + split / _BINS_PER_DECIBEL for split in (ours, theirs))
        return WaterFigures(band, share, agreement, calm_iou, first, second, self._overlap(ours, theirs))

    def _overlap(self, ours: int, theirs: int) -> float:
        """Intersection over union of what lies below a bin of either version."""
        both, neither = self.counts[:ours, :theirs].sum(), self.counts[ours:, theirs:].sum()
        return float(both / (self.counts.sum() - neither))

    def false_change(self, threshold: float = 2.0) -> float:
        """Share of 5 × 5 pixels whose change between two such archives is off by more than `threshold` dB.

        The errors of both are taken to be independent and to be spread as this archive's are.
        """
        total = int(self.differences.sum())
        if not total:
            return math.nan
        share = self.differences / total
        sums = np.convolve(share, share[::-1])  # of e₁ − e₂, its middle being no difference
        middle = sums.size // 2
        far = round(threshold * self._FINE)
        return float(max(0.0, 1 - sums[middle - far : middle + far + 1].sum()))


def water_figures(
    reference: NDArray[np.float32], decoded: NDArray[np.float32], band: str = "VV"
) -> WaterFigures:
    """Open water in two versions of VV (y, x), in decibels."""
    pairs = SmoothedPairs()
    pairs.add(reference, decoded)
    return pairs.water(band)


def otsu(decibels: NDArray[np.float32]) -> float:
    """Otsu's threshold of values in dB, to a tenth; NaN where they don't fall in two classes."""
    known = decibels[np.isfinite(decibels)]
    counts = np.bincount(_bin(known), minlength=_BINS)
    return _LOWEST + _otsu(counts) / _BINS_PER_DECIBEL if np.count_nonzero(counts) > 1 else math.nan


def _bin(decibels: NDArray[np.float32]) -> NDArray[np.int64]:
    places = np.floor((decibels - np.float32(_LOWEST)) * _BINS_PER_DECIBEL)
    return np.asarray(np.clip(places, 0, _BINS - 1), np.int64)


def _otsu(counts: NDArray[np.int64]) -> int:
    """The first bin of the upper class: where the variance between both classes is greatest.

    In a gap between them the variance is the same everywhere: its middle is taken.
    """
    places = np.arange(counts.size)
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    sums = np.cumsum(counts * places)[:-1].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums / below - (float(counts @ places) - sums) / above
    between = np.nan_to_num(below * above * apart**2)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return int(best[0] + best[-1]) // 2 + 1


def _is_water(counts: NDArray[np.int64], split: int) -> bool:
    """Whether two classes are water and land: the lower one is calm in the mean, and 5 dB below the other."""
    centres = _LOWEST + (np.arange(_BINS) + 0.5) / _BINS_PER_DECIBEL
    if not counts[:split].any() or not counts[split:].any():
        return False
    low, high = (
        float(np.average(centres[part], weights=counts[part])) for part in (slice(split), slice(split, None))
    )
    return low < CALM and high - low >= _APART
