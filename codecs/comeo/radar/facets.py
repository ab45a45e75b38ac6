"""Ground as an image sees it: facets of a lattice of points, spread over the image's own cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.compiled import compiled
from comeo.grid import Grid
from comeo.radar.geodesy import grid_degrees, normals, to_ecef
from comeo.radar.orbit import Orbit
from comeo.radar.timing import Timing

# Samples along a side of a facet, for each cell: two leave ripples of 0.13 dB, three of 0.07.
_SAMPLES: Final = 3
# The most along a side: 340 cells within one map pixel are a cliff of kilometres, or a hole of a DEM.
_MOST_SAMPLES: Final = 1024
# Pixels, or lines, between the places that are reckoned through: a chord of 640 m lies 1 cm below its arc,
# on the ground as on the satellite's way.
_STEP: Final = 64
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
    rows, columns = (
        np.arange(0, side + _STEP, _STEP, dtype=np.float64) for side in (grid.height, grid.width)
    )
    places = grid_degrees(grid, *np.meshgrid(rows, columns, indexing="ij"))
    level = to_ecef(*places, np.zeros(places[0].shape))
    known = lines[np.isfinite(lines)]
    first, last = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    count = int((last - first) / _STEP) + 2
    # The offset's part that grows with range moves the satellite by 2 m, of 700 km.
    nodes = first + _STEP * np.arange(count, dtype=np.float64)
    seconds: Values = timing.offset[0] + nodes * timing.interval
    points, sensors = np.empty((*heights.shape, 3)), np.empty((*heights.shape, 3))
    _stand(
        heights, level, normals(*places), orbit.position(seconds), lines, first, float(_STEP), points, sensors
    )
    return Surface(points, sensors, lines, pixels)


@compiled
def _stand(
    heights: NDArray[np.float32], level: Values, ups: Values, ways: Values, lines: Values, first: float,
    step: float, points: Values, sensors: Values,
) -> None:  # fmt: skip
    """Fill points and sensors (y, x, 3), linear between the nodes of a lattice and of the satellite's way."""
    for row in range(heights.shape[0]):
        upper = int(row / step)
        down = row / step - upper
        ground = (1 - down) * level[upper] + down * level[upper + 1]
        up = (1 - down) * ups[upper] + down * ups[upper + 1]
        for column in range(heights.shape[1]):
            left = int(column / step)
            right = column / step - left
            height = float(heights[row, column])
            place = (lines[row, column] - first) / step
            node = int(place) if np.isfinite(place) else 0
            for axis in range(3):
                before = ground[left, axis] + height * up[left, axis]
                behind = ground[left + 1, axis] + height * up[left + 1, axis]
                points[row, column, axis] = before + right * (behind - before)
                here, ahead = ways[node, axis], ways[node + 1, axis]
                sensors[row, column, axis] = here + (place - node) * (ahead - here)


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
    height, width = image.shape
    for y in range(lines.shape[0] - 1):
        for x in range(lines.shape[1] - 1):
            # Corners: upper left, upper right, lower left, lower right.
            l0, l1, l2, l3 = lines[y, x], lines[y, x + 1], lines[y + 1, x], lines[y + 1, x + 1]
            p0, p1, p2, p3 = pixels[y, x], pixels[y, x + 1], pixels[y + 1, x], pixels[y + 1, x + 1]
            if not np.isfinite(l0 + l1 + l2 + l3 + p0 + p1 + p2 + p3):
                continue
            if max(l0, l1, l2, l3) < -1 or min(l0, l1, l2, l3) > height:
                continue
            if max(p0, p1, p2, p3) < -1 or min(p0, p1, p2, p3) > width:
                continue
            downs = _samples(max(abs(l2 - l0), abs(l3 - l1), abs(p2 - p0), abs(p3 - p1)), most)
            rights = _samples(max(abs(l1 - l0), abs(l3 - l2), abs(p1 - p0), abs(p3 - p2)), most)
            upper = 2 * amounts[y, x, 0] / (downs * rights)
            lower = 2 * amounts[y, x, 1] / (downs * rights)
            if upper == 0 and lower == 0:
                continue
            for i in range(downs):
                down = (i + 0.5) / downs
                for j in range(rights):
                    right = (j + 0.5) / rights
                    below = down + right - 1
                    # Each triangle is linear from its right-angled corner.
                    if below > 0:
                        line = l3 + (down - 1) * (l3 - l1) + (right - 1) * (l3 - l2)
                        pixel = p3 + (down - 1) * (p3 - p1) + (right - 1) * (p3 - p2)
                    else:
                        line = l0 + down * (l2 - l0) + right * (l1 - l0)
                        pixel = p0 + down * (p2 - p0) + right * (p1 - p0)
                    # The diagonal's samples belong to both triangles: so each has half of all.
                    if abs(below) < 1e-9:
                        _share(image, line, pixel, (upper + lower) / 2)
                    else:
                        _share(image, line, pixel, lower if below > 0 else upper)


@compiled
def _samples(longest: float, most: int) -> int:
    """Samples along two sides, the longest extent of which in lines or samples is given."""
    return int(min(_SAMPLES * longest, most - 1.0)) + 1


@compiled
def _share(image: NDArray[np.float32], line: float, pixel: float, amount: float) -> None:
    """Add an amount to the four cells around a place."""
    top, left = int(np.floor(line)), int(np.floor(pixel))
    below, beside = line - top, pixel - left
    over, under = amount * (1 - below), amount * below
    if 0 <= top < image.shape[0] - 1 and 0 <= left < image.shape[1] - 1:
        image[top, left] += over * (1 - beside)
        image[top, left + 1] += over * beside
        image[top + 1, left] += under * (1 - beside)
        image[top + 1, left + 1] += under * beside
        return
    for row in range(2):
        for column in range(2):
            if 0 <= top + row < image.shape[0] and 0 <= left + column < image.shape[1]:
                weight = (beside if column else 1 - beside) * (under if row else over)
                image[top + row, left + column] += weight
