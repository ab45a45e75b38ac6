"""What a bulletin says: a pure function of what was observed, alerted and decided in a period.

Pages and PDF are made of it, and its digest is what a visa is given to. The same database gives the same
bytes.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import rfc8785
from sqlalchemy import Connection

from comeo.errors import ParameterError
from comeo.figures import significant
from comeo.indicators.document import Document
from tileserver.render.temporal import rfc3339
from tileserver.store import alerts as stored
from tileserver.store import geoservices, observed, sites
from tileserver.store.alerts import Alert
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.observed import Archived, Key, Observed
from tileserver.store.sites import SiteVersion
from tileserver.watch.alerts.baseline import Verdict
from tileserver.watch.alerts.counting import counts, verdicts
from tileserver.watch.bulletins.ranks import ranks_of
from tileserver.watch.document.calendar import Month
from tileserver.watch.document.definition import AlertsSection, BulletinPolicy, SitesSection, TextSection
from tileserver.watch.document.markdown import placeholders
from tileserver.watch.document.rules import Rule, rule_of

FORMAT: Final = 3
CURVE_DAYS: Final = 365
"""Days before the period's end that curves show."""
Content = dict[str, Any]
Moment = tuple[datetime, Key]


@dataclass(frozen=True, slots=True)
class Series:
    """What was observed of an indicator.

    Attributes:
        followed: The indicator's row.
        document: Its document.
        seen: Observations that count by the catalogue as it is, oldest first, by version of the site.
    """

    followed: Followed
    document: Document
    seen: Mapping[int, Sequence[Observed]]


@dataclass(frozen=True, slots=True)
class Material:
    """All that bulletins of a geoservice are made of.

    Attributes:
        geoservice: It.
        policy: What its bulletins say.
        places: Its sites.
        series: Of each indicator.
        alerts: All of them.
        told: Ids of those that were confirmed once: what everybody may know.
        names: Of all sites and groups that had one.
    """

    geoservice: Geoservice
    policy: BulletinPolicy
    places: Sequence[SiteVersion]
    series: Sequence[Series]
    alerts: Sequence[Alert]
    told: frozenset[int]
    names: Mapping[int, Mapping[str, str]]

    @property
    def moments(self) -> list[Moment]:
        """When each observation was made."""
        every = (one for series in self.series for each in series.seen.values() for one in each)
        return [(one.datetime, one.key) for one in every]


def policy_of(geoservice: Geoservice) -> BulletinPolicy:
    """What a geoservice's bulletins say, and who approves them."""
    return BulletinPolicy.model_validate(geoservice.bulletin_policy)


def check_texts(policy: BulletinPolicy, number: int, indicators: Sequence[str]) -> None:
    """Refuse texts that name what a geoservice does not have.

    Args:
        policy: What its bulletins say.
        number: Of its sites.
        indicators: Ids of what it follows.

    Raises:
        ParameterError: Saying what it does not have.
    """
    for section in policy.sections:
        for text in section.text.values() if isinstance(section, TextSection) else ():
            for each in placeholders(text):
                if each.site is not None and each.site > number:
                    raise ParameterError(
                        f"bulletins: there is no site-{each.site}; there are site-1 to site-{number}"
                    )
                if each.site is not None and each.detail not in (None, *indicators):
                    raise ParameterError(
                        f"bulletins: {each.detail} is not followed; {', '.join(indicators)} are"
                    )


def material_of(connection: Connection, geoservice: Geoservice, archives: Set[Archived]) -> Material:
    """Gather what bulletins are made of.

    Args:
        connection: In a transaction that sees one state.
        geoservice: Whose bulletins.
        archives: Those that count: see `observe.standing`.
    """
    places = sites.leaves(connection, geoservice.site)
    series = []
    for each in geoservices.followed(connection, geoservice.id):
        document = each.read()
        kept = observed.of_sites(connection, [one.id for one in places], each.sha256)
        seen = {version: [one for one in own if one.archive in archives] for version, own in kept.items()}
        series.append(Series(each, document, seen))
    told = frozenset(each.id for each in stored.told_of(connection, geoservice.id))
    alerts = stored.alerts_of(connection, geoservice.id)
    names = stored.site_names(connection, geoservice.id)
    return Material(geoservice, policy_of(geoservice), places, series, alerts, told, names)


