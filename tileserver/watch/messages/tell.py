"""Telling people of alerts: who is to decide is asked, who is to know is told, each once."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from sqlalchemy import Connection

from comeo.indicators.document import Document
from tileserver.store import accounts, geoservices, outbox
from tileserver.store import alerts as stored
from tileserver.store.alerts import Alert
from tileserver.store.geoservices import Geoservice
from tileserver.store.outbox import Recipient
from tileserver.store.tokens import digest_of
from tileserver.watch.alerts import lifecycle
from tileserver.watch.alerts.detect import GRAVE
from tileserver.watch.document.definition import AlertPolicy, hears_alerts
from tileserver.watch.document.rules import alert_policy_of
from tileserver.watch.messages import compose
from tileserver.watch.messages.body import Body, body_of, event_of, page_link, short_of, test_event
from tileserver.watch.messages.digest import held_until
from tileserver.watch.messages.shown import Shown, look_of, picture_of, shown_of, viewer_link
from tileserver.watch.words import day_words, word

LINK_DAYS: Final = 14
"""Days for which a link decides on an alert."""
RECENT: Final = timedelta(days=7)
"""For so long after an alert is over this is told."""


class Teller:
    """What tells of a geoservice's alerts, in a transaction that writes.

    Args:
        connection: Of the transaction.
        geoservice: Whose alerts.
        address: Where people reach the server, without a slash at the end.
        now: Time.
        believed: The time by which things end: see `watch.clock`; by default `now`.
    """

    def __init__(
        self, connection: Connection, geoservice: Geoservice, address: str, now: datetime,
        believed: datetime | None = None,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._geoservice = geoservice
        self._policy = alert_policy_of(geoservice)
        self._address = address
        self._now = now
        self._believed = believed or now
        self._seen: dict[int, Shown] = {}

    @cached_property
    def _names(self) -> Names:
        return Names(self._connection, self._geoservice)

    def tell(self) -> None:
        """Put into the outbox what is to be told and is not there yet; what nobody decides on expires."""
        self._invite()
        for each in stored.alerts_of(self._connection, self._geoservice.id):
            if each.state == "candidate":
                self._candidate(each)
            elif each.state == "confirmed":
                self._spread(each, "confirmed")
                self._move(each, "notified", "told to all who are to know")
            elif _is_just_over(self._connection, each, self._believed):
                self._spread(each, "closed")

    def _invite(self) -> None:
        """Ask those who are to be told whether they want it."""
        for to in outbox.recipients_of(self._connection, self._geoservice.id):
            key = f"recipient:{to.id}:confirm"
            if to.secret is not None:  # of a webhook that was added again, there is another one
                key += f":{digest_of(to.secret)[:8]}"
            elif to.confirmed_at is not None:  # once, before their address failed
                key += f":{to.confirmed_at.isoformat()}"
            if to.state != "pending" or outbox.has(self._connection, key):
                continue
            link = f"{self._address}/r/{to.token}"
            shown = to.address if to.channel == "email" else word(to.locale, "this-address")
            content = compose.invitation(self._geoservice.title, shown, to.locale, link)
            body = body_of(content, to.channel, to.locale)
            if to.channel == "webhook":  # a program confirms by taking it
                body["event"] = test_event(self._geoservice)
            elif to.channel == "apprise":
                body |= short_of(content, content.subject, link)
            outbox.post(
                self._connection, key, to.channel, to.address, content.subject, body, self._now, to.id
            )

    def _candidate(self, alert: Alert) -> None:
        days = self._policy.expires_days
        is_looked_up = alert.verified != "unknown"  # the originals are asked first
        if is_looked_up and _is_decided_by_rule(alert, self._policy):
            self._move(alert, "confirmed", "by the geoservice's rule")
        elif self._believed - alert.opened > timedelta(days=days):
            self._move(alert, "expired", f"nobody decided within {days} days")
        elif is_looked_up:
            self._ask(alert)

    def _move(self, alert: Alert, after: stored.State, note: str) -> None:
        lifecycle.move(self._connection, alert, after, note, self._now)

    def _ask(self, alert: Alert) -> None:
        """Ask each moderator for a decision, again when the link of before has ended."""
        until = self._now + timedelta(days=LINK_DAYS)
        for account in accounts.moderators(self._connection, self._geoservice.id):
            given = stored.tokens_of(self._connection, alert, account.id)
            if given and given[-1] > self._believed:
                continue
            key = f"alert:{alert.id}:moderate:a{account.id}" + (f":{len(given)}" if given else "")
            token = stored.give_token(self._connection, alert, account.id, self._now, until)
            links = {"picture": self._picture(alert), "decide": f"{self._address}/m/{token}"}
            content = compose.alert_content(alert, self._names.of(alert), account.locale, "moderate", links)
            body = body_of(content, "email", account.locale) | self._pictured(alert, account.locale)
            outbox.post(self._connection, key, "email", account.email, content.subject, body, self._now)

    def _spread(self, alert: Alert, kind: compose.Kind) -> None:
        """Tell all who are to know."""
        for to in outbox.recipients_of(self._connection, self._geoservice.id):
            if to.state != "confirmed" or alert.severity < to.min_severity or not hears_alerts(to.list):
                continue
            key = f"alert:{alert.id}:{kind}:r{to.id}"
            if outbox.has(self._connection, key):
                continue
            subject, body = self._message(alert, kind, to)
            held = held_until(self._connection, to, self._geoservice.timezone, self._now)
            outbox.post(
                self._connection,
                key,
                to.channel,
                to.address,
                subject,
                body,
                self._now,
                to.id,
                held_until=held,
            )

    def _message(self, alert: Alert, kind: compose.Kind, to: Recipient) -> tuple[str, Body]:
        """Subject and body of an alert's message to a recipient."""
        about = self._names.of(alert)
        links = {"picture": self._picture(alert), "unsubscribe": f"{self._address}/u/{to.token}"}
        content = compose.alert_content(alert, about, to.locale, kind, links)
        line = compose.alert_line(alert, about, to.locale, kind)
        body = body_of(content, to.channel, to.locale) | {"line": line, "severity": alert.severity}
        if to.channel == "email":
            body["unsubscribe"] = links["unsubscribe"]
            body |= self._pictured(alert, to.locale)
        elif to.channel == "webhook":
            scene = self._shown(alert).scene
            body["event"] = event_of(alert, about, self._geoservice, kind, scene, links["picture"])
        else:
            body |= short_of(content, line, page_link(self._address, to))
        return content.subject, body

    def _pictured(self, alert: Alert, locale: str) -> Body:
        """What the picture of a mail is made of: the site at the alert's last date."""
        shown = self._shown(alert)
        caption = word(locale, "after", day=day_words(shown.at, locale, self._geoservice.timezone))
        picture = picture_of(shown, look_of(self._names.document(alert)), caption)
        return {} if picture is None else {"picture": picture}

    def _picture(self, alert: Alert) -> str:
        """Address of the viewer at the last date of an alert."""
        return viewer_link(f"{self._address}/", self._shown(alert).scene)

    def _shown(self, alert: Alert) -> Shown:
        """The same for all who are told of an alert."""
        if alert.id not in self._seen:
            self._seen[alert.id] = shown_of(self._connection, self._geoservice, alert)
        return self._seen[alert.id]


