"""Series of sites as CoverageJSON (OGC 21-069r2): a coverage a site, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shapely.geometry import shape

from comeo.indicators.document import Document

COVERAGE_JSON: Final = "application/prs.coverage+json"
_PLACE: Final = {"type": "GeographicCRS", "id": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
_TIME: Final = {"type": "TemporalRS", "calendar": "Gregorian"}
_FRACTIONS: Final = ("clear_fraction", "covered")


def coverages(
    found: Sequence[Mapping[str, Any]], geometries: Mapping[int, Mapping[str, Any]], document: Document
) -> dict[str, Any]:
    """Series of an indicator as a collection of coverages.

    Args:
        found: Series by site, as the JSON answer has them.
        geometries: GeoJSON in degrees, by site.
        document: Of the indicator.
    """
    return {
        "type": "CoverageCollection",
        "parameters": _parameters(document),
        "coverages": [_coverage(each, geometries[each["site"]]) for each in found if each["observations"]],
    }


def _parameters(document: Document) -> dict[str, Any]:
    unit = {"symbol": document.value.unit or "1"}
    texts = {
        "value": dict(document.title),
        "uncertainty": {"en": "Standard uncertainty of the value by compression"},
        "low": {"en": "Lower nominal limit"},
        "high": {"en": "Upper nominal limit"},
        "clear_fraction": {"en": "Share of the site that is clear"},
        "covered": {"en": "Share of the site that the scene shows"},
    }
    return {
        name: {
            "type": "Parameter", "observedProperty": {"label": label},
            "unit": {"symbol": "1"} if name in _FRACTIONS else unit,
        }
        for name, label in texts.items()
    }  # fmt: skip


def _coverage(series: Mapping[str, Any], geometry: Mapping[str, Any]) -> dict[str, Any]:
    rows = series["observations"]
    kind, axes, names = _place(geometry)
    ranges = {
        name: {
            "type": "NdArray", "dataType": "float", "axisNames": ["t"], "shape": [len(rows)],
            "values": [row[name] for row in rows],
        }
        for name in ("value", "uncertainty", "low", "high", *_FRACTIONS)
    }  # fmt: skip
    return {
        "type": "Coverage", "id": f"site-{series['site']}", "label": dict(series["name"]),
        "domain": {
            "type": "Domain", "domainType": kind,
            "axes": {**axes, "t": {"values": [row["datetime"] for row in rows]}},
            "referencing": [
                {"coordinates": names, "system": _PLACE}, {"coordinates": ["t"], "system": _TIME},
            ],
        },
        "ranges": ranges,
    }  # fmt: skip


def _place(geometry: Mapping[str, Any]) -> tuple[str, dict[str, Any], list[str]]:
    """Where a series is: a site of several parts has no form in a series, and is told by a point in it."""
    if geometry["type"] == "Polygon":
        polygon = {"dataType": "polygon", "coordinates": ["x", "y"], "values": [geometry["coordinates"]]}
        return "PolygonSeries", {"composite": polygon}, ["x", "y"]
    inside = shape(dict(geometry)).representative_point()
    return "PointSeries", {"x": {"values": [inside.x]}, "y": {"values": [inside.y]}}, ["x", "y"]
