"""Values at a pixel, written for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_feature(answer: Mapping[str, Any], layer: str) -> dict[str, Any]:
    """GeoJSON, as clients show it: one feature, or none where nothing is seen."""
    properties = {key: value for key, value in answer.items() if key != "coordinates"}
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": answer["coordinates"]},
        "properties": {"layer": layer, **properties},
    }
    return {"type": "FeatureCollection", "features": [feature] if answer["bands"] else []}


def as_rows(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values for a table."""
    lon, lat = answer["coordinates"]
    rows = [("Longitude", f"{lon:.6f}"), ("Latitude", f"{lat:.6f}")]
    if not answer["bands"]:
        return [*rows, ("Scene", "none here")]
    rows += [("Scene", answer["item"]), ("Time", answer["datetime"] or "not known")]
    for result in answer.get("results", ()):
        rows.append((result["expression"], _uncertain(result["value"], result.get("expected_error"))))
    return rows + [(band["name"], _band(band)) for band in answer["bands"]]


def as_text(answer: Mapping[str, Any]) -> str:
    """Lines of `name: value`."""
    return "".join(f"{name}: {value}\n" for name, value in as_rows(answer))


def _band(band: Mapping[str, Any]) -> str:
    """`0.1234 ± 0.012 reflectance (stored 2234)`, as far as it is known."""
    if band["value"] is None:
        return "no data"
    unit = band.get("unit")
    if unit is None:
        return _uncertain(band["value"], band.get("expected_error"))
    physical = _uncertain(band["physical"], band.get("physical_expected_error"))
    return f"{physical} {unit} (stored {_number(band['value'])})"


def _uncertain(value: float | None, error: float | None) -> str:
    """Value with its expected error, of archives that know it."""
    return _number(value) if error is None or value is None else f"{_number(value)} ± {error:.2g}"


def _number(value: float | None) -> str:
    return "no data" if value is None else f"{value:g}"
