"""Maps of geoservices: which should be, less which are; what is left over is removed.

Only public geoservices have any, since the catalogue that serves them is everybody's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from comeo.archive import open_archive
from comeo.archive.stores import ZIP_SUFFIX
from comeo.errors import ComeoError, ParameterError
from comeo.grid import Bounds, Grid
from comeo.indicators.document import Document
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
from tileserver.store.tasks import key_of
from tileserver.watch.document.calendar import Month
from tileserver.watch.document.definition import Maps, maps_collection
from tileserver.watch.maps.grid import box_of, grid_around
from tileserver.watch.maps.layers import Recipe
from tileserver.watch.maps.making import Input, Order, make_map
from tileserver.watch.observing.observe import Place
from tileserver.watch.pieces import Pieces, Settled

_MAKING: Final = ".making"  # hidden: no catalogue lists it
Key = tuple[int, str]


@dataclass(slots=True)
class MapMaker:
    """What keeps maps in step with the catalogue.

    Attributes:
        scenes: Catalogue, open archives and caches.
        database: Of user data.
        folder: That maps are written to: one of each geoservice.
    """

    scenes: Scenes
    database: Database
    folder: Path
    _settled: Settled = field(default_factory=Settled)

    def turn(self, geoservice: Geoservice, places: Sequence[Place], now: datetime, pieces: Pieces) -> int:
        """Remove what should not be, and make at most one map: whoever is told of alerts waits for no second.

        Args:
            geoservice: One that runs.
            places: Its sites.
            now: Time.
            pieces: Of the round: a map that cannot be made is tried again later, and holds no other up.

        Returns:
            How many maps were made.

        Raises:
            ComeoError: If it is unknown which maps should be.
        """
        month = Month.of(now, geoservice.timezone).label
        versions = [each.version for each in places]
        state = self.scenes.catalog.position(), geoservice.revision, versions, month
        settled = self._settled.has(geoservice.id, state, pieces)
        if geoservice.visibility != "public" or (settled and not pieces.is_due(geoservice.id)):
            return 0
        todo = self._todo(geoservice, [each.area.bounds for each in places], now)
        work = {key_of(geoservice.id, *key, order.digest): (key, order) for key, order in todo}
        pieces.keep_only("map", key_of(geoservice.id, ""), work.keys())
        for name, (key, order) in work.items():
            make = partial(self._make, geoservice, key, order, now)
            if pieces.attempt("map", name, f"the map {order.item}", make):
                return 1
        self._settled.keep(geoservice.id, state, pieces)
        return 0

    def _todo(
        self, geoservice: Geoservice, boxes: Sequence[Bounds], now: datetime
    ) -> list[tuple[Key, Order]]:
        """Maps that should be and are not, the newest month first; those that should not be are removed."""
        orders = self._orders(geoservice, boxes, now)
        self._remove(geoservice, orders)
        with self.database.reading() as connection:
            made = maps.maps_of(connection, geoservice.id)
        known = {(each.gs_indicator, each.label): each for each in made}
        todo = [
            (key, order)
            for key, order in orders.items()
            if not self._is_made(geoservice, order, known.get(key))
        ]
        return sorted(todo, key=lambda each: each[0][1], reverse=True)

    def _orders(self, geoservice: Geoservice, boxes: Sequence[Bounds], now: datetime) -> dict[Key, Order]:
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
                if _is_due(geoservice, month, now):
                    collection = maps_collection(geoservice.slug)
                    found[one.id, month.label] = Order(collection, month, recipe, grid, some)
        return found

    def _is_made(self, geoservice: Geoservice, order: Order, known: MadeMap | None) -> bool:
        if known is None or known.digest != order.digest:
            return False
        return not known.item or self._path(geoservice, known.item).exists()

    def _make(self, geoservice: Geoservice, key: Key, order: Order, at: datetime) -> None:
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
            if final.exists() and not is_map_of(final, geoservice.slug):
                making.unlink(missing_ok=True)
                raise ComeoError(f"{final.name} is there, and is no map of {geoservice.slug}; move it away")
            if there:
                final.parent.mkdir(parents=True, exist_ok=True)
                making.replace(final)
            else:
                final.unlink(missing_ok=True)
            item = order.item if there else ""
            maps.keep_map(connection, MadeMap(*key, order.digest, item, at))

    def _remove(self, geoservice: Geoservice, orders: Mapping[Key, Order]) -> None:
        """Remove archives of maps that should not be, and forget them."""
        kept = {order.item for order in orders.values()}
        for path in self._archives(geoservice.slug):
            if path.name.removesuffix(ZIP_SUFFIX) not in kept and is_map_of(path, geoservice.slug):
                path.unlink(missing_ok=True)
        with self.database.writing() as connection:
            for each in maps.maps_of(connection, geoservice.id):
                if (each.gs_indicator, each.label) not in orders:
                    maps.forget_map(connection, each)

    def remove_hidden(self, pieces: Pieces) -> None:
        """Remove the maps of geoservices that are public no more, whether or not they run."""
        for slug in self._slugs():
            with self.database.reading() as connection:
                found = geoservices.find_geoservice(connection, slug)
            if found is not None and found.visibility != "public":
                name = f"{slug}: its maps, which are public"
                pieces.attempt("hide", key_of(found.id), name, partial(self.remove_all, found))

    def remove_all(self, geoservice: Geoservice) -> None:
        """Remove the maps of a geoservice, and its folder if nothing else lies there."""
        self._remove(geoservice, {})
        with contextlib.suppress(OSError):
            (self.folder / geoservice.slug).rmdir()

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
        document = each.read()
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


def is_map_of(path: Path, slug: str) -> bool:
    """Whether an archive is a map of a geoservice: only such a one is ever removed or replaced."""
    try:
        with open_archive(path) as archive:
            return archive.collection == maps_collection(slug)
    except (ComeoError, OSError):
        return False


def _is_due(geoservice: Geoservice, month: Month, now: datetime) -> bool:
    """Whether a month has begun, and is one that the geoservice follows."""
    ends = geoservice.end is not None and month.start >= geoservice.end
    return month.start <= now and month.end > geoservice.start and not ends
