"""Point targets: ships, masts, roofs, and how much of their peaks is lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.compression.points import point_targets


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
