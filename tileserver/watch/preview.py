"""What a geoservice would have said, before it starts: its dates, its alerts, and what its sites can see."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

import numpy as np

from comeo.errors import BoundError, NotFoundError
from comeo.indicators.document import Document, canonical
from tileserver.errors import UnfinishedError
from tileserver.render.documents import find_document
from tileserver.render.scenes import Scenes
from tileserver.render.sites import sites_of
from tileserver.store.observed import Observed
from tileserver.watch.alerts import Rule, verdicts
from tileserver.watch.baseline import Verdict
from tileserver.watch.definition import AlertPolicy, Definition, Nominal
from tileserver.watch.detect import Episode, episodes
from tileserver.watch.observe import Place, Wanted, missing, observe, present
from tileserver.watch.register import MOST_SITES, name_of

PATIENCE: Final = 600.0  # seconds
YEARS: Final = 2
"""That a preview tells of; nominal values are learned from all years before, too."""
MONTH: Final = 30.44  # days
SURE: Final = 3.0
"""How many √(MAD² + u²) a change has to have to be seen: JCGM 100:2008 would call it k."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """An indicator at a site.

    Attributes:
        observations: All of them, oldest first.
        verdicts: Of clear dates.
        episodes: Deviations that were not over when the previewed time began.
        sight: What the site can see: see `sight_of`.
    """

    observations: Sequence[Observed]
    verdicts: Sequence[Verdict]
    episodes: Sequence[Episode]
    sight: Mapping[str, float | None]


def preview(
    scenes: Scenes, places: Sequence[Place], document: Document, collections: Sequence[str],
    nominal: Nominal, policy: AlertPolicy, now: datetime, seconds: float,
) -> dict[int, Previewed]:  # fmt: skip
    """Observe sites as a geoservice would, and keep nothing.

    Args:
        scenes: Catalogue, open archives and caches.
        places: Sites.
        document: The indicator.
        collections: Whose scenes.
        nominal: Nominal values.
        policy: When a deviation becomes an alert.
        now: Time.
        seconds: How long it may take.

    Returns:
        By the version of each site.

    Raises:
        BoundError: If there are too many sites × scenes.
        UnfinishedError: If it takes longer.
        NotFoundError: If no scene can answer.
    """
    wanted = Wanted(document.fingerprint, canonical(document).decode(), tuple(collections), places)
    should = present(scenes, wanted)
    most = scenes.settings.max_observations
    if len(should) > most:
        raise BoundError(
            f"these are {len(should)} observations (sites × scenes), more than {most}; preview fewer sites",
            "max_observations",
        )
    until = monotonic() + seconds
    seen: dict[int, list[Observed]] = {each.version: [] for each in places}
    for work in missing(should, set()):
        for one in observe(scenes, work, document.fingerprint):
            seen[one.site_version].append(one)
        if monotonic() > until:
            raise UnfinishedError(f"the preview takes longer than {seconds:g} s; preview fewer sites")
    start = now - timedelta(days=365.25 * YEARS)
    return {
        place.version: _previewed(seen[place.version], Rule(0, place.site, 0, nominal, policy, start))
        for place in places
    }


def lines(scenes: Scenes, definition: Definition, now: datetime) -> Iterator[str]:
    """A preview as lines of text.

    Raises:
        NotFoundError: If an indicator is unknown, or no scene can answer.
    """
    given = sites_of(definition.sites, scenes.settings.max_vertices, MOST_SITES)
    places = [Place(number, number, one.area) for number, one in enumerate(given)]
    names = [name_of(one, number)["en"] for number, one in enumerate(given, 1)]
    for each in definition.indicators:
        document = find_document(each.indicator)
        if document is None:
            raise NotFoundError(f"there is no indicator {each.indicator}; see /pof")
        found = preview(
            scenes, places, document, definition.collections, each.nominal, definition.alerts, now, PATIENCE
        )
        yield f"{document.title_in('en')}, {YEARS} years until {now:%Y-%m-%d}"
        for name, one in zip(names, found.values(), strict=True):
            yield f"  {name}: {_sight_words(one)}"
            for deviation in one.episodes:
                first, last = deviation.first.point.at, deviation.last.point.at
                kind = "an alert" if deviation.persistent else "to be verified on the original"
                what = f"{deviation.side}, severity {deviation.worst.severity}, {kind}"
                yield f"    {first:%Y-%m-%d} to {last:%Y-%m-%d}: {what}"


def _sight_words(one: Previewed) -> str:
    sight = one.sight
    change, coding = sight["smallest_change"], sight["coding"]
    dates = sight["clear_dates_per_month"]
    told = "too few dates to learn from" if change is None else f"sees changes of {change:.3f}"
    part = "" if coding is None else f", {coding:.3f} of it from compression"
    rate = "" if dates is None else f"; {dates:.1f} clear dates a month"
    return f"{told}{part}{rate}; {len(one.episodes)} deviations"


def _previewed(seen: Sequence[Observed], rule: Rule) -> Previewed:
    told = verdicts(seen, rule)
    found = [each for each in episodes(told, rule.policy) if each.last.point.at >= rule.start]
    return Previewed(seen, told, found, sight_of(seen, told, found, rule))


def sight_of(
    seen: Sequence[Observed], told: Sequence[Verdict], found: Sequence[Episode], rule: Rule
) -> dict[str, float | None]:
    """What a site can see, by its own history.

    Args:
        seen: Observations.
        told: Verdicts of clear dates.
        found: Deviations.
        rule: What alerts are made by.

    Returns:
        `smallest_change`: that is told from chance; `coding`: the part of it that compression makes;
        `clear_dates_per_month`; `alerts_per_year`. None where the history is too short to tell.
    """
    spreads = [each.spread for each in told if each.middle is not None]
    errors = [each.point.u for each in told if each.point.u is not None]
    u = float(np.median(errors)) if errors else None
    days = (seen[-1].datetime - seen[0].datetime).days if len(seen) > 1 else 0
    recent = [each for each in told if each.point.at >= rule.start]
    span = max(1.0, (seen[-1].datetime - rule.start).days) if seen else 1.0
    return {
        "smallest_change": SURE * math.hypot(float(np.median(spreads)), u or 0.0) if spreads else None,
        "coding": None if u is None else SURE * u,
        "clear_dates_per_month": len(told) / (days / MONTH) if days else None,
        "alerts_per_year": len(found) / (span / 365.25) if recent else None,
    }
