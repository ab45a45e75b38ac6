"""Why an alert did or did not open, date by date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from sqlalchemy import Connection

from comeo.errors import NotFoundError
from comeo.indicators.document import text_in
from tileserver.store import alerts as stored
from tileserver.store import geoservices, observed, sites
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.observed import Archived, Observed
from tileserver.store.sites import SiteVersion
from tileserver.watch.alerts.baseline import Verdict
from tileserver.watch.alerts.counting import counts, verdicts
from tileserver.watch.alerts.detect import episodes
from tileserver.watch.alerts.lifecycle import sites_in
from tileserver.watch.document.rules import rule_of


def explain(
    connection: Connection, geoservice: Geoservice, site: int | None, archives: Set[Archived]
) -> Iterator[str]:
    """Lines of text: each date with its limits, or why it does not count; then deviations, then alerts.

    Args:
        connection: In a transaction that sees one state.
        geoservice: It.
        site: Id of a site; None takes the first.
        archives: Those that count: see `observe.standing`.

    Raises:
        NotFoundError: If it has no such site.
    """
    places = sites.leaves(connection, geoservice.site)
    place = next((each for each in places if site in (None, each.site)), None)
    if place is None:
        raise NotFoundError(f"{geoservice.slug} has no site {site}")
    yield f"{geoservice.slug}, site {place.site}: {text_in(place.name, 'en')}, {place.area_m2 / 1e4:.2f} ha"
    for indicator in geoservices.followed(connection, geoservice.id):
        yield from _of_indicator(connection, geoservice, indicator, place, archives)


def _of_indicator(
    connection: Connection, geoservice: Geoservice, indicator: Followed, place: SiteVersion,
    archives: Set[Archived],
) -> Iterator[str]:  # fmt: skip
    document = indicator.read()
    rule = rule_of(geoservice, indicator, place.site)
    yield f"{document.id}@{document.version}, nominal: {rule.nominal.model_dump_json()}"
    known = observed.of_sites(connection, [place.id], indicator.sha256)[place.id]
    seen = [each for each in known if each.archive in archives]
    told = verdicts(seen, rule)
    by_item = {each.point.item: each for each in told}
    for one in _scenes(known, seen):
        reason = counts(one, rule.policy) if one.archive in archives else "withdrawn"
        yield f"  {one.datetime:%Y-%m-%d}  {_date(one, by_item.get(one.item), reason)}"
    for each in episodes(told, rule.policy):
        over = f"over by {each.over.point.at:%Y-%m-%d}" if each.over else "going on"
        sure = "" if each.persistent else ", a single date: to be verified"
        early = " (before the geoservice began: no alert)" if each.last.point.at < rule.start else ""
        yield (
            f"  deviation: {each.side} since {each.first.point.at:%Y-%m-%d}, told by "
            f"{each.opening.point.at:%Y-%m-%d}, severity {each.worst.severity}, {over}{sure}{early}"
        )
    for alert in stored.alerts_of(connection, geoservice.id):
        if alert.gs_indicator == indicator.id and place.site in {alert.site} | sites_in(alert):
            of = "alert" if alert.site == place.site else "alert of the group"
            for event in stored.events_of(connection, alert.id):
                yield f"  {of} {alert.id}, {event.at:%Y-%m-%d %H:%M}: {event.after}: {event.note}"


def _scenes(known: Sequence[Observed], seen: Sequence[Observed]) -> list[Observed]:
    """What counts, and the last that was observed of scenes that were withdrawn; oldest first."""
    left = {(each.collection, each.item) for each in seen}
    gone = [each for each in observed.newest(known) if (each.collection, each.item) not in left]
    return sorted([*seen, *gone], key=lambda each: (each.datetime, each.collection, each.item))


def _date(one: Observed, verdict: Verdict | None, reason: str | None) -> str:
    if reason is not None or verdict is None:
        return f"does not count: {reason}"
    u = "" if one.u is None else f" ± {2 * one.u:.3f}"
    limits = [
        f"not {word} {limit:.3f}"
        for word, limit in (("below", verdict.low), ("above", verdict.high))
        if limit is not None
    ]
    learned = f"{verdict.learned} dates learned from" if not limits else ", ".join(limits)
    score = "" if verdict.side is None else f"  OUTSIDE: {verdict.side}, severity {verdict.severity}"
    return f"{one.value:.3f}{u}  ({learned}){score}"
