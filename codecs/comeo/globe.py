"""Boxes and rings in degrees on a globe: where longitudes meet at 180 and shrink to a point at the poles.

A box is (west, south, east, north) as RFC 7946 and STAC have it: west > east across the antimeridian. An
unrolled one has east >= west, and one of them may lie beyond 180.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from comeo.errors import ParameterError
from comeo.grid import Bounds

WORLD: Bounds = (-180.0, -90.0, 180.0, 90.0)
TURN = 360.0
_TURNS = (-TURN, 0.0, TURN)
_ROUNDING = 1e-9
_POLE = 90 - 1e-9  # a position this close to a pole has no longitude of its own
_ROUNDED = 1e-4  # degrees: what is smaller would be lost in the digits that outlines are written with

Longitudes = tuple[float, float]


def checked(box: Bounds) -> Bounds:
    """Check a box that is given as an area.

    Returns:
        The box; longitudes that go on beyond 180, as in 179,-17,181,-16, are brought within.

    Raises:
        ParameterError: Saying how an area is written.
    """
    west, south, east, north = box
    finite = all(map(math.isfinite, box))
    beyond = finite and 180 < max(-west, east) <= 2 * TURN
    if beyond and west < east and -90 <= south < north <= 90:
        return rolled(box)
    inside = finite and max(abs(west), abs(east)) <= 180
    if not (inside and west != east and -90 <= south < north <= 90):
        raise ParameterError(
            "an area is west,south,east,north in degrees: west of east, south of north; across the "
            "antimeridian west is the greater number, as in 179,-17,-179,-16"
        )
    if west > east and east + TURN - west > 180:
        raise ParameterError(
            f"west {west:g} is greater than east {east:g}, an area across the antimeridian that is "
            f"{east + TURN - west:g} degrees wide; swap them if that is not meant, or give it in parts"
        )
    return box


def unrolled(box: Bounds) -> Bounds:
    """The box with its east beyond 180 where it crosses the antimeridian."""
    west, south, east, north = box
    return west, south, east + TURN if east < west else east, north


def rolled(box: Bounds) -> Bounds:
    """The inverse of `unrolled`, of a box in any frame; a box that goes round the globe is -180 to 180."""
    west, south, east, north = box
    if east - west >= TURN - _ROUNDING:
        return -180.0, south, 180.0, north
    turns = TURN * np.floor((west + 180) / TURN)
    west, east = float(west - turns), float(east - turns)
    return west, south, east - TURN if east > 180 else east, north


def pieces(box: Bounds) -> list[Bounds]:
    """The box, cut in two where it crosses the antimeridian."""
    west, south, east, north = box
    if west <= east:
        return [box]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def centre(box: Bounds) -> tuple[float, float]:
    """Longitude, from -180 to 180, and latitude of the middle of a box."""
    west, south, east, north = unrolled(box)
    lon = (west + east) / 2
    return lon - TURN if lon > 180 else lon, (south + north) / 2


def near(box: Bounds, lon: float) -> Bounds:
    """The unrolled box in the frame where its middle is nearest to a longitude."""
    west, south, east, north = unrolled(box)
    turns = TURN * round((lon - (west + east) / 2) / TURN)
    return west + turns, south, east + turns, north


def intersections(one: Bounds, other: Bounds) -> list[Bounds]:
    """The boxes that two boxes share: none, one, or two where one surrounds the globe's other side."""
    west, south, east, north = unrolled(one)
    other_west, other_south, other_east, other_north = unrolled(other)
    south, north = max(south, other_south), min(north, other_north)
    if south >= north:
        return []
    if east - west >= TURN:
        return [(other[0], south, other[2], north)]
    if other_east - other_west >= TURN:
        return [(one[0], south, one[2], north)]
    shared = [(max(west, other_west + turn), min(east, other_east + turn)) for turn in _TURNS]
    return [rolled((low, south, high, north)) for low, high in shared if low < high]


