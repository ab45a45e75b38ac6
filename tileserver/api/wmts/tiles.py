"""Tile of a request, and values at one of its pixels."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from comeo.errors import NotFoundError, ParameterError
from comeo.grid import WGS84
from comeo.view.budget import Budget
from comeo.view.projection import move_points
from tileserver.api.wmts.errors import Code, OwsError, invalid
from tileserver.api.wmts.requests import SELECTION, FeatureInfoRequest, TileRequest
from tileserver.catalog import Record, Search
from tileserver.render import values
from tileserver.render.layers import CURRENT, Layer, Layers, Scope, on_day
from tileserver.render.layertiles import LayerTile, LayerTileError, tile_in
from tileserver.render.plan import RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.render.temporal import parse_interval

DEFAULT = "default"
# QGIS leaves the place in the template as it is when no day has been chosen.
NO_TIME = (None, "", DEFAULT, "{Time}")


def target(layers: Layers, scope: Scope, request: TileRequest) -> LayerTile:
    """Find the tile of a request.

    Raises:
        OwsError: If a parameter names nothing that the layer has, or the tile lies outside it.
    """
    layer = _layer(layers, scope, request.layer)
    style = request.style
    if style in ("", DEFAULT):
        style = next(iter(layer.styles), "")
    if style not in layer.styles:
        raise invalid("STYLE", f"a style of this layer is one of {', '.join(layer.styles) or 'none'}")
    combines = request.selection != "first"
    if combines and layer.record is not None:
        raise invalid(
            SELECTION, "this layer is one scene; choose among scenes in the layer of its collection"
        )
    search = _at(layer, request.time, interval=combines)
    try:
        grid = tile_in(layer, request.matrix_set, request.matrix, request.row, request.col)
    except LayerTileError as error:
        code: Code = "TileOutOfRange" if error.out_of_range else "InvalidParameterValue"
        raise OwsError(code, error.parameter, str(error)) from error
    return LayerTile(layer, search, grid, style, request.extension, request.mask, request.selection)


def feature_info(
    scenes: Scenes, found: LayerTile, request: FeatureInfoRequest, budget: Budget
) -> dict[str, Any]:
    """Values at a pixel of a tile: all bands of the scene that is seen there, and the style's result.

    Returns:
        What the services for points return; without `item` where nothing is seen.

    Raises:
        OwsError: If the tile has no such pixel, or is made of several scenes.
    """
    if found.selection != "first":
        message = "values are those of one scene; leave it out (MASK=clear takes the newest clear scene)"
        raise invalid(SELECTION, message)
    grid = found.grid
    for name, value, size in (("I", request.i, grid.width), ("J", request.j, grid.height)):
        if not 0 <= value < size:
            raise OwsError("PointIJOutOfRange", name, f"{name} is a number from 0 to {size - 1}")
    x, y = grid.transform @ (request.i + 0.5, request.j + 0.5)
    lons, lats = move_points(grid.crs, WGS84, np.array([x]), np.array([y]))
    lon, lat = float(lons[0]), float(lats[0])
    try:
        shown = _seen(scenes, found, lon, lat, budget)
        answer = values.point(scenes, shown, lon, lat, RenderRequest(mask=found.mask), budget)
        style = found.layer.styles[found.style]
        computed = style.expression and len(style.rescale) == 1
        if computed and style.expression not in {band["name"] for band in answer["bands"]}:
            answer["results"] = values.point(scenes, shown, lon, lat, found.request, budget)["results"]
    except NotFoundError:
        return {"coordinates": [lon, lat], "bands": []}
    return answer


def _seen(scenes: Scenes, found: LayerTile, lon: float, lat: float, budget: Budget) -> Record:
    """The scene that is seen at a position, in the tile's style."""
    if found.layer.record is not None:
        return found.layer.record
    answer = values.collection_point(scenes, found.search, lon, lat, found.request, budget)
    return scenes.find(answer["collection"], answer["item"])


def _layer(layers: Layers, scope: Scope, identifier: str) -> Layer:
    """Layer by its identifier, if it is one of the document's or a scene of one of its collections."""
    try:
        layer = layers.layer(scope) if scope.collection is not None else layers.find(identifier)
    except NotFoundError as error:
        raise invalid("LAYER", str(error)) from error
    if layer.identifier != identifier:
        raise invalid("LAYER", f"the layer here is {layer.identifier}")
    return layer


def _at(layer: Layer, time: str | None, *, interval: bool) -> Search:
    """Scenes of a layer at a time; of an interval where pixels are chosen among scenes."""
    value = layer.default if time in NO_TIME else str(time)
    if value == CURRENT or not layer.days:
        return layer.search
    try:
        start, end = parse_interval(value)
    except ParameterError as error:
        raise invalid("TIME", f"{error}; or {CURRENT}") from error
    if "/" in value and interval and layer.default == CURRENT:
        return replace(layer.search, start=start, end=end)
    if start is None or "/" in value:
        message = f"TIME is one day, or {CURRENT}; an interval goes with {SELECTION}"
        raise invalid("TIME", message)
    day = start.date()
    if day.isoformat() not in layer.days:
        raise invalid("TIME", f"there is no scene of {day}; {_near(layer, day)}")
    return on_day(layer.search, day)


def _near(layer: Layer, day: date) -> str:
    place = bisect_left(layer.days, day.isoformat())
    nearest = layer.days[max(0, place - 1) : place + 1]
    return f"the nearest days are {' and '.join(nearest)}" if len(nearest) > 1 else f"there is {nearest[0]}"
