"""Which pixels of many scenes an image is made of: first valid ones, clear ones first, or all combined."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.errors import NotFoundError, NotHereError, ParameterError
from comeo.grid import Grid
from comeo.indicators.combine import combine
from comeo.view.budget import Budget
from comeo.view.clear import kept_on
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.reader import ArchiveReader
from comeo.view.site import CLEAR_MASK
from tileserver.catalog import Record
from tileserver.errors import NotYetError
from tileserver.render.filling import Filling, is_stored, restated
from tileserver.render.offers import Answers
from tileserver.render.orbits import is_radar, track
from tileserver.render.plan import RenderPlan, RenderRequest, Selection
from tileserver.render.scenes import Scenes
from tileserver.render.told import Told

LOOKED_AT: Final = 32
"""Newest scenes among which a clear pixel is looked for."""
_ROWS: Final = 64  # of a median at once: it is computed in double precision
_FLOAT_BYTES: Final = 4
_PIECE_BYTES: Final = 1 << 25  # of values of scenes that lie together in memory
Values = NDArray[np.float32]


def check_selection(request: RenderRequest, plan: RenderPlan) -> None:
    """Refuse to combine numbers that stand for classes.

    Raises:
        ParameterError: Saying what to request.
    """
    if request.selection not in ("first", "clear") and (plan.classes or plan.marks):
        raise ParameterError(
            f"pixel_selection={request.selection} combines values, and these are classes; take "
            "pixel_selection=clear, or the style of a value"
        )


@dataclass(slots=True)
class Composition:
    """An image of many scenes.

    Attributes:
        scenes: Catalogue, open archives and caches.
        grid: Of the image.
        chosen: How scenes answer.
        budget: Of the request.
        selection: Which of their pixels.
        checked: Whether the image is known not to be too large.

    A scene that is drawn of coarser pixels counts as any other, and hides older ones: which day is seen is
    not to depend on how fast a link is. Of one that cannot be drawn at all see `_put_off`.
    """

    scenes: Scenes
    grid: Grid
    chosen: Answers
    budget: Budget
    selection: Selection
    checked: bool = False
    _drawn: bool = False
    _missed: NotHereError | None = None

    def image_of(self, records: Iterable[Record]) -> ImageData:
        """Make the image.

        Args:
            records: Scenes that may have pixels there, those of one relative orbit together.

        Raises:
            RequestError: If none can answer, or a bound is exceeded.
        """
        filling, told = Filling(self.grid, self.chosen.plan), Told()
        if self.selection == "first":
            self._first(filling, records, told)
        elif self.selection == "clear":
            self._clear(filling, records, told)
        else:
            self._combined(filling, records, told)
        told.check()
        if self._missed is not None and not self._drawn:  # it would look as if there were no data
            raise NotYetError(str(self._missed)) from self._missed
        return filling.image()

    def _read(
        self, records: Iterable[Record], told: Told, filling: Filling,
        take: Callable[[ArchiveReader, RenderPlan], bool],
    ) -> None:  # fmt: skip
        """Open scenes that have pixels where an image lacks some, until `take` has enough.

        It is called while a scene is lent, so that one whose blocks turn out to be damaged is left out.
        """
        for record in records:
            plan = self.chosen.plan_for(record)
            if plan is None:
                continue
            if not self.checked:
                self.scenes.check_grid(self.grid, max(len(plan.bands), plan.results), self.budget)
                self.checked = True
            if not filling.may_gain_from(record):
                continue
            with self.scenes.reader(record, self.budget) as reader:
                try:
                    gains = filling.gains_from(record, reader, plan) and told.by(reader.archive, plan)
                    full = gains and take(reader, plan)
                    self._drawn = self._drawn or gains
                    if full:
                        return
                except NotHereError as error:
                    self._put_off(reader, error)

    def _put_off(self, reader: ArchiveReader, error: NotHereError) -> None:
        """Go on without a scene of which not even coarse pixels are here, as if it had not been listed yet.

        Raises:
            NotHereError: Of numbers, which would be others with it.
        """
        if self.budget.coarser is None:
            raise error
        self.budget.coarser.missed(reader.archive)
        self._missed = self._missed or error.with_traceback(None)  # which has images in its frames

    def _first(self, filling: Filling, records: Iterable[Record], told: Told) -> None:
        def take(reader: ArchiveReader, plan: RenderPlan) -> bool:
            filling.add(read_pixels(reader, self.grid, plan))
            return filling.full

        self._read(records, told, filling, take)

    def _clear(self, filling: Filling, records: Iterable[Record], told: Told) -> None:
        """The newest clear pixel; where none of the newest scenes has one, the newest of any."""
        rest, tells, looked_at = Filling(self.grid, self.chosen.plan), False, 0

        def take(reader: ArchiveReader, plan: RenderPlan) -> bool:
            nonlocal tells, looked_at
            looked_at += 1
            kept = _clear_pixels(reader, self.grid)
            tells = tells or kept is not None
            if (kept is not None and (kept & filling.missing).any()) or not rest.full:
                image = read_pixels(reader, self.grid, plan)
                rest.add(image)
                if kept is not None:
                    filling.add(_masked(image, ~kept))
            return filling.full or (rest.full and (not tells or looked_at >= LOOKED_AT))

        self._read(records, told, filling, take)
        filling.add(rest.image())

    def _combined(self, filling: Filling, records: Iterable[Record], told: Told) -> None:
        """A statistic of the clear pixels of all scenes; of radar of one relative orbit after the other."""
        for _, group in itertools.groupby(records, key=self._track):
            whole = Filling(self.grid, self.chosen.plan)  # is never filled: all scenes count
            statistic = _Statistic(self.selection, self.chosen.plan, self.budget)
            self._read(group, told, whole, functools.partial(self._count, statistic))
            if (found := statistic.image()) is not None:
                filling.add(found)
            if filling.full:
                break

    def _count(self, statistic: _Statistic, reader: ArchiveReader, plan: RenderPlan) -> bool:
        kept = _clear_pixels(reader, self.grid) if plan.mask is None else None
        if kept is None:
            statistic.add(read_pixels(reader, self.grid, plan))
        elif kept.any():
            statistic.add(_masked(read_pixels(reader, self.grid, plan), ~kept))
        return False

    def _track(self, record: Record) -> object:
        return track(self.scenes, record) if is_radar(record) else None


def _clear_pixels(reader: ArchiveReader, grid: Grid) -> NDArray[np.bool_] | None:
    """Where a scene is clear, (y, x); None where it does not tell."""
    if reader.archive.clear is None:
        return None
    try:
        return kept_on(reader, grid, CLEAR_MASK)
    except NotFoundError:  # its classes are damaged
        return None


def _masked(image: ImageData, hidden: NDArray[np.bool_]) -> ImageData:
    return _like(image, np.ma.MaskedArray(image.data, mask_of(image) | hidden))


def _like(image: ImageData, values: Any) -> ImageData:
    return ImageData(
        values, bounds=image.bounds, crs=image.crs, band_names=image.band_names,
        band_descriptions=image.band_descriptions, scales=image.scales, offsets=image.offsets,
        nodata=image.nodata,
    )  # fmt: skip


class _Statistic:
    """Values of scenes combined pixel by pixel; of decibels the mean is that of power.

    Args:
        name: Which statistic.
        plan: Of the answer.
        budget: For the values that a median needs all at once.
    """

    def __init__(self, name: Selection, plan: RenderPlan, budget: Budget) -> None:
        self._name = name
        self._plan = plan
        self._budget = budget
        self._stacks: list[Values] = []  # (scenes, results, y, x) each
        self._scenes = 0
        self._sum: Values | None = None
        self._count: NDArray[np.int32] | None = None
        self._image: ImageData | None = None

    def add(self, image: ImageData) -> None:
        """Count another scene's pixels."""
        values = restated(image, self._plan).astype(np.float32)
        values[mask_of(image)] = np.nan
        self._image = self._image or image
        if self._name == "median":
            self._budget.make(values.size * _FLOAT_BYTES)
            size = max(1, _PIECE_BYTES // values.nbytes)
            place = self._scenes % size
            if not place:  # in few large pieces, which go back to the system: small ones would be kept
                self._stacks.append(np.empty((size, *values.shape), np.float32))
            self._stacks[-1][place] = values
            self._scenes += 1
        elif self._name == "mean":
            power = self._plan.reduction.before(values)
            there = ~np.isnan(power)
            add = np.where(there, power, np.float32(0))
            self._sum = add if self._sum is None else self._sum + add
            self._count = there.astype(np.int32) + (0 if self._count is None else self._count)
        else:
            pick = np.fmin if self._name == "lowest" else np.fmax
            self._sum = values if self._sum is None else pick(self._sum, values)

    def image(self) -> ImageData | None:
        """The statistic; None without any scene."""
        if self._image is None:
            return None
        values = self._median() if self._name == "median" else self._running()
        empty = np.isnan(values)
        kind = self._image.data.dtype
        if is_stored(self._plan) and kind.kind == "u":
            values = np.where(empty, 0, np.clip(np.rint(values), 1, np.iinfo(kind).max)).astype(kind)
        whole = _like(self._image, np.ma.MaskedArray(values, empty))
        whole.scales = [one.scale for one in self._plan.sources]
        whole.offsets = [one.offset for one in self._plan.sources]
        return whole

    def _median(self) -> Values:
        before = sum(map(len, self._stacks[:-1]))
        full = [*self._stacks[:-1], self._stacks[-1][: self._scenes - before]]
        out = np.empty(full[0].shape[1:], np.float32)
        for first in range(0, out.shape[1], _ROWS):
            rows = slice(first, first + _ROWS)
            out[:, rows] = combine("median", np.concatenate([each[:, :, rows] for each in full])).values
        return out

    def _running(self) -> Values:
        if self._sum is None or self._count is None:
            return np.asarray(self._sum, np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(self._count > 0, self._sum / self._count, np.nan).astype(np.float32)
        return np.asarray(self._plan.reduction.after(mean), np.float32)
