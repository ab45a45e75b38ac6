"""Footprints of scenes as shapes."""

from __future__ import annotations

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, box
from shapely.geometry.base import BaseGeometry

from tileserver.catalog.base import BBox

MAX_POSITIONS = 100_000
"""Of a footprint; one with more is replaced by its box."""


def footprint(geojson: str | None, bbox: BBox) -> BaseGeometry:
    """The shape of a scene, in degrees.

    Args:
        geojson: Geometry of its STAC Item, which has not been checked.
        bbox: (west, south, east, north); west > east across the antimeridian. It stands for a geometry that
            is missing, no valid GeoJSON, or crosses itself.
    """
    found = _shape(geojson) if geojson else None
    return found if found is not None else box_of(bbox)


def box_of(bbox: BBox) -> BaseGeometry:
    """A box as a shape: two boxes if it crosses the antimeridian."""
    west, south, east, north = bbox
    if west <= east:
        return box(west, south, east, north)
    return MultiPolygon([box(west, south, 180, north), box(-180, south, east, north)])


def _shape(geojson: str) -> BaseGeometry | None:
    try:
        found = shapely.from_geojson(geojson)
        sound = (
            found is not None
            and not found.is_empty
            and shapely.get_num_coordinates(found) <= MAX_POSITIONS
            and found.is_valid
        )
    except ShapelyError:
        return None
    return found if sound else None