def moments_of(connection: Connection, geoservice: Geoservice, archives: Set[Archived]) -> list[Moment]:
    """When each observation that counts was made: all that `grounds_of` needs, and little else.

    Args:
        connection: In a transaction that sees one state.
        geoservice: Whose observations.
        archives: See `material_of`.
    """
    places = [each.id for each in sites.leaves(connection, geoservice.site)]
    found = []
    for each in geoservices.followed(connection, geoservice.id):
        found += [
            one for one in observed.moments(connection, places, each.sha256) if one[1].archive in archives
        ]
    return found


def grounds_of(moments: Iterable[Moment], months: Sequence[Month]) -> dict[str, str]:
    """Digests of the observations that each month's bulletin rests on, by label.

    Args:
        moments: Of all observations that count.
        months: Oldest first.
    """
    digest, made, following = hashlib.sha256(), dict[str, str](), iter(sorted(moments))
    one = next(following, None)
    for month in months:
        while one is not None and one[0] < month.end:
            digest.update(repr(tuple(one[1])).encode())
            one = next(following, None)
        made[month.label] = digest.hexdigest()
    return made


def content_of(material: Material, month: Month, revision: int, sent: Content | None = None) -> Content:
    """What a bulletin says.

    Args:
        material: What it is made of.
        month: Its period.
        revision: From 1.
        sent: The bulletin of the same period that was sent last: then this is an erratum.
    """
    geoservice = material.geoservice
    found = [_indicator(material, each, month) for each in material.series]
    alerts = [each for each in material.alerts if each.first_at < month.end]
    ranks = ranks_of(found, alerts, month)
    content = {
        "format": FORMAT,
        "number": f"{geoservice.slug}-{month.label}-r{revision}",
        "geoservice": {"slug": geoservice.slug, "title": dict(geoservice.title)},
        "period": {"start": rfc3339(month.start), "end": rfc3339(month.end), "zone": month.zone},
        "sites": [_site(each) for each in material.places],
        "indicators": [_with_few_curves(each, material.policy) for each in found],
        "ranks": ranks,
        "alerts": _alerts(material, month),
        "policy": dict(geoservice.alert_policy),
        "sections": [each.model_dump(mode="json") for each in material.policy.sections],
        "collections": list(geoservice.collections),
        "observations": grounds_of(material.moments, [month])[month.label],
    }
    if sent is not None:
        content["erratum"] = {"of": sent["number"], "changes": changes_of(sent, content)}
    return content


def canonical(content: Content) -> bytes:
    """A content as canonical JSON (RFC 8785): the same bytes each time."""
    return rfc8785.dumps(content)


def digest_of(content: Content) -> str:
    """SHA-256 of a content's canonical JSON."""
    return hashlib.sha256(canonical(content)).hexdigest()


def changes_of(before: Content, after: Content) -> list[dict[str, Any]]:
    """Figures of a period that two bulletins tell differently, as they are printed.

    What people decide meanwhile, and texts, change no bulletin that was sent.
    """
    one, other = (dict(_figures(each)) for each in (before, after))
    return [
        {
            "indicator": key[0],
            "site": key[1],
            "field": key[2],
            "before": one.get(key),
            "after": other.get(key),
        }
        for key in sorted(one.keys() | other.keys(), key=lambda key: (key[0], key[1] or 0, key[2]))
        if one.get(key) != other.get(key)
    ]  # fmt: skip


def unusual(row: Mapping[str, Any]) -> tuple[int, float]:
    """How unusual a site was: rows are told, and curves drawn, from the greatest."""
    return row["outside"], abs(row["difference"] or 0.0)


def _with_few_curves(one: Mapping[str, Any], policy: BulletinPolicy) -> dict[str, Any]:
    """An indicator without the curves that are not drawn: the series has them all."""
    most = max((each.curves for each in policy.sections if isinstance(each, SitesSection)), default=0)
    drawn = {each["site"] for each in sorted(one["sites"], key=unusual, reverse=True)[:most]}
    rows = [each if each["site"] in drawn else {**each, "curve": []} for each in one["sites"]]
    return {**one, "sites": rows}


def _figures(content: Content) -> list[tuple[tuple[str, int | None, str], float | None]]:
    found: list[tuple[tuple[str, int | None, str], float | None]] = []
    for one in content["indicators"]:
        found.append(((one["id"], None, "scenes"), one["scenes"]))
        for row in one["sites"]:
            for name in ("clear_dates", "outside", "value", "nominal"):
                figure = row[name]
                found.append(((one["id"], row["site"], name), figure if figure is None else round(figure, 3)))
    return found


