"""Bringing alerts of an indicator in step with what was observed: those of the group, those of its sites."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from tileserver.render.temporal import rfc3339
from tileserver.store import alerts as stored
from tileserver.store import observed, sites
from tileserver.store.alerts import Alert
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.observed import Key, Observed
from tileserver.watch.alerts import lifecycle
from tileserver.watch.alerts.baseline import Side, Verdict
from tileserver.watch.alerts.counting import verdicts
from tileserver.watch.alerts.detect import Episode, episodes
from tileserver.watch.alerts.groups import GroupEpisode, Member, group_episodes, worst_of_each
from tileserver.watch.alerts.lifecycle import date_facts, evidence_of
from tileserver.watch.document.definition import GroupPolicy
from tileserver.watch.document.rules import Rule, alert_policy_of, rule_of
from tileserver.watch.observing.observe import Place

MOST_LISTED: Final = 1000
"""Sites that a group's alert lists, the worst first; it counts all."""
WITNESSES: Final = 5
"""Sites of a group whose originals are asked."""
_Told = dict[int, set[tuple[Side, datetime]]]


def judge_sites(
    connection: Connection, geoservice: Geoservice, indicator: Followed, places: Sequence[Place],
    should: Set[Key], now: datetime,
) -> None:  # fmt: skip
    """Bring alerts in step, of sites of which something else counts than the last time.

    Args:
        connection: In a transaction that writes.
        geoservice: It.
        indicator: Of the alerts.
        places: Its sites.
        should: Observations that count by the catalogue as it is.
        now: Time.
    """
    series = observed.of_sites(connection, [each.version for each in places], indicator.sha256)
    counted = {each.site: [one for one in series[each.version] if one.key in should] for each in places}
    judged = observed.judged(connection, indicator.id)
    known: dict[int, list[Alert]] = {}
    for alert in stored.alerts_of(connection, geoservice.id):
        if alert.gs_indicator == indicator.id:
            known.setdefault(alert.site, []).append(alert)
    digests = {each.site: _digest(geoservice, each, counted[each.site]) for each in places}
    policy = alert_policy_of(geoservice).group
    told: _Told = {}
    if geoservice.site not in digests:  # it is a group
        whole = _digest_of(policy, sorted(digests.items()))
        if judged.get(geoservice.site) == whole:
            return
        told = _judge_group(
            connection, geoservice, indicator, counted, known.get(geoservice.site, []), policy, now
        )
        observed.keep_judged(connection, indicator.id, geoservice.site, whole)
    for site, digest in digests.items():
        own = told.get(site, set())
        state = _digest_of(digest, sorted(own)) if own else digest
        if judged.get(site) != state:
            rule = rule_of(geoservice, indicator, site)
            lifecycle.reconcile(connection, rule, counted[site], known.get(site, []), now, own)
            observed.keep_judged(connection, indicator.id, site, state)


def _judge_group(
    connection: Connection, geoservice: Geoservice, indicator: Followed,
    counted: Mapping[int, Sequence[Observed]], known: Sequence[Alert], policy: GroupPolicy | None,
    now: datetime,
) -> _Told:  # fmt: skip
    """Bring alerts of a group in step; the deviations of sites that these tell of."""
    rule = rule_of(geoservice, indicator, geoservice.site)
    if policy is None:
        lifecycle.bring_in_step(connection, rule, [], known, now)
        return {}
    told = {site: verdicts(seen, rule) for site, seen in counted.items()}
    dates = [each.point.at for some in told.values() for each in some if each.is_known]
    of = sum(any(each.is_known for each in some) for some in told.values())
    found = {site: episodes(some, rule.policy) for site, some in told.items()}
    made = group_episodes(found, of, max(dates), policy) if dates else []
    going = [each for each in made if each.episode.last.point.at >= rule.start]
    wanted = [(each.episode, _evidence(connection, each, told, rule)) for each in going]
    lifecycle.bring_in_step(connection, rule, wanted, known, now)
    covered: _Told = {}
    for group in going:
        for each in group.members:
            covered.setdefault(each.site, set()).add((each.episode.side, each.episode.first.point.at))
    return covered


def _evidence(
    connection: Connection, group: GroupEpisode, told: Mapping[int, Sequence[Verdict]], rule: Rule
) -> dict[str, Any]:
    """Of a group: the dates of its worst site, which sites it is about, and some for the originals."""
    worst = group.members[0]
    witnesses = worst_of_each(group.members)[:WITNESSES]
    names = sites.names_of(connection, [each.site for each in witnesses])
    over = group.episode.over
    return {
        **evidence_of(worst.episode, told[worst.site], rule),
        "over": rfc3339(over.point.at) if over else None,
        "group": {
            "count": group.count, "of": group.of,
            "sites": [_member(each) for each in group.members[:MOST_LISTED]],
            "witnesses": [
                {"site": each.site, "name": dict(names[each.site]),
                 "dates": _outside(told[each.site], each.episode)}
                for each in witnesses
            ],
        },
    }  # fmt: skip


def _member(member: Member) -> dict[str, Any]:
    one = member.episode
    return {
        "site": member.site, "severity": one.worst.severity, "first": rfc3339(one.first.point.at),
        "last": rfc3339(one.last.point.at),
    }  # fmt: skip


def _outside(told: Sequence[Verdict], episode: Episode) -> list[dict[str, Any]]:
    first, last = episode.first.point.at, episode.last.point.at
    own = [each for each in told if first <= each.point.at <= last and each.side == episode.side]
    return [date_facts(each) for each in own[-lifecycle.EVIDENCE_DATES :]]


def _digest(geoservice: Geoservice, place: Place, counted: Sequence[Observed]) -> str:
    """What alerts of a site follow from: another one means that they are to be looked at again."""
    return _digest_of(geoservice.revision, place.version, [each.key for each in counted])


def _digest_of(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
