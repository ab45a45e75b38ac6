"""Numbers of an area over time: one mean for each scene that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from comeo.errors import NotFoundError, ParameterError
from comeo.view.budget import Budget
from comeo.view.polygon import Geometry, geometry_bounds
from tileserver.catalog import Record, Search
from tileserver.render.mosaic import candidates
from tileserver.render.offers import answers
from tileserver.render.plan import RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.render.temporal import rfc3339
from tileserver.render.values import statistics

_KEPT: Final = ("mean", "std", "min", "max", "median", "native_pixels", "valid_percent", "mean_uncertainty")
_ORBIT: Final = {"orbit_state": "sat:orbit_state", "relative_orbit": "sat:relative_orbit"}
_LOOKS: Final = "sar:looks_equivalent_number"
_RESOLUTION: Final = ("sar:resolution_range", "sar:resolution_azimuth")
_SPACING: Final = ("sar:pixel_spacing_range", "sar:pixel_spacing_azimuth")
_BOUNDS: Final = (1e-3, 1e6)  # of looks and of metres: what lies beyond is no instrument's


def series(
    scenes: Scenes, search: Search, shape: Geometry, request: RenderRequest, budget: Budget, *, max_size: int
) -> dict[str, Any]:
    """Statistics of an area in each scene of a search that has valid pixels there, oldest first.

    Args:
        scenes: Catalogue, open archives and caches.
        search: Collections and times.
        shape: GeoJSON polygon (WGS 84).
        request: Bands or expression.
        budget: Of the request.
        max_size: Longest side in pixels that the area is read with.

    Raises:
        NotFoundError: If no scene has a valid pixel there, or none can answer.
        ParameterError: If neither bands nor an expression nor a style is named.
        BoundError: If there are too many scenes, or the budget does not suffice.
    """
    if not (request.bands or request.expression or request.style):
        raise ParameterError("name what the series is of: bands, expression or style")
    chosen = answers(scenes, search, request, picture=False)
    found: list[Record] = [
        record
        for record in candidates(scenes, search, geometry_bounds(shape))
        if record.datetime is not None and chosen.plan_for(record.bands) is not None
    ]
    observations, answered = [], False
    reason: NotFoundError | None = None
    for record in sorted(found, key=lambda record: (record.datetime, record.id)):
        try:
            numbers = statistics(
                scenes, record, request, budget, max_size=max_size, percentiles=[], bins=1, shape=shape
            )
        except NotFoundError as error:  # the polygon meets the scene's box, but not the scene; or no classes
            reason = reason or error
            continue
        answered = True
        if any(each["valid_pixels"] for each in numbers.values()):
            observations.append(_observation(scenes, record, numbers))
    if reason is not None and not answered:
        raise NotFoundError(f"no scene can answer in this area: {reason}") from reason
    if not observations:
        raise NotFoundError("no scene has a valid pixel in this area at that time")
    return {"collection": ", ".join(search.collections or ()), "observations": observations}


def _observation(scenes: Scenes, record: Record, numbers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    properties = scenes.catalog.item(record)["properties"]
    looks = looks_of_pixel(properties)
    return {
        "item": record.id,
        "datetime": None if record.datetime is None else rfc3339(record.datetime),
        **{name: properties.get(key) for name, key in _ORBIT.items()},
        "results": {
            name: {
                **{key: each[key] for key in _KEPT},
                "looks": None if looks is None else round(each["native_pixels"] * looks, 1),
            }
            for name, each in numbers.items()
        },
    }


def looks_of_pixel(properties: Mapping[str, Any]) -> float | None:
    """Independent looks that a radar pixel adds to a mean, by an Item's `sar:` properties; None if unknown.

    Pixels lie closer than what the instrument tells apart, so that speckle of neighbours is alike: a pixel
    counts the part of its looks that its area is of a cell of resolution.
    """
    numbers = [properties.get(name) for name in (_LOOKS, *_RESOLUTION, *_SPACING)]
    if not all(isinstance(each, int | float) and _BOUNDS[0] <= each <= _BOUNDS[1] for each in numbers):
        return None
    looks, across, along, *spacing = map(float, numbers)  # type: ignore[arg-type]
    return looks * min(1.0, spacing[0] * spacing[1] / (across * along))
