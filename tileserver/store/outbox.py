"""The outbox: messages that are to be sent, once each, and those who get them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select, update

from tileserver.store.database import insert_new, parts
from tileserver.store.tables import message, recipient
from tileserver.store.tokens import new_token

State = Literal["queued", "sending", "sent", "failed", "dead", "held", "folded"]
"""`held` waits for a digest, `folded` was told in one."""
Channel = Literal["email", "webhook", "apprise"]
Subscription = Literal["alerts", "bulletins", "both"]
Rhythm = Literal["each", "daily", "weekly"]


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the table: see there."""

    id: int
    key: str
    channel: str
    address: str
    recipient: int | None
    subject: str
    body: Mapping[str, Any]
    state: State
    attempts: int
    created: datetime
    next_at: datetime
    error: str | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """A row of the table: see there."""

    id: int
    geoservice: int
    list: str
    channel: str
    address: str
    locale: str
    state: str
    min_severity: int
    rhythm: str
    token: str
    confirmed_at: datetime | None
    secret: str | None
    bounces: int


def add_recipient(
    connection: Connection, geoservice: int, address: str, locale: str, min_severity: int, state: str, *,
    channel: Channel = "email", to: Subscription = "both", rhythm: Rhythm = "each",
    secret: str | None = None,
) -> bool:  # fmt: skip
    """Add somebody who is told; one who is known stays as they are.

    Who is no longer reached is asked again, and so is a program that had left, since it has no link.

    Args:
        connection: In a transaction that writes.
        geoservice: Of which they are told.
        address: Of the channel.
        locale: Language.
        min_severity: Alerts below it are not told.
        state: Theirs.
        channel: How they are told.
        to: What they are told.
        rhythm: How often.
        secret: That webhooks are signed with.

    Returns:
        Whether they are new, or asked again.
    """
    wishes = {
        "list": to, "locale": locale, "state": state, "min_severity": min_severity, "rhythm": rhythm,
        "secret": secret,
    }  # fmt: skip
    who = {"geoservice": geoservice, "channel": channel, "address": address}
    if insert_new(connection, recipient, {**who, **wishes, "token": new_token()}):
        return True
    lost = ("bouncing", "unsubscribed") if channel == "webhook" else ("bouncing",)
    again = update(recipient).where(
        recipient.c.geoservice == geoservice, recipient.c.channel == channel, recipient.c.address == address,
        recipient.c.state.in_(lost),
    )  # fmt: skip
    return connection.execute(again.values(**wishes, bounces=0)).rowcount == 1


def recipients_of(connection: Connection, geoservice: int) -> list[Recipient]:
    """Those who are told of a geoservice."""
    query = select(recipient).where(recipient.c.geoservice == geoservice).order_by(recipient.c.id)
    return [Recipient(**row._mapping) for row in connection.execute(query)]


def post(
    connection: Connection, key: str, channel: str, address: str, subject: str, body: Mapping[str, Any],
    now: datetime, to: int | None = None, *, held_until: datetime | None = None,
) -> bool:  # fmt: skip
    """Put a message into the outbox; False if one of its key is there, sent or not.

    Args:
        connection: In a transaction that writes.
        key: Of the message alone.
        channel: By which it is sent.
        address: Of the channel.
        subject: Of the message.
        body: What the channel makes it of.
        now: Time.
        to: The recipient; None of an account.
        held_until: When a digest tells it; None if it is told alone, now.
    """
    values = {
        "key": key, "channel": channel, "address": address, "recipient": to, "subject": subject,
        "body": dict(body), "state": "held" if held_until else "queued", "attempts": 0, "created": now,
        "next_at": held_until or now,
    }  # fmt: skip
    return insert_new(connection, message, values) == 1


def find_recipient(connection: Connection, token: str) -> Recipient | None:
    """The recipient of a link's secret."""
    found = connection.execute(select(recipient).where(recipient.c.token == token)).first()
    return None if found is None else Recipient(**found._mapping)


def get_recipient(connection: Connection, number: int) -> Recipient:
    """The recipient of an id that another row refers to."""
    return Recipient(**connection.execute(select(recipient).where(recipient.c.id == number)).one()._mapping)


def set_recipient(connection: Connection, number: int, state: str, confirmed_at: datetime | None) -> None:
    """Set whether somebody is told; refusals of before no longer count."""
    values = {"state": state, "confirmed_at": confirmed_at, "bounces": 0}
    connection.execute(update(recipient).where(recipient.c.id == number).values(values))