class Names:
    """Names of what a geoservice's alerts are about."""

    def __init__(self, connection: Connection, geoservice: Geoservice) -> None:
        self._geoservice = geoservice
        self._sites = stored.site_names(connection, geoservice.id)
        self._followed = {each.id: each for each in geoservices.followed(connection, geoservice.id)}
        self._documents: dict[int, Document] = {}

    def of(self, alert: Alert) -> compose.About:
        """Those of an alert, also of a site that is archived or no longer followed."""
        document = self.document(alert)
        return compose.About(
            self._geoservice.title, self._sites[alert.site], document.title, document.value.unit or "",
            self._geoservice.timezone,
        )  # fmt: skip

    def document(self, alert: Alert) -> Document:
        """That of its indicator."""
        number = alert.gs_indicator
        if number not in self._documents:
            self._documents[number] = self._followed[number].read()
        return self._documents[number]


def _is_just_over(connection: Connection, alert: Alert, now: datetime) -> bool:
    """Whether those who were told of an alert are to be told that it is over."""
    if alert.state != "closed" or alert.closed is None or now - alert.closed >= RECENT:
        return False
    return any(row.after == "notified" for row in stored.events_of(connection, alert.id))


def _is_decided_by_rule(alert: Alert, policy: AlertPolicy) -> bool:
    if policy.moderation == "automatic":
        return alert.severity >= GRAVE and alert.verified == "holds"
    return policy.moderation == "none"
