"""Maps of geoservices: which should be, less which are; what is left over is removed.

Only public geoservices have any, since the catalogue that serves them is everybody's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from comeo.archive.stores import ZIP_SUFFIX
from comeo.errors import ComeoError, ParameterError
from comeo.grid import Bounds, Grid
from comeo.indicators.document import Document, read_document
from comeo.view.resampling import ResamplingName
from tileserver.catalog import Search
from tileserver.render.documents import lent
from tileserver.render.offers import answers
from tileserver.render.plan import RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.store import geoservices, maps
from tileserver.store.database import Database
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.maps import MadeMap
from tileserver.watch.calendar import Month
from tileserver.watch.definition import Maps, maps_collection
from tileserver.watch.mapgrid import box_of, grid_around
from tileserver.watch.maplayers import Recipe
from tileserver.watch.mapmaking import Input, Order, make_map
from tileserver.watch.observe import Place

PAUSE: Final = timedelta(minutes=5)
"""Until a map that could not be made is tried again."""
_MAKING: Final = ".making"  # hidden: no catalogue lists it
Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Step:
    """What has been done of maps.

    Attributes:
        made: Maps.
        removed: Maps that should be no more.
        failed: What could not be done, by the geoservice's name, with the reason.
    """

    made: int = 0
    removed: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class MapMaker:
    """What keeps maps in step with the catalogue.

    Attributes:
        scenes: Catalogue, open archives and caches.
        database: Of user data.
        folder: That maps are written to: one of each geoservice.
        clock: Time in UTC.
    """

    scenes: Scenes
    database: Database
    folder: Path
    clock: Callable[[], datetime]
    _settled: dict[int, tuple[object, datetime | None]] = field(default_factory=dict)
    """Of each geoservice, what all was in step with, or until when what has failed is left alone."""
    _waiting: dict[tuple[Key, str], datetime] = field(default_factory=dict)
    """Until when a map, of a digest, is left alone."""

    def step(self, active: Sequence[tuple[Geoservice, Sequence[Place]]]) -> Step:
        """Remove what should not be, and make at most one map: whoever is told of alerts waits for no second.

        Args:
            active: Geoservices that run, with their sites.
        """
        removed, failed = self._remove_hidden()
        for geoservice, places in active:
            state = self._state(geoservice, places)
            if geoservice.visibility != "public" or self._is_settled(geoservice, state):
                continue
            try:
                gone, made, until = self._reconcile(geoservice, places, failed)
            except (ComeoError, OSError) as error:
                failed[geoservice.slug] = f"maps: {_sentence(error)}"
                gone, made, until = 0, False, self.clock() + PAUSE
            removed += gone
            if made:
                return Step(1, removed, failed)
            self._settled[geoservice.id] = state, until
        return Step(0, removed, failed)

    def _is_settled(self, geoservice: Geoservice, state: object) -> bool:
        """Whether nothing is to be done, or nothing yet."""
        known, until = self._settled.get(geoservice.id, (None, None))
        return known == state and (until is None or self.clock() < until)

    def _state(self, geoservice: Geoservice, places: Sequence[Place]) -> object:
        """What maps follow from: as long as it is the same, they are in step."""
        month = Month.of(self.clock(), geoservice.timezone).label
        versions = [each.version for each in places]
        return self.scenes.catalog.position(), geoservice.revision, versions, month

    def _reconcile(
        self, geoservice: Geoservice, places: Sequence[Place], failed: dict[str, str]
    ) -> tuple[int, bool, datetime | None]:
        """Bring a geoservice's maps nearer to what they should be.

        Returns:
            How many were removed, whether one was made, and when to look again if one has failed.
        """
        orders = self._orders(geoservice, [each.area.bounds for each in places])
        gone = self._remove(geoservice, orders)
        with self.database.reading() as connection:
            made = maps.maps_of(connection, geoservice.id)
        known = {(each.gs_indicator, each.label): each for each in made}
        todo = [
            (key, order)
            for key, order in orders.items()
            if not self._is_made(geoservice, order, known.get(key))
        ]
        later = list[datetime]()
        for key, order in sorted(todo, key=lambda each: each[0][1], reverse=True):  # the newest month first
            waiting = self._waiting.get((key, order.digest))
            if waiting is not None and self.clock() < waiting:
                later.append(waiting)
                continue
            try:
                self._make(geoservice, key, order)
            except (ComeoError, OSError) as error:
                failed[geoservice.slug] = f"the map {order.item}: {_sentence(error)}"
                self._waiting[key, order.digest] = self.clock() + PAUSE
                return gone, False, self.clock()  # the others in the next round
            return gone, True, None
        return gone, False, min(later, default=None)

    def _orders(self, geoservice: Geoservice, boxes: Sequence[Bounds]) -> dict[Key, Order]:
        """Every map that should exist by the catalogue as it is.

        Raises:
            NotFoundError: If there are no such scenes.
            BoundError: If maps would have too many pixels.
        """
        if geoservice.maps is None:
            return {}
        policy = Maps.model_validate(geoservice.maps)
        with self.database.reading() as connection:
            chosen = mapped(geoservices.followed(connection, geoservice.id), policy)
        found: dict[Key, Order] = {}
        for one, document in chosen:
            inputs = inputs_of(self.scenes, geoservice, document, box_of(boxes, policy))
            if not inputs:
                continue
            grid = _grid(self.scenes, inputs[0], boxes, policy)
            low = one.nominal.get("low") if one.nominal.get("kind") == "fixed" else None
            recipe = Recipe.of(document, policy, low)
            by_month: dict[Month, list[Input]] = {}
            for each in inputs:
                by_month.setdefault(Month.of(each.at, geoservice.timezone), []).append(each)
            for month, some in by_month.items():
                if self._is_due(geoservice, month):
                    collection = maps_collection(geoservice.slug)
                    found[one.id, month.label] = Order(collection, month, recipe, grid, some)
        return found

    def _is_due(self, geoservice: Geoservice, month: Month) -> bool:
        """Whether a month has begun, and is one that the geoservice follows."""
        ends = geoservice.end is not None and month.start >= geoservice.end
        return month.start <= self.clock() and month.end > geoservice.start and not ends

    def _is_made(self, geoservice: Geoservice, order: Order, known: MadeMap | None) -> bool:
        if known is None or known.digest != order.digest:
            return False
        return not known.item or self._path(geoservice, known.item).exists()

    def _make(self, geoservice: Geoservice, key: Key, order: Order) -> None:
        """Make a map, and publish it if it still should be.

        It is complete before it gets its name, and has it before the database knows: whenever this is broken
        off, the next worker makes it again.
        """
        final = self._path(geoservice, order.item)
        making = self.folder / _MAKING / f"{geoservice.slug}-{final.name}"
        there = make_map(self.scenes, order, making)
        with self.database.writing() as connection:
            now = geoservices.get_geoservice(connection, geoservice.id)
            if (now.visibility, now.revision) != (geoservice.visibility, geoservice.revision):
                making.unlink(missing_ok=True)
                return
            if there:
                final.parent.mkdir(parents=True, exist_ok=True)
                making.replace(final)
            else:
                final.unlink(missing_ok=True)
            item = order.item if there else ""
            maps.keep_map(connection, MadeMap(*key, order.digest, item, self.clock()))

    def _remove(self, geoservice: Geoservice, orders: Mapping[Key, Order]) -> int:
        """Remove archives of maps that should not be, and forget them; how many they were."""
        kept = {order.item for order in orders.values()}
        gone = [path for path in self._archives(geoservice.slug) if _item_in(path) not in kept]
        for path in gone:
            path.unlink(missing_ok=True)
        with self.database.writing() as connection:
            for each in maps.maps_of(connection, geoservice.id):
                if (each.gs_indicator, each.label) not in orders:
                    maps.forget_map(connection, each)
        return len(gone)

    def _remove_hidden(self) -> tuple[int, dict[str, str]]:
        """Remove the maps of geoservices that are public no more, whether or not they run."""
        removed, failed = 0, dict[str, str]()
        for slug in self._slugs():
            with self.database.reading() as connection:
                found = geoservices.find_geoservice(connection, slug)
            if found is None or found.visibility == "public":  # not of this database, or as it should be
                continue
            try:
                removed += self._remove(found, {})
                with contextlib.suppress(OSError):  # something else lies there, and every round looks again
                    (self.folder / slug).rmdir()
            except OSError as error:
                failed[slug] = f"its maps cannot be removed, and are public: {_sentence(error)}"
        return removed, failed

    def _slugs(self) -> list[str]:
        """Geoservices that have a folder of maps."""
        try:
            return sorted(each.name for each in os.scandir(self.folder) if each.name != _MAKING)
        except OSError:
            return []

    def _archives(self, slug: str) -> list[Path]:
        return sorted((self.folder / slug).glob(f"*{ZIP_SUFFIX}"))

    def _path(self, geoservice: Geoservice, item: str) -> Path:
        return self.folder / geoservice.slug / f"{item}{ZIP_SUFFIX}"


def mapped(followed: Iterable[Followed], policy: Maps) -> list[tuple[Followed, Document]]:
    """Indicators that maps are made of; of one that is followed twice the first.

    Raises:
        ParameterError: If one that is named is not followed, or its values cannot be combined.
    """
    found: dict[str, tuple[Followed, Document]] = {}
    for each in followed:
        document = read_document(each.document.encode(), "json")
        if not policy.indicators or document.id in policy.indicators:
            found.setdefault(document.id, (each, document))
    if unknown := [name for name in policy.indicators if name not in found]:
        raise ParameterError(f"maps.indicators: {unknown[0]} is not followed; name ids of its indicators")
    for _, document in found.values():
        check_mappable(document)
    return list(found.values())


def check_mappable(document: Document) -> None:
    """Refuse an indicator of which no map of many dates can be made.

    Raises:
        ParameterError: Saying why.
    """
    if len(document.formulas) > 1:
        raise ParameterError(f"maps: {document.id} has several values, and a map has one; leave it out")
    if document.classes and [each.value for each in document.classes] == list(range(len(document.classes))):
        raise ParameterError(f"maps: {document.id} gives classes, and a map combines values; leave it out")


def inputs_of(scenes: Scenes, geoservice: Geoservice, document: Document, box: Bounds) -> list[Input]:
    """Scenes that can answer for an indicator in a box, oldest first.

    Raises:
        NotFoundError: If a collection has no scenes.
        ParameterError: If no scene can answer.
    """
    search = Search(collections=tuple(geoservice.collections))
    resampling: ResamplingName | None = "average" if (geoservice.maps or {}).get("pixel_m") else None
    with lent(document) as name:
        request = RenderRequest(style=name, resampling=resampling)
        chosen = answers(scenes, search, request, picture=False)
        found = [
            Input(record, record.datetime, plan)
            for record in scenes.catalog.records(replace(search, bbox=box))
            if record.datetime is not None and (plan := chosen.plan_for(record)) is not None
        ]
    return sorted(found, key=lambda each: (each.at, each.record.collection, each.record.id))


def check_size(
    scenes: Scenes, geoservice: Geoservice, followed: Iterable[Followed], boxes: Sequence[Bounds]
) -> None:
    """Refuse maps that would have too many pixels, before a geoservice runs.

    Raises:
        BoundError: Saying what to set.
        ParameterError: See `mapped`.
        NotFoundError: If a collection has no scenes.
    """
    if geoservice.maps is None:
        return
    policy = Maps.model_validate(geoservice.maps)
    for _, document in mapped(followed, policy):
        inputs = inputs_of(scenes, geoservice, document, box_of(boxes, policy))
        if inputs:
            _grid(scenes, inputs[0], boxes, policy)


def _grid(scenes: Scenes, first: Input, boxes: Sequence[Bounds], policy: Maps) -> Grid:
    """Pixels of all maps of an indicator: those of the oldest scene, so that months lie on each other."""
    with scenes.reader(first.record, scenes.budget()) as reader:
        return grid_around(reader.native_grid(first.plan.bands), boxes, policy)


def _item_in(path: Path) -> str:
    return path.name.removesuffix(ZIP_SUFFIX)


def _sentence(error: Exception) -> str:
    """An error in one sentence, without the path of a folder."""
    if isinstance(error, OSError):
        name = f"{Path(str(error.filename)).name}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    return str(error)
