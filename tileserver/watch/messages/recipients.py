"""What follows for a recipient from what became of a message: confirmed, gone, refused too often."""

from __future__ import annotations

from datetime import datetime
from textwrap import shorten
from typing import Final

from sqlalchemy import Connection

from comeo.indicators.document import text_in
from tileserver.store import accounts, bulletins, geoservices, outbox
from tileserver.store.outbox import Message, Recipient
from tileserver.watch.channels import services, webhook
from tileserver.watch.messages.body import body_of
from tileserver.watch.messages.compose import Content, in_a_line
from tileserver.watch.words import word

BOUNCES: Final = 2
"""After so many refusals in a row nothing more is sent."""
_TOLD: Final = frozenset({"pending", "confirmed"})
_MOST_SHOWN: Final = 200


def shown(to: Recipient) -> str:
    """The address of a recipient without the secrets that it may have."""
    if to.channel == "email":
        return to.address
    return webhook.masked(to.address) if to.channel == "webhook" else services.masked(to.address)


def is_unwanted(connection: Connection, one: Message) -> bool:
    """Whether a message is to somebody who has left, or asks for what is done, since it was written."""
    kind, number, asks = f"{one.key}::".split(":")[:3]
    if (kind, asks) == ("bulletin", "visa"):
        bulletin = bulletins.find_bulletin(connection, int(number))
        return bulletin is None or bulletin.state not in ("draft", "submitted")
    return one.recipient is not None and outbox.get_recipient(connection, one.recipient).state not in _TOLD


def was_reached(connection: Connection, one: Message, now: datetime) -> None:
    """A message was taken: a program confirms by that, and refusals of before no longer count."""
    if one.recipient is None:
        return
    to = outbox.get_recipient(connection, one.recipient)
    if to.state == "pending" and to.channel == "webhook":
        outbox.set_recipient(connection, to.id, "confirmed", now)
    elif to.bounces:
        outbox.count_bounces(connection, to.id, 0, to.state)


def has_left(connection: Connection, one: Message) -> None:
    """A receiver says that it wants no more."""
    if one.recipient is not None:
        outbox.set_recipient(connection, one.recipient, "unsubscribed", None)


def was_refused(connection: Connection, one: Message, reason: str, now: datetime) -> None:
    """A message was refused for good; after two in a row the owner is told, once, and nobody else."""
    if one.recipient is None:
        return
    to = outbox.get_recipient(connection, one.recipient)
    if to.state not in _TOLD:
        return
    bounces = to.bounces + 1
    outbox.count_bounces(connection, to.id, bounces, "bouncing" if bounces >= BOUNCES else to.state)
    if bounces >= BOUNCES:
        _tell_owner(connection, to, one, reason, now)


def _tell_owner(connection: Connection, to: Recipient, one: Message, reason: str, now: datetime) -> None:
    geoservice = geoservices.get_geoservice(connection, to.geoservice)
    owner = accounts.find_person(connection, geoservice.owner)
    if owner is None or owner.disabled is not None:
        return
    facts = {
        "address": shorten(shown(to), _MOST_SHOWN, placeholder="…"),
        "error": shorten(reason, _MOST_SHOWN, placeholder="…"),
        "geoservice": in_a_line(text_in(geoservice.title, owner.locale)),
    }  # fmt: skip
    content = Content(
        word(owner.locale, "subject-bouncing", **facts), [word(owner.locale, "bouncing-sentence", **facts)]
    )
    body = body_of(content, "email", owner.locale)
    key = f"recipient:{to.id}:bouncing:m{one.id}"
    outbox.post(connection, key, "email", owner.email, content.subject, body, now)
