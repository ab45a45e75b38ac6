"""S_INTERSECTS: the one spatial function."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from shapely.geometry.base import BaseGeometry

from tileserver.api.stac.cql2.operands import refuse
from tileserver.catalog.filters import Condition, Meets
from tileserver.catalog.footprints import box_of
from tileserver.render import geojson


def meets(args: Sequence[Any], max_vertices: int) -> Condition:
    """Whether a footprint touches a geometry or a box.

    Args:
        args: The property `geometry` and a literal, in any order.
        max_vertices: Most vertices of the literal.

    Raises:
        ParameterError: If that is not what they are.
        BoundError: If it has too many vertices.
    """
    names = [isinstance(arg, Mapping) and arg.get("property") == "geometry" for arg in args]
    if sorted(names) != [False, True]:
        refuse("S_INTERSECTS takes geometry and a literal: S_INTERSECTS(geometry, BBOX(8, 47, 9, 48))")
    literal = args[names.index(False)]
    if isinstance(literal, Mapping) and "bbox" in literal:
        return Meets(_box(literal["bbox"]))
    return Meets(geojson.geometry_of(literal, max_vertices))


def _box(corners: Any) -> BaseGeometry:
    if isinstance(corners, list) and len(corners) == 6:
        corners = [corners[0], corners[1], corners[3], corners[4]]  # heights are of no interest here
    numbers = isinstance(corners, list) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 180
        for value in corners
    )
    if not numbers or len(corners) != 4:
        refuse("BBOX is west, south, east, north in degrees")
    west, south, east, north = map(float, corners)
    if not (-90 <= south <= north <= 90) or math.isnan(west + east):
        refuse("BBOX is west, south, east, north in degrees, the south not above the north")
    return box_of((west, south, east, north))
