"""A map of a period: the scenes of a month as one scene, in an archive like theirs.

Pixels are read piece by piece, all dates of a piece at once: no stack of whole scenes is ever in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from comeo import __version__
from comeo.compression import compress
from comeo.errors import NotFoundError
from comeo.grid import Grid
from comeo.indicators.document import text_in
from comeo.missions import DECIBEL
from comeo.scene import BandGroup, Pixels, Scene, Window, group_name
from comeo.view.clear import check_mask, kept_on
from comeo.view.pixels import read_pixels
from comeo.view.propagation import result_errors
from comeo.view.reader import ArchiveReader
from comeo.view.site import CLEAR_MASK
from tileserver.catalog import Record
from tileserver.render.observations import REVISION
from tileserver.render.orbits import Track, track
from tileserver.render.plan import RenderPlan
from tileserver.render.scenes import Scenes
from tileserver.render.temporal import rfc3339
from tileserver.watch.document.calendar import Month
from tileserver.watch.maps.layers import Recipe, bands_of, results, step_of

ENGINE: Final = f"map-1-{REVISION}"
"""Revision of what computes maps: another one makes all anew."""
_DAY: Final = 86_400.0
_PIECE: Final = 512
_LEAST_PIECE: Final = 64
_AT_ONCE: Final = 1 << 23  # values of all dates of a piece
_ROWS: Final = 64  # that are combined at once, in double precision
_TRACKS: Final = (None, None)
Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Input:
    """A scene that a map is made of.

    Attributes:
        record: Of the catalogue.
        at: When it was acquired.
        plan: How it answers.
    """

    record: Record
    at: datetime
    plan: RenderPlan

    @property
    def is_radar(self) -> bool:
        """Whether it is backscatter, which no cloud hides, and which is comparable from one orbit alone."""
        return any(band.unit == DECIBEL for band in self.plan.sources)


@dataclass(frozen=True, slots=True)
class Order:
    """A map that should be.

    Attributes:
        collection: Of maps.
        month: Its period.
        recipe: What is made.
        grid: Its pixels.
        inputs: Scenes of the period, oldest first.
    """

    collection: str
    month: Month
    recipe: Recipe
    grid: Grid
    inputs: Sequence[Input]

    @property
    def item(self) -> str:
        """Id of its scene: the same however often it is made."""
        return f"{self.recipe.document.id}-{self.month.label}"

    @property
    def digest(self) -> str:
        """Of all that it is made of."""
        recipe, grid = self.recipe, self.grid
        parts = (
            ENGINE, self.collection, self.month.label, self.month.zone, recipe.document.fingerprint,
            recipe.statistic, recipe.layers, recipe.low, grid.crs.to_wkt(), tuple(grid.transform)[:6],
            grid.height, grid.width,
            [(each.record.collection, each.record.id, each.record.etag) for each in self.inputs],
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Acquisition:
    """What a satellite saw on one pass: scenes of one day, those of neighbouring tiles together.

    Attributes:
        at: Of the first.
        number: Day of the month.
        inputs: Scenes.
    """

    at: datetime
    number: int
    inputs: Sequence[Input]


def make_map(scenes: Scenes, order: Order, path: Path) -> bool:
    """Write the archive of a map; it appears under its name once it is complete.

    Args:
        scenes: Catalogue, open archives and caches.
        order: What is to be made.
        path: Of the archive; one that is there is replaced.

    Returns:
        False if no scene has a pixel there, so that there is no map.

    Raises:
        BusyError: If a scene has gone or is being replaced.
        ComeoError: If a scene cannot be read, or the archive cannot be written.
    """
    tracks = _tracks(scenes, order)
    found = np.full((len(order.recipe.names), order.grid.height, order.grid.width), np.nan, np.float32)
    seen_on: set[datetime] = set()
    most = max(len(each) for each in tracks)
    for window in _pieces(order.grid, most):
        for passes in tracks:
            part, seen = _piece(scenes, order, passes, order.grid.part(window))
            _fill(found[(slice(None), *window.slices)], part)
            seen_on |= seen
    if np.isnan(found).all():
        return False
    scene = _scene(scenes, order, found, len(seen_on))
    compress(scene, path, codec="dct", step=step_of(order.recipe, found), force=True)
    return True


def _tracks(scenes: Scenes, order: Order) -> list[list[_Acquisition]]:
    """Passes by relative orbit, the orbit of most passes first; what is no radar makes one list."""
    zone = ZoneInfo(order.month.zone)
    passes: dict[Track, dict[int, list[Input]]] = {}
    for each in order.inputs:
        own = track(scenes, each.record) if each.is_radar else _TRACKS
        passes.setdefault(own, {}).setdefault(each.at.astimezone(zone).day, []).append(each)
    listed = [
        [_Acquisition(some[0].at, day, some) for day, some in sorted(days.items())]
        for days in passes.values()
    ]
    return sorted(listed, key=lambda each: (-len(each), each[0].at))


def _pieces(grid: Grid, dates: int) -> Iterator[Window]:
    """Squares of a grid, small enough for the values of all dates to be in memory."""
    side = min(_PIECE, max(_LEAST_PIECE, math.isqrt(_AT_ONCE // dates)))
    for row in range(0, grid.height, side):
        for col in range(0, grid.width, side):
            yield Window(row, col, min(side, grid.height - row), min(side, grid.width - col))


def _piece(
    scenes: Scenes, order: Order, passes: Sequence[_Acquisition], grid: Grid
) -> tuple[Values, set[datetime]]:
    """Results of a piece by the passes of one orbit, and when any pixel of it had a value."""
    shape = len(passes), grid.height, grid.width
    values, errors = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    seen = np.zeros(shape[1:], bool)
    for row, one in enumerate(passes):
        for each in one.inputs:
            there, value, error = _read(scenes, each, grid)
            empty = np.isnan(values[row])
            values[row][empty], errors[row][empty] = value[empty], error[empty]
            seen |= there
    days = np.array([each.at.timestamp() / _DAY for each in passes])
    numbers = np.array([each.number for each in passes], np.float32)
    out = np.empty((len(order.recipe.names), *shape[1:]), np.float32)
    for first in range(0, grid.height, _ROWS):
        rows = slice(first, first + _ROWS)
        out[:, rows] = results(order.recipe, values[:, rows], errors[:, rows], days, numbers)
    out[:, ~seen] = np.nan
    return out, {each.at for each, one in zip(passes, values, strict=True) if not np.isnan(one).all()}


def _fill(found: Values, part: Values) -> None:
    """Take pixels that have no value yet from another orbit's results."""
    gains = np.isnan(found[0]) & (~np.isnan(part[0]) | np.isnan(found).all(axis=0))
    found[:, gains] = part[:, gains]


