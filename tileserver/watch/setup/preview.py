"""What a geoservice would have said, before it starts: its dates, its alerts, and what its sites can see."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from shapely.affinity import scale
from shapely.geometry import mapping, shape
from sqlalchemy import Connection

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.indicators.document import Document, canonical
from comeo.view.area import Area
from tileserver.errors import UnfinishedError
from tileserver.render.scenes import Scenes
from tileserver.render.sites import sites_of
from tileserver.store import accounts, geoservices, outbox, sites
from tileserver.store.geoservices import Geoservice
from tileserver.store.observed import Observed
from tileserver.watch.alerts.baseline import Verdict
from tileserver.watch.alerts.counting import verdicts
from tileserver.watch.alerts.detect import Episode, episodes
from tileserver.watch.alerts.sight import YEAR, Advice, Sight, advice_of, advice_words, is_too_small, sight_of
from tileserver.watch.document.definition import AlertPolicy, Definition, Nominal, hears_alerts
from tileserver.watch.document.rules import Rule, alert_policy_of, rule_of
from tileserver.watch.observing.observe import Place, Wanted, Work, missing, observe, present
from tileserver.watch.setup.register import MOST_SITES, area_of, indicators_of, name_of

PATIENCE: Final = 600.0  # seconds
YEARS: Final = 2
"""That a preview tells of; nominal values are learned from all years before, too."""
AREAS: Final = (2_500.0, 5_000.0, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5)
"""In m²: of these the first is named that is large enough."""
TRIED_DATES: Final = 3
"""Last clear dates on which larger sites are tried."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """An indicator at a site.

    Attributes:
        observations: All of them, oldest first.
        verdicts: Of clear dates.
        episodes: Deviations that were not over when the previewed time began.
        sight: What the site can see.
        advice: What is to be known of it.
    """

    observations: Sequence[Observed]
    verdicts: Sequence[Verdict]
    episodes: Sequence[Episode]
    sight: Sight
    advice: Advice


@dataclass(frozen=True, slots=True)
class Asked:
    """What is previewed.

    Attributes:
        places: Sites.
        names: Of each, by language.
        collections: Whose scenes.
        watched: Indicators with their nominal values.
        policy: When a deviation becomes an alert.
        moderators: How many decide.
        severities: From which on each recipient of alerts is told.
    """

    places: Sequence[Place]
    names: Sequence[Mapping[str, str]]
    collections: Sequence[str]
    watched: Sequence[tuple[Document, Nominal]]
    policy: AlertPolicy
    moderators: int
    severities: Sequence[int]

    def only(self, number: int | None) -> Asked:
        """The same of one site, counted from 0; of all for None.

        Raises:
            NotFoundError: If there is none.
        """
        if number is None:
            return self
        if number >= len(self.places):
            raise NotFoundError(f"there is no site {number}: there are {len(self.places)}, counted from 0")
        part = slice(number, number + 1)
        return replace(self, places=self.places[part], names=self.names[part])


@dataclass(frozen=True, slots=True)
class Preview:
    """What a geoservice would have said.

    Attributes:
        since: When the previewed time begins.
        until: When it ends.
        indicators: Each with its sites, in their order.
        seconds: That it took.
        messages: That would have been sent, if each alert had been confirmed.
    """

    since: datetime
    until: datetime
    indicators: Sequence[tuple[Document, Sequence[Previewed]]]
    seconds: float
    messages: int

    @property
    def observations(self) -> int:
        """How many there were."""
        return sum(len(one.observations) for _, all_sites in self.indicators for one in all_sites)


def asked_of(scenes: Scenes, definition: Definition, connection: Connection | None = None) -> Asked:
    """What is previewed of a document.

    Args:
        scenes: Catalogue and settings.
        definition: What the user wrote.
        connection: In a transaction, where the document may name a site of the database.

    Raises:
        NotFoundError: If an indicator is unknown.
        ParameterError: If a site cannot be read.
    """
    watched = indicators_of(definition)
    if definition.sites is not None:
        given = sites_of(definition.sites, scenes.settings.max_vertices, MOST_SITES)
        places = [Place(number, number, one.area) for number, one in enumerate(given)]
        names: list[Mapping[str, str]] = [name_of(one, number) for number, one in enumerate(given, 1)]
    elif connection is not None and definition.site is not None:
        places, names = _kept_places(connection, definition.site)
    else:
        raise ParameterError("site: only a server knows sites by number; give their GeoJSON as sites")
    told = [each.min_severity for each in definition.recipients if hears_alerts(each.list)]
    return Asked(places, names, definition.collections, watched, definition.alerts, 1, told)


def asked_of_kept(connection: Connection, one: Geoservice) -> Asked:
    """What is previewed of a geoservice of the database."""
    places, names = _kept_places(connection, one.site)
    followed = geoservices.followed(connection, one.id)
    watched = [(each.read(), rule_of(one, each, one.site).nominal) for each in followed]
    people = outbox.recipients_of(connection, one.id)
    told = [
        each.min_severity
        for each in people
        if each.state in ("pending", "confirmed") and hears_alerts(each.list)
    ]
    policy = alert_policy_of(one)
    moderators = len(accounts.moderators(connection, one.id))
    return Asked(places, names, one.collections, watched, policy, moderators, told)


def preview_of(scenes: Scenes, asked: Asked, until: datetime | None, seconds: float) -> Preview:
    """What a geoservice would have said in two years.

    Args:
        scenes: Catalogue, open archives and caches.
        asked: The geoservice.
        until: End of the two years; None for the newest scene of its sites, or now where there is none.
        seconds: How long it may take.

    Raises:
        BoundError: If there are too many sites × scenes.
        UnfinishedError: If it takes longer.
        NotFoundError: If a collection has no scenes.
    """
    began = monotonic()
    wanted = [_wanted(document, asked) for document, _ in asked.watched]
    end = until or _newest(scenes, wanted) or datetime.now(UTC)
    found = []
    for document, nominal in asked.watched:
        left = seconds - (monotonic() - began)
        made = preview(
            scenes, asked.places, document, asked.collections, nominal, asked.policy, end, left
        )  # fmt: skip
        found.append((document, [made[each.version] for each in asked.places]))
    messages = sum(_messages(one, asked) for _, all_sites in found for one in all_sites)
    return Preview(_since(end), end, found, monotonic() - began, messages)


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
        now: Time; scenes after it do not count.
        seconds: How long it may take.

    Returns:
        By the version of each site.

    Raises:
        BoundError: If there are too many sites × scenes.
        UnfinishedError: If it takes longer.
        NotFoundError: If no scene can answer.
    """
    wanted = Wanted(
        document.fingerprint, canonical(document).decode(), tuple(collections), places,
        before=now + timedelta(microseconds=1),
    )  # fmt: skip
    should = present(scenes, wanted)
    most = scenes.settings.max_observations
    if len(should) > most:
        raise BoundError(
            f"these are {len(should)} observations (sites × scenes), more than {most}; preview fewer sites",
            "max_observations",
        )
    until = monotonic() + seconds
    seen: dict[int, list[Observed]] = {each.version: [] for each in places}
    todo = missing(should, set())
    for work in todo:
        for one in observe(scenes, work, document.fingerprint):
            seen[one.site_version].append(one)
        if monotonic() > until:
            raise UnfinishedError(
                f"the preview takes longer than {seconds:g} s; try again, or preview fewer sites"
            )
    by_item = {each.record.id: each for each in todo}
    found = {}
    for place in places:
        rule = Rule(0, place.site, 0, nominal, policy, _since(now))
        found[place.version] = _previewed(scenes, place, seen[place.version], rule, by_item)
    return found


