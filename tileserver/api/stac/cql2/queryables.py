"""Properties that can be filtered by, and their description as JSON Schema (OGC 19-079r2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from comeo.errors import ParameterError
from tileserver.catalog.filters import Kind

GEOMETRY = "geometry"
SCHEMA_TYPE = "application/schema+json"
RELATION = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
_GEOJSON = "https://geojson.org/schema/Geometry.json"
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "instant": {"type": "string", "format": "date-time"},
    "list": {"type": "array", "items": {"type": "string"}},
    GEOMETRY: {"$ref": _GEOJSON},
}


class Queryable(NamedTuple):
    """A property that can be filtered by.

    Attributes:
        kind: Of its values.
        title: In words.
    """

    kind: Kind | Literal["geometry"]
    title: str


QUERYABLES: Mapping[str, Queryable] = {
    "id": Queryable("text", "Item id"),
    "collection": Queryable("text", "Collection id"),
    GEOMETRY: Queryable("geometry", "Footprint"),
    "datetime": Queryable("instant", "Time of acquisition"),
    "platform": Queryable("text", "Platform"),
    "constellation": Queryable("text", "Constellation"),
    "instruments": Queryable("list", "Instruments"),
    "gsd": Queryable("number", "Ground sample distance in metres"),
    "eo:cloud_cover": Queryable("number", "Cloud cover in per cent"),
    "eo:snow_cover": Queryable("number", "Snow cover in per cent"),
    "view:sun_azimuth": Queryable("number", "Azimuth of the sun in degrees"),
    "view:sun_elevation": Queryable("number", "Elevation of the sun in degrees"),
    "view:off_nadir": Queryable("number", "Angle off nadir in degrees"),
    "view:incidence_angle": Queryable("number", "Incidence angle in degrees"),
    "view:azimuth": Queryable("number", "Viewing azimuth in degrees"),
    "sat:orbit_state": Queryable("text", "Ascending or descending"),
    "sat:relative_orbit": Queryable("number", "Relative orbit"),
    "sat:absolute_orbit": Queryable("number", "Absolute orbit"),
    "sar:instrument_mode": Queryable("text", "Mode of the radar"),
    "sar:frequency_band": Queryable("text", "Frequency band of the radar"),
    "sar:polarizations": Queryable("list", "Polarisations"),
    "sar:product_type": Queryable("text", "Type of the radar product"),
    "processing:level": Queryable("text", "Level of processing"),
    "processing:version": Queryable("text", "Version of processing"),
    "product:type": Queryable("text", "Type of the product"),
    "grid:code": Queryable("text", "Tile of a grid, `MGRS-32TMT`"),
    "proj:code": Queryable("text", "Projection, `EPSG:32632`"),
    "s2:mgrs_tile": Queryable("text", "Tile of Sentinel-2's grid, `32TMT`"),
    "s2:processing_baseline": Queryable("text", "Processing baseline of Sentinel-2"),
    "s2:product_type": Queryable("text", "Type of the Sentinel-2 product"),
    "comeo:completeness": Queryable("number", "Share of a scene on its way that is here, 0 to 1"),
    "comeo:layers": Queryable("list", "What is here of a scene on its way"),
}


def find(name: str) -> tuple[str, Queryable]:
    """A property by its name, with or without `properties.` before it.

    Raises:
        ParameterError: Naming those that there are.
    """
    plain = name.removeprefix("properties.")
    if plain in QUERYABLES:
        return plain, QUERYABLES[plain]
    raise ParameterError(f"filter: {name[:60]!r} cannot be filtered by; there are {', '.join(QUERYABLES)}")


def document(address: str, title: str) -> dict[str, Any]:
    """JSON Schema of what can be filtered by; its own address is its id."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": address,
        "type": "object",
        "title": title,
        "properties": {name: {"title": one.title, **_SCHEMAS[one.kind]} for name, one in QUERYABLES.items()},
        "additionalProperties": False,
    }
