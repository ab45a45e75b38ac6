"""How terrain faces the satellite: local incidence, layover and shadow.

A surface is a lattice of points in space with the places at which an image shows them. Its facets, two
triangles between each four points, are spread over the image's own cells: where slopes lean towards the
satellite, several places share a cell, which no map can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.compiled import compiled
from comeo.scene import Window

# Samples of a facet along each of its sides: half a cell apart, and no more than these. A side of 512
# cells within one map pixel is a cliff of kilometres, or a hole of a height model.
_MOST_SAMPLES: Final = 1024
# Flipped samples that make a cell one of layover: half a cell's worth, four being a whole one.
_FOLDED: Final = 2.0
# By how much a look angle may fall behind a nearer one, in radians: height models are rough.
_SHADE: Final = 1e-4
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Surface:
    """A lattice of points of the ground, as an image sees them.

    Attributes:
        points: (y, x, 3) float64 metres, Earth-centred and Earth-fixed.
        sensors: (y, x, 3) float64 positions of the satellite at zero Doppler.
        lines: (y, x) float64 in the whole image; NaN where unknown.
        pixels: (y, x) float64, likewise.
    """

    points: Values
    sensors: Values
    lines: Values
    pixels: Values

    def looks(self) -> Values:
        """Unit vectors (y, x, 3) from the satellite to the ground."""
        away = self.points - self.sensors
        looks: Values = away / np.linalg.norm(away, axis=-1, keepdims=True)
        return looks

    def orientation(self) -> int:
        """Sign of the map between lattice and image on level ground: that of most of its cells."""
        determinants = _determinants(self.lines, self.pixels)
        return 1 if np.nansum(np.sign(determinants)) >= 0 else -1


def local_incidence(surface: Surface) -> NDArray[np.float32]:
    """The angle between the ground's normal and the way to the satellite.

    Normals are of central differences between points in space, one-sided at the edges.

    Returns:
        (y, x) float32 degrees, 0 … 180; beyond 90 the ground faces away.
    """
    down = np.gradient(surface.points, axis=0)
    right = np.gradient(surface.points, axis=1)
    normals = np.cross(down, right)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    upward = np.sign(np.einsum("ijk,ijk->ij", normals, surface.points))
    cosines = -np.einsum("ijk,ijk->ij", normals, surface.looks()) * upward
    return np.degrees(np.arccos(np.clip(cosines, -1, 1))).astype(np.float32)


def layover_shadow(surface: Surface, window: Window) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where several places share a cell of the image, and where none is seen.

    Cells of a fold are covered by facets in both orientations, and others in one alone, so layover is where
    a facet lies flipped. Shadow is where the look angle falls behind a nearer one of the same line. Ground
    that casts a fold or a shadow must be part of the surface: as far as its heights differ, twice.

    Args:
        surface: The ground.
        window: Cells of the image: all that the surface covers, or those of interest.

    Returns:
        Layover (y, x) bool and shadow (y, x) bool of the surface's points; False outside the window.
    """
    folds = np.zeros((window.height, window.width), np.float32)
    angles = np.full((window.height, window.width), -np.inf, np.float32)
    nadir = -surface.sensors / np.linalg.norm(surface.sensors, axis=-1, keepdims=True)
    look = np.arccos(np.clip(np.einsum("ijk,ijk->ij", surface.looks(), nadir), -1, 1)).astype(np.float32)
    lines, pixels = surface.lines - window.row, surface.pixels - window.col
    _spread_folds(lines, pixels, look, surface.orientation(), _MOST_SAMPLES, folds, angles)
    nearer = np.maximum.accumulate(angles, axis=1)
    rows, columns, inside = cells_of(surface, window)
    layover = inside & (folds[rows, columns] >= _FOLDED)
    # The cell before a point's own: within one cell, angles differ by the cell's own width.
    seen = nearer[rows, np.maximum(columns - 1, 0)]
    faces_away = local_incidence(surface) >= 90
    shadow = inside & ((look < seen - np.float32(_SHADE)) | faces_away)
    return layover, shadow


def cells_of(
    surface: Surface, window: Window
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Rows and columns (y, x) of the cells of a window that hold a surface's points, and which lie in it."""
    with np.errstate(invalid="ignore"):
        rows = np.rint(surface.lines - window.row)
        columns = np.rint(surface.pixels - window.col)
        inside = (rows >= 0) & (rows < window.height) & (columns >= 0) & (columns < window.width)
    rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
    return rows.astype(np.intp), columns.astype(np.intp), inside


def _determinants(lines: Values, pixels: Values) -> Values:
    """Of the map from each cell of a lattice to the image: (y − 1, x − 1)."""
    downs = np.diff(lines[:, :-1], axis=0), np.diff(pixels[:, :-1], axis=0)
    rights = np.diff(lines[:-1], axis=1), np.diff(pixels[:-1], axis=1)
    determinants: Values = downs[0] * rights[1] - downs[1] * rights[0]
    return determinants


@compiled
def steps(lines: Values, pixels: Values, down: int, right: int, most: int) -> int:
    """Samples along a side of a facet, so that they lie half a cell apart."""
    length = max(abs(lines[down, right] - lines[0, 0]), abs(pixels[down, right] - pixels[0, 0]))
    length = max(
        length,
        abs(lines[1, 1] - lines[1 - down, 1 - right]),
        abs(pixels[1, 1] - pixels[1 - down, 1 - right]),
    )
    return min(int(2 * length) + 1, most)


@compiled
def _spread_folds(
    lines: Values, pixels: Values, look: NDArray[np.float32], orientation: int, most: int,
    folds: NDArray[np.float32], angles: NDArray[np.float32],
) -> None:  # fmt: skip
    """Count flipped samples of facets, and keep the greatest look angle, by cells of the image."""
    height, width = folds.shape
    for y in range(lines.shape[0] - 1):
        for x in range(lines.shape[1] - 1):
            here_l, here_p = lines[y : y + 2, x : x + 2], pixels[y : y + 2, x : x + 2]
            if not np.isfinite(here_l.sum() + here_p.sum()):
                continue
            downs = steps(here_l, here_p, 1, 0, most)
            rights = steps(here_l, here_p, 0, 1, most)
            for half in range(2):
                # The upper left triangle follows the sides at (0, 0), the lower right those at (1, 1).
                line_d = here_l[half + 1 - half, half] - here_l[0, half]
                line_r = here_l[half, 1] - here_l[half, 0]
                pixel_d = here_p[1, half] - here_p[0, half]
                pixel_r = here_p[half, 1] - here_p[half, 0]
                flipped = (line_d * pixel_r - pixel_d * line_r) * orientation < 0
                share = 4.0 * abs(line_d * pixel_r - pixel_d * line_r) / (downs * rights)
                for i in range(downs):
                    v = (i + 0.5) / downs
                    for j in range(rights):
                        u = (j + 0.5) / rights
                        if (u + v > 1) != (half == 1):
                            continue
                        v0, u0 = v - half, u - half
                        row = int(np.rint(here_l[half, half] + v0 * line_d + u0 * line_r))
                        column = int(np.rint(here_p[half, half] + v0 * pixel_d + u0 * pixel_r))
                        if 0 <= row < height and 0 <= column < width:
                            angles[row, column] = max(angles[row, column], look[y + half, x + half])
                            if flipped:
                                folds[row, column] += share
