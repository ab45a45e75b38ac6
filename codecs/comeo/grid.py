"""Pixel grids: where pixels lie, before any pixel is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from affine import Affine
from rasterio.crs import CRS
from rasterio.transform import array_bounds, from_bounds

Bounds = tuple[float, float, float, float]


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
        return cls(crs, from_bounds(*bounds, width, height), height, width)

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top)."""
        left, bottom, right, top = array_bounds(self.height, self.width, self.transform)
        return left, bottom, right, top

    def within(self, bounds: Bounds) -> Grid | None:
        """Pixels of this grid that bounds (left, bottom, right, top in its CRS) touch, or None."""
        inverse = ~self.transform
        corners = [inverse @ (bounds[x], bounds[y]) for x in (0, 2) for y in (1, 3)]
        first_col = max(0, _floor(min(col for col, _ in corners)))
        first_row = max(0, _floor(min(row for _, row in corners)))
        last_col = min(self.width, _ceil(max(col for col, _ in corners)))
        last_row = min(self.height, _ceil(max(row for _, row in corners)))
        if first_col >= last_col or first_row >= last_row:
            return None
        transform = self.transform @ Affine.translation(first_col, first_row)
        return Grid(self.crs, transform, last_row - first_row, last_col - first_col)

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
    """Round down, save for what floating point adds to whole numbers."""
    return math.floor(value + 1e-6)


def _ceil(value: float) -> int:
    return math.ceil(value - 1e-6)
