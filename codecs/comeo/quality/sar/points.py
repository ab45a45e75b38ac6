"""Point targets: ships, masts, roofs, and how much of their peaks is lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, uniform_filter

from comeo.decibel import to_power

ABOVE: Final = 8.0
"""By how many dB a point stands above its surround."""
SURROUND: Final = 15
"""Pixels to a side of the surround, its middle 3 × 3 left out."""
_MIDDLE: Final = 3


def point_targets(decibels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where points are, (y, x): pixels that are the brightest of 3 × 3, 8 dB above the power around them.

    Args:
        decibels: (y, x), NaN where there is no pixel; what lies beyond the array counts as missing.
    """
    power = to_power(decibels)
    known = np.isfinite(power)
    power[~known] = 0
    around, pixels = (_ring(each.astype(np.float64)) for each in (power, known))
    level = np.divide(around, pixels, out=np.full(power.shape, np.inf), where=pixels > 0.5)
    brightest = power == maximum_filter(power, _MIDDLE, mode="constant")
    found: NDArray[np.bool_] = known & brightest & (power > 10 ** (ABOVE / 10) * level)
    return found


def _ring(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the surround of each pixel without its middle, nothing beyond the array."""
    whole, middle = (
        side * side * uniform_filter(values, side, mode="constant") for side in (SURROUND, _MIDDLE)
    )
    ring: NDArray[np.float64] = np.maximum(whole - middle, 0)
    return ring


@dataclass
class Points:
    """Peaks of point targets, gathered piece by piece.

    Attributes:
        count: Points of the reference.
        lost: Sum over them of the dB that their peak is lower by in the decoded version.
    """

    count: int = 0
    lost: float = 0.0

    def add(self, reference: NDArray[np.float32], decoded: NDArray[np.float32], rows: slice) -> None:
        """Count points of some rows; the arrays (y, x) hold 7 more on either side where there are any."""
        here = point_targets(reference)[rows] & np.isfinite(decoded[rows])
        lost: NDArray[Any] = (reference[rows] - decoded[rows])[here]
        self.count += lost.size
        self.lost += float(lost.sum(dtype=np.float64))

    @property
    def mean_lost(self) -> float:
        """By how many dB a point's peak is lower, in the mean; NaN without a point."""
        return self.lost / self.count if self.count else math.nan


def peak_lost(reference: NDArray[np.float32], decoded: NDArray[np.float32]) -> float:
    """By how many dB peaks of point targets (y, x) are lower in the decoded version; NaN without one."""
    points = Points()
    points.add(reference, decoded, slice(None))
    return points.mean_lost
