"""Ground as an image sees it: facets of a lattice of points, spread over the image's own cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.compiled import compiled
from comeo.grid import Grid
from comeo.radar.geodesy import grid_degrees, to_ecef
from comeo.radar.orbit import Orbit
from comeo.radar.timing import Timing

# Samples along a side of a facet, for each cell: two leave ripples of 0.13 dB, three of 0.07.
_SAMPLES: Final = 3
# The most along a side: 340 cells within one map pixel are a cliff of kilometres, or a hole of a DEM.
_MOST_SAMPLES: Final = 1024
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Surface:
    """A lattice of points of the ground.

    Attributes:
        points: (y, x, 3) float64 metres, Earth-centred and Earth-fixed.
        sensors: (y, x, 3) float64 positions of the satellite when it sees them at zero Doppler.
        lines: (y, x) float64 in the whole image; NaN where the ground is unknown.
        pixels: (y, x) float64, likewise.
    """

    points: Values
    sensors: Values
    lines: Values
    pixels: Values

    def looks(self) -> Values:
        """Unit vectors (y, x, 3) from the satellite to the ground."""
        away = self.points - self.sensors
        away /= np.linalg.norm(away, axis=-1, keepdims=True)
        return away

    def part(self, first: int, last: int) -> Surface:
        """The facets between rows `first` and `last` of points."""
        rows = slice(first, last + 1)
        return Surface(self.points[rows], self.sensors[rows], self.lines[rows], self.pixels[rows])


def surface_of(
    grid: Grid, heights: NDArray[np.float32], orbit: Orbit, timing: Timing, lines: Values, pixels: Values
) -> Surface:
    """The ground under the pixels of a map.

    Args:
        grid: The map.
        heights: (y, x) float32 metres over WGS 84; NaN where unknown.
        orbit: The satellite's.
        timing: The image's.
        lines: (y, x) float64 where the image shows the pixels.
        pixels: (y, x) float64, likewise.
    """
    rows, columns = np.meshgrid(
        np.arange(grid.height, dtype=float), np.arange(grid.width, dtype=float), indexing="ij"
    )
    points = to_ecef(*grid_degrees(grid, rows, columns), heights.astype(np.float64))
    # The offset's part that grows with range moves the satellite by 2 m, of 700 km.
    seconds = timing.offset[0] + lines.ravel() * timing.interval
    return Surface(points, orbit.position(seconds).reshape(points.shape), lines, pixels)


def sides(values: Values) -> tuple[tuple[Values, Values], tuple[Values, Values]]:
    """Differences along the sides, (down, right), of both triangles of each cell: upper left, lower right.

    Args:
        values: (y, x, …) at points.

    Returns:
        Four arrays (y − 1, x − 1, …).
    """
    downs, rights = np.diff(values, axis=0), np.diff(values, axis=1)
    return (downs[:, :-1], rights[:-1]), (downs[:, 1:], rights[1:])


def image_areas(lines: Values, pixels: Values) -> Values:
    """Area of each facet in the image, in cells: (y − 1, x − 1, 2), with its orientation as the sign."""
    areas = [
        (line_down * pixel_right - pixel_down * line_right) / 2
        for (line_down, line_right), (pixel_down, pixel_right) in zip(
            sides(lines), sides(pixels), strict=True
        )
    ]
    return np.stack(areas, -1)


def spread(lines: Values, pixels: Values, amounts: NDArray[np.float32], image: NDArray[np.float32]) -> None:
    """Add amounts of facets to the cells of an image that they cover, evenly over each facet.

    What falls between cells is shared among four, so that nothing is lost but beyond the image's sides.

    Args:
        lines: (y, x) float64 of points; (0, 0) is the centre of the image's first cell; NaN where unknown.
        pixels: (y, x) float64, likewise.
        amounts: (y − 1, x − 1, 2) float32, of both triangles of each cell: upper left, lower right.
        image: (lines, samples) float32, changed in place.
    """
    _spread(lines, pixels, amounts, _MOST_SAMPLES, image)


@compiled
def _spread(
    lines: Values, pixels: Values, amounts: NDArray[np.float32], most: int, image: NDArray[np.float32]
) -> None:
    for y in range(lines.shape[0] - 1):
        for x in range(lines.shape[1] - 1):
            corner_lines, corner_pixels = lines[y : y + 2, x : x + 2], pixels[y : y + 2, x : x + 2]
            if not np.isfinite(corner_lines.sum() + corner_pixels.sum()):
                continue
            if corner_lines.max() < -1 or corner_lines.min() > image.shape[0]:
                continue
            downs = _samples(corner_lines[1] - corner_lines[0], corner_pixels[1] - corner_pixels[0], most)
            rights = _samples(
                corner_lines[:, 1] - corner_lines[:, 0], corner_pixels[:, 1] - corner_pixels[:, 0], most
            )
            for i in range(downs):
                down = (i + 0.5) / downs
                for j in range(rights):
                    right = (j + 0.5) / rights
                    # The diagonal's samples belong to both triangles: so each has half of all.
                    below = down + right - 1
                    if abs(below) < 1e-9:
                        amount = (amounts[y, x, 0] + amounts[y, x, 1]) / 2
                    else:
                        amount = amounts[y, x, 1 if below > 0 else 0]
                    if amount != 0:
                        half = 1 if below > 0 else 0
                        line = _place(corner_lines, half, down, right)
                        pixel = _place(corner_pixels, half, down, right)
                        _share(image, line, pixel, 2 * amount / (downs * rights))


@compiled
def _samples(lines: Values, pixels: Values, most: int) -> int:
    """Samples along two sides whose extents in lines (2,) and samples (2,) are given."""
    longest = max(np.abs(lines).max(), np.abs(pixels).max())
    return int(min(_SAMPLES * longest, most - 1.0)) + 1


@compiled
def _place(corners: Values, half: int, down: float, right: float) -> float:
    """A value within one of a cell's triangles, linear from its right-angled corner."""
    return float(
        corners[half, half]
        + (down - half) * (corners[1, half] - corners[0, half])
        + (right - half) * (corners[half, 1] - corners[half, 0])
    )


@compiled
def _share(image: NDArray[np.float32], line: float, pixel: float, amount: float) -> None:
    """Add an amount to the four cells around a place."""
    top, left = int(np.floor(line)), int(np.floor(pixel))
    below, beside = line - top, pixel - left
    for row in range(2):
        for column in range(2):
            if 0 <= top + row < image.shape[0] and 0 <= left + column < image.shape[1]:
                weight = (below if row else 1 - below) * (beside if column else 1 - beside)
                image[top + row, left + column] += amount * weight
