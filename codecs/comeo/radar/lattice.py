"""Where the pixels of a map lie in an image: solved on a lattice, followed between its nodes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.compiled import compiled
from comeo.grid import Grid
from comeo.radar.geodesy import grid_degrees, to_ecef
from comeo.radar.orbit import Orbit, zero_doppler
from comeo.radar.timing import LIGHT, Timing

# Pixels between nodes. At 10 m and three heights, bilinear × quadratic is off by 6 cm on the ground, by
# which the Earth's curve lies below a chord of 640 m; linear in height is off by 1.7 m over 4 km.
_STEP: Final = 64
_LEAST_RELIEF: Final = 10.0  # metres between the lowest and the highest surface
_NODES: Final = 2048  # of the table from slant to ground range: 0.001 samples
Values = NDArray[np.float64]


class Locator:
    """Places of a product's image.

    Args:
        orbit: The satellite's.
        timing: The image's.
        middle: Seconds of its middle line.
    """

    def __init__(self, orbit: Orbit, timing: Timing, middle: float) -> None:
        self._orbit, self._timing, self._middle = orbit, timing, middle
        times = np.array([record.seconds for record in timing.records])
        self._switches = (times[1:] + times[:-1]) / 2
        self._first, self._step, self._tables = _ground_tables(timing)

    def coordinates(self, grid: Grid, heights: NDArray[np.float32]) -> tuple[Values, Values]:
        """Lines and samples at which an image shows the pixels of a map.

        Args:
            grid: The map.
            heights: (y, x) float32 metres over WGS 84; NaN where unknown.

        Returns:
            Lines (y, x) and samples (y, x), float64, NaN where the height is unknown. They reach beyond the
            image where the map does.
        """
        shape = (grid.height, grid.width)
        surfaces = _surfaces(heights)
        seconds, slant_ranges = self._nodes(grid, surfaces)
        timing = self._timing
        start, share, middle = timing.offset
        lines, pixels = np.empty(shape), np.empty(shape)
        _follow(
            heights, surfaces, seconds, slant_ranges, float(_STEP),
            np.array([start, share * 2 / LIGHT, middle, timing.interval]),
            self._switches, self._tables, self._first, self._step, lines, pixels,
        )  # fmt: skip
        return lines, pixels

    def places(self, latitudes: Values, longitudes: Values, heights: Values) -> tuple[Values, Values]:
        """Lines (n,) and samples (n,) of places: degrees (n,), and metres over WGS 84 (n,)."""
        points = to_ecef(latitudes, longitudes, heights)
        seconds, slant_ranges = zero_doppler(self._orbit, points, self._middle)
        return self._timing.line(seconds, slant_ranges), self._timing.pixel(seconds, slant_ranges)

    def _nodes(self, grid: Grid, surfaces: Values) -> tuple[Values, Values]:
        """Seconds and slant ranges of the lattice, each (3, rows, columns)."""
        rows = np.arange(0, grid.height - 1 + _STEP, _STEP, dtype=np.float64)
        columns = np.arange(0, grid.width - 1 + _STEP, _STEP, dtype=np.float64)
        if len(rows) < 2:
            rows = np.array([0.0, _STEP])
        if len(columns) < 2:
            columns = np.array([0.0, _STEP])
        latitudes, longitudes = grid_degrees(grid, *np.meshgrid(rows, columns, indexing="ij"))
        shape = (3, *latitudes.shape)
        points = to_ecef(
            np.broadcast_to(latitudes, shape),
            np.broadcast_to(longitudes, shape),
            np.broadcast_to(surfaces[:, None, None], shape),
        )
        seconds, slant_ranges = zero_doppler(self._orbit, points.reshape(-1, 3), self._middle)
        return seconds.reshape(shape), slant_ranges.reshape(shape)


def _surfaces(heights: NDArray[np.float32]) -> Values:
    """Three heights (3,) that span a tile's."""
    known = heights[np.isfinite(heights)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if high - low < _LEAST_RELIEF:
        low, high = low - _LEAST_RELIEF / 2, high + _LEAST_RELIEF / 2
    return np.array([low, (low + high) / 2, high])


def _ground_tables(timing: Timing) -> tuple[float, float, Values]:
    """Samples by slant range, a row a record: the first range, the step, and (records, nodes) float64."""
    edges = [
        np.polynomial.polynomial.polyval(ground - record.origin, record.coefficients)
        for record in timing.records
        for ground in timing.span
    ]
    ranges = np.linspace(min(edges), max(edges), _NODES)
    tables = np.stack([record.ground(ranges) / timing.spacing for record in timing.records])
    return float(ranges[0]), float(ranges[1] - ranges[0]), tables


@compiled
def _follow(
    heights: NDArray[np.float32], surfaces: Values, seconds: Values, slant_ranges: Values, step: float,
    offset: Values, switches: Values, tables: Values, first: float, width: float,
    lines: Values, pixels: Values,
) -> None:  # fmt: skip
    """Fill lines and pixels from the lattice: bilinear over the map, quadratic in height."""
    low, mid, high = surfaces
    rows, columns = heights.shape
    for row in range(rows):
        upper = int(row / step)
        down = row / step - upper
        for column in range(columns):
            height = float(heights[row, column])
            lines[row, column] = np.nan
            pixels[row, column] = np.nan
            if not np.isfinite(height):
                continue
            left = int(column / step)
            right = column / step - left
            weights = (
                (height - mid) * (height - high) / ((low - mid) * (low - high)),
                (height - low) * (height - high) / ((mid - low) * (mid - high)),
                (height - low) * (height - mid) / ((high - low) * (high - mid)),
            )
            time, distance = 0.0, 0.0
            for level in range(3):
                for corner in range(4):
                    below, beside = corner >> 1, corner & 1
                    share = weights[level] * (down if below else 1 - down) * (right if beside else 1 - right)
                    time += share * seconds[level, upper + below, left + beside]
                    distance += share * slant_ranges[level, upper + below, left + beside]
            lines[row, column] = (time - offset[0] - offset[1] * (distance - offset[2])) / offset[3]
            record = 0
            while record < len(switches) and time >= switches[record]:
                record += 1
            place = (distance - first) / width
            node = int(np.floor(place))
            if 0 <= node < tables.shape[1] - 1:
                part = place - node
                pixels[row, column] = (1 - part) * tables[record, node] + part * tables[record, node + 1]
            else:
                lines[row, column] = np.nan
