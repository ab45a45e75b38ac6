"""How much of a scene is clear, or of a view of it, or of many scenes in one view."""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import replace
from typing import Any, Final

import numpy as np

from comeo.errors import NotFoundError
from comeo.globe import unrolled
from comeo.grid import WGS84, Bounds, Grid
from comeo.missions.clear import (
    CLASSES,
    NODATA,
    clear_percentage,
    cloud_percentage,
    counts_of,
    shares_of,
)
from comeo.scene import METRES_PER_DEGREE
from comeo.view.budget import Budget
from comeo.view.clear import classes_on, clear_of, damage_as_unknown
from tileserver.catalog import Record, Search
from tileserver.render.scenes import Scenes
from tileserver.render.temporal import rfc3339

LONGEST_SIDE: Final = 1024
"""Of the grid that a view is counted on: its shares are then off by a thousandth at most."""
COARSE_SIDE: Final = 256
"""Of the grid where many scenes are counted: shares are then off by a percent at most."""


def shares(scenes: Scenes, record: Record, bbox: Bounds | None, budget: Budget) -> dict[str, Any]:
    """Shares of the classes of a scene's pixels.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        bbox: West, south, east, north in degrees; west > east across the antimeridian. None: all of it.
        budget: Of the request.

    Returns:
        Percentages of the pixels that have data; null where none has.

    Raises:
        NotFoundError: If the archive does not say which of its pixels are clear, or not soundly.
    """
    with scenes.reader(record, budget) as reader:
        layer = clear_of(reader.archive)
        if bbox is None:
            with damage_as_unknown():
                counts, size = layer.counts, (layer.grid.height, layer.grid.width)
        else:
            grid = view_grid(bbox, layer.grid)
            scenes.check_grid(grid, 1, budget)
            counts, size = counts_of(classes_on(reader, grid)), (grid.height, grid.width)
    found = shares_of(counts)
    return {
        "collection": record.collection,
        "item": record.id,
        "bbox": list(record.bbox if bbox is None else bbox),
        "source": layer.facts.model_dump(exclude_none=True),
        "covered": round(100.0 * (1.0 - int(counts[NODATA]) / math.prod(size)), 4),
        "clear": None if found is None else clear_percentage(found),
        "cloud": None if found is None else cloud_percentage(found),
        "classes": [
            {"name": each.name, "title": each.title, "share": None if found is None else found[each.name]}
            for each in CLASSES
        ],
    }


def views(scenes: Scenes, search: Search, bbox: Bounds, most: int, budget: Budget) -> dict[str, Any]:
    """How clear the scenes of a search are over a view, newest first, counted on a coarse grid.

    Args:
        scenes: Catalogue, open archives and caches.
        search: Collections and times.
        bbox: West, south, east, north in degrees; west > east across the antimeridian.
        most: Scenes to look at; `more` says whether there are others.
        budget: Of the request.

    Returns:
        Of each scene that meets the view its percentages of pixels that have data; null where none has, or
        where its archive does not say which are clear.

    Raises:
        BoundError: If the budget does not suffice.
    """
    found = list(itertools.islice(scenes.catalog.records(replace(search, bbox=bbox)), most + 1))
    return {
        "bbox": list(bbox),
        "items": [_view(scenes, record, bbox, budget) for record in found[:most]],
        "more": len(found) > most,
    }


def _view(scenes: Scenes, record: Record, bbox: Bounds, budget: Budget) -> dict[str, Any]:
    told = None
    with scenes.reader(record, budget) as reader, contextlib.suppress(NotFoundError):
        grid = view_grid(bbox, clear_of(reader.archive).grid, COARSE_SIDE)
        scenes.check_grid(grid, 1, budget)
        told = counts_of(classes_on(reader, grid))
    shares = None if told is None else shares_of(told)
    return {
        "collection": record.collection,
        "item": record.id,
        "datetime": None if record.datetime is None else rfc3339(record.datetime),
        "covered": None if told is None else round(100.0 * (1.0 - int(told[NODATA]) / int(told.sum())), 1),
        "clear": None if shares is None else round(clear_percentage(shares), 1),
        "cloud": None if shares is None else round(cloud_percentage(shares), 1),
    }


def view_grid(bbox: Bounds, native: Grid, longest: int = LONGEST_SIDE) -> Grid:
    """Grid in degrees over a view, with pixels as large as the layer's or as the longest side allows."""
    west, south, east, north = unrolled(bbox)
    degree = native.pixel_size / METRES_PER_DEGREE
    middle = math.cos(math.radians((south + north) / 2))
    sides = np.array([(north - south) / degree, (east - west) / degree * max(middle, 1e-3)])
    height, width = (int(min(longest, max(1, math.ceil(side)))) for side in sides)
    return Grid.over((west, south, east, north), WGS84, height, width)