def _read(scenes: Scenes, one: Input, grid: Grid) -> tuple[NDArray[np.bool_], Values, Values]:
    """Where a scene has pixels, its values where they count, and their standard uncertainties.

    A pixel of which the archive does not tell whether it is clear does not count, as at sites.
    """
    plan = replace(one.plan, mask=None)
    with scenes.reader(one.record, scenes.budget()) as reader:
        values = np.ma.filled(read_pixels(reader, grid, plan).array.astype(np.float32), np.nan)[0]
        there = ~np.isnan(values)
        kept = _kept(reader, grid, one)
        errors = np.full(values.shape, np.nan, np.float32)
        if kept.any():
            with contextlib.suppress(NotFoundError):  # it carries no certificate
                errors = result_errors(reader, grid, plan)[0]
    return there | kept, np.where(kept, values, np.float32(np.nan)), errors


def _kept(reader: ArchiveReader, grid: Grid, one: Input) -> NDArray[np.bool_]:
    """Pixels that count, by the indicator's mask, else those that are clear."""
    mask = one.plan.mask
    if mask is None and one.is_radar:
        return np.ones((grid.height, grid.width), bool)
    try:
        check_mask(reader.archive, mask or CLEAR_MASK)
        return kept_on(reader, grid, mask or CLEAR_MASK)
    except NotFoundError:
        return np.zeros((grid.height, grid.width), bool)


def _scene(scenes: Scenes, order: Order, found: Values, dates: int) -> Scene:
    """The map as a scene."""
    bands = bands_of(order.recipe, found)
    scale = np.array([band.scale for band in bands], np.float32)[:, None, None]

    def read(window: Window) -> Pixels:
        values = found[(slice(None), *window.slices)] / scale
        return Pixels(values, ~np.isnan(values))

    grid = order.grid
    name = group_name(grid.transform, grid.crs)
    kind = np.dtype(np.float32)
    group = BandGroup(name, bands, grid.height, grid.width, kind, grid.crs, grid.transform, True, read)
    moment = datetime(order.month.year, order.month.month, 1, 12, tzinfo=UTC)
    return Scene(
        order.item, order.collection, moment, (group,), _properties(scenes, order, dates),
        source_name=f"{len(order.inputs)} scenes", source_checksum=order.digest,
    )  # fmt: skip


def _properties(scenes: Scenes, order: Order, dates: int) -> Mapping[str, Any]:
    """STAC properties: the period, what was made of what, and how."""
    month, recipe = order.month, order.recipe
    title = text_in(recipe.document.title, "en")
    records = [each.record for each in order.inputs]
    ratios = [float(scenes.catalog.info(record)["ratio"]) for record in records]
    facts = [scenes.catalog.item(record).get("properties", {}) for record in records]
    shared = {
        name: values.pop()
        for name in ("constellation", "platform", "instruments")
        if len(values := {_text(each.get(name)) for each in facts}) == 1 and None not in values
    }
    return {
        "title": f"{title}, {month.label}",
        "start_datetime": rfc3339(month.start),
        "end_datetime": rfc3339(month.end - timedelta(seconds=1)),
        **{name: list(value) if isinstance(value, tuple) else value for name, value in shared.items()},
        "processing:level": "L3",
        "processing:software": {"comeo": __version__},
        "processing:lineage": (
            f"{recipe.statistic} of the clear pixels of a month (dates: {dates}), from archives that are "
            f"compressed {median(ratios):.3g} times in the median"
        ),
        "comeo:indicator": f"{recipe.document.id}@{recipe.document.version}",
        "comeo:indicator_sha256": recipe.document.fingerprint,
        "comeo:statistic": recipe.statistic,
        "comeo:dates": dates,
        "comeo:ratio_of_sources": round(median(ratios), 2),
        "comeo:derived_from": [f"{record.collection}/{record.id}" for record in records],
    }


def _text(value: Any) -> Any:
    """What may be counted among others."""
    return tuple(map(str, value)) if isinstance(value, list) else value if isinstance(value, str) else None
