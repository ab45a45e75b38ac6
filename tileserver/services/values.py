"""Numbers of a scene: at a point, and over all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from rio_tiler.models import PointData

from comeo.scene import Band
from tileserver.catalog import Record, Search
from tileserver.errors import NotFoundError
from tileserver.services.look import Appearance, resolve
from tileserver.services.mosaic import PAGE
from tileserver.services.picture import observe
from tileserver.services.scenes import Scenes
from tileserver.services.temporal import rfc3339

NANOMETRES = 1000.0


def point(scenes: Scenes, record: Record, lon: float, lat: float, appearance: Appearance) -> dict[str, Any]:
    """Values of the native pixel that a position falls into.

    Raises:
        NotFoundError: If the position lies outside the scene.
    """
    look = resolve(appearance, record.bands, scenes.settings, picture=False)
    with scenes.reader(record) as reader:
        pixel = reader.point(lon, lat, bands=look.bands)
    by_name = {band.name: band for band in record.bands}
    bands = [by_name[name] for name in look.bands]
    answer: dict[str, Any] = {
        "coordinates": [lon, lat],
        "collection": record.collection,
        "item": record.id,
        "datetime": rfc3339(record.datetime),
        "bands": [_band_value(pixel, row, band) for row, band in enumerate(bands)],
    }
    if look.expression:
        results = look.expression.evaluate(_scalars(pixel, bands, physical=look.physical))
        answer["results"] = [
            {"expression": name, "value": _number(float(value))}
            for name, value in zip(look.expression.names, results[:, 0, 0], strict=True)
        ]
    return answer


def collection_point(
    scenes: Scenes, search: Search, lon: float, lat: float, appearance: Appearance
) -> dict[str, Any]:
    """The same of the newest scene that has a valid pixel there.

    Raises:
        NotFoundError: If none has.
    """
    scenes.catalog.refresh()
    place = replace(search, bbox=(lon, lat, lon, lat))
    for record in scenes.catalog.search(place, PAGE):
        try:
            answer = point(scenes, record, lon, lat, appearance)
        except NotFoundError:
            continue
        if any(band["value"] is not None for band in answer["bands"]):
            return answer
    raise NotFoundError(f"no scene has a valid pixel at {lon}, {lat}")


def statistics(
    scenes: Scenes, record: Record, appearance: Appearance, *, max_size: int,
    percentiles: list[int], bins: int,
) -> dict[str, Any]:  # fmt: skip
    """Statistics by band or expression, over the scene read with no side longer than `max_size`."""
    look = resolve(appearance, record.bands, scenes.settings, picture=False)
    with scenes.reader(record) as reader:
        grid = reader.native_grid(look.bands).fitted(max_size)
        scenes.check_grid(grid, max(len(look.bands), look.results))
        image = observe(reader.read(grid, look.bands, look.resampling), look)
    found = image.statistics(percentiles=percentiles, hist_options={"bins": bins})
    return {name: _finite(values.model_dump()) for name, values in found.items()}


def _band_value(pixel: PointData, row: int, band: Band) -> dict[str, Any]:
    valid = not bool(np.ma.getmaskarray(pixel.array)[row])
    value = pixel.data[row].item()
    physical = _number(value * band.scale + band.offset) if valid else None
    wavelength = band.center_wavelength and round(band.center_wavelength * NANOMETRES, 1)
    return {
        "name": band.name,
        "title": band.common_name,
        "wavelength": wavelength,
        "value": _number(value) if valid else None,
        "unit": band.unit or None,
        "physical": physical,
        "reflectance": physical if band.unit == "reflectance" else None,
    }


def _scalars(pixel: PointData, bands: list[Band], *, physical: bool) -> dict[str, Any]:
    """Values as 1×1 arrays for an expression."""
    out = {}
    for row, band in enumerate(bands):
        value = float(pixel.data[row])
        value = value * band.scale + band.offset if physical else value
        out[band.name] = np.full(
            (1, 1), np.nan if np.ma.getmaskarray(pixel.array)[row] else value, np.float32
        )
    return out


def _number(value: float) -> float | int | None:
    """As JSON can say it, without float32's noise."""
    if isinstance(value, int):
        return value
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _finite(value: Any) -> Any:
    """NaN, which JSON doesn't have, as null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
