"""Pixel grids: where pixels lie, before any pixel is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from affine import Affine
from rasterio.crs import CRS

from comeo.scene import Window, pixel_size

Bounds = tuple[float, float, float, float]
WGS84 = CRS.from_epsg(4326)
"""Degrees, longitude first."""
# Pixels of two grids are the same if they lie this close, in pixels.
_SAME_PIXEL = 1e-3


@dataclass(frozen=True, slots=True)
class Grid:
    """A raster without its pixels.

    Attributes:
        crs: Coordinate reference system.
        transform: Pixel corner (column, row) to CRS coordinates.
        height: Rows.
        width: Columns.
    """

    crs: CRS
    transform: Affine
    height: int
    width: int

    @classmethod
    def over(cls, bounds: Bounds, crs: CRS, height: int, width: int) -> Grid:
        """Spread height × width pixels over bounds (left, bottom, right, top)."""
        left, bottom, right, top = bounds
        transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
        return cls(crs, transform, height, width)

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top) of the box around all corners, whichever way the rows run."""
        xs, ys = zip(
            *(self.transform @ (x, y) for x in (0, self.width) for y in (0, self.height)), strict=True
        )
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def pixel_size(self) -> float:
        """Size of a pixel in metres (of a degree of latitude on geographic grids)."""
        return pixel_size(self.transform, self.crs)

    def offset_in(self, other: Grid) -> tuple[int, int] | None:
        """Return the (row, column) of this grid in another that has the same pixels, otherwise None."""
        if self.crs != other.crs:
            return None
        relative = ~other.transform @ self.transform
        row, col = round(relative.f), round(relative.c)
        linear = (relative.a - 1, relative.b, relative.d, relative.e - 1)
        drift = max(map(abs, linear)) * max(self.height, self.width)
        shift = max(abs(relative.f - row), abs(relative.c - col))
        return (row, col) if drift < _SAME_PIXEL and shift < _SAME_PIXEL else None

    def part(self, window: Window) -> Grid:
        """Return the pixels of a window of this grid."""
        transform = self.transform @ Affine.translation(window.col, window.row)
        return Grid(self.crs, transform, window.height, window.width)

    def within(self, bounds: Bounds) -> Grid | None:
        """Return the pixels that bounds (left, bottom, right, top in the grid's CRS) touch, or None."""
        inverse = ~self.transform
        corners = [inverse @ (bounds[x], bounds[y]) for x in (0, 2) for y in (1, 3)]
        first_col = max(0, _floor(min(col for col, _ in corners)))
        first_row = max(0, _floor(min(row for _, row in corners)))
        last_col = min(self.width, _ceil(max(col for col, _ in corners)))
        last_row = min(self.height, _ceil(max(row for _, row in corners)))
        if first_col >= last_col or first_row >= last_row:
            return None
        return self.part(Window(first_row, first_col, last_row - first_row, last_col - first_col))

    def fitted(self, max_side: int) -> Grid:
        """Cover the same area with pixels coarse enough that no side has more than `max_side`."""
        longest = max(self.height, self.width)
        if longest <= max_side:
            return self
        height = max(1, round(self.height * max_side / longest))
        width = max(1, round(self.width * max_side / longest))
        scale = Affine.scale(self.width / width, self.height / height)
        return Grid(self.crs, self.transform @ scale, height, width)


def _floor(value: float) -> int:
    """Round down, except for the rounding error of whole numbers."""
    return math.floor(value + 1e-6)


def _ceil(value: float) -> int:
    return math.ceil(value - 1e-6)
