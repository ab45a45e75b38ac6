"""Observing sites in scenes: what is missing is found by a query, made scene by scene, and kept for good."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from comeo.errors import BoundError, NotFoundError
from comeo.globe import intersections, union_of_boxes
from comeo.grid import Bounds
from comeo.indicators.document import read_document
from comeo.missions import DECIBEL
from comeo.missions.clear import cloud_percentage, counts_of, shares_of
from comeo.scene import METRES_PER_DEGREE
from comeo.view.area import Area
from comeo.view.clear import classes_on, clear_of
from comeo.view.reader import ArchiveReader
from comeo.view.site import Observation, observe_area
from tileserver.catalog import Record, Search
from tileserver.errors import BusyError
from tileserver.render.clearness import view_grid
from tileserver.render.documents import lent
from tileserver.render.observations import REVISION
from tileserver.render.offers import Answers, answers
from tileserver.render.plan import RenderPlan, RenderRequest
from tileserver.render.scenes import Scenes
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.observed import Archived, Key, Observed
from tileserver.store.sites import SiteVersion

NEAR_METRES: Final = 500.0
"""Around a site, where cloud makes what is told to be clear doubtful."""
MAX_SIZE: Final = 512
"""Longest side in pixels that a large site is read with."""
_ENGINE: Final = f"site-{REVISION}"
_P10, _P50, _P90 = 10, 50, 90


@dataclass(frozen=True, slots=True)
class Place:
    """A site's geometry on the pixels of scenes; whoever keeps it has to cut them only once.

    Attributes:
        version: Id of the site's version.
        site: Id of the site.
        area: Of it.
    """

    version: int
    site: int
    area: Area


@dataclass(frozen=True, slots=True)
class Work:
    """Sites that a scene is to be observed in.

    Attributes:
        record: The scene.
        at: When it was acquired.
        plan: How it answers.
        sites: Not observed yet.
    """

    record: Record
    at: datetime
    plan: RenderPlan
    sites: Sequence[Place]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be observed: an indicator of sites in all scenes of collections.

    Attributes:
        sha256: Digest of the document.
        document: Canonical JSON.
        collections: Whose scenes.
        sites: Where.
        before: Scenes from then on do not count; None leaves it open.
    """

    sha256: str
    document: str
    collections: tuple[str, ...]
    sites: Sequence[Place]
    before: datetime | None = None


def wanted_of(geoservice: Geoservice, indicator: Followed, places: Sequence[Place]) -> Wanted:
    """What a geoservice wants observed of an indicator."""
    collections = tuple(geoservice.collections)
    return Wanted(indicator.sha256, indicator.document, collections, places, geoservice.end)


def standing(scenes: Scenes, geoservice: Geoservice, places: Sequence[SiteVersion]) -> set[Archived]:
    """The archives that count for a geoservice by the catalogue as it is.

    What was observed in another one counts no more: its scene was withdrawn, or the archive was replaced.

    Args:
        scenes: Catalogue.
        geoservice: It.
        places: Its sites, or some of them.
    """
    if not places:
        return set()
    box = union_of_boxes([Area(dict(each.geometry)).bounds for each in places])
    search = Search(bbox=box, collections=tuple(geoservice.collections))
    records = scenes.catalog.records(search)
    counting = (each for each in records if _is_in_time(each, geoservice.end))
    return {(each.collection, each.id, each.whole_etag) for each in counting}


def present(scenes: Scenes, wanted: Wanted) -> dict[Key, Work]:
    """Every observation that should exist by the catalogue as it is, with the work that makes it.

    Raises:
        NotFoundError: If a collection has no scenes.
        ParameterError: If no scene can answer.
    """
    boxes = [each.area.bounds for each in wanted.sites]
    search = Search(collections=wanted.collections)
    found: dict[Key, Work] = {}
    with lent(read_document(wanted.document.encode(), "json")) as name:
        chosen = answers(scenes, search, RenderRequest(style=name), picture=False)
        for record in scenes.catalog.records(replace(search, bbox=union_of_boxes(boxes))):
            found.update(_of_scene(record, chosen, wanted, boxes))
    return found


