"""Sites of a request: points and polygons, one or many, with the ids and properties that they came with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comeo.errors import BoundError, ParameterError
from comeo.view.area import Area
from tileserver.render.geojson import check_size, geometry_of, polygon_of
from tileserver.render.observations import area_name


@dataclass(frozen=True, slots=True)
class Site:
    """A place that is observed.

    Attributes:
        area: On the pixels of scenes.
        name: Digest of its geometry.
        id: Of the GeoJSON Feature, if it has one.
        properties: Of the Feature, as they came.
    """

    area: Area
    name: str
    id: str | int | None = None
    properties: Mapping[str, Any] | None = None


def site_of(geometry: Mapping[str, Any]) -> Site:
    """A site without id and properties, of a geometry that has been checked."""
    return Site(Area(geometry), area_name(geometry))


def point_site(lon: float, lat: float) -> Site:
    """The pixel that a position falls into."""
    return site_of({"type": "Point", "coordinates": [lon, lat]})


def box_site(box: Sequence[float]) -> Site:
    """A box (west, south, east, north) in degrees; west > east across the antimeridian."""
    west, south, east, north = box
    end = east + 360.0 if east < west else east
    ring = [[west, south], [end, south], [end, north], [west, north], [west, south]]
    return site_of(polygon_of({"type": "Polygon", "coordinates": [ring]}, len(ring)))


def sites_of(document: Any, max_vertices: int, most: int) -> list[Site]:
    """The sites of a GeoJSON geometry, Feature or FeatureCollection.

    Args:
        document: As parsed from JSON.
        max_vertices: Positions that each may have.
        most: Features that a collection may have.

    Raises:
        ParameterError: If one of them is no Point, Polygon or MultiPolygon on the globe, saying which.
        BoundError: If they are too many or too large.
    """
    if not (isinstance(document, Mapping) and str(document.get("type")).lower() == "featurecollection"):
        return [_site(document, max_vertices)]
    features = document.get("features")
    if not isinstance(features, list) or not features:
        raise ParameterError("the FeatureCollection has no features; give at least one")
    if len(features) > most:
        raise BoundError(
            f"there are {len(features)} features, more than {most}; send them in several requests",
            "max_sites",
        )
    found = []
    for number, feature in enumerate(features):
        try:
            found.append(_site(feature, max_vertices))
        except ParameterError as error:
            raise ParameterError(f"features[{number}]: {error}") from error
        except BoundError as error:
            raise BoundError(f"features[{number}]: {error}", error.bound) from error
    return found


def _site(document: Any, max_vertices: int) -> Site:
    feature = document if isinstance(document, Mapping) else {}
    is_feature = str(feature.get("type")).lower() == "feature"
    geometry = feature.get("geometry") if is_feature else document
    if isinstance(geometry, Mapping) and str(geometry.get("type")).lower() == "point":
        check_size(geometry, 1)
        lon, lat = geometry_of(geometry, 1).coords[0][:2]
        found: Mapping[str, Any] = {"type": "Point", "coordinates": [lon, lat]}
    else:
        found = polygon_of(document, max_vertices)
    area, own, properties = Area(found), feature.get("id"), feature.get("properties")
    if isinstance(own, bool) or not isinstance(own, str | int | None):
        raise ParameterError("the id of a GeoJSON Feature is text or a number")
    known = properties if is_feature and isinstance(properties, Mapping) else None
    return Site(area, area_name(found), own if is_feature else None, known)
