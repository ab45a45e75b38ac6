"""GeoJSON from outside: checked before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import shapely
from rasterio.features import is_valid_geom
from shapely.geometry.base import BaseGeometry

from comeo.errors import BoundError, ParameterError

# Depth of nesting of `coordinates`.
_DEPTHS = {"Polygon": 3, "MultiPolygon": 4}


def polygon_of(document: Any, max_vertices: int) -> dict[str, Any]:
    """Return the polygon of a GeoJSON geometry, Feature, or FeatureCollection of one.

    Raises:
        ParameterError: If there is none, or it makes no sense on the globe.
        BoundError: If it has too many vertices.
    """
    geometry = _geometry(document)
    kind = geometry.get("type")
    if kind not in _DEPTHS:
        raise ParameterError(f"the geometry has to be a Polygon or MultiPolygon, not {str(kind)[:40]!r}")
    coordinates = geometry.get("coordinates")
    positions = _positions(coordinates, _DEPTHS[kind], max_vertices)
    if not positions:
        raise ParameterError("the geometry has no positions")
    for lon, lat in positions:
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise ParameterError(f"{lon}, {lat} is no position in degrees: longitude goes first")
    shape = {"type": kind, "coordinates": _flat(coordinates, _DEPTHS[kind])}
    if not is_valid_geom(shape):
        raise ParameterError(
            "the geometry is not valid: each ring needs four positions, the last as the first"
        )
    check_sound(shapely.geometry.shape(shape))
    return shape


def check_sound(geometry: BaseGeometry) -> None:
    """Refuse what crosses itself: where all edges cross, to mend it or move it takes minutes and gigabytes.

    Raises:
        ParameterError: Saying where.
    """
    reason = shapely.is_valid_reason(geometry)
    if reason != "Valid Geometry":
        name, _, place = reason.partition("[")
        where = f" at {place.rstrip(']')}" if place else ""
        raise ParameterError(f"the geometry is not valid: {name.lower()}{where}")


def check_size(geometry: Any, max_vertices: int) -> None:
    """Refuse a geometry of any kind that is too large or too deep, before anything is made of it.

    Raises:
        ParameterError: If it is none, or nested more deeply than any geometry.
        BoundError: If it has too many vertices.
    """
    if not isinstance(geometry, Mapping):
        raise ParameterError("a GeoJSON geometry is an object")
    level: list[Any] = [geometry]
    numbers = 0
    for _ in range(8):
        level = [
            item
            for entry in level
            for item in (entry.values() if isinstance(entry, Mapping) else entry)
            if isinstance(item, (int, float, list, Mapping))
        ]
        numbers += sum(isinstance(item, (int, float)) for item in level)
        level = [item for item in level if not isinstance(item, (int, float))]
    if level:
        raise ParameterError("the geometry is nested too deeply")
    if numbers > 3 * max_vertices:
        raise BoundError(f"the geometry has more than {max_vertices} vertices", "max_vertices")


def _geometry(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise ParameterError("the body has to be a GeoJSON object")
    kind = document.get("type")
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list) or len(features) != 1:
            raise ParameterError("the body has to be one GeoJSON Feature, not a collection of several")
        return _geometry(features[0])
    if kind == "Feature":
        geometry = document.get("geometry")
        if not isinstance(geometry, Mapping):
            raise ParameterError("the GeoJSON Feature has no geometry")
        return geometry
    return document


def _positions(part: Any, depth: int, most: int) -> list[tuple[float, float]]:
    """Collect positions, `depth` lists down."""
    level = [part]
    for _ in range(depth):
        if not all(isinstance(entry, list) for entry in level):
            raise ParameterError("the geometry's coordinates are not nested as its type asks")
        level = [item for entry in level for item in entry]
        if len(level) > 4 * most:
            raise BoundError(f"the geometry has more than {most} vertices", "max_vertices")
    return _checked(_regrouped(part, depth), most)


def _regrouped(part: Any, depth: int) -> list[Any]:
    level = [part]
    for _ in range(depth - 1):
        level = [item for entry in level for item in entry]
    return level


def _flat(part: Any, depth: int) -> Any:
    """Coordinates without heights."""
    return part[:2] if depth == 1 else [_flat(entry, depth - 1) for entry in part]


def _checked(positions: list[Any], most: int) -> list[tuple[float, float]]:
    if len(positions) > most:
        raise BoundError(f"the geometry has {len(positions)} vertices, more than {most}", "max_vertices")
    out = []
    for position in positions:
        numbers = [
            value for value in position if isinstance(value, (int, float)) and not isinstance(value, bool)
        ]
        if (
            len(numbers) != len(position)
            or not 2 <= len(numbers) <= 4
            or not all(map(math.isfinite, numbers))
        ):
            raise ParameterError(f"{str(position)[:60]} is no position")
        out.append((float(numbers[0]), float(numbers[1])))
    return out
