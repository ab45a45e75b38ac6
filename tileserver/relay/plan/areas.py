"""Areas of subscriptions, and what of them a scene shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import GeometryCollection
from shapely.geometry.base import BaseGeometry

from comeo.errors import ComeoError
from tileserver.catalog.footprints import box_of
from tileserver.countries.borders import area_of_countries
from tileserver.countries.codes import is_countries
from tileserver.relay.feed.lines import MAP_SIDE
from tileserver.relay.plan.definition import Box, Subscription
from tileserver.render.geojson import geometry_of

MAX_VERTICES: Final = 100_000
_MOST_BYTES: Final = 16 << 20
Sites = Callable[[str], BaseGeometry]
"""Finds the area of a geoservice's sites by its short name; raises ComeoError."""


def no_sites(slug: str) -> BaseGeometry:
    """Where there is no database.

    Raises:
        ComeoError: Always.
    """
    raise ComeoError(f"area sites:{slug} needs the database of geoservices; name it with --database")


def area_of(subscription: Subscription, folder: Path, sites: Sites = no_sites) -> BaseGeometry | None:
    """The area of a subscription in degrees; None: everywhere.

    Args:
        subscription: With its area.
        folder: That names of files are relative to.
        sites: Finds geoservices.

    Raises:
        ComeoError: If the file, the borders or the geoservice cannot be read.
    """
    area = subscription.area
    if area is None:
        return None
    found = _read(area, folder, sites)
    shapely.prepare(found)  # each scene of a feed is compared with it
    return found


def _read(area: str | Box, folder: Path, sites: Sites) -> BaseGeometry:
    if not isinstance(area, str):
        return box_of(area)
    if area.startswith("sites:"):
        return sites(area.removeprefix("sites:"))
    if is_countries(area):
        return area_of_countries(area)
    return _file(folder / area)


def _file(path: Path) -> BaseGeometry:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ComeoError(f"{path} is larger than {_MOST_BYTES} bytes; simplify the area")
        document: Any = json.loads(data)
    except OSError as error:
        raise ComeoError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ComeoError(f"{path} is not GeoJSON: {error}") from error
    features = document.get("features") if isinstance(document, dict) else None
    parts = features if isinstance(features, list) else [document]
    try:
        found = [geometry_of(part, MAX_VERTICES) for part in parts]
    except ComeoError as error:
        raise ComeoError(f"{path}: {error}") from error
    if not found:
        raise ComeoError(f"{path} has no features")
    return shapely.union_all(GeometryCollection(found))


def cells_of(bbox: Sequence[float], area: BaseGeometry | None) -> NDArray[np.bool_]:
    """Which cells of a scene's box the area touches: (16, 16), the northernmost row first."""
    if area is None:
        return np.ones((MAP_SIDE, MAP_SIDE), bool)
    west, south, east, north = bbox
    width, height = (east - west) % 360 or 360.0, north - south
    cols, rows = np.meshgrid(np.arange(MAP_SIDE), np.arange(MAP_SIDE))
    left = west + cols * width / MAP_SIDE
    left = np.where(left >= 180, left - 360, left)
    right = left + width / MAP_SIDE
    top = north - rows * height / MAP_SIDE
    bottom = top - height / MAP_SIDE
    cells = shapely.box(left, bottom, right, top)
    across = right > 180
    start = np.full(bottom[across].shape, -180.0)
    beyond = shapely.box(start, bottom[across], right[across] - 360, top[across])
    cells[across] = shapely.union(cells[across], beyond)
    found: NDArray[np.bool_] = shapely.intersects(area, cells)
    return found


def parts_shown(area: BaseGeometry, bbox: Box) -> Iterator[BaseGeometry]:
    """Parts of an area that a scene may show; what is larger than two rows of cells is cut along them.

    So boxes around them hold little of what lies beyond a border.

    Args:
        area: In degrees.
        bbox: Of the scene.
    """
    west, south, east, north = bbox
    footprint, height = box_of(bbox), (north - south) / MAP_SIDE
    strips = [
        box_of((west, north - (row + 1) * height, east, north - row * height)) for row in range(MAP_SIDE)
    ]
    for part in shapely.get_parts(area):
        if not part.intersects(footprint):
            continue
        if part.bounds[3] - part.bounds[1] <= 2 * height:
            yield part
            continue
        pieces = shapely.get_parts(shapely.intersection(part.intersection(footprint), strips))
        yield from (piece for piece in pieces if not piece.is_empty)


def clear_share(
    bbox: Sequence[float], cloud: float | None, clear: NDArray[np.bool_] | None, area: BaseGeometry | None
) -> float:
    """Share of an area that a scene is expected to show clearly.

    Args:
        bbox: Of the scene.
        cloud: Of the whole scene, percent, or None where there can be none or it is not known.
        clear: (16, 16) over its box, the northernmost row first, or None where it is not known.
        area: Or None: the whole scene.
    """
    if clear is not None:
        inside = cells_of(bbox, area)
        if inside.any():
            return float(clear[inside].mean())
    return 1.0 if cloud is None else 1.0 - min(100.0, max(0.0, cloud)) / 100
