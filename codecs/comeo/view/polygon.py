"""Polygons of a user (GeoJSON, WGS 84) on the grids of scenes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rio_tiler.models import ImageData
from shapely.geometry import mapping, shape

from comeo.errors import NotFoundError
from comeo.globe import TURN, pieces, rolled, union_of_boxes, unrolled
from comeo.grid import WGS84, Bounds, Grid
from comeo.view.projection import move_bounds, move_shape

Geometry = Mapping[str, Any]
# Edges of a polygon are straight in degrees (RFC 7946); pieces of this length are straight in any projection,
# too, to within centimetres. No polygon is cut into more pieces than `MOST_SEGMENTS`.
SEGMENT_DEGREES = 0.01
MOST_SEGMENTS = 20_000
CROSSINGS = 1 << 20  # of edges and rows, looked at together
MARGIN = 0.1
"""Degrees around a scene beyond which a polygon is cut off: far away, its projection may have no numbers."""


def geometry_bounds(geometry: Geometry) -> Bounds:
    """Return (west, south, east, north) of a GeoJSON geometry; west > east across the antimeridian.

    `rasterio.features.bounds` would trust a `bbox` that the geometry carries.
    """
    return union_of_boxes(part.bounds for part in shapely.get_parts(shape(dict(geometry))))


def near_scene(geometry: Geometry, scene: Grid) -> Geometry:
    """The part of a GeoJSON polygon (WGS 84) in a scene and around it.

    Raises:
        NotFoundError: If there is none.
    """
    box = move_bounds(scene.crs, WGS84, scene.bounds)
    if box is None:
        raise NotFoundError("the scene lies outside its coordinate reference system")
    west, south, east, north = unrolled(box)
    wide = rolled((west - MARGIN, max(south - MARGIN, -90.0), east + MARGIN, min(north + MARGIN, 90.0)))
    polygon = shape(dict(geometry))
    around = [shapely.box(*each) for each in pieces(wide)]
    if not polygon.within(shapely.union_all(around)):
        parts = [part for each in around for part in shapely.get_parts(polygon.intersection(each))]
        polygon = shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])
    if polygon.is_empty:
        raise NotFoundError("the area lies outside the scene")
    return mapping(polygon)


class Cutter:
    """A GeoJSON polygon (WGS 84) in the projection of images that are to be cut along it.

    Moving it costs far more than cutting one image, so it is done once for all images of a file.

    Args:
        geometry: Polygon or MultiPolygon in degrees.
        crs: Of the images.

    Raises:
        NotFoundError: If a part of it has no place in that projection.
    """

    def __init__(self, geometry: Geometry, crs: CRS) -> None:
        rings = shapely.get_rings(shapely.get_parts(shape(dict(move_polygon(geometry, crs)))))
        corners, ring = shapely.get_coordinates(rings, return_index=True)
        joined = ring[1:] == ring[:-1]
        self._edges = np.stack([corners[:-1][joined], corners[1:][joined]])
        if not np.isfinite(self._edges).all():
            raise NotFoundError("the area lies outside the scene")
        if crs.is_geographic:  # grids may go on beyond 180
            self._edges = np.concatenate(
                [self._edges + np.array([turn, 0.0]) for turn in (-TURN, 0.0, TURN)], axis=1
            )

    def outside(self, grid: Grid) -> NDArray[np.bool_]:
        """(y, x), true where a pixel's centre lies outside.

        As GDAL has it, but GDAL goes through all edges for each row: with thousands of holes that takes
        seconds. Here each edge costs as many steps as it meets rows.
        """
        affine = ~grid.transform
        x, y = self._edges[..., 0], self._edges[..., 1]
        cols = affine.a * x + affine.b * y + affine.c
        rows = affine.d * x + affine.e * y + affine.f
        first = np.clip(np.ceil(rows.min(axis=0) - 0.5), 0, grid.height).astype(np.int64)
        last = np.clip(np.ceil(rows.max(axis=0) - 0.5), 0, grid.height).astype(np.int64)
        near = (last > first) & (cols.min(axis=0) < grid.width)
        cols, rows, first, counts = cols[:, near], rows[:, near], first[near], (last - first)[near]
        crossings = np.zeros(grid.height * (grid.width + 1), np.int64)
        ends = np.cumsum(counts)
        parts = np.searchsorted(ends, np.arange(CROSSINGS, ends[-1] if len(ends) else 0, CROSSINGS))
        for part in np.split(np.arange(len(counts)), parts):
            edge = np.repeat(part, counts[part])
            row = first[edge] + np.arange(len(edge)) - (ends - counts)[edge]
            row += (ends - counts)[part[0]] if len(part) else 0
            slope = (cols[1] - cols[0])[edge] / (rows[1] - rows[0])[edge]
            col = np.floor(cols[0][edge] + (row + 0.5 - rows[0][edge]) * slope + 0.5)
            place = row * (grid.width + 1) + np.clip(col, 0, grid.width).astype(np.int64)
            crossings += np.bincount(place, minlength=len(crossings))
        crossed = np.cumsum(crossings.reshape(grid.height, -1), axis=1)[:, :-1]
        outside: NDArray[np.bool_] = crossed % 2 == 0
        return outside

    def cut(self, image: ImageData) -> ImageData:
        """Mask the pixels of an image outside the polygon, in place."""
        image.array.mask |= self.outside(Grid(image.crs, image.transform, image.height, image.width))
        return image


def move_polygon(geometry: Geometry, crs: CRS) -> Geometry:
    """A polygon in another projection, its edges still straight in degrees.

    Raises:
        NotFoundError: If a part of it has no place there.
    """
    polygon = shape(dict(geometry))
    length = max(SEGMENT_DEGREES, polygon.length / MOST_SEGMENTS)
    moved = move_shape(WGS84, crs, mapping(shapely.segmentize(polygon, length)))
    if moved is None:
        raise NotFoundError("the area lies outside the scene")
    return moved
