"""A product without a DEM: placed by the few heights that it carries, and how far off that may be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from comeo.grid import Grid
from comeo.radar.geodesy import grid_degrees, normals, to_ecef
from comeo.radar.orbit import zero_doppler
from comeo.radar.vectors import between
from comeo.sources.dem import between_nodes, lattice_places
from comeo.sources.grd.annotation import Annotation
from comeo.sources.grd.placing import Placing
from comeo.sources.grd.product import Grd

_ROUNDS = 3  # the first at the mean height, each behind it 30 times nearer
Values = NDArray[np.float64]


class OwnHeights:
    """The ground as the geolocation grid knows it, at points 10 to 20 km apart.

    Args:
        grd: The product.
    """

    def __init__(self, grd: Grd) -> None:
        self._locator = Placing.of(grd).locator
        self._mean = float(grd.first.annotation.grid.heights.mean())
        self._lines, self._pixels, self._heights = _rows(grd.first.annotation)

    def over(self, grid: Grid) -> NDArray[np.float32]:
        """See `comeo.sources.dem.Heights`."""
        rows, row_places = lattice_places(grid.height)
        columns, column_places = lattice_places(grid.width)
        latitudes, longitudes = grid_degrees(grid, *np.meshgrid(rows, columns, indexing="ij"))
        heights = np.full(latitudes.size, self._mean)
        for _ in range(_ROUNDS):
            lines, pixels = self._locator.places(latitudes.ravel(), longitudes.ravel(), heights)
            heights = self._at(lines, pixels)
        nodes = heights.reshape(latitudes.shape).astype(np.float32)
        return between_nodes(nodes, row_places, column_places)

    def _at(self, lines: Values, pixels: Values) -> Values:
        """Heights (n,) at places in the image, held beyond its sides."""
        table = np.stack([np.interp(pixels, *pair) for pair in zip(self._pixels, self._heights, strict=True)])
        before, share = between(self._lines, np.rint(lines).astype(np.int64))
        after, places = np.minimum(before + 1, len(self._lines) - 1), np.arange(len(lines))
        heights: Values = (1 - share) * table[before, places] + share * table[after, places]
        return heights


def expected_displacement(grd: Grd) -> tuple[float, float]:
    """How far places of a product without a DEM may be off, across the satellite's track.

    The ground is taken to be as rough between the points of the geolocation grid as from one to the next.

    Returns:
        Metres within which 95 % of places lie, for that ground; and metres for each 100 m by which the ground
        is higher or lower than the grid says.
    """
    annotation = grd.first.annotation
    slopes = 1 / np.tan(_incidence(annotation))
    _, _, heights = _rows(annotation)
    steps = [np.diff(row) for row in heights]
    steps += [after - before for before, after in pairwise(heights)
              if len(before) == len(after)]  # fmt: skip
    # What lies midway between two points is off by half of their difference, or so.
    off = np.abs(np.concatenate(steps)) / 2 if steps else np.zeros(1)
    slope = float(slopes.mean())
    return float(np.quantile(off, 0.95)) * slope, 100 * slope


def _incidence(annotation: Annotation) -> Values:
    """Angles (n,) from the vertical under which the points of the grid are seen, in radians."""
    grid, orbit = annotation.grid, annotation.orbit()
    points = to_ecef(grid.latitudes, grid.longitudes, grid.heights)
    seconds, ranges = zero_doppler(orbit, points, annotation.middle)
    away = (orbit.position(seconds) - points) / ranges[:, None]
    cosines = np.einsum("ij,ij->i", away, normals(grid.latitudes, grid.longitudes))
    angles: Values = np.arccos(np.clip(cosines, -1, 1))
    return angles


def _rows(annotation: Annotation) -> tuple[NDArray[np.int64], list[Values], list[Values]]:
    """Lines of the geolocation grid's rows, and of each row the samples and heights of its points."""
    grid = annotation.grid
    lines = np.unique(grid.lines)
    samples, heights = [], []
    for line in lines:
        row = np.flatnonzero(grid.lines == line)
        row = row[np.argsort(grid.pixels[row])]
        samples.append(grid.pixels[row])
        heights.append(grid.heights[row])
    return lines.astype(np.int64), samples, heights
