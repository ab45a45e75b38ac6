"""Offers of a collection, whose scenes may differ, and which of its scenes can answer a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from comeo.errors import NotFoundError, ParameterError, RequestError
from comeo.indicators.document import Document
from comeo.scene import Band
from tileserver.catalog import BandSet, Record, Search, kinds_of, offered
from tileserver.render.documents import find_document
from tileserver.render.fitting import check_any_fits, fits
from tileserver.render.plan import RenderPlan, RenderRequest, resolve
from tileserver.render.scenes import Scenes
from tileserver.render.styles import CLEAR_STYLE, Style, styles_for
from tileserver.settings import Settings


def collection_styles(sets: Sequence[BandSet]) -> Mapping[str, Style]:
    """Styles that at least half of a collection's scenes can be shown in, in the order of the largest set.

    Where no style is had by so many, those that most scenes have. Of variants of one name (another unit or
    range) the one that most scenes have stands.

    Args:
        sets: Of all scenes, the largest first.
    """
    variants: dict[str, Counter[Style]] = {}
    for bands, count in kinds_of(sets):
        for style in styles_for(bands).values():
            variants.setdefault(style.name, Counter())[style] += count
    total = sum(found.scenes for found in sets)
    names = set(offered({name: styles.total() for name, styles in variants.items()}, total))
    return {name: styles.most_common(1)[0][0] for name, styles in variants.items() if name in names}


def clear_style(scenes: Scenes, sets: Sequence[BandSet]) -> Mapping[str, Style]:
    """Styles of classes and of some classes alone, if the newest scene of the largest set tells classes.

    Args:
        scenes: Catalogue, open archives and caches.
        sets: Of all scenes of a collection, the largest first.
    """
    newest = scenes.catalog.get(*sets[0].newest) if sets else None
    told = newest is not None and scenes.catalog.info(newest).get("clear")
    if not told:
        return {}
    able = styles_for(sets[0].bands, clear=True).values()
    return {**{style.name: style for style in able if style.is_masked}, CLEAR_STYLE.name: CLEAR_STYLE}


@dataclass(slots=True)
class Answers:
    """Which scenes can answer a request to a collection, and how.

    Values of different quantities are never put into one answer: where scenes have the requested bands in
    different units, those answer whose quantity most scenes have.

    Attributes:
        plan: For the largest set of bands that can answer: scale and offset of the answer's numbers.
        request: The request, with the collection's first style where it names no pixels.
    """

    plan: RenderPlan
    request: RenderRequest
    _scenes: Scenes
    _document: Document | None
    _picture: bool
    _plans: dict[tuple[Band, ...], RenderPlan | None] = field(default_factory=dict)

    def plan_for(self, record: Record) -> RenderPlan | None:
        """How a scene answers; None if it cannot, or is none of those that the indicator is for."""
        plan = self._of_bands(record.bands)
        return plan if plan is not None and fits(self._scenes, record, self._document) else None

    def _of_bands(self, bands: tuple[Band, ...]) -> RenderPlan | None:
        if bands not in self._plans:
            found: RenderPlan | None
            try:
                found = _plan(self.request, bands, self._scenes.settings, picture=self._picture)
            except (ParameterError, NotFoundError):
                found = None
            if found and _quantity(self.request, found) != _quantity(self.request, self.plan):
                found = None
            self._plans[bands] = found
        return self._plans[bands]


def answers(scenes: Scenes, search: Search, request: RenderRequest, *, picture: bool) -> Answers:
    """Find out which scenes of a search can answer a request.

    Args:
        scenes: Catalogue, open archives and caches.
        search: Collections and times. Its place does not count: tiles beside each other are answered alike.
        request: Pixels that are requested.
        picture: Whether they are to be shown as colours.

    Raises:
        NotFoundError: If the search has no scenes in any time, or no scene has the bands.
        ParameterError: If no scene can be shown in this way.
    """
    everywhere = replace(search, bbox=None)
    sets = scenes.catalog.band_sets(everywhere) or scenes.catalog.band_sets(Search(search.collections))
    if not sets:
        raise NotFoundError(f"there is no collection {', '.join(search.collections or ())}")
    document = find_document(request.style) if request.style else None
    newest = (scenes.catalog.get(*each.newest) for each in sets)
    check_any_fits(scenes, filter(None, newest), document)
    if picture and not (request.style or request.bands or request.expression):
        request = replace(request, style=next(iter(collection_styles(sets)), None))
    refused: RequestError | None = None
    counts: Counter[Hashable] = Counter()
    largest: dict[Hashable, RenderPlan] = {}
    # Sets that differ in scales alone, which may be as many as scenes, answer alike.
    for bands, count in kinds_of(sets):
        try:
            plan = _plan(request, bands, scenes.settings, picture=picture)
        except (ParameterError, NotFoundError) as error:
            refused = refused or error
            continue
        quantity = _quantity(request, plan)
        counts[quantity] += count
        largest.setdefault(quantity, plan)
    if not counts:
        raise refused or NotFoundError("no scene can answer this")
    return Answers(largest[counts.most_common(1)[0][0]], request, scenes, document, picture)


def _plan(request: RenderRequest, bands: Sequence[Band], settings: Settings, *, picture: bool) -> RenderPlan:
    """See `resolve`. Expected errors belong to the blocks of one scene, so a mosaic has none.

    Raises:
        ParameterError: If expected errors are requested, too.
    """
    plan = resolve(request, bands, settings, picture=picture)
    if plan.error:
        raise ParameterError("expected errors are those of one scene; use style=error with an item")
    return plan


def _quantity(request: RenderRequest, plan: RenderPlan) -> Hashable:
    """Names and units of the values that a plan gives: scenes that share it may be mixed.

    The variants of a style give one quantity of different bands.
    """
    if plan.classes:
        return "classes"
    if request.style and not (request.bands or request.expression):
        return frozenset(band.unit for band in plan.sources), plan.rescale
    return tuple((band.name, band.unit) for band in plan.sources)
