"""Values of areas over time: one observation for each scene that shows an area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.figures import significant
from comeo.globe import intersections, union_of_boxes
from comeo.scene import Band
from comeo.view.site import Observation, observe_area
from tileserver.catalog import Record, Search
from tileserver.errors import UnfinishedError
from tileserver.render.mosaic import candidates
from tileserver.render.observations import Observations, computation_name, observation_name
from tileserver.render.offers import Answers, answers
from tileserver.render.plan import RenderPlan, RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.render.sites import Site
from tileserver.render.temporal import rfc3339

DIGITS: Final = 6
_ORBIT: Final = {"orbit_state": "sat:orbit_state", "relative_orbit": "sat:relative_orbit"}
_LOOKS: Final = "sar:looks_equivalent_number"
_RESOLUTION: Final = ("sar:resolution_range", "sar:resolution_azimuth")
_SPACING: Final = ("sar:pixel_spacing_range", "sar:pixel_spacing_azimuth")
_BOUNDS: Final = (1e-3, 1e6)  # of looks and of metres: what lies beyond is no instrument's


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """What is observed.

    Attributes:
        search: Collections and times.
        sites: Where.
        pixels: Of which value.
        max_size: Longest side in pixels that a large area is read with.
    """

    search: Search
    sites: Sequence[Site]
    pixels: RenderRequest
    max_size: int


@dataclass(slots=True)
class Series:
    """Observations of sites.

    Attributes:
        plan: For the most common bands of the scenes: names the value, and says what its means are means of.
        observations: Of each site, by scenes, oldest first.
    """

    plan: RenderPlan
    observations: list[list[tuple[Record, Observation]]]


@dataclass(frozen=True, slots=True)
class _Work:
    """A scene, how it answers, and the sites that it may show, each with the name of its observation."""

    record: Record
    plan: RenderPlan
    names: Mapping[int, str] = field(default_factory=dict)


def observe(scenes: Scenes, wanted: SeriesRequest, kept: Observations) -> Series:
    """Observe sites in each scene of a search that has pixels there.

    Scenes are opened once each, so that sites share their decoded blocks. What has been observed is kept as
    it goes, so that a request that runs out of time goes on where it stopped when it is repeated.

    Args:
        scenes: Catalogue, open archives and caches.
        wanted: What is observed.
        kept: Observations made before.

    Raises:
        NotFoundError: If no scene has a pixel at any of the sites, or none can answer.
        ParameterError: If it is not a single value that can be averaged.
        BoundError: If there are too many scenes or observations, or one of these is too large.
        UnfinishedError: If it takes longer than a request may.
    """
    chosen = _answers(scenes, wanted)
    work = _planned(scenes, wanted, chosen)
    known = kept.find([name for each in work for name in each.names.values()])
    total = sum(len(each.names) for each in work)
    until = monotonic() + scenes.settings.series_seconds
    reason: NotFoundError | None = None
    for each in work:
        try:
            known.update(_observed(scenes, wanted, each, known, kept, until))
        except NotFoundError as error:  # it has no classes
            reason = reason or error.with_traceback(None)  # which has images in its frames
        except TimeoutError:
            made = len(known.keys() & {name for other in work for name in other.names.values()})
            raise UnfinishedError(
                f"{made} of {total} observations are made and kept; repeat the request to go on, or narrow "
                "datetime"
            ) from None
    found = [
        [(each.record, seen) for each in work if (seen := known.get(each.names.get(number, ""))) is not None]
        for number in range(len(wanted.sites))
    ]
    if not any(found):
        if reason is not None:
            raise NotFoundError(f"no scene can answer in this area: {reason}") from reason
        raise NotFoundError("no scene has a valid pixel in this area at that time")
    return Series(chosen.plan, found)


def _answers(scenes: Scenes, wanted: SeriesRequest) -> Answers:
    request, side = wanted.pixels, scenes.settings.max_image_side
    if wanted.max_size > side:
        raise BoundError(f"max_size is {wanted.max_size}, more than {side}", "max_image_side")
    if not (request.bands or request.expression or request.style):
        raise ParameterError("name what the series is of: bands, expression or style")
    chosen = answers(scenes, wanted.search, request, picture=False)
    if chosen.plan.classes:
        raise ParameterError(
            "numbers of classes have no mean; observations of any other value have the shares of all classes"
        )
    if chosen.plan.results != 1:
        raise ParameterError(
            f"a series is of one value, and this is {chosen.plan.results}: {', '.join(chosen.plan.names)}; "
            "request each by itself"
        )
    return chosen


def _planned(scenes: Scenes, wanted: SeriesRequest, chosen: Answers) -> list[_Work]:
    """Which scenes may show which sites, oldest first.

    Raises:
        BoundError: If these are too many.
    """
    boxes = [each.area.bounds for each in wanted.sites]
    most, count = scenes.settings.max_observations, 0
    computed: dict[tuple[Band, ...], str] = {}
    found: list[_Work] = []
    for record in candidates(scenes, wanted.search, union_of_boxes(boxes)):
        plan = chosen.plan_for(record)
        if record.datetime is None or plan is None:
            continue
        shown = [number for number, box in enumerate(boxes) if intersections(record.bbox, box)]
        count += len(shown)
        if count > most:
            raise BoundError(
                f"these are at least {count} observations (areas × scenes), more than {most}; narrow "
                "datetime, or send fewer areas",
                "max_observations",
            )
        if record.bands not in computed:
            computed[record.bands] = computation_name(plan, wanted.max_size)
        names = {
            number: observation_name(record.whole_etag, wanted.sites[number].name, computed[record.bands])
            for number in shown
        }
        if names:
            found.append(_Work(record, plan, names))
    return sorted(found, key=lambda each: (each.record.datetime, each.record.id))


def _observed(
    scenes: Scenes, wanted: SeriesRequest, work: _Work, known: Mapping[str, Observation | None],
    kept: Observations, until: float,
) -> dict[str, Observation | None]:  # fmt: skip
    """What a scene says of the sites that are not known yet; neighbours come one after the other.

    Raises:
        TimeoutError: Once the time is over; what has been made by then is kept.
    """
    missing = [number for number, name in work.names.items() if name not in known]
    made: dict[str, Observation | None] = {}
    if not missing:
        return made
    try:
        with scenes.reader(work.record, scenes.budget()) as reader:
            for number in sorted(missing, key=lambda each: _place(wanted.sites[each])):
                if monotonic() > until:
                    raise TimeoutError
                own = replace(reader, budget=scenes.budget())  # time bounds the work, not how many there are
                area = wanted.sites[number].area
                made[work.names[number]] = observe_area(own, work.plan, area, max_size=wanted.max_size)
    finally:
        kept.keep(made)
    return made


def _place(site: Site) -> tuple[float, float]:
    """Rows of neighbours: blocks of a row stay in the cache until the next row needs others."""
    west, south, _, _ = site.area.bounds
    return round(south, 2), west


def document(scenes: Scenes, wanted: SeriesRequest, found: Series, min_clear: float) -> dict[str, Any]:
    """A series as JSON: for each site, in their order, its observations, oldest first."""
    return {
        "collection": ", ".join(wanted.search.collections or ()),
        "value": found.plan.names[0],
        "features": [
            {
                "id": site.id,
                "properties": site.properties,
                "observations": list(_rows(scenes, observations, min_clear)),
            }
            for site, observations in zip(wanted.sites, found.observations, strict=True)
        ],
    }


def _rows(
    scenes: Scenes, observations: Iterable[tuple[Record, Observation]], min_clear: float
) -> Iterable[dict[str, Any]]:
    for record, seen in observations:
        properties = scenes.catalog.item(record)["properties"]
        looks = looks_of_pixel(properties)
        yield {
            "item": record.id,
            "datetime": None if record.datetime is None else rfc3339(record.datetime),
            "value": _short(seen.value),
            "uncertainty": _short(seen.uncertainty, 3),
            "spread": _short(seen.spread, 4),
            "pixels": _short(seen.pixels),
            "covered": _short(seen.covered, 4),
            "clear_fraction": _short(seen.clear, 4),
            "cloudy": is_cloudy(seen, min_clear),
            "classes": None
            if seen.classes is None
            else {name: _short(share, 4) for name, share in seen.classes.items() if share},
            **{name: properties.get(key) for name, key in _ORBIT.items()},
            "looks": None if looks is None else round(seen.pixels * looks, 1),
        }


def is_cloudy(seen: Observation, min_clear: float) -> bool:
    """Whether too little of an area is clear. Where the archive does not tell, nothing says that it is."""
    return seen.clear is not None and seen.clear < min_clear


def _short(value: float | None, digits: int = DIGITS) -> float | None:
    return None if value is None else significant(value, digits)


def looks_of_pixel(properties: Mapping[str, Any]) -> float | None:
    """Independent looks that a radar pixel adds to a mean, by an Item's `sar:` properties; None if unknown.

    Pixels lie closer than what the instrument tells apart, so that speckle of neighbours is alike: a pixel
    counts the part of its looks that its area is of a cell of resolution.
    """
    numbers = [properties.get(name) for name in (_LOOKS, *_RESOLUTION, *_SPACING)]
    if not all(isinstance(each, int | float) and _BOUNDS[0] <= each <= _BOUNDS[1] for each in numbers):
        return None
    looks, across, along, *spacing = map(float, numbers)  # type: ignore[arg-type]
    return looks * min(1.0, spacing[0] * spacing[1] / (across * along))
