"""The angle between spectra, which brightness does not change."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BINS: Final = 18_000  # of 0.01°


def spectral_angle(reference: NDArray[Any], decoded: NDArray[Any]) -> NDArray[np.float64]:
    """Angle between spectra, in degrees.

    Kruse et al., "The spectral image processing system (SIPS)", Remote Sensing of Environment 44, 1993; by
    Kahan's formula, which is exact for small angles where the arc cosine is not.

    Args:
        reference: (bands, n) physical values.
        decoded: The same of the other version.

    Returns:
        (n,), 0 to 180; NaN where one spectrum is all zero.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = reference / _length(reference), decoded / _length(decoded)
    angle = 2 * np.arctan2(_length(a - b), _length(a + b))
    return np.asarray(np.degrees(angle), np.float64)


def _length(spectra: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.sqrt(np.einsum("bn,bn->n", spectra, spectra)))


class Angles:
    """Spectral angles gathered piece by piece."""

    def __init__(self) -> None:
        self._total = 0.0
        self._bins = np.zeros(_BINS + 1, np.int64)

    def add(self, reference: NDArray[Any], decoded: NDArray[Any]) -> None:
        """Count more spectra: (bands, n) physical values."""
        angle = spectral_angle(reference, decoded)
        angle = angle[np.isfinite(angle)]
        self._total += float(angle.sum())
        self._bins += np.bincount((angle * 100).astype(np.int64), minlength=_BINS + 1)

    @property
    def mean(self) -> float:
        """In degrees; NaN without a spectrum."""
        count = self._bins.sum()
        return self._total / int(count) if count else math.nan

    def percentile(self, share: float) -> float:
        """The angle that `share` percent of the spectra stay below, in degrees to 0.01."""
        below = np.cumsum(self._bins)
        if not below[-1]:
            return math.nan
        return float(np.searchsorted(below, share / 100 * below[-1]) + 1) / 100
