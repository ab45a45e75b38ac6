"""Layers: a collection over time, a collection on one day, or one scene."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import quote

from affine import Affine

from comeo.crs import parse_crs
from comeo.errors import NotFoundError, ParameterError
from comeo.grid import Bounds, Grid
from tileserver.catalog import FollowingCache, Record, Search
from tileserver.render import describe
from tileserver.render.links import WORLD_SETS, Link, link
from tileserver.render.matrixsets import matrix_set, utm_set_name
from tileserver.render.naming import collection_title
from tileserver.render.offers import clear_style, collection_styles
from tileserver.render.scenes import Scenes
from tileserver.render.styles import CLEAR_STYLE, Style, error_style, styles_for
from tileserver.render.temporal import parse_interval

# A collection over more UTM zones is offered in the sets of the world alone: a set a zone would drown them.
MAX_UTM_ZONES = 4
KEPT_LAYERS = 512
CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Scope:
    """Subject of a document; without a collection it is all of them.

    Attributes:
        collection: The only one.
        day: Of which scenes alone are shown.
        item: The only scene.
    """

    collection: str | None = None
    day: date | None = None
    item: str | None = None

    @property
    def path(self) -> str:
        """Segments of a URL."""
        segments: list[str] = []
        for name, value in (("collections", self.collection), ("dates", self.day), ("items", self.item)):
            segments += [name, quote(str(value), safe="")] if value is not None else []
        return "/".join(segments)

    @property
    def resource(self) -> str:
        """Segments of a URL, of as many as no other kind of layer has."""
        if self.item is None:
            return self.path
        return f"items/{quote(str(self.collection), safe='')}/{quote(self.item, safe='')}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A collection or a scene that can be shown, and how.

    Attributes:
        identifier: `collection` or `collection/item`.
        scope: Collection or scene, without a day.
        title: For people.
        abstract: For people.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        styles: By name, the default one first.
        days: On which there are scenes, oldest first; empty if no time is known.
        default: Value of TIME that stands for none: `current` or a day.
        links: Tile matrix sets by name.
        search: Scenes of the layer at the default time.
        record: The scene, of a layer that is one.
    """

    identifier: str
    scope: Scope
    title: str
    abstract: str
    bbox: Bounds
    styles: Mapping[str, Style]
    days: tuple[str, ...]
    default: str
    links: Mapping[str, Link]
    search: Search
    record: Record | None