def union(spans: Iterable[Longitudes]) -> Longitudes:
    """The shortest (west, east) around unrolled spans, west > east across the antimeridian.

    Among gaps of one size the one at the antimeridian is left out, so that no box crosses it without need.
    """
    frames = sorted(unrolled(rolled((west, 0, east, 0)))[::2] for west, east in spans)
    furthest = max(east for _, east in frames)
    gaps = [(frames[0][0] + TURN - furthest, frames[0][0], furthest)]
    reach = furthest - TURN
    for (_, east), (later, _) in pairwise(frames):
        reach = max(reach, east)
        gaps.append((later - reach, later, reach))
    gap, west, east = max(gaps, key=lambda found: found[0])
    if gap <= 0:
        return -180.0, 180.0
    return west, east - TURN if east > 180 else east


def union_of_boxes(boxes: Iterable[Bounds]) -> Bounds:
    """The smallest box around boxes, at least one."""
    listed = [unrolled(box) for box in boxes]
    west, east = union((box[0], box[2]) for box in listed)
    return west, min(box[1] for box in listed), east, max(box[3] for box in listed)


def outline(lons: NDArray[np.float64], lats: NDArray[np.float64]) -> tuple[dict[str, Any], Bounds]:
    """GeoJSON and box of the area inside a ring, cut at 180 and closed over a pole that it surrounds.

    Args:
        lons: Of the ring's points, in degrees, the last one not the first again. Two points that follow each
            other are less than half the globe apart.
        lats: Likewise.
    """
    area = inside(lons, lats)
    west, south, east, north = (float(value) for value in area.bounds)
    shape = cut(area)
    if min(east - west, north - south) > _ROUNDED:
        shape = shapely.set_precision(shape, 1e-6)
    found: dict[str, Any] = mapping(shapely.orient_polygons(shape))
    return found, rolled((west, south, east, north))


def inside(lons: NDArray[np.float64], lats: NDArray[np.float64]) -> shapely.Polygon:
    """The area inside a ring in a frame of its own, closed over a pole that it surrounds; see `cut`.

    Args:
        lons: As of `outline`.
        lats: Likewise.
    """
    lons, lats = _beside_poles(lons, lats)
    closed = np.unwrap(np.append(lons, lons[0]), period=TURN)
    points = np.column_stack([closed, np.append(lats, lats[0])])
    around = round((closed[-1] - closed[0]) / TURN)
    if around:
        pole = 90.0 if lats.mean() > 0 else -90.0
        points = np.vstack([points, [(closed[-1], pole), (closed[0], pole)]])
    return shapely.Polygon(points)


def cut(area: BaseGeometry) -> BaseGeometry:
    """A polygon in any frame of longitudes, brought to -180 to 180 and cut there."""
    west, _, east, _ = area.bounds
    return shapely.union_all(list(_frames(area, west, east)))


def _beside_poles(
    lons: NDArray[np.float64], lats: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A ring with two points for a single one at a pole, on the meridians of its neighbours."""
    found: list[tuple[float, float]] = []
    polar = np.abs(lats) >= _POLE
    for index, lat in enumerate(lats):
        after = (index + 1) % len(lons)
        alone = polar[index] and not (polar[index - 1] or polar[after])
        found += [(lon, lat) for lon in ((lons[index - 1], lons[after]) if alone else (lons[index],))]
    points = np.array(found, float)
    return points[:, 0], points[:, 1]


def _frames(area: BaseGeometry, west: float, east: float) -> Iterable[shapely.Polygon]:
    """Parts of an area in each turn of the globe that it lies in, brought to -180 to 180."""
    first, last = int(np.floor((west + 180) / TURN)), int(np.ceil((east + 180) / TURN))
    for turn in range(first, max(last, first + 1)):
        shift = TURN * turn
        part = shapely.intersection(area, shapely.box(shift - 180, -90, shift + 180, 90))
        for polygon in shapely.get_parts(part):
            if isinstance(polygon, shapely.Polygon) and not polygon.is_empty:
                yield translate(polygon, -shift)