def lines(scenes: Scenes, definition: Definition, until: datetime | None) -> Iterator[str]:
    """A preview as lines of text.

    Raises:
        NotFoundError: If an indicator is unknown, or no scene can answer.
    """
    asked = asked_of(scenes, definition)
    found = preview_of(scenes, asked, until, PATIENCE)
    for document, all_sites in found.indicators:
        yield f"{document.title_in('en')}, {YEARS} years until {found.until:%Y-%m-%d}"
        for name, one in zip(asked.names, all_sites, strict=True):
            yield f"  {name['en']}: {_sight_words(one)}"
            if one.advice.code != "fine":
                yield f"    {advice_words(one.advice, one.sight, document.value.unit or '', 'en')}"
            for deviation in one.episodes:
                first, last = deviation.first.point.at, deviation.last.point.at
                kind = "an alert" if deviation.persistent else "to be verified on the original"
                what = f"{deviation.side}, severity {deviation.worst.severity}, {kind}"
                yield f"    {first:%Y-%m-%d} to {last:%Y-%m-%d}: {what}"
    yield f"{found.observations} observations in {found.seconds:.1f} s; at most {found.messages} messages"


def _sight_words(one: Previewed) -> str:
    sight = one.sight
    told = "too few dates to learn from"
    if sight.smallest_change is not None:
        told = f"sees changes of {sight.smallest_change:.3f}"
    part = "" if sight.coding is None else f", {sight.coding:.3f} of it from compression"
    dates, alarms = sight.clear_dates_per_month, sight.false_alarms_per_year
    rate = "" if dates is None else f"; {dates:.1f} clear dates a month"
    if alarms is not None:
        rate += f"; {alarms:.1f} false alarms a year, at most {sight.false_alarms_at_most:.1f}"
    return f"{told}{part}{rate}; {len(one.episodes)} deviations"


