"""How terrain faces the satellite: local incidence, layover and shadow."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.radar.facets import Surface, image_areas, spread
from comeo.scene import Window

# Part of a cell that flipped facets must cover.
_FOLDED: Final = 0.5
# Points of a lattice along a cell in which shadow is looked for, so that none stays empty.
_POINTS: Final = 2
# By how much a point may be hidden by a nearer one: 4 m at 800 km, in radians. Height models are rough.
_HIDDEN: Final = 5e-6
_EARTH: Final = 6_371_000.0


def local_incidence(surface: Surface) -> NDArray[np.float32]:
    """The angle between the ground's normal and the way to the satellite.

    Normals are of central differences between points in space, one-sided at the edges.

    Returns:
        (y, x) float32 degrees, 0 … 180; beyond 90 the ground faces away. NaN where the ground is unknown.
    """
    normals = np.cross(np.gradient(surface.points, axis=0), np.gradient(surface.points, axis=1))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    outward = np.sign(np.einsum("ijk,ijk->ij", normals, surface.points))
    cosines = -outward * np.einsum("ijk,ijk->ij", normals, surface.looks())
    cosines[~np.isfinite(surface.lines)] = np.nan
    degrees: NDArray[np.float32] = np.degrees(np.arccos(np.clip(cosines, -1, 1))).astype(np.float32)
    return degrees


def layover(surface: Surface, window: Window) -> NDArray[np.bool_]:
    """Which cells of an image hold several places.

    Each cell of a fold is covered by facets in both orientations, and others in one alone: layover is where
    facets lie flipped. What folds onto the window must be part of the surface: beyond its sides by 1.7 times
    the relief.

    Args:
        surface: The ground, unfolded for the most part.
        window: Of the image.

    Returns:
        (window.height, window.width) bool.
    """
    areas = image_areas(surface.lines, surface.pixels)
    upright = 1 if np.nansum(areas) >= 0 else -1
    flipped = np.where(areas * upright < 0, np.abs(areas), 0).astype(np.float32)
    cover = np.zeros((window.height, window.width), np.float32)
    spread(surface.lines - window.row, surface.pixels - window.col, flipped, cover)
    return cover >= _FOLDED


def shadow(surface: Surface) -> NDArray[np.bool_]:
    """Which points the satellite cannot see.

    Those that face away, and those at a lesser look angle than a point before them: nearer along the ground,
    on the same line. Hills that cast shadow must be part of the surface: towards the satellite by the relief.

    Returns:
        (y, x) bool; False where the ground is unknown.
    """
    nadirs = surface.sensors / np.linalg.norm(surface.sensors, axis=-1, keepdims=True)
    look = np.arccos(np.clip(-np.einsum("ijk,ijk->ij", surface.looks(), nadirs), -1, 1))
    ups = surface.points / np.linalg.norm(surface.points, axis=-1, keepdims=True)
    ground = np.arccos(np.clip(np.einsum("ijk,ijk->ij", ups, nadirs), -1, 1)) * _EARTH
    known = np.isfinite(surface.lines)
    hidden = np.zeros(known.shape, np.bool_)
    if not known.any():
        return hidden
    rows = _cells(surface.lines[known], _pitch(surface.lines))
    columns = _cells(ground[known], _pitch(ground))
    greatest = np.full((int(rows.max()) + 1, int(columns.max()) + 2), -np.inf)
    np.maximum.at(greatest, (rows, columns + 1), look[known])
    before = np.maximum.accumulate(greatest, axis=1)[rows, columns]
    hidden[known] = (look[known] < before - _HIDDEN) | (local_incidence(surface)[known] >= 90)
    return hidden


def _pitch(values: NDArray[np.float64]) -> float:
    """Size of a cell that holds some points of a lattice in each direction, in units of values (y, x)."""
    return _POINTS * max(float(np.nanmedian(np.abs(np.diff(values, axis=axis)))) for axis in (0, 1))


def _cells(values: NDArray[np.float64], pitch: float) -> NDArray[np.intp]:
    """Which cell of that pitch each value (n,) lies in, from 0."""
    cells: NDArray[np.intp] = np.floor((values - values.min()) / pitch).astype(np.intp)
    return cells
