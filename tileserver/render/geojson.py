"""GeoJSON from clients: its size is bounded first, then it is validated, then it becomes a shape.

What clients commonly write is taken as it is meant: a Feature for its geometry, types in any case, rings that
end before their first position.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import shapely
from geojson_pydantic import (
    Feature,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
)
from geojson_pydantic.features import FeatureCollection
from geojson_pydantic.geometries import Geometry
from pydantic import Field, PlainValidator, TypeAdapter, ValidationError
from shapely.errors import ShapelyError
from shapely.geometry import GeometryCollection, mapping, shape
from shapely.geometry.base import BaseGeometry

from comeo.errors import BoundError, ParameterError
from comeo.globe import TURN, cut

COLLECTION = "GeometryCollection"
POLYGONS = ("Polygon", "MultiPolygon")
MAX_DEPTH = 8
"""Of lists and objects in each other: MultiPolygon has four lists, each GeometryCollection adds two."""
_Single = Point | MultiPoint | LineString | MultiLineString | Polygon | MultiPolygon
_SINGLE: TypeAdapter[_Single] = TypeAdapter(Annotated[_Single, Field(discriminator="type")])
_TYPES = (*POLYGONS, "Point", "MultiPoint", "LineString", "MultiLineString")
_NAMES = {name.lower(): name for name in (*_TYPES, COLLECTION, "Feature", "FeatureCollection")}


def check_object(value: Any) -> dict[str, Any]:
    """Return what is a GeoJSON object, as far as its type goes.

    Raises:
        ValueError: If it is none; as pydantic wants it.
    """
    if not isinstance(value, dict):
        raise ValueError("this has to be a GeoJSON object")
    return value


# Described in /openapi.json as what they are, and validated only once their size has been checked.
_Area = Polygon | MultiPolygon
_Areas = _Area | Feature[_Area, dict[str, Any]] | FeatureCollection[Feature[_Area, dict[str, Any]]]
PolygonDocument = Annotated[dict[str, Any], PlainValidator(check_object, json_schema_input_type=_Areas)]
_Shapes = Geometry | Feature[Geometry, dict[str, Any]]
GeometryDocument = Annotated[dict[str, Any], PlainValidator(check_object, json_schema_input_type=_Shapes)]


def polygon_of(document: Any, max_vertices: int) -> dict[str, Any]:
    """Return the polygon of a GeoJSON geometry, Feature, or FeatureCollection of one.

    Args:
        document: As parsed from JSON.
        max_vertices: Most positions that it may have.

    Returns:
        A Polygon or MultiPolygon in degrees, without heights; one that passes 180 is cut there.

    Raises:
        ParameterError: If it holds no valid polygon on the globe.
        BoundError: If it has too many vertices.
    """
    geometry = _geometry(document)
    kind = _kind(geometry)
    if kind not in POLYGONS:
        raise ParameterError(f"the geometry has to be a Polygon or MultiPolygon, not {str(kind)[:40]!r}")
    check_size(geometry, max_vertices)
    found = shape_of(geometry)
    _check(found, TURN)
    _check_edges(found)
    west, _, east, _ = found.bounds
    whole = mapping(cut(found) if west < -180 or east > 180 else found)
    return {"type": whole["type"], "coordinates": _listed(whole["coordinates"])}


def geometry_of(document: Any, max_vertices: int) -> BaseGeometry:
    """Return the shape of a GeoJSON geometry of any type, or a Feature's, in degrees and without heights.

    Args:
        document: As parsed from JSON.
        max_vertices: Most positions that it may have.

    Raises:
        ParameterError: If it is not a valid geometry on the globe, is empty, or crosses itself.
        BoundError: If it has too many vertices.
    """
    geometry = _geometry(document)
    check_size(geometry, max_vertices)
    found = shape_of(geometry)
    _check(found, 180)
    return found


def _check(found: BaseGeometry, east: float) -> None:
    """Refuse a geometry that is empty, has positions beyond a longitude or a pole, or crosses itself."""
    if found.is_empty:
        raise ParameterError("the geometry has no positions")
    positions = shapely.get_coordinates(found)
    outside = ~(np.abs(positions) <= (east, 90)).all(axis=1)  # NaN is outside, too
    if outside.any():
        lon, lat = positions[outside][0]
        raise ParameterError(
            f"{lon:g}, {lat:g} is not a valid position in degrees: longitude comes first, then latitude"
        )
    _check_sound(found)


def _check_edges(polygon: BaseGeometry) -> None:
    """Refuse edges of more than half the globe: it is unknown whether they are meant to pass 180.

    Raises:
        ParameterError: Saying how an area across the antimeridian is written.
    """
    for ring in shapely.get_rings(shapely.get_parts(polygon)):
        lons = shapely.get_coordinates(ring)[:, 0]
        jump = next((index for index in np.flatnonzero(np.abs(np.diff(lons)) > TURN / 2)), None)
        if jump is not None and np.ptp(lons) < TURN:
            raise ParameterError(
                f"an edge of the polygon goes from longitude {lons[jump]:g} to {lons[jump + 1]:g}, round "
                "half the globe; write an area across the antimeridian as a MultiPolygon cut at 180, or with "
                "longitudes that go on beyond 180"
            )


def shape_of(document: Any) -> BaseGeometry:
    """Return the shape of a GeoJSON geometry of any type, wherever it lies, whose size has been checked.

    Raises:
        ParameterError: If it is not valid GeoJSON.
    """
    if not isinstance(document, Mapping):
        raise ParameterError("a GeoJSON geometry is an object")
    kind = _kind(document)
    if kind == COLLECTION:
        members = document.get("geometries")
        if not isinstance(members, list):
            raise ParameterError("a GeometryCollection needs a list of geometries")
        return GeometryCollection([shape_of(member) for member in members])
    coordinates = _validated(document)
    if kind == "MultiPolygon" and not all(coordinates):
        raise ParameterError("the geometry is not valid: one of its polygons has no ring")
    try:
        return shape({"type": kind, "coordinates": coordinates})
    except ShapelyError as error:
        raise ParameterError(f"the geometry is not valid: {error}") from error


def check_size(document: Any, max_vertices: int) -> None:
    """Refuse a geometry of any type that is too large or too deep, before anything else is done with it.

    Raises:
        ParameterError: If it is nested more deeply than any geometry, or its positions are not of numbers.
        BoundError: If it has too many vertices.
    """
    level: list[Any] = [document]
    positions = 0
    for _ in range(MAX_DEPTH):
        nested: list[Any] = []
        for entry in level:
            members = _members(entry)
            inner = [member for member in members if isinstance(member, (list, Mapping))]
            nested += inner
            if isinstance(entry, list) and len(inner) < len(members):
                positions += 1
                _check_numbers(entry)
        if positions > max_vertices:
            raise BoundError(f"the geometry has more than {max_vertices} vertices", "max_vertices")
        level = nested
    if level:
        raise ParameterError("the geometry is nested too deeply")


def _members(entry: Any) -> list[Any]:
    if isinstance(entry, list):
        return entry
    return [entry.get("coordinates"), entry.get("geometries")] if isinstance(entry, Mapping) else []


def _check_numbers(position: list[Any]) -> None:
    """Refuse text and truth values, of which pydantic makes numbers, and what is not finite, heights too."""
    if not all(map(_is_finite, position)):
        raise ParameterError(
            "a position has to be of finite numbers alone: longitude, latitude and, if wanted, a height"
        )


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _kind(document: Mapping[str, Any]) -> Any:
    """Type of an object, as GeoJSON spells it."""
    kind = document.get("type")
    return _NAMES.get(kind.lower(), kind) if isinstance(kind, str) else kind


def _geometry(document: Any) -> Mapping[str, Any]:
    """Geometry of a geometry, Feature, or FeatureCollection of one."""
    if not isinstance(document, Mapping):
        raise ParameterError("this has to be a GeoJSON object")
    kind = _kind(document)
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list) or len(features) != 1:
            raise ParameterError("this has to be one GeoJSON Feature, not a collection of several")
        return _geometry(features[0])
    if kind != "Feature":
        return document
    geometry = document.get("geometry")
    if not isinstance(geometry, Mapping):
        raise ParameterError("the GeoJSON Feature has no geometry")
    return geometry


def _validated(document: Mapping[str, Any]) -> Any:
    """Coordinates of a geometry of a single type, without heights, as lists."""
    kind = _kind(document)
    if kind not in _TYPES:
        raise ParameterError(f"a geometry's type is one of {', '.join(_TYPES)}, {COLLECTION}")
    coordinates = document.get("coordinates")
    if kind == "Polygon":
        coordinates = _closed(coordinates)
    elif kind == "MultiPolygon" and isinstance(coordinates, list):
        coordinates = [_closed(rings) for rings in coordinates]
    try:
        found = _SINGLE.validate_python({"type": kind, "coordinates": coordinates})
    except ValidationError as error:
        raise ParameterError(f"the geometry is not valid: {_sentence(error)}") from error
    return _flat(found.coordinates)


def _closed(rings: Any) -> Any:
    """Rings that end where they begin; anything else is left as it is, for validation to refuse."""
    if not isinstance(rings, list):
        return rings
    return [
        [*ring, ring[0]] if isinstance(ring, list) and len(ring) > 2 and ring[0] != ring[-1] else ring
        for ring in rings
    ]


def _listed(part: Any) -> Any:
    """Lists for tuples, as JSON has them."""
    return [_listed(entry) for entry in part] if isinstance(part, (list, tuple)) else part


def _flat(part: Any) -> Any:
    """Coordinates without heights: positions are named tuples, all above them lists."""
    return list(part[:2]) if isinstance(part, tuple) else [_flat(entry) for entry in part]


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    steps = [str(step) for step in first["loc"]]
    inside = next((index for index, step in enumerate(steps) if step.startswith("Position")), None)
    place = "coordinates" + "".join(f"[{step}]" for step in steps[:inside] if step.isdigit())
    if inside is not None:
        return f"{place} is not a position: longitude, latitude and, if wanted, a height"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message[:1].lower()}{message[1:]}"


def _check_sound(geometry: BaseGeometry) -> None:
    """Refuse a geometry that crosses itself: if all edges cross, mending or moving it takes gigabytes.

    Raises:
        ParameterError: Saying where.
    """
    reason = shapely.is_valid_reason(geometry)
    if reason != "Valid Geometry":
        name, _, place = reason.partition("[")
        where = f" at {place.rstrip(']')}" if place else ""
        raise ParameterError(f"the geometry is not valid: {name.lower()}{where}")