def _previewed(
    scenes: Scenes, place: Place, seen: Sequence[Observed], rule: Rule, works: Mapping[str, Work]
) -> Previewed:
    told = verdicts(seen, rule)
    found = [each for each in episodes(told, rule.policy) if each.last.point.at >= rule.start]
    sight = sight_of(seen, told, rule)
    enough = None
    if is_too_small(sight):
        last = [works[each.point.item] for each in told[-TRIED_DATES:]]
        enough = _enough(scenes, place, last, seen[0].indicator, sight.spread or 0.0)
    return Previewed(seen, told, found, sight, advice_of(seen, told, sight, rule, enough))


def _enough(
    scenes: Scenes, place: Place, works: Sequence[Work], indicator: str, spread: float
) -> float | None:
    """Area from which on such a site there has means less uncertain than they vary; None if none has."""
    outline = shape(dict(place.area.geometry))
    own = area_of(place.area.geometry)
    for area in (each for each in AREAS if each > own > 0):
        factor = math.sqrt(area / own)
        larger = Place(-1, -1, Area(mapping(scale(outline, factor, factor))))
        tried = [
            one.u
            for work in works
            for one in observe(scenes, replace(work, sites=[larger]), indicator)
            if one.u is not None
        ]
        if tried and max(tried) <= spread:
            return area
    return None


def _wanted(document: Document, asked: Asked) -> Wanted:
    return Wanted(document.fingerprint, canonical(document).decode(), tuple(asked.collections), asked.places)


def _newest(scenes: Scenes, wanted: Sequence[Wanted]) -> datetime | None:
    """When the newest scene of the sites was acquired; None where no scene shows one."""
    return max((work.at for each in wanted for work in present(scenes, each).values()), default=None)


def _since(until: datetime) -> datetime:
    return until - timedelta(days=YEAR * YEARS)


def _messages(one: Previewed, asked: Asked) -> int:
    """That alerts of a site would have made, had each been confirmed: asked for, told, told to be over."""
    asking = 0 if asked.policy.moderation == "none" else asked.moderators
    return sum(
        asking
        + sum(1 + (each.over is not None) for least in asked.severities if each.worst.severity >= least)
        for each in one.episodes
        if each.persistent
    )


def _kept_places(connection: Connection, site: int) -> tuple[list[Place], list[Mapping[str, str]]]:
    found = sites.leaves(connection, site)
    places = [Place(one.id, one.site, Area(dict(one.geometry))) for one in found]
    return places, [one.name for one in found]
