"""Polygons of a user (GeoJSON, WGS 84) on the grids of scenes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import geometry_mask
from rio_tiler.models import ImageData
from shapely.affinity import translate
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from comeo.errors import NotFoundError
from comeo.globe import TURN, union_of_boxes
from comeo.grid import WGS84, Bounds, Grid
from comeo.view.projection import move_shape

Geometry = Mapping[str, Any]
# Edges of a polygon are straight in degrees (RFC 7946); pieces of this length are straight in any projection,
# too, to within centimetres. No polygon is cut into more pieces than `MOST_SEGMENTS`.
SEGMENT_DEGREES = 0.01
MOST_SEGMENTS = 20_000


def geometry_bounds(geometry: Geometry) -> Bounds:
    """Return (west, south, east, north) of a GeoJSON geometry; west > east across the antimeridian.

    `rasterio.features.bounds` would trust a `bbox` that the geometry carries.
    """
    return union_of_boxes(part.bounds for part in shapely.get_parts(shape(dict(geometry))))


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
        moved = shape(dict(_moved(geometry, crs)))
        self._parts = list(getattr(moved, "geoms", [moved]))
        if crs.is_geographic:  # grids may go on beyond 180
            self._parts += [translate(part, turn) for part in self._parts for turn in (-TURN, TURN)]
        self._tree = shapely.STRtree(self._parts)

    def outside(self, grid: Grid) -> NDArray[np.bool_]:
        """(y, x), true where a pixel's centre lies outside. Only what is near the grid is looked at."""
        left, bottom, right, top = grid.bounds
        margin = max(right - left, top - bottom) / max(grid.height, grid.width)
        near = shapely.box(left - margin, bottom - margin, right + margin, top + margin)
        shapes = [_clipped(self._parts[index], near) for index in self._tree.query(near)]
        shapes = [part for part in shapes if not part.is_empty]
        if not shapes:
            return np.ones((grid.height, grid.width), bool)
        mask: NDArray[np.bool_] = geometry_mask(
            shapes, (grid.height, grid.width), grid.transform, all_touched=False
        )
        return mask

    def cut(self, image: ImageData) -> ImageData:
        """Mask the pixels of an image outside the polygon, in place."""
        image.array.mask |= self.outside(Grid(image.crs, image.transform, image.height, image.width))
        return image


def _clipped(part: BaseGeometry, near: BaseGeometry) -> BaseGeometry:
    """What lies inside a box; a polygon that lies there as a whole is not gone through."""
    if shapely.box(*part.bounds).within(near):
        return part
    return shapely.clip_by_rect(part, *near.bounds)


def _moved(geometry: Geometry, crs: CRS) -> Geometry:
    """A polygon in another projection, its edges still straight in degrees."""
    polygon = shape(dict(geometry))
    length = max(SEGMENT_DEGREES, polygon.length / MOST_SEGMENTS)
    moved = move_shape(WGS84, crs, mapping(shapely.segmentize(polygon, length)))
    if moved is None:
        raise NotFoundError("the area lies outside the scene")
    return moved
