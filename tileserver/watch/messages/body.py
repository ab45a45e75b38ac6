"""What a message in the outbox holds: for each channel what it shows, and what a digest says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from comeo.indicators.document import text_in
from tileserver.store.alerts import Alert
from tileserver.store.geoservices import Geoservice
from tileserver.store.outbox import Recipient
from tileserver.watch.channels.services import short_text
from tileserver.watch.messages.compose import About, Content, Kind
from tileserver.watch.messages.shown import Scene

Body = dict[str, Any]
EVENT: Final = "comeo.alert."
"""Begin of the types of alerts' events."""


def body_of(content: Content, channel: str, locale: str) -> Body:
    """A message of a channel.

    Args:
        content: What it says.
        channel: `email`, `webhook` or `apprise`.
        locale: Its language.
    """
    body: Body = {"text": content.text}
    if channel == "email":
        body["page"] = {
            "locale": locale, "sentences": [*content.sentences], "rows": [*content.rows],
            "links": [[does, address] for does, address in content.links],
        }  # fmt: skip
    return body


def short_of(content: Content, line: str, link: str) -> Body:
    """What is added to a message that also goes to phones.

    Args:
        content: What it says at length.
        line: The same in one sentence.
        link: To the rest.
    """
    return {"short": short_text(line or content.subject, link)}


def event_of(
    alert: Alert, about: About, geoservice: Geoservice, kind: Kind, scene: Scene, picture: str
) -> Body:
    """An alert as programs are told of it.

    Args:
        alert: It.
        about: Names.
        geoservice: Whose alert.
        kind: What has become of it.
        scene: That of its last date, of a group of the site that is farthest outside.
        picture: Address of the viewer there.
    """
    worst = alert.evidence["worst"]
    data = {
        "geoservice": geoservice.slug, "alert": alert.id, "kind": alert.kind, "severity": alert.severity,
        "site": {"id": alert.site, "name": text_in(about.site, geoservice.locales[0])},
        "indicator": text_in(about.indicator, geoservice.locales[0]), "unit": about.unit,
        "value": worst["value"], "u": worst["u"], "limit": worst[alert.kind],
        "since": alert.first_at.isoformat(), "last": alert.last_at.isoformat(),
        "collection": scene.collection, "item": scene.item, "verified": alert.verified,
        "picture": picture, **_group_of(alert, geoservice.locales[0]),
    }  # fmt: skip
    return {"type": f"{EVENT}{kind}", "source": f"/geoservices/{geoservice.slug}", "data": data}


def _group_of(alert: Alert, locale: str) -> Body:
    """Of an alert of a group: how many of its sites, and the one that is farthest outside."""
    group = alert.evidence.get("group")
    if group is None:
        return {}
    worst = group["witnesses"][0]
    told = {"id": worst["site"], "name": text_in(worst["name"], locale)}
    return {"group": {"count": group["count"], "of": group["of"], "worst": told}}


def bulletin_event(geoservice: Geoservice, label: str, content: Mapping[str, Any], link: str) -> Body:
    """A bulletin that is out as programs are told of it.

    Args:
        geoservice: Whose bulletin.
        label: Of its period.
        content: What it says.
        link: Address of its page.
    """
    data = {
        "geoservice": geoservice.slug, "number": content["number"], "period": label,
        "erratum": "erratum" in content, "page": link,
    }  # fmt: skip
    return {"type": "comeo.bulletin.sent", "source": f"/geoservices/{geoservice.slug}", "data": data}


def test_event(geoservice: Geoservice) -> Body:
    """What shows that a program takes events."""
    return {
        "type": "comeo.test", "source": f"/geoservices/{geoservice.slug}",
        "data": {"geoservice": geoservice.slug},
    }  # fmt: skip


def digest_event(geoservice: Geoservice, events: Sequence[Mapping[str, Any]]) -> Body:
    """Several alerts as one event."""
    told = [{"type": each["type"], **each["data"]} for each in events]
    return {
        "type": "comeo.digest", "source": f"/geoservices/{geoservice.slug}",
        "data": {"geoservice": geoservice.slug, "alerts": told},
    }  # fmt: skip


def page_link(address: str, to: Recipient) -> str:
    """Where a recipient finds all that they were told."""
    return f"{address}/t/{to.token}"
