"""What there is to tell of a geoservice: itself, its sites, clear observations, alerts, bulletins.

No person is in it: neither owners, moderators nor recipients, and no comment that they wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from tileserver.render.scenes import Scenes
from tileserver.render.temporal import rfc3339
from tileserver.store import alerts as stored_alerts
from tileserver.store import bulletins, geoservices, observed, sites
from tileserver.store.alerts import Alert
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.observed import Archived, Observed
from tileserver.store.reports import Report
from tileserver.store.sites import SiteVersion
from tileserver.watch.alerts.counting import counts
from tileserver.watch.document.rules import alert_policy_of
from tileserver.watch.observing.observe import standing

SPAN: Final = timedelta(days=400)
"""So long observations are told; the origin keeps no older ones."""


def reports_of(
    connection: Connection, scenes: Scenes, geoservice: Geoservice, now: datetime
) -> Iterator[Report]:
    """Everything that an origin should know of a geoservice.

    Args:
        connection: In a transaction that sees one state.
        scenes: Catalogue.
        geoservice: It.
        now: Time.
    """
    slug = geoservice.slug
    followed = geoservices.followed(connection, geoservice.id)
    names = {each.id: each.read().id for each in followed}
    yield Report("geoservice", slug, _described(geoservice, followed))
    places = sites.leaves(connection, geoservice.site)
    for place in places:
        body = {"name": dict(place.name), "geometry": dict(place.geometry), "area_m2": place.area_m2}
        yield Report("site", f"{slug}/{place.site}", body)
    archives = standing(scenes, geoservice, places)
    for each in followed:
        for place, one in _clear(connection, archives, geoservice, each, places, now - SPAN):
            key = f"{slug}/{names[each.id]}/{place.site}/{one.collection}/{one.item}"
            body = {"datetime": rfc3339(one.datetime), "value": one.value, "u": one.u, "clear": one.clear}
            yield Report("observation", key, body)
    for alert in stored_alerts.alerts_of(connection, geoservice.id):
        yield Report("alert", f"{slug}/{alert.id}", _alert(alert, names[alert.gs_indicator]))
    for bulletin in bulletins.bulletins_of(connection, geoservice.id):
        if bulletin.state == "sent":
            for file in bulletins.files_of(connection, bulletin.id):
                page = bulletins.file_of(connection, bulletin.id, file.locale, "html")
                if file.kind == "html" and page is not None:
                    key = f"{slug}/{bulletin.label}-r{bulletin.revision}/{file.locale}"
                    yield Report("bulletin", key, {"html": page.decode()})


def _described(geoservice: Geoservice, followed: Sequence[Followed]) -> dict[str, Any]:
    documents = [each.read() for each in followed]
    return {
        "title": dict(geoservice.title), "state": geoservice.state, "timezone": geoservice.timezone,
        "collections": list(geoservice.collections),
        "indicators": [
            {"id": each.id, "title": dict(each.title), "unit": each.value.unit} for each in documents
        ],
    }  # fmt: skip


def _clear(
    connection: Connection, archives: Set[Archived], geoservice: Geoservice, indicator: Followed,
    places: Sequence[SiteVersion], since: datetime,
) -> Iterator[tuple[SiteVersion, Observed]]:  # fmt: skip
    """Observations since a time that count."""
    policy = alert_policy_of(geoservice)
    known = observed.of_sites(connection, [each.id for each in places], indicator.sha256)
    for place in places:
        for one in known[place.id]:
            if one.datetime >= since and one.archive in archives and counts(one, policy) is None:
                yield place, one


def _alert(alert: Alert, indicator: str) -> dict[str, Any]:
    return {
        "site": alert.site, "indicator": indicator, "kind": alert.kind, "state": alert.state,
        "severity": alert.severity, "score": alert.score, "verified": alert.verified,
        "first": rfc3339(alert.first_at), "last": rfc3339(alert.last_at), "opened": rfc3339(alert.opened),
        "closed": alert.closed and rfc3339(alert.closed),
    }  # fmt: skip
