"""Tile matrix sets that a layer is offered in, and the tiles that it has there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from morecantile import TileMatrixSet

from comeo.grid import WGS84, Bounds
from comeo.view.projection import move_bounds
from tileserver.render.matrixsets import matrix_set

ALIASES = {"GoogleMapsCompatible": "WebMercatorQuad", "WholeWorld_WebMercator": "WebMercatorQuad"}
WORLD_SETS = ("WebMercatorQuad", "WorldCRS84Quad")
# Of a tile: the rounding error of bounds that lie on a tile's border.
TOLERANCE = 1e-6


class Limits(NamedTuple):
    """First and last row and column of tiles, both included."""

    min_row: int
    max_row: int
    min_col: int
    max_col: int


@dataclass(frozen=True, slots=True)
class Link:
    """A tile matrix set that a layer is offered in.

    Attributes:
        name: Of the set.
        bounds: (left, bottom, right, top) of the layer in the set's CRS.
        finest: Zoom level at which the layer's pixels are shown singly.
    """

    name: str
    bounds: Bounds
    finest: int

    @property
    def tms(self) -> TileMatrixSet:
        """The set itself."""
        return matrix_set(self.name)

    def limits(self, zoom: int) -> Limits:
        """Tiles of a zoom level that the layer's bounds touch."""
        matrix = self.tms.matrix(zoom)
        x, y = matrix.pointOfOrigin
        width, height = matrix.cellSize * matrix.tileWidth, matrix.cellSize * matrix.tileHeight
        left, bottom, right, top = self.bounds
        first_col, last_col = _span((left - x) / width, (right - x) / width, matrix.matrixWidth)
        first_row, last_row = _span((y - top) / height, (y - bottom) / height, matrix.matrixHeight)
        return Limits(first_row, last_row, first_col, last_col)


def link(name: str, bbox: Bounds, finest: int) -> Link | None:
    """Offer a set over (west, south, east, north) in degrees, west > east across the antimeridian.

    None if the set's projection has no place for it.
    """
    tms = matrix_set(name)
    west, south, east, north = bbox
    if east < west:
        west, east = (-180.0, 180.0) if name in WORLD_SETS else (west, east + 360)
    if name in WORLD_SETS:
        reach = tms.bbox
        south, north = max(south, reach.bottom), min(north, reach.top)
        if south >= north:
            return None
    bounds = move_bounds(WGS84, tms.rasterio_crs, (west, south, east, north))
    return None if bounds is None else Link(name, bounds, finest)


def resolve_name(name: str) -> str:
    """Name of a set, under whichever name a client knows it."""
    return ALIASES.get(name, name)


def zoom_of(tms: TileMatrixSet, identifier: str) -> int | None:
    """Zoom level of a tile matrix, or None if the set has none of that name."""
    return next((int(matrix.id) for matrix in tms.tileMatrices if matrix.id == identifier), None)


def _span(first: float, last: float, count: int) -> tuple[int, int]:
    """Whole tiles between two places, inside the matrix."""
    low = min(max(math.floor(first + TOLERANCE), 0), count - 1)
    high = min(max(math.ceil(last - TOLERANCE) - 1, low), count - 1)
    return low, high