def _site(place: SiteVersion) -> dict[str, Any]:
    hectares = _short(place.area_m2 / 1e4)
    return {"id": place.site, "version": place.number, "name": dict(place.name), "hectares": hectares}


def _indicator(material: Material, series: Series, month: Month) -> dict[str, Any]:
    rows = []
    for place in material.places:
        rule = rule_of(material.geoservice, series.followed, place.site)
        before = [each for each in series.seen[place.id] if each.datetime < month.end]
        rows.append(_row(place, before, rule, month))
    inside = [one for each in series.seen.values() for one in each if _in(one, month)]
    scenes = {(one.collection, one.item): one.ratio for one in inside}
    policy = rule_of(material.geoservice, series.followed, 0).policy
    clear = {(one.collection, one.item) for one in inside if counts(one, policy) is None}
    ratios = sorted(each for each in scenes.values() if each)
    return {
        **_document(series.document),
        "nominal": dict(series.followed.nominal),
        "scenes": len(scenes),
        "clear_scenes": len(clear),
        "ratios": [_short(each) for each in (ratios[0], statistics.median(ratios), ratios[-1])]
        if ratios else None,
        "sites": rows,
    }  # fmt: skip


def _document(document: Document) -> dict[str, Any]:
    return {
        "id": document.id, "version": document.version, "sha256": document.fingerprint,
        "title": dict(document.title), "unit": document.value.unit or "",
    }  # fmt: skip


def _row(place: SiteVersion, seen: Sequence[Observed], rule: Rule, month: Month) -> dict[str, Any]:
    """A site in a period: its mean of clear dates, how it differs from the seasons before, its curve."""
    told = verdicts(seen, rule)
    own = [each for each in told if month.start <= each.point.at]
    values = [each.point.value for each in own]
    errors = [each.point.u for each in own]
    known = [each for each in errors if each is not None]
    middles = [each.middle for each in own if each.middle is not None]
    value = statistics.fmean(values) if values else None
    nominal = statistics.fmean(middles) if middles else None
    return {
        "site": place.site,
        "dates": sum(_in(each, month) for each in seen),
        "clear_dates": len(own),
        "outside": sum(each.side is not None for each in own),
        "value": _short(value),
        # what coding adds is another matter on every date: JCGM 100:2008, 5.1.2
        "u": _short(math.hypot(*known) / len(own)) if known and len(known) == len(own) else None,
        "nominal": _short(nominal),
        "difference": None if value is None or nominal is None else _short(value - nominal),
        "curve": [_point(each) for each in told if (month.end - each.point.at).days < CURVE_DAYS],
    }  # fmt: skip


def _point(verdict: Verdict) -> dict[str, Any]:
    point = verdict.point
    return {
        "datetime": rfc3339(point.at), "value": _short(point.value), "u": _short(point.u),
        "low": _short(verdict.low), "high": _short(verdict.high), "side": verdict.side,
    }  # fmt: skip


def _alerts(material: Material, month: Month) -> dict[str, Any]:
    """What happened to alerts in a period, by the dates of scenes, not by when the server learned of them."""
    own = [each for each in material.alerts if each.first_at < month.end and each.last_at >= month.start]
    told = [each for each in own if each.id in material.told]
    dismissed = Counter(each.decision or "other" for each in own if each.state == "dismissed")
    sections = material.policy.sections
    with_comments = any(isinstance(each, AlertsSection) and each.comments for each in sections)
    withdrawn = sum(each.state == "withdrawn" for each in own)
    return {
        "opened": sum(month.start <= each.first_at for each in own),
        "confirmed": len(told),
        "undecided": sum(each.state in ("verifying", "candidate", "expired") for each in own),
        "dismissed": dict(sorted(dismissed.items())),
        "withdrawn": withdrawn,
        "share_withdrawn": _short(withdrawn / len(own)) if own else None,
        "list": [
            {
                "id": each.id, "site": each.site, "name": dict(material.names[each.site]),
                "kind": each.kind, "severity": each.severity,
                "first": rfc3339(each.first_at), "last": rfc3339(each.last_at), "state": each.state,
                "verified": each.verified, "comment": (each.comment or "") if with_comments else "",
            }
            for each in told
        ],
    }  # fmt: skip


def _in(one: Observed, month: Month) -> bool:
    return month.start <= one.datetime < month.end


def _short(value: float | None) -> float | None:
    return None if value is None else significant(value, 6)
