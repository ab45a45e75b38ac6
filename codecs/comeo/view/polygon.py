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


def moved_polygon(geometry: Geometry, crs: CRS) -> Geometry:
    """Move a GeoJSON polygon into another projection, its edges still straight in degrees.

    Raises:
        NotFoundError: If a part of it has no place there.
    """
    polygon = shape(dict(geometry))
    length = max(SEGMENT_DEGREES, polygon.length / MOST_SEGMENTS)
    moved = move_shape(WGS84, crs, mapping(shapely.segmentize(polygon, length)))
    if moved is None:
        raise NotFoundError("the area lies outside the scene")
    return moved


def outside(moved: Geometry, grid: Grid) -> NDArray[np.bool_]:
    """(y, x), true where a pixel's centre lies outside a polygon in the grid's own projection."""
    shapes = [moved]
    left, _, right, _ = grid.bounds
    if grid.crs.is_geographic and (left < -180 or right > 180):
        polygon = shape(dict(moved))
        shapes += [mapping(translate(polygon, turn)) for turn in (-TURN, TURN)]
    mask: NDArray[np.bool_] = geometry_mask(
        shapes, (grid.height, grid.width), grid.transform, all_touched=False
    )
    return mask


def cut(image: ImageData, geometry: Geometry) -> ImageData:
    """Mask the pixels outside a GeoJSON polygon, in place.

    Raises:
        NotFoundError: If the polygon has no place in the image's projection.
    """
    grid = Grid(image.crs, image.transform, image.height, image.width)
    image.array.mask |= outside(moved_polygon(geometry, grid.crs), grid)
    return image
