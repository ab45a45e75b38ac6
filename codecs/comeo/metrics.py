"""Distortion in digital numbers, defined once for all reports and benchmarks."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PEAK: Final = (
    10_000.0  # reflectance 1.0 in the numbers of Sentinel-2's products; see missions.peak for others
)


def band_mse(
    reference: NDArray[Any], decoded: NDArray[Any], valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Mean squared error of each band.

    Args:
        reference: (bands, y, x), any real type.
        decoded: (bands, y, x).
        valid: Pixels that count, (y, x) or (bands, y, x). None: all.

    Returns:
        (bands,), NaN for a band without a valid pixel.

    Raises:
        ValueError: If the shapes differ.
    """
    if reference.ndim != 3 or reference.shape != decoded.shape:
        raise ValueError(
            f"metrics compare two arrays (bands, y, x), not {reference.shape} with {decoded.shape}"
        )
    counted = np.broadcast_to(True if valid is None else valid, reference.shape)
    difference = np.where(counted, np.subtract(decoded, reference, dtype=np.float64), 0.0)
    counts = counted.sum(axis=(1, 2))
    sums = np.square(difference).sum(axis=(1, 2))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def mse(reference: NDArray[Any], decoded: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> float:
    """Mean over bands of `band_mse`, leaving out bands without a valid pixel; NaN if no pixel is valid."""
    bands = band_mse(reference, decoded, valid)
    known = bands[~np.isnan(bands)]
    return float(known.mean()) if known.size else math.nan


def rmse(reference: NDArray[Any], decoded: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> float:
    """Root of `mse`, in digital numbers."""
    return math.sqrt(mse(reference, decoded, valid))


def psnr_of(mean_squared_error: float, peak: float = PEAK) -> float:
    """PSNR in dB of a mean squared error; infinite for 0."""
    if mean_squared_error == 0:
        return math.inf
    return 10 * math.log10(peak**2 / mean_squared_error)


def psnr(
    reference: NDArray[Any],
    decoded: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    peak: float = PEAK,
) -> float:
    """PSNR in dB from the mean of the bands' MSE, peak at reflectance 1.0 of products by default."""
    return psnr_of(mse(reference, decoded, valid), peak)
