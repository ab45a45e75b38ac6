"""The satellite's way, and when it passes a place at zero Doppler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError

_DEGREE: Final = 7
# Orbits of products fit to 0.4 mm; what is further off has a damaged vector.
_FARTHEST: Final = 1e9  # metres from the middle of the Earth: what follows cannot overflow
_MAX_RESIDUAL: Final = 1.0  # metres
_ITERATIONS: Final = 6  # from the middle of a scene, five reach a nanosecond
Vectors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Orbit:
    """Positions as a polynomial of time. They are Earth-fixed, so no rotation enters the geometry.

    Attributes:
        mid: Seconds of the middle of the vectors.
        half: Half of the seconds that they span.
        coefficients: (degree + 1, 3) float64 metres, of powers of (seconds − mid) / half.
    """

    mid: float
    half: float
    coefficients: Vectors

    def position(self, seconds: Vectors) -> Vectors:
        """(n,) seconds to (n, 3) metres, Earth-centred and Earth-fixed."""
        return self._power_series(seconds, self.coefficients)

    def velocity(self, seconds: Vectors) -> Vectors:
        """(n,) seconds to (n, 3) metres a second."""
        return self._power_series(seconds, _derived(self.coefficients)) / self.half

    def acceleration(self, seconds: Vectors) -> Vectors:
        """(n,) seconds to (n, 3) metres a second squared."""
        return self._power_series(seconds, _derived(_derived(self.coefficients))) / self.half**2

    def _power_series(self, seconds: Vectors, coefficients: Vectors) -> Vectors:
        place = ((seconds - self.mid) / self.half)[:, None]
        total = np.broadcast_to(coefficients[-1], (len(seconds), 3)).copy()
        for row in coefficients[-2::-1]:
            total *= place
            total += row
        return total


def fit_orbit(seconds: Vectors, positions: Vectors, where: str) -> Orbit:
    """Fit an orbit to state vectors: to positions alone, since stated velocities are off by millimetres.

    Args:
        seconds: (n,) ascending.
        positions: (n, 3) metres.
        where: Name of the product in messages.

    Raises:
        SourceError: If there are too few, or they are no orbit.
    """
    if len(seconds) < 4 or not (np.diff(seconds) > 0).all() or not (np.abs(positions) < _FARTHEST).all():
        raise SourceError(f"{where} has no orbit of four vectors or more in order of time; download it again")
    mid, half = float(seconds[0] + seconds[-1]) / 2, float(seconds[-1] - seconds[0]) / 2
    terms = np.vander((seconds - mid) / half, min(_DEGREE, len(seconds) - 1) + 1, increasing=True)
    coefficients = np.linalg.lstsq(terms, positions, rcond=None)[0]
    residual = float(np.abs(terms @ coefficients - positions).max())
    if residual > _MAX_RESIDUAL:
        raise SourceError(
            f"{where} has orbit vectors that lie {residual:.0f} m off a smooth orbit; download it again"
        )
    return Orbit(mid, half, coefficients.astype(np.float64))


def zero_doppler(orbit: Orbit, points: Vectors, guess: float) -> tuple[Vectors, Vectors]:
    """When points are seen at right angles to the satellite's way, and how far off.

    Newton's method on (point − position) · velocity = 0 (Curlander & McDonough, Synthetic Aperture Radar,
    1991, section 8.2).

    Args:
        orbit: The satellite's.
        points: (n, 3) metres, Earth-centred and Earth-fixed.
        guess: Seconds to begin at: of the middle of the image.

    Returns:
        Seconds (n,) and slant ranges (n,) in metres, both float64.
    """
    seconds = np.full(len(points), guess)
    for _ in range(_ITERATIONS):
        away = points - orbit.position(seconds)
        velocity = orbit.velocity(seconds)
        doppler = np.einsum("ij,ij->i", away, velocity)
        slope = np.einsum("ij,ij->i", away, orbit.acceleration(seconds)) - np.einsum(
            "ij,ij->i", velocity, velocity
        )
        seconds -= doppler / slope
    return seconds, np.linalg.norm(points - orbit.position(seconds), axis=1)


def _derived(coefficients: Vectors) -> Vectors:
    return coefficients[1:] * np.arange(1, len(coefficients))[:, None]
