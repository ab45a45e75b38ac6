"""Where the maps of a geoservice lie: the pixels of its scenes, around all its sites."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from affine import Affine

from comeo.errors import BoundError, NotFoundError
from comeo.globe import centre, near, rolled, union_of_boxes, unrolled
from comeo.grid import WGS84, Bounds, Grid
from comeo.scene import METRES_PER_DEGREE, Window
from comeo.view.projection import move_area
from tileserver.watch.document.definition import Maps

MOST_PIXELS: Final = 1 << 22
"""Of a map: 20 km to a side in pixels of 10 m."""


def box_of(boxes: Sequence[Bounds], maps: Maps) -> Bounds:
    """Box in degrees in which scenes are looked for: that of all sites with twice the margin."""
    west, south, east, north = unrolled(union_of_boxes(boxes))
    reach = 2 * maps.margin_m / METRES_PER_DEGREE
    wide = reach / max(0.01, math.cos(math.radians(max(abs(south), abs(north)))))
    if east - west + 2 * wide >= 180:
        raise BoundError("the sites lie around the globe; follow them by several geoservices", "maps")
    return rolled((west - wide, max(-90.0, south - reach), east + wide, min(90.0, north + reach)))


def grid_around(native: Grid, boxes: Sequence[Bounds], maps: Maps) -> Grid:
    """Pixels of a map: those of a scene, as far as the sites' box and the margin go, beyond it as well.

    Pixels that are to be coarser are whole numbers of the scene's to a side.

    Args:
        native: Of the scene.
        boxes: (west, south, east, north) of each site, in degrees.
        maps: Margin and size of pixels.

    Raises:
        BoundError: If there would be too many.
        NotFoundError: If the sites have no place in the scene's projection.
    """
    moved = move_area(WGS84, native.crs, union_of_boxes(boxes))
    if moved is None:
        raise NotFoundError("the sites lie outside the projection of the scenes")
    if native.crs.is_geographic:
        moved = near(moved, centre(native.bounds)[0])
    factor = max(1, round((maps.pixel_m or 0.0) / native.pixel_size))
    transform = native.transform @ Affine.scale(factor)
    places = [~transform @ (moved[x], moved[y]) for x in (0, 2) for y in (1, 3)]
    margin = maps.margin_m / (native.pixel_size * factor)
    left, top = (math.floor(min(each[axis] for each in places) - margin + 1e-6) for axis in (0, 1))
    right, bottom = (math.ceil(max(each[axis] for each in places) + margin - 1e-6) for axis in (0, 1))
    height, width = max(1, bottom - top), max(1, right - left)
    if height * width > MOST_PIXELS:
        coarser = native.pixel_size * math.ceil(factor * math.sqrt(height * width / MOST_PIXELS))
        raise BoundError(
            f"its maps would have {width}×{height} pixels, more than {MOST_PIXELS}; "
            f"set maps.pixel_m to {coarser:g}, or follow fewer sites",
            "maps",
        )
    return Grid(native.crs, transform, 0, 0).part(Window(top, left, height, width))