def _of_scene(
    record: Record, chosen: Answers, wanted: Wanted, boxes: Sequence[Bounds]
) -> Iterator[tuple[Key, Work]]:
    if record.datetime is None or not _is_in_time(record, wanted.before):
        return
    shown = [one for one, box in zip(wanted.sites, boxes, strict=True) if intersections(record.bbox, box)]
    plan = chosen.plan_for(record) if shown else None
    if plan is None:
        return
    work = Work(record, record.datetime, plan, shown)
    for one in shown:
        yield Key(one.version, wanted.sha256, record.collection, record.id, record.whole_etag), work


def _is_in_time(record: Record, before: datetime | None) -> bool:
    return record.datetime is not None and (before is None or record.datetime < before)


def missing(present: Mapping[Key, Work], known: set[Key]) -> list[Work]:
    """What is left to do, oldest scenes first."""
    todo: dict[int, Work] = {}
    wanted: dict[int, set[int]] = {}
    for key, work in present.items():
        if key not in known:
            todo[id(work)] = work
            wanted.setdefault(id(work), set()).add(key.site_version)
    left = [
        replace(work, sites=[each for each in work.sites if each.version in wanted[n]])
        for n, work in todo.items()
    ]
    return sorted(left, key=lambda each: (each.at, each.record.id))


def observe(scenes: Scenes, work: Work, indicator: str) -> Iterator[Observed]:
    """Observe a scene at its sites; neighbours come one after the other, and share decoded blocks.

    Args:
        scenes: Catalogue, open archives and caches.
        work: Scene and sites.
        indicator: Digest of the document.

    Raises:
        BusyError: If the scene has gone or been replaced; the catalogue then knows better.
    """
    record = work.record
    facts = scenes.catalog.item(record)["properties"]
    ratio = float(scenes.catalog.info(record)["ratio"])
    orbit = facts.get("sat:relative_orbit") if _is_radar(work.plan) else None
    with scenes.reader(record, scenes.budget()) as reader:
        for place in sorted(work.sites, key=_place_of):
            own = replace(reader, budget=scenes.budget())  # of each site; their number is no request's
            yield replace(
                _one(own, work, place, indicator),
                ratio=ratio,
                orbit=orbit if isinstance(orbit, int) else None,
            )


def _one(reader: ArchiveReader, work: Work, place: Place, indicator: str) -> Observed:
    record = work.record
    blank = Observed(
        place.version,
        indicator,
        record.collection,
        record.id,
        record.whole_etag,
        work.at,
        "unusable",
        _ENGINE,
    )
    try:
        seen = observe_area(reader, work.plan, place.area, max_size=MAX_SIZE)
    except BusyError:
        raise
    except (NotFoundError, BoundError) as error:
        return replace(blank, reason=str(error)[:200])
    if seen is None:
        return replace(blank, reason="the scene has no pixel there")
    near = None if _is_radar(work.plan) else cloud_near(reader, place.area.bounds)
    return _kept(replace(blank, cloud_near=near), seen, is_radar=_is_radar(work.plan))


def _kept(blank: Observed, seen: Observation, *, is_radar: bool) -> Observed:
    made = replace(blank, classes=seen.classes, pixels=seen.pixels, covered=seen.covered, clear=seen.clear)
    if seen.clear is None and not is_radar:
        return replace(made, reason="the archive does not tell which pixels are clear")
    if seen.value is None:
        return replace(made, reason="no pixel counts")
    shares = seen.quantiles
    return replace(
        made, state="done", value=seen.value, u=seen.uncertainty,
        p10=shares[_P10], p50=shares[_P50], p90=shares[_P90],
    )  # fmt: skip


def cloud_near(reader: ArchiveReader, bounds: Bounds) -> float | None:
    """Share of cloud within 500 m of a box, of what has data; None where the archive does not tell."""
    west, south, east, north = bounds
    reach = NEAR_METRES / METRES_PER_DEGREE
    wide = (west - 2 * reach, max(-90.0, south - reach), east + 2 * reach, min(90.0, north + reach))
    with contextlib.suppress(NotFoundError):
        shares = shares_of(counts_of(classes_on(reader, view_grid(wide, clear_of(reader.archive).grid))))
        return None if shares is None else cloud_percentage(shares) / 100.0
    return None


def _is_radar(plan: RenderPlan) -> bool:
    return any(band.unit == DECIBEL for band in plan.sources)


def _place_of(place: Place) -> tuple[float, float]:
    """Rows of neighbours: blocks of a row stay in the cache until the next row needs others."""
    west, south, _, _ = place.area.bounds
    return round(south, 2), west
