"""Sending what is in the outbox, once each, whatever happens meanwhile; and the channel of e-mail.

A server that has taken a message cannot be asked to forget it. So that no crash between its answer and
the database makes a message go out twice, the answer is written into a receipt beside the database first, and
what was being sent when its sender ended is looked up there before it is sent again. A full disk shows before
a message leaves: the receipt's file is made then, and only renamed once the message was taken.

Exactly once is impossible: between the mail server's "250" and that rename, a power cut, or a connection that
breaks while the "250" is on its way, leaves it open whether the message was taken (two generals). It is then
sent again, with the same Message-ID, by which mail programs tell that it is the same: an alert that comes
twice does less harm than one that never comes.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message
from tileserver.watch.channels.transport import (
    BouncedError,
    GoneError,
    PostponedError,
    RefusedError,
    Transport,
)
from tileserver.watch.messages import recipients
from tileserver.watch.messages.receipts import Receipts

SENDING: Final = timedelta(minutes=2)
"""For so long nobody else takes a message that is being sent."""
GIVEN_UP: Final = timedelta(days=7)
LEAST_TRIES: Final = 10
"""So often a message is tried before it is given up, whatever the clock says: it may have been wrong, or the
server without power for a week."""
_FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=12)
_AT_ONCE: Final = 50
ROUND_SECONDS: Final = 60.0
"""For so long a round sends; receivers that are slow keep nobody from observing."""
_Outcome = Literal["sent", "failed", "dead", "unreachable"]
log = logging.getLogger("comeo")


def name_of(one: Message) -> str:
    """A name that is the same whenever a message is sent, and no other's, even of a database made anew."""
    return hashlib.sha256(f"{one.key}\n{one.address}\n{one.created.isoformat()}".encode()).hexdigest()[:32]


def deliver(
    database: Database, transport: Transport, receipts: Receipts, clock: Callable[[], datetime],
    believed: datetime | None = None,
) -> int:  # fmt: skip
    """Send what is due; how many messages were taken. If a channel can send nothing now, the rest waits.

    Args:
        database: With the outbox.
        transport: How messages leave.
        receipts: Of what was taken.
        clock: Time.
        believed: The time by which messages are given up: see `watch.clock`; by default what the clock says.

    Raises:
        ComeoError: If the database or the receipts cannot be written; nothing is lost, nor sent twice.
    """
    ends = time.monotonic() + ROUND_SECONDS
    sent = 0
    for channel in transport.channels:
        with database.reading() as connection:
            waiting = outbox.due(connection, channel, clock(), LONGEST_WAIT, _AT_ONCE)
        silent = set[str]()
        for one in waiting:
            if one.address in silent:  # what it did not take before it does not take now
                continue
            if time.monotonic() > ends:
                break
            outcome = _deliver(database, transport, receipts, one, clock, believed)
            sent += outcome == "sent"
            if outcome == "unreachable":
                break
            if outcome == "failed" and channel != "email":  # a mail server has taken it up with others
                silent.add(one.address)
    return sent


def _deliver(
    database: Database, transport: Transport, receipts: Receipts, one: Message,
    clock: Callable[[], datetime], believed: datetime | None,
) -> _Outcome | None:  # fmt: skip
    """Send a message; None if somebody else does."""
    name = name_of(one)
    if not (taken := receipts.has(name)):
        receipts.prepare(name)
    with database.writing() as connection:
        if not outbox.claim(connection, one, clock() + SENDING):
            return None
        unwanted = not taken and recipients.is_unwanted(connection, one)
    if unwanted:
        end = _End("dead", "it is no longer wanted")
    else:
        end = _End("sent") if taken else _send(transport, one, name, clock())
    if end.outcome == "sent" and not taken:
        try:
            receipts.write(name)
        except OSError as failure:  # then the database has to remember it alone
            log.warning("the receipt of a message cannot be written: %s", failure)
    _settle(database, one, end, clock(), believed)
    receipts.forget(name)
    return end.outcome


def _settle(database: Database, one: Message, end: _End, now: datetime, believed: datetime | None) -> None:
    """Write down what became of a message, and what follows from it for its recipient."""
    state: outbox.State = "failed" if end.outcome == "unreachable" else end.outcome
    is_given_up = (
        state == "failed" and (believed or now) - one.created > GIVEN_UP and one.attempts + 1 >= LEAST_TRIES
    )
    if is_given_up:
        state = "dead"
    wait = min(max(_FIRST_WAIT * 2 ** min(one.attempts, 20), end.wait or _FIRST_WAIT), LONGEST_WAIT)
    with database.writing() as connection:
        outbox.settle(connection, one.id, state, now + wait, end.error and end.error[:500])
        if end.outcome == "sent":
            recipients.was_reached(connection, one, now)
        elif end.is_gone:
            recipients.has_left(connection, one)
        elif end.is_bounced or (is_given_up and end.outcome == "failed"):
            recipients.was_refused(connection, one, end.error or "", now)


@dataclass(frozen=True, slots=True)
class _End:
    """What became of sending.

    Attributes:
        outcome: It.
        error: In a sentence.
        wait: For how long the receiver wants to be left alone.
        is_bounced: Whether there is nobody at the address.
        is_gone: Whether there is somebody who wants no more.
    """

    outcome: _Outcome
    error: str | None = None
    wait: timedelta | None = None
    is_bounced: bool = False
    is_gone: bool = False


def _send(transport: Transport, one: Message, name: str, now: datetime) -> _End:
    try:
        transport.send(one, name, now)
    except RefusedError as failure:
        is_bounced, is_gone = isinstance(failure, BouncedError), isinstance(failure, GoneError)
        return _End("dead", str(failure), None, is_bounced, is_gone)
    except PostponedError as failure:
        return _End("failed", str(failure), failure.wait)
    except OSError as failure:
        return _End("unreachable", str(failure) or type(failure).__name__)
    return _End("sent")
