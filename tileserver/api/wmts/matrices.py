"""Tile matrix sets as WMTS speaks of them: names, coordinate systems, and which tiles a layer has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from morecantile import TileMatrixSet
from rasterio.crs import CRS

from comeo.grid import Bounds
from comeo.view.projection import move_bounds
from tileserver.render.matrixsets import matrix_set

WGS84 = CRS.from_epsg(4326)
ALIASES = {"GoogleMapsCompatible": "WebMercatorQuad", "WholeWorld_WebMercator": "WebMercatorQuad"}
WORLD_SETS = ("WebMercatorQuad", "WorldCRS84Quad")
WORLD: Bounds = (-180.0, -90.0, 180.0, 90.0)
WELL_KNOWN_SCALE_SETS = {
    "WebMercatorQuad": "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible",
    "WorldCRS84Quad": "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad",
}
# Of a tile: what floating point adds to bounds that lie on a tile's border.
TOLERANCE = 1e-6


class Limits(NamedTuple):
    """First and last row and column of tiles, both included."""

    min_row: int
    max_row: int
    min_col: int
    max_col: int


@dataclass(frozen=True, slots=True)
class Link:
    """A tile matrix set in which a layer has tiles.

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


def supported_crs(tms: TileMatrixSet, *, short: bool) -> str:
    """Name of a set's CRS: a URN, which says the order of axes, or `EPSG:n` where clients know no other."""
    code = tms.rasterio_crs.to_epsg()
    if tms.id == "WorldCRS84Quad":
        return "EPSG:4326" if short else "urn:ogc:def:crs:OGC:1.3:CRS84"
    return f"EPSG:{code}" if short else f"urn:ogc:def:crs:EPSG::{code}"


def corner(tms: TileMatrixSet, zoom: int) -> str:
    """TopLeftCorner of a matrix, in the order of axes of the CRS that `supported_crs` names.

    All of them have easting (or longitude) first: EPSG's axes of Web Mercator and UTM, those of CRS84, and
    those that clients of the short name `EPSG:4326` expect.
    """
    x, y = tms.matrix(zoom).pointOfOrigin
    return f"{x!r} {y!r}"


def _span(first: float, last: float, count: int) -> tuple[int, int]:
    """Whole tiles between two places, inside the matrix."""
    low = min(max(math.floor(first + TOLERANCE), 0), count - 1)
    high = min(max(math.ceil(last - TOLERANCE) - 1, low), count - 1)
    return low, high
