"""How much of each pixel of a scene lies in an area: of a point the pixel that it falls into.

A small field is a few pixels, most of which it cuts: to count those whose centre lies inside, as pictures are
cut, moves its outline by half a pixel here and there. Exact shares have no such error, and an area that is
smaller than a pixel has a value, too.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from shapely.affinity import affine_transform, translate
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from comeo.errors import NotFoundError
from comeo.globe import TURN
from comeo.grid import WGS84, Bounds, Grid
from comeo.view.polygon import Cutter, Geometry, geometry_bounds, move_polygon, near_scene
from comeo.view.projection import move_points

Shares = NDArray[np.float32]
_NEAR: Final = 1e-7  # degrees around a position, which may lie between two pixels
_KEPT_GRIDS: Final = 2  # scenes of a series lie on the same pixels, but for those of neighbouring tracks
_KEPT_PIXELS: Final = 1 << 14  # of one of them: there may be hundreds of areas, and large ones cost little


class Area:
    """A point or polygon on the pixels of scenes.

    Args:
        geometry: GeoJSON Point, Polygon or MultiPolygon in degrees (WGS 84).
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self._known: OrderedDict[tuple[Any, ...], Shares] = OrderedDict()

    @property
    def is_point(self) -> bool:
        """Whether it is a point."""
        return bool(self.geometry["type"] == "Point")

    @property
    def bounds(self) -> Bounds:
        """(west, south, east, north) in degrees; west > east across the antimeridian."""
        if self.is_point:
            lon, lat = self.geometry["coordinates"][:2]
            return lon - _NEAR, max(-90.0, lat - _NEAR), lon + _NEAR, min(90.0, lat + _NEAR)
        return geometry_bounds(self.geometry)

    def bounds_near(self, scene: Grid) -> Bounds:
        """The bounds of what lies in a scene and around it.

        Raises:
            NotFoundError: If nothing does.
        """
        return self.bounds if self.is_point else geometry_bounds(near_scene(self.geometry, scene))

    def shares(self, grid: Grid) -> Shares:
        """Share of each pixel that lies in the area, (y, x), 0 to 1.

        Raises:
            NotFoundError: If a part of the area that is near the grid has no place in its projection.
        """
        key = (grid.crs.to_wkt(), *grid.transform[:6], grid.height, grid.width)
        if key in self._known:
            return self._known[key]
        found = self._shares(grid)
        found.flags.writeable = False
        if found.size <= _KEPT_PIXELS:
            self._known[key] = found
            if len(self._known) > _KEPT_GRIDS:
                self._known.popitem(last=False)
        return found

    def outside(self, grid: Grid) -> NDArray[np.bool_]:
        """(y, x), true where a pixel's centre lies outside; if all do, where the area touches none of it.

        Raises:
            NotFoundError: As `shares`.
        """
        if not self.is_point:
            outside = Cutter(near_scene(self.geometry, grid), grid.crs).outside(grid)
            if not outside.all():
                return outside
        untouched: NDArray[np.bool_] = self.shares(grid) == 0
        return untouched

    def _shares(self, grid: Grid) -> Shares:
        if self.is_point:
            return _pixel_of(self.geometry["coordinates"], grid)
        moved = shape(dict(move_polygon(near_scene(self.geometry, grid), grid.crs)))
        if not np.isfinite(shapely.get_coordinates(moved)).all():
            raise NotFoundError("the area lies outside the scene")
        if grid.crs.is_geographic:  # grids may go on beyond 180
            moved = shapely.union_all([translate(moved, turn) for turn in (-TURN, 0.0, TURN)])
        affine = ~grid.transform
        placed = affine_transform(moved, [affine.a, affine.b, affine.d, affine.e, affine.c, affine.f])
        return covered(placed, grid.height, grid.width)


def covered(polygon: BaseGeometry, height: int, width: int) -> Shares:
    """Share of each pixel that lies in a polygon in columns and rows, (height, width)."""
    flipped = affine_transform(polygon, [1, 0, 0, -1, 0, height])  # exactextract's rasters have north above
    empty = NumPyRasterSource(np.zeros((height, width), np.uint8), xmin=0, ymin=0, xmax=width, ymax=height)
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(flipped)}
    (found,) = exact_extract(empty, [feature], ["cell_id", "coverage"])
    out = np.zeros(height * width, np.float32)
    out[found["properties"]["cell_id"]] = found["properties"]["coverage"]
    return out.reshape(height, width)


def _pixel_of(position: Any, grid: Grid) -> Shares:
    out = np.zeros((grid.height, grid.width), np.float32)
    xs, ys = move_points(WGS84, grid.crs, np.array([position[0]]), np.array([position[1]]))
    if np.isfinite((xs[0], ys[0])).all():
        col, row = ~grid.transform @ (float(xs[0]), float(ys[0]))
        if 0 <= row < grid.height and 0 <= col < grid.width:
            out[int(row), int(col)] = 1
    return out
