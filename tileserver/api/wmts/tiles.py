"""Tile of a request, and values at one of its pixels."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from comeo.errors import NotFoundError, ParameterError
from comeo.grid import Grid
from comeo.view.projection import move_points
from tileserver.api.wmts.errors import OwsError, invalid
from tileserver.api.wmts.layers import CURRENT, Layer, Layers, Scope, on_day
from tileserver.api.wmts.matrices import WGS84, resolve_name, zoom_of
from tileserver.api.wmts.requests import FeatureInfoRequest, TileRequest
from tileserver.catalog.sqlite import Search
from tileserver.render import images, mosaic, values
from tileserver.render.look import Appearance
from tileserver.render.matrixsets import tile_grid
from tileserver.render.scenes import Scenes
from tileserver.render.temporal import parse_interval

DEFAULT = "default"
# QGIS leaves the place in the template as it is when no day has been chosen.
NO_TIME = (None, "", DEFAULT, "{Time}")


@dataclass(frozen=True, slots=True)
class Target:
    """A tile that a layer has.

    Attributes:
        layer: Of which.
        search: Its scenes at the requested time.
        grid: Of the tile.
        style: Name.
        extension: Of the image.
    """

    layer: Layer
    search: Search
    grid: Grid
    style: str
    extension: str

    @property
    def appearance(self) -> Appearance:
        """As the image services know it."""
        return Appearance(style=self.style)

    def etag(self, scenes: Scenes) -> str:
        """ETag, known before any work."""
        record = self.layer.record
        if record is not None:
            return images.tile_etag(record, self.grid, self.appearance, self.extension)
        return mosaic.tile_etag(scenes, self.search, self.grid, self.appearance, self.extension)

    def render(self, scenes: Scenes, etag: str) -> bytes:
        """Render it: the same tile, from the same cache, as under its XYZ address."""
        record = self.layer.record
        if record is not None:
            return images.tile(scenes, record, self.grid, self.appearance, self.extension)
        return mosaic.tile(scenes, self.search, self.grid, self.appearance, self.extension, etag)


def target(layers: Layers, scope: Scope, request: TileRequest) -> Target:
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
    search = _at(layer, request.time)
    grid = tile_in(layer, request.matrix_set, request.matrix, request.row, request.col)
    return Target(layer, search, grid, style, request.extension)


def feature_info(scenes: Scenes, found: Target, request: FeatureInfoRequest) -> dict[str, Any]:
    """Values at a pixel of a tile: all bands of the scene that is seen there, and the style's result.

    Returns:
        What the services for points return; without `item` where nothing is seen.

    Raises:
        OwsError: If the tile has no such pixel.
    """
    grid = found.grid
    for name, value, size in (("I", request.i, grid.width), ("J", request.j, grid.height)):
        if not 0 <= value < size:
            raise OwsError("PointIJOutOfRange", name, f"{name} is a number from 0 to {size - 1}")
    x, y = grid.transform @ (request.i + 0.5, request.j + 0.5)
    lons, lats = move_points(grid.crs, WGS84, np.array([x]), np.array([y]))
    lon, lat = float(lons[0]), float(lats[0])
    try:
        answer = _values(scenes, found, lon, lat, Appearance())
        style = found.layer.styles[found.style]
        computed = style.expression and len(style.rescale) == 1
        if computed and style.expression not in {band["name"] for band in answer["bands"]}:
            answer["results"] = _values(scenes, found, lon, lat, found.appearance)["results"]
    except NotFoundError:
        return {"coordinates": [lon, lat], "bands": []}
    return answer


def _values(scenes: Scenes, found: Target, lon: float, lat: float, appearance: Appearance) -> dict[str, Any]:
    if found.layer.record is not None:
        return values.point(scenes, found.layer.record, lon, lat, appearance)
    return values.collection_point(scenes, found.search, lon, lat, appearance)


def _layer(layers: Layers, scope: Scope, identifier: str) -> Layer:
    """Layer by its identifier, if it is one of the document's or a scene of one of its collections."""
    try:
        layer = layers.layer(scope) if scope.collection is not None else layers.find(identifier)
    except NotFoundError as error:
        raise invalid("LAYER", str(error)) from error
    if layer.identifier != identifier:
        raise invalid("LAYER", f"the layer here is {layer.identifier}")
    return layer


def _at(layer: Layer, time: str | None) -> Search:
    """Scenes of a layer at a time."""
    value = layer.default if time in NO_TIME else str(time)
    if value == CURRENT or not layer.days:
        return layer.search
    try:
        start = None if "/" in value else parse_interval(value)[0]
    except ParameterError as error:
        raise invalid("TIME", f"{error}; or {CURRENT}") from error
    if start is None:
        raise invalid("TIME", f"TIME is one day, or {CURRENT}")
    day = start.date()
    if day.isoformat() not in layer.days:
        raise invalid("TIME", f"there is no scene of {day}; {_near(layer, day)}")
    return on_day(layer.search, day)


def _near(layer: Layer, day: date) -> str:
    place = bisect_left(layer.days, day.isoformat())
    nearest = layer.days[max(0, place - 1) : place + 1]
    return f"the nearest days are {' and '.join(nearest)}" if len(nearest) > 1 else f"there is {nearest[0]}"


def tile_in(layer: Layer, set_name: str, matrix: str, row: int, col: int) -> Grid:
    """Grid of one of a layer's tiles.

    Raises:
        OwsError: If the layer has no such set, the set no such matrix, or the tile lies outside the layer.
    """
    link = layer.links.get(resolve_name(set_name))
    if link is None:
        raise invalid("TILEMATRIXSET", f"a tile matrix set of this layer is one of {', '.join(layer.links)}")
    zoom = zoom_of(link.tms, matrix)
    if zoom is None:
        raise invalid("TILEMATRIX", f"{link.name} has the matrices {link.tms.minzoom} to {link.tms.maxzoom}")
    limits = link.limits(zoom)
    for name, value, low, high in (
        ("TILEROW", row, limits.min_row, limits.max_row),
        ("TILECOL", col, limits.min_col, limits.max_col),
    ):
        if not low <= value <= high:
            raise OwsError("TileOutOfRange", name, f"{name} goes from {low} to {high} here")
    grid = tile_grid(link.tms, col, row, zoom)
    if grid is None:
        raise OwsError("TileOutOfRange", "TILEROW", "there is no such tile")
    return grid
