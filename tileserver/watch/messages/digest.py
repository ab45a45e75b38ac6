"""Digests: alerts that are told together, each day or week, or because there are too many at once.

A message that waits for its digest is in the outbox, as any other, but held. A digest takes all that is
held for a recipient, in the transaction that puts it into the outbox: so each alert is told once.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from comeo.indicators.document import text_in
from tileserver.store import geoservices, outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message, Recipient
from tileserver.watch.messages.body import Body, body_of, digest_event, page_link, short_of
from tileserver.watch.messages.compose import Content, in_a_line
from tileserver.watch.words import word

HOUR: Final = time(7)
"""Of the day, in the geoservice's time zone, at which digests are told: no phone rings at midnight."""
STORM: Final = 10
"""So many messages a recipient gets one by one within `CALM`; a digest tells the rest."""
CALM: Final = timedelta(hours=1)
LONGEST_HOLD: Final = timedelta(days=8)
"""Nothing is held longer; what would be was held by a clock that was wrong."""
MOST_LINES: Final = 40
"""Alerts that a digest names, the gravest first; it says how many more there are, and where they stand."""
MOST_EVENTS: Final = 100
"""Alerts of one event."""


def held_until(connection: Connection, to: Recipient, zone: str, now: datetime) -> datetime | None:
    """When an alert is told to a recipient in a digest; None if it is told alone, now.

    Args:
        connection: In a transaction that writes.
        to: The recipient.
        zone: Time zone of the geoservice.
        now: Time.
    """
    if to.rhythm != "each":
        return next_digest(to.rhythm, zone, now)
    if outbox.is_holding(connection, to.id) or outbox.recent(connection, to.id, now - CALM, now) >= STORM:
        return now + CALM
    return None


def next_digest(rhythm: str, zone: str, now: datetime) -> datetime:
    """When the next digest is told: tomorrow or next Monday at `HOUR`, if not still today.

    Args:
        rhythm: `daily` or `weekly`.
        zone: Of days and hours.
        now: Time.
    """
    own = ZoneInfo(zone)
    local = now.astimezone(own)
    day = local.date()
    if rhythm == "weekly":
        day += timedelta(days=-day.weekday() % 7)
    found = datetime.combine(day, HOUR, own)
    if found <= local:
        found = datetime.combine(day + timedelta(days=7 if rhythm == "weekly" else 1), HOUR, own)
    return found


def tell_digests(database: Database, address: str, now: datetime) -> None:
    """Put the digests that are due into the outbox.

    Args:
        database: Of user data.
        address: Where people reach the server.
        now: Time.
    """
    with database.reading() as connection:
        due = outbox.whose_digest_is_due(connection, now, LONGEST_HOLD)
    for number in due:
        with database.writing() as connection:
            _tell(connection, outbox.get_recipient(connection, number), address, now)


def _tell(connection: Connection, to: Recipient, address: str, now: datetime) -> None:
    waiting = outbox.held(connection, to.id)
    numbers = [each.id for each in waiting]
    if to.state != "confirmed":
        outbox.take_held(connection, numbers, "dead", "the recipient is no longer told")
    elif len(waiting) == 1:
        outbox.take_held(connection, numbers, "queued", None)
    else:
        taken = outbox.take_held(connection, numbers, "folded", None)
        waiting = [each for each in waiting if each.id in taken]
        most = MOST_EVENTS if to.channel == "webhook" else len(numbers)
        for first in range(0, len(waiting), most):
            _post(connection, to, waiting[first : first + most], address, now)


def _post(connection: Connection, to: Recipient, waiting: list[Message], address: str, now: datetime) -> None:
    geoservice = geoservices.get_geoservice(connection, to.geoservice)
    content = _content(to, text_in(geoservice.title, to.locale), waiting, address)
    body: Body = {**body_of(content, to.channel, to.locale), "tells": [each.key for each in waiting]}
    if to.channel == "email":
        body["unsubscribe"] = f"{address}/u/{to.token}"
    elif to.channel == "webhook":
        body["event"] = digest_event(geoservice, [each.body["event"] for each in waiting])
    else:
        body |= short_of(content, content.subject, page_link(address, to))
    key = f"digest:r{to.id}:m{waiting[0].id}"
    outbox.post(connection, key, to.channel, to.address, content.subject, body, now, to.id)


def _content(to: Recipient, title: str, waiting: list[Message], address: str) -> Content:
    """What a digest says, the gravest first."""
    facts = {"count": len(waiting), "geoservice": in_a_line(title)}
    ordered = sorted(waiting, key=lambda each: (-each.body["severity"], each.id))
    lines = [each.body["line"] for each in ordered[:MOST_LINES]]
    more = len(waiting) - len(lines)
    return Content(
        word(to.locale, "subject-digest", **facts),
        [word(to.locale, "digest-more", count=more)] if more else [],
        [word(to.locale, "digest-lines", **facts), *(f"• {each}" for each in lines)],
        [
            (word(to.locale, "page-told"), page_link(address, to)),
            (word(to.locale, "unsubscribe"), f"{address}/u/{to.token}"),
        ],
    )