class Layers:
    """Layers as the catalogue makes them, remembered until it changes.

    Args:
        scenes: Catalogue, open archives and caches.
    """

    def __init__(self, scenes: Scenes) -> None:
        self._scenes = scenes
        self._kept: FollowingCache[Scope, Layer] = FollowingCache(
            scenes.catalog, KEPT_LAYERS, lambda scope: (scope.collection or "",)
        )

    def of(self, scope: Scope) -> list[Layer]:
        """Layers of a document; of all collections those that can be shown.

        Raises:
            NotFoundError: If there is no such collection, scene, or day with scenes.
        """
        if scope.collection is not None:
            return [self.layer(scope)]
        found: list[Layer] = []
        for name in self._scenes.catalog.collection_names():
            with contextlib.suppress(NotFoundError):
                found.append(self.layer(Scope(name)))
        return found

    def find(self, identifier: str, day: date | None = None) -> Layer:
        """Layer by its identifier.

        Raises:
            NotFoundError: If it does not exist, or has no scene on that day.
        """
        try:
            return self.layer(Scope(identifier, day))
        except NotFoundError:
            collection, slash, item = identifier.partition("/")
            if not slash:
                raise
            return self.layer(Scope(collection, None, item))

    def layer(self, scope: Scope) -> Layer:
        """Layer of a collection, of a collection on a day, or of a scene.

        Raises:
            NotFoundError: If there is no such thing, or no way to show it.
        """
        return self._kept.get(scope, lambda: self._made(scope))

    def _made(self, scope: Scope) -> Layer:
        made = self._scene(scope) if scope.item is not None else self._collection(scope)
        if not made.styles or not made.links:
            raise NotFoundError(f"{made.identifier} has no style or tile matrix set to be shown in")
        return made

    def _scene(self, scope: Scope) -> Layer:
        record = self._scenes.catalog.get(scope.collection or "", scope.item or "")
        if record is None:
            raise NotFoundError(f"there is no scene {scope.item} in a collection {scope.collection}")
        grid = self._grid(record)
        day = (record.datetime.date().isoformat(),) if record.datetime else ()
        zone = utm_set_name(grid.crs)
        return Layer(
            f"{record.collection}/{record.id}", scope, record.id,
            f"{collection_title(record.collection)}{', ' + day[0] if day else ''}",
            record.bbox, self._styles(record), day, day[0] if day else CURRENT,
            _links(grid, record.bbox, {zone: record.bbox} if zone else {}), Search(), record,
        )  # fmt: skip

    def _collection(self, scope: Scope) -> Layer:
        name = scope.collection or ""
        days = self._scenes.catalog.days(name)
        search = Search(collections=(name,))
        if scope.day is not None:
            if scope.day.isoformat() not in days:
                raise NotFoundError(f"there is no scene of {scope.day} in a collection {name}")
            days = [scope.day.isoformat()]
            search = on_day(search, scope.day)
        sets = self._scenes.catalog.band_sets(search)
        coverage = self._scenes.catalog.coverage(search)
        if not sets or coverage is None:
            raise NotFoundError(f"there is no collection {name}")
        newest = self._scenes.find(*sets[0].newest)
        title = collection_title(name) + (f", {days[0]}" if scope.day else "")
        zones = {utm_set_name(parse_crs(crs)): bbox for crs, bbox in coverage.by_crs.items()}
        return Layer(
            name, Scope(name), title, f"{coverage.count} compressed scenes, the newest valid pixel first.",
            coverage.bbox, {**collection_styles(sets), **clear_style(self._scenes, sets)}, tuple(days),
            days[0] if scope.day else CURRENT,
            _links(self._grid(newest), coverage.bbox, {key: box for key, box in zones.items() if key}),
            search, None,
        )  # fmt: skip

    def _styles(self, record: Record) -> dict[str, Style]:
        """Styles of a scene: those of its bands; of its errors and classes where its archive has them."""
        errors = error_style(record.bands)
        with self._scenes.lease(record) as archive:
            styles = dict(styles_for(record.bands, clear=archive.clear_here is not None))
            if errors is not None and archive.certificate is not None:
                styles[errors.name] = errors
            if archive.clear_here is not None:
                styles[CLEAR_STYLE.name] = CLEAR_STYLE
        return styles

    def _grid(self, record: Record) -> Grid:
        """Finest grid of a scene, as the catalogue knows it: no archive is opened."""
        info = self._scenes.catalog.info(record)
        if not info:
            raise NotFoundError(f"the scene {record.id} has gone")
        return finest_grid(info)


def finest_grid(info: Mapping[str, Any]) -> Grid:
    """Finest native grid, from the document of `comeo info`."""
    group = next(iter(info["groups"].values()))
    _, height, width = group["shape"]
    return Grid(parse_crs(group["crs"]), Affine(*group["transform"]), height, width)


def on_day(search: Search, day: date) -> Search:
    """Narrow a search to one day (UTC)."""
    start, end = parse_interval(day.isoformat())
    return replace(search, start=start, end=end)


def _links(grid: Grid, bbox: Bounds, zones: Mapping[str, Bounds]) -> dict[str, Link]:
    """Sets that hold a layer, each down to where the pixels of a scene's grid are shown singly."""
    wanted = dict.fromkeys(WORLD_SETS, bbox)
    wanted |= zones if len(zones) <= MAX_UTM_ZONES else {}
    found: dict[str, Link] = {}
    for name, box in wanted.items():
        try:
            finest = describe.zoom_range(grid, matrix_set(name))[1]
        except ParameterError:
            continue
        made = link(name, box, finest)
        if made is not None:
            found[name] = made
    return found
