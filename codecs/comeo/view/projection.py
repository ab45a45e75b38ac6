"""Coordinate reference systems by name, and coordinates moved between them where that is possible."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform, transform_bounds, transform_geom

from comeo.crs import parse_crs
from comeo.errors import CrsError, ParameterError
from comeo.globe import TURN, WORLD, pieces, rolled, unrolled
from comeo.grid import WGS84, Bounds

# Raised by rasterio where coordinates have no place in a projection, by whichever of GDAL's layers finds it.
ProjectionErrors = (RasterioError, CPLE_BaseError)
EDGE_POINTS = 21
_SAME_PLACE_METRES = 1000.0

_CODE = re.compile(r"EPSG:\d{4,6}", re.IGNORECASE)

Coordinates = NDArray[np.float64]


def named_crs(name: str) -> CRS:
    """Return a coordinate reference system of maps by its EPSG code, `EPSG:3857`.

    Raises:
        ParameterError: If the code is unknown, or not one of a map.
    """
    if not _CODE.fullmatch(name):
        raise ParameterError(f"{name[:40]!r} is not an EPSG code; write it as EPSG:3857")
    try:
        return parse_crs(name)
    except CrsError as error:
        raise ParameterError(f"the projection {name} is unknown, or not that of a map") from error


def move_points(
    source: CRS, target: CRS, xs: Coordinates, ys: Coordinates
) -> tuple[Coordinates, Coordinates]:
    """Transform points; those without a place in the target become infinite."""
    if source == target:
        return xs, ys
    try:
        moved = transform(source, target, xs, ys)
    except ProjectionErrors:
        # GDAL gives up on all points when one fails.
        moved = tuple(
            zip(*(_move_point(source, target, x, y) for x, y in zip(xs, ys, strict=True)), strict=True)
        )
    return np.asarray(moved[0], float), np.asarray(moved[1], float)


def move_bounds(source: CRS, target: CRS, bounds: Bounds) -> Bounds | None:
    """Transform bounds (left, bottom, right, top); in degrees left > right across the antimeridian.

    None where they have no place in the target.
    """
    if source == target:
        return bounds
    if source.is_geographic and target.is_geographic and bounds[2] - bounds[0] >= TURN - 1e-9:
        return WORLD[0], bounds[1], WORLD[2], bounds[3]  # PROJ would see both ends at one place
    try:
        left, bottom, right, top = transform_bounds(source, target, *bounds, densify_pts=EDGE_POINTS)
    except ProjectionErrors:
        return None
    found = (left, bottom, right, top)
    return found if all(map(math.isfinite, found)) and bottom <= top else None


def move_area(source: CRS, target: CRS, bounds: Bounds) -> Bounds | None:
    """Transform bounds, none of them cut: in degrees left <= right, one of them beyond 180 if need be.

    None where they have no place in the target.

    Raises:
        ParameterError: If they lie across the antimeridian and the target's projection is cut there.
    """
    if source.is_geographic:
        bounds = unrolled(bounds)
    moved = move_bounds(source, target, bounds)
    if moved is None or source == target:
        return moved
    if target.is_geographic:
        return unrolled(moved)
    globe = bounds if source.is_geographic else move_bounds(source, WGS84, bounds)
    if globe is not None and len(pieces(rolled(unrolled(globe)))) > 1 and _is_cut(target, globe[1], globe[3]):
        raise ParameterError(
            f"the area lies across the antimeridian, where {target.to_string()[:60]} is cut; "
            "give a bbox on one side of it"
        )
    return moved


def _is_cut(crs: CRS, south: float, north: float) -> bool:
    """Whether the two sides of the antimeridian lie apart in a projection, in the middle of latitudes."""
    lat = max(-80.0, min((south + north) / 2, 80.0))
    xs, ys = move_points(WGS84, crs, np.array([180 - 1e-6, 1e-6 - 180]), np.array([lat, lat]))
    apart = math.hypot(float(np.diff(xs)[0]), float(np.diff(ys)[0])) * crs.units_factor[1]
    return not apart < _SAME_PLACE_METRES


def move_shape(source: CRS, target: CRS, shape: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Transform a GeoJSON geometry, or None where a part of it has no place in the target."""
    try:
        moved: Mapping[str, Any] = transform_geom(source, target, shape)
    except ProjectionErrors:
        return None
    return moved


def _move_point(source: CRS, target: CRS, x: float, y: float) -> tuple[float, float]:
    try:
        xs, ys = transform(source, target, [x], [y])
    except ProjectionErrors:
        return math.inf, math.inf
    return xs[0], ys[0]