def set_secret(connection: Connection, number: int, secret: str) -> None:
    """Set what a recipient's webhooks are signed with."""
    connection.execute(update(recipient).where(recipient.c.id == number).values(secret=secret))


def count_bounces(connection: Connection, number: int, bounces: int, state: str) -> None:
    """Write down how often in a row a recipient's messages were refused, and whether they are still told."""
    values = {"bounces": bounces, "state": state}
    connection.execute(update(recipient).where(recipient.c.id == number).values(values))


def has(connection: Connection, key: str) -> bool:
    """Whether a message of that key is in the outbox, sent or not."""
    return connection.execute(select(message.c.id).where(message.c.key == key)).first() is not None


def recent(connection: Connection, to: int, since: datetime, now: datetime) -> int:
    """How many messages were put into the outbox for a recipient, those that digests tell not counted."""
    query = select(func.count()).where(
        message.c.recipient == to, message.c.state.not_in(("held", "folded")), message.c.created > since,
        message.c.created <= now,
    )  # fmt: skip
    return int(connection.execute(query).scalar_one())


def held(connection: Connection, to: int) -> list[Message]:
    """Messages to a recipient that wait for a digest, oldest first."""
    query = select(message).where(message.c.recipient == to, message.c.state == "held")
    return [_row(each) for each in connection.execute(query.order_by(message.c.id))]


def is_holding(connection: Connection, to: int) -> bool:
    """Whether a message to a recipient waits for a digest."""
    query = select(message.c.id).where(message.c.recipient == to, message.c.state == "held")
    return connection.execute(query.limit(1)).first() is not None


def whose_digest_is_due(connection: Connection, now: datetime, longest: timedelta) -> list[int]:
    """Recipients for whom a message has waited long enough; or longer, by a clock that was wrong."""
    is_time = (message.c.next_at <= now) | (message.c.next_at > now + longest)
    query = select(message.c.recipient).where(message.c.state == "held", is_time).distinct()
    return sorted(connection.execute(query).scalars())


def take_held(connection: Connection, numbers: Sequence[int], state: State, error: str | None) -> set[int]:
    """Give messages that wait for a digest another state; which of them still waited."""
    taken = set[int]()
    for some in parts(numbers):
        query = update(message).where(message.c.id.in_(some), message.c.state == "held")
        taken |= set(
            connection.execute(query.values(state=state, error=error).returning(message.c.id)).scalars()
        )
    return taken


def told(connection: Connection, to: int, most: int) -> list[Message]:
    """Messages to a recipient about alerts that were sent alone or in a digest, newest first."""
    query = select(message).where(
        message.c.recipient == to, message.c.state.in_(("sent", "folded")), message.c.key.startswith("alert:")
    )
    return [_row(each) for each in connection.execute(query.order_by(message.c.id.desc()).limit(most))]


def due(connection: Connection, channel: str, now: datetime, longest: timedelta, most: int) -> list[Message]:
    """Messages that are to be sent, oldest first; also those that were being sent when their sender ended.

    Args:
        connection: In a transaction.
        channel: Whose messages.
        now: Time.
        longest: No message waits longer: one that would was put off by a clock that was wrong.
        most: Messages at once.
    """
    states = ("queued", "failed", "sending")
    is_time = (message.c.next_at <= now) | (message.c.next_at > now + longest)
    query = select(message).where(message.c.channel == channel, message.c.state.in_(states), is_time)
    return [_row(each) for each in connection.execute(query.order_by(message.c.id).limit(most))]


def claim(connection: Connection, one: Message, until: datetime) -> bool:
    """Take a message to send it; False if somebody else has. Until then nobody else takes it."""
    query = (
        update(message)
        .where(message.c.id == one.id, message.c.state == one.state, message.c.next_at == one.next_at)
        .values(state="sending", attempts=message.c.attempts + 1, next_at=until)
    )
    return connection.execute(query).rowcount == 1


def settle(connection: Connection, number: int, state: State, next_at: datetime, error: str | None) -> None:
    """Write down what became of a message."""
    query = update(message).where(message.c.id == number)
    connection.execute(query.values(state=state, next_at=next_at, error=error))


def messages(connection: Connection) -> list[Message]:
    """All messages, oldest first."""
    return [_row(each) for each in connection.execute(select(message).order_by(message.c.id))]


def _row(row: Row[Any]) -> Message:
    return Message(**row._mapping)
