"""What a bulletin says: a pure function of what was observed, alerted and decided in a period.

Pages and PDF are made of it, and its digest is what a visa is given to. The same database gives the same
bytes.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections import Counter
from collections.abc import Sequence, Set
from typing import Any, Final

import rfc8785
from sqlalchemy import Connection

from comeo.figures import significant
from comeo.indicators.document import Document, read_document
from tileserver.render.temporal import rfc3339
from tileserver.store import alerts as stored
from tileserver.store import geoservices, observed, sites
from tileserver.store.alerts import Alert
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.observed import Archived, Observed
from tileserver.store.sites import SiteVersion
from tileserver.watch.alerts import Rule, verdicts
from tileserver.watch.baseline import Verdict
from tileserver.watch.calendar import Month
from tileserver.watch.rules import rule_of

FORMAT: Final = 1
CURVE_DAYS: Final = 365
"""Days before the period's end that curves show."""
Content = dict[str, Any]


def content_of(
    connection: Connection, geoservice: Geoservice, month: Month, revision: int, archives: Set[Archived]
) -> Content:
    """What a bulletin says.

    Args:
        connection: In a transaction that sees one state.
        geoservice: Whose bulletin.
        month: Its period.
        revision: From 1; later ones are errata.
        archives: Those that count: see `observe.standing`.
    """
    places = sites.leaves(connection, geoservice.site)
    followed = geoservices.followed(connection, geoservice.id)
    found = [_indicator(connection, geoservice, each, places, month, archives) for each in followed]
    return {
        "format": FORMAT,
        "number": f"{geoservice.slug}-{month.label}-r{revision}",
        "geoservice": {"slug": geoservice.slug, "title": dict(geoservice.title)},
        "period": {"start": rfc3339(month.start), "end": rfc3339(month.end), "zone": month.zone},
        "sites": [_site(each) for each in places],
        "indicators": found,
        "alerts": _alerts(stored.alerts_of(connection, geoservice.id), month),
        "policy": dict(geoservice.alert_policy),
        "collections": list(geoservice.collections),
    }


def canonical(content: Content) -> bytes:
    """A content as canonical JSON (RFC 8785): the same bytes each time."""
    return rfc8785.dumps(content)


def digest_of(content: Content) -> str:
    """SHA-256 of a content's canonical JSON."""
    return hashlib.sha256(canonical(content)).hexdigest()


def _site(place: SiteVersion) -> dict[str, Any]:
    hectares = _short(place.area_m2 / 1e4)
    return {"id": place.site, "version": place.number, "name": dict(place.name), "hectares": hectares}


def _indicator(
    connection: Connection, geoservice: Geoservice, indicator: Followed, places: Sequence[SiteVersion],
    month: Month, archives: Set[Archived],
) -> dict[str, Any]:  # fmt: skip
    document = read_document(indicator.document.encode(), "json")
    kept = observed.of_sites(connection, [each.id for each in places], indicator.sha256)
    series = {version: [one for one in each if one.archive in archives] for version, each in kept.items()}
    rows = [
        _row(place, [each for each in series[place.id] if each.datetime < month.end],
             rule_of(geoservice, indicator, place.site), month)
        for place in places
    ]  # fmt: skip
    seen = (one for each in places for one in series[each.id] if _in(one, month))
    inside = {(one.collection, one.item): one.ratio for one in seen}
    ratios = sorted(each for each in inside.values() if each)
    return {
        **_document(document),
        "nominal": dict(indicator.nominal),
        "scenes": len(inside),
        "ratio": _short(statistics.median(ratios)) if ratios else None,
        "sites": rows,
    }


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


def _alerts(alerts: Sequence[Alert], month: Month) -> dict[str, Any]:
    """What happened to alerts in a period, by the dates of scenes, not by when the server learned of them."""
    own = [each for each in alerts if each.first_at < month.end and each.last_at >= month.start]
    dismissed = Counter(each.decision or "other" for each in own if each.state == "dismissed")
    return {
        "opened": sum(month.start <= each.first_at for each in own),
        "confirmed": sum(each.decision == "confirm" for each in own),
        "undecided": sum(each.state in ("verifying", "candidate", "expired") for each in own),
        "dismissed": dict(sorted(dismissed.items())),
        "withdrawn": sum(each.state == "withdrawn" for each in own),
        "list": [
            {
                "id": each.id, "site": each.site, "kind": each.kind, "severity": each.severity,
                "first": rfc3339(each.first_at), "last": rfc3339(each.last_at), "state": each.state,
                "verified": each.verified, "comment": each.comment or "",
            }
            for each in own
            if each.state not in ("withdrawn", "verifying")
        ],
    }  # fmt: skip


def _in(one: Observed, month: Month) -> bool:
    return month.start <= one.datetime < month.end


def _short(value: float | None) -> float | None:
    return None if value is None else significant(value, 6)
