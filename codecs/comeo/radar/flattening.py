"""Terrain-flattened γ⁰: backscatter over the area that the satellite really sees.

D. Small, Flattening gamma: radiometric terrain correction for SAR imagery, IEEE TGRS 49(8), 2011, equations
6 to 8: γ⁰ = β⁰ · A_β / A_γ, where A_γ is the ground that falls into a cell of the image, projected on the
plane perpendicular to the look, and A_β the cell itself. Facets that face away add nothing; those that
others hide are counted.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from comeo.compiled import compiled
from comeo.radar.facets import Surface, spread
from comeo.radar.geodesy import normals, to_ecef
from comeo.radar.orbit import Orbit, zero_doppler
from comeo.radar.resample import Image, resample
from comeo.radar.timing import Timing
from comeo.radar.vectors import Lut
from comeo.scene import Window

# Part of A_β below which nothing of the ground is seen to speak of: level ground has 1 and more.
_LEAST_AREA: Final = 0.05
# Rows of facets at a time, so that memory does not grow with the surface.
_STRIP: Final = 128
# Metres between the places whose differences tell how lines lie on the ground.
_STEP: Final = 500.0
Values = NDArray[np.float64]


class TerrainFlattening:
    """Projected ground in the cells of a window of an image.

    Add all surfaces that fall into the window, without overlap: neighbouring ones share a row or a column of
    points. What is folded onto it lies beyond its sides by up to 1.7 times the relief.

    Args:
        window: Of the image.
        cells: A_β in square metres, from `beta_areas`.
    """

    def __init__(self, window: Window, cells: Lut) -> None:
        self.window = window
        self.area: NDArray[np.float32] = np.zeros((window.height, window.width), np.float32)
        """A_γ (y, x) float32 square metres."""
        self._cells = cells

    def add(self, surface: Surface) -> None:
        """Add the facets of a surface."""
        for first in range(0, surface.lines.shape[0] - 1, _STRIP):
            part = surface.part(first, min(first + _STRIP, surface.lines.shape[0] - 1))
            lines, pixels = part.lines - self.window.row, part.pixels - self.window.col
            spread(lines, pixels, seen_areas(part), self.area)

    def factor(self, lines: Values, pixels: Values) -> NDArray[np.float32]:
        """What turns β⁰ into γ⁰ at places, both areas bilinear as `resample` takes β⁰.

        Args:
            lines: (y, x) float64 in the whole image.
            pixels: (y, x) float64.

        Returns:
            (y, x) float32; NaN where the ground is not seen, or outside the window.
        """
        cells = self._cells.over(self.window)
        everywhere = np.ones(cells.shape, np.bool_)
        seen, cell = resample(Image(self.window, self.area, cells, everywhere), lines, pixels)
        factor = np.full(seen.shape, np.nan, np.float32)
        np.divide(cell, seen, out=factor, where=seen >= _LEAST_AREA * cell)
        return factor


def seen_areas(surface: Surface) -> NDArray[np.float32]:
    """Area of each facet projected on the plane perpendicular to the look; 0 where it faces away.

    Returns:
        (y − 1, x − 1, 2) float32 square metres, of the upper left and lower right triangle of each cell.
    """
    rows, columns = surface.lines.shape
    areas = np.zeros((rows - 1, columns - 1, 2), np.float32)
    _see(surface.points, surface.sensors, areas)
    return areas


@compiled
def _see(points: Values, sensors: Values, areas: NDArray[np.float32]) -> None:
    for y in range(areas.shape[0]):
        for x in range(areas.shape[1]):
            x0, x1, x2 = points[y, x, 0], points[y, x, 1], points[y, x, 2]
            d0, d1, d2 = x0 - sensors[y, x, 0], x1 - sensors[y, x, 1], x2 - sensors[y, x, 2]
            distance = np.sqrt(d0 * d0 + d1 * d1 + d2 * d2)
            for half in range(2):
                # The sides of the triangle, downward and to the right.
                a0 = points[y + 1, x + half, 0] - points[y, x + half, 0]
                a1 = points[y + 1, x + half, 1] - points[y, x + half, 1]
                a2 = points[y + 1, x + half, 2] - points[y, x + half, 2]
                b0 = points[y + half, x + 1, 0] - points[y + half, x, 0]
                b1 = points[y + half, x + 1, 1] - points[y + half, x, 1]
                b2 = points[y + half, x + 1, 2] - points[y + half, x, 2]
                n0, n1, n2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
                outward = n0 * x0 + n1 * x1 + n2 * x2
                facing = n0 * d0 + n1 * d1 + n2 * d2
                if outward * facing < 0:
                    areas[y, x, half] = abs(facing) / (2 * distance)


def beta_areas(
    orbit: Orbit,
    timing: Timing,
    lines: NDArray[np.int64],
    pixels: NDArray[np.int64],
    places: tuple[Values, Values, Values],
) -> Lut:
    """A_β of an image's cells: slant range times azimuth, as they lie on the ground.

    Range spacing is even on the ground, so it varies in slant range. The azimuth spacing is the way on the
    ground from line to line at one slant range, 10.10 to 10.17 m where the annotation says 10.

    Args:
        orbit: The satellite's.
        timing: The image's.
        lines: (n,) int64 of the points of the product's geolocation grid, in rows.
        pixels: (n,) int64, likewise.
        places: Their latitudes (n,) and longitudes (n,) in degrees, and heights (n,) over WGS 84.

    Raises:
        SourceError: The points are no grid.
    """
    points, up = to_ecef(*places), normals(places[0], places[1])
    east = np.cross([0.0, 0.0, 1.0], up)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    guess = float(lines.mean()) * timing.interval
    beside = np.concatenate([points, points + _STEP * east, points + _STEP * np.cross(up, east)])
    seconds, ranges = zero_doppler(orbit, beside, guess)
    seen = timing.line(seconds, ranges).reshape(3, -1)
    line_east, line_north = seen[1:] - seen[0]
    range_east, range_north = ranges.reshape(3, -1)[1:] - ranges[: len(points)]
    determinant = np.abs(line_east * range_north - line_north * range_east)
    azimuth = _STEP * np.hypot(range_east, range_north) / determinant
    areas = azimuth * _range_spacing(timing, seconds[: len(points)], ranges[: len(points)])
    rows = np.unique(lines)
    return Lut(rows, tuple(pixels[lines == row] for row in rows), tuple(areas[lines == row] for row in rows))


def _range_spacing(timing: Timing, seconds: Values, ranges: Values) -> Values:
    """Slant range from sample to sample, in metres (n,), at azimuth times (n,) and slant ranges (n,)."""
    spacing = np.empty(len(seconds))
    for index in np.unique(which := timing.nearest(seconds)):
        record, here = timing.records[index], which == index
        slopes = polynomial.polyder(record.coefficients)
        spacing[here] = polynomial.polyval(record.ground(ranges[here]) - record.origin, slopes)
    return spacing * timing.spacing
