"""The outbox: messages that are to be sent, once each, and those who get them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update

from tileserver.store.database import insert_new
from tileserver.store.tables import message, recipient
from tileserver.store.tokens import new_token

State = Literal["queued", "sending", "sent", "failed", "dead"]


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
    connection: Connection, geoservice: int, address: str, locale: str, min_severity: int, state: str
) -> None:
    """Add somebody who is told by e-mail; one who is known stays."""
    values = {
        "geoservice": geoservice, "list": "both", "channel": "email", "address": address, "locale": locale,
        "state": state, "min_severity": min_severity, "rhythm": "each",
        "token": new_token(),
    }  # fmt: skip
    insert_new(connection, recipient, values)


def recipients_of(connection: Connection, geoservice: int) -> list[Recipient]:
    """Those who are told of a geoservice."""
    query = select(recipient).where(recipient.c.geoservice == geoservice).order_by(recipient.c.id)
    return [Recipient(**row._mapping) for row in connection.execute(query)]


def post(
    connection: Connection, key: str, channel: str, address: str, subject: str, body: Mapping[str, Any],
    now: datetime, to: int | None = None,
) -> bool:  # fmt: skip
    """Put a message into the outbox; False if one of its key is there, sent or not."""
    values = {
        "key": key, "channel": channel, "address": address, "recipient": to, "subject": subject,
        "body": dict(body), "state": "queued", "attempts": 0, "created": now, "next_at": now,
    }  # fmt: skip
    return insert_new(connection, message, values) == 1


def find_recipient(connection: Connection, token: str) -> Recipient | None:
    """The recipient of a link's secret."""
    found = connection.execute(select(recipient).where(recipient.c.token == token)).first()
    return None if found is None else Recipient(**found._mapping)


def set_recipient(connection: Connection, number: int, state: str, confirmed_at: datetime | None) -> None:
    """Set whether somebody is told."""
    values = {"state": state, "confirmed_at": confirmed_at}
    connection.execute(update(recipient).where(recipient.c.id == number).values(values))


def has(connection: Connection, key: str) -> bool:
    """Whether a message of that key is in the outbox, sent or not."""
    return connection.execute(select(message.c.id).where(message.c.key == key)).first() is not None


def due(connection: Connection, now: datetime, longest: timedelta, most: int) -> list[Message]:
    """Messages that are to be sent, oldest first; also those that were being sent when their sender ended.

    Args:
        connection: In a transaction.
        now: Time.
        longest: No message waits longer: one that would was put off by a clock that was wrong.
        most: Messages at once.
    """
    states = ("queued", "failed", "sending")
    is_time = (message.c.next_at <= now) | (message.c.next_at > now + longest)
    query = select(message).where(message.c.state.in_(states), is_time).order_by(message.c.id).limit(most)
    return [_row(each) for each in connection.execute(query)]


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
