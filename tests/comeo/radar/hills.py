"""Ground of known slopes over a plane, seen from a straight way: what is expected can be written down."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from comeo.radar.facets import Surface

EARTH = 6_371_000.0
ALTITUDE = 700_000.0
SPACING = 10.0
SLANT = 6.0
"""Metres of slant range from sample to sample."""
Values = NDArray[np.float64]


def seen(heights: Values, near: float = 560_000.0) -> Surface:
    """A surface of heights (y, x) in metres: y along the way, x away from it, beginning `near` metres off."""
    rows, columns = np.indices(heights.shape) * SPACING
    points = np.stack([near + columns, rows, EARTH + heights], -1)
    sensors = np.stack([np.zeros_like(rows), rows, np.full_like(rows, EARTH + ALTITUDE)], -1)
    ranges = np.linalg.norm(points - sensors, axis=-1)
    return Surface(points, sensors, rows / SPACING, ranges / SLANT)


def incidence(surface: Surface) -> Values:
    """Angle from the vertical under which points are seen, in radians."""
    away = surface.points - surface.sensors
    angles: Values = np.arctan2(away[..., 0], -away[..., 2])
    return angles


def pyramid(side: int, slope: float) -> Values:
    """Heights of a pyramid with plain around it, its four faces of one slope (tangent)."""
    rows, columns = np.abs(np.indices((side, side)) - side // 2)
    heights: Values = np.maximum(side // 3 - np.maximum(rows, columns), 0) * SPACING * slope
    return heights
