"""Point targets: where they are, and how an encoder keeps more of their peaks.

Coding takes most from what stands alone. A peak that lost 2 dB is coded once more, raised by a share of what
it lost. On training scenes at ×100 that keeps 0.2 to 1 dB of 1.7 to 2.8 at equal bytes, and costs 0.01 dB of
PSNR or less.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import to_power

ABOVE: Final = 8.0
"""By how many dB a point stands above its surround."""
SURROUND: Final = 15
"""Pixels to a side of the surround, its middle 3 × 3 left out."""
_SHARE: Final = 1.5  # of what a peak lost, by which it is raised; 2 overshoots at ×50


def point_targets(decibels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where points are, (y, x): pixels that are the brightest of 3 × 3, 8 dB above the power around them.

    Args:
        decibels: (y, x), NaN where there is no pixel; what lies beyond the array counts as missing.
    """
    power = to_power(decibels)
    known = np.isfinite(power)
    power[~known] = 0
    around, pixels = (_ring(each) for each in (power, known))
    level = np.divide(around, pixels, out=np.full(power.shape, np.inf), where=pixels > 0)
    brightest = power == _highest(power)
    found: NDArray[np.bool_] = known & brightest & (power > 10 ** (ABOVE / 10) * level)
    return found


def _ring(values: NDArray[Any]) -> NDArray[np.float64]:
    """Sums over the surround of each pixel without its middle, nothing beyond the array."""
    return window_sums(values, SURROUND // 2) - window_sums(values, 1)


def _highest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The highest of the 3 × 3 values around each, of those that are not negative."""
    height, width = values.shape
    padded = np.pad(values, 1)
    shifted = [padded[row : row + height, col : col + width] for row in range(3) for col in range(3)]
    highest: NDArray[np.float32] = np.maximum.reduce(shifted)
    return highest


def window_sums(values: NDArray[Any], radius: int) -> NDArray[np.float64]:
    """Sums over (2 · radius + 1)² pixels around each, as far as they lie inside.

    From sums over 1, 2, 4 … pixels: a difference of running sums would lose water beside a bright town.
    """
    found = values.astype(np.float64)
    for _ in range(2):
        spans, span, start = np.pad(found, ((radius, radius), (0, 0))), 1, 0
        total = np.zeros_like(found)
        while span <= 2 * radius + 1:
            if (2 * radius + 1) & span:
                total += spans[start : start + len(found)]
                start += span
            spans = spans[:-span] + spans[span:]
            span *= 2
        found = total.T
    return found


def raised(
    original: NDArray[np.float32], decoded: NDArray[np.float32], valid: NDArray[np.bool_] | None
) -> NDArray[np.float32] | None:
    """What to code in place of a block so that its points keep their peaks; None if none of them lost any.

    Args:
        original: (bands, y, x) decibels.
        decoded: Of the same shape, as coded plainly.
        valid: Of the same shape: pixels that count; None: all.
    """
    known = original if valid is None else np.where(valid, original, np.float32(np.nan))
    lost = original - decoded
    points = np.stack([point_targets(band) for band in known]) & (lost > 0)
    if not points.any():
        return None
    return np.where(points, original + np.float32(_SHARE) * lost, original)
