"""What two scenes differ by at a position, with the joint expected error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from comeo.errors import ParameterError
from comeo.figures import significant
from comeo.view.budget import Budget
from tileserver.catalog import Record
from tileserver.render.change import compared
from tileserver.render.difference import resolve_compared
from tileserver.render.picture import COVERAGE
from tileserver.render.plan import RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.render.styles import CHANGE
from tileserver.render.values import point


def compared_point(
    scenes: Scenes, record: Record, lon: float, lat: float, request: RenderRequest, budget: Budget
) -> dict[str, Any]:
    """Values of a scene and of the one that it is compared with at a position.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene that is shown.
        lon: In degrees.
        lat: In degrees.
        request: One band, style or expression, and `against`.
        budget: Of the request.

    Returns:
        As `values.point` of the scene that is shown; its second result is the difference, and `against` what
        `values.point` tells of the other scene.

    Raises:
        ParameterError: If the two cannot be compared, or in more than one value.
        NotFoundError: If the position lies outside one of them.
    """
    if request.style == CHANGE:
        raise ParameterError(f"style={CHANGE} has no values at a point; request style=vv with against=")
    other = compared(scenes, record, request)
    if other is None:
        raise ParameterError("name the scene to compare with by against=")
    name = resolve_compared(request, record.bands, scenes.settings, picture=False).names[0]
    chosen = replace(request, against=None)
    if request.bands:
        chosen = replace(chosen, bands=None, expression=request.bands[0])
    now, before = (point(scenes, each, lon, lat, chosen, budget) for each in (record, other.record))
    first, second = (answer["results"][0] for answer in (now, before))
    result = {"expression": name, **_difference(first, second)}
    return {**now, "results": [first, result], "against": before}


def _difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """The difference of two results; null where one of them, or its error, is not known."""
    values, errors = ([each[key] for each in (one, two)] for key in ("value", "expected_error"))
    value = None if None in values else values[0] - values[1]
    error = None if None in errors else math.hypot(*errors)
    return {
        "value": None if value is None else significant(value, 6),
        "expected_error": None if error is None else significant(error, 3),
        "significant": None if value is None or error is None else bool(abs(value) > COVERAGE * error),
    }
