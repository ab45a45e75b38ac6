"""Events for programs: CloudEvents 1.0 as JSON, signed as Standard Webhooks has it.

An event's id is its message's key: whoever gets one twice, after a crash or a lost answer, drops it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook

from comeo.errors import ParameterError
from tileserver.outgoing.addresses import read_target
from tileserver.outgoing.guard import Answer, ForbiddenTargetError, Guard
from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message
from tileserver.watch.channels.transport import GoneError, PostponedError, RefusedError

_SECRET_BYTES: Final = 32
_TAKEN: Final = range(200, 300)
_LATER: Final = frozenset({429, 503})
LONGEST_WISH: Final = timedelta(hours=12)
"""A receiver that wants to be left alone for longer is asked again nevertheless."""


def new_secret() -> str:
    """What a recipient's events are signed with."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def masked(url: str) -> str:
    """An address as it is shown: the path may be a secret of its receiver."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What sends events.

    Attributes:
        database: Where recipients' secrets are.
        guard: What addresses may be reached.
        source: Address of the server.
    """

    database: Database
    guard: Guard
    source: str
    channels: ClassVar[tuple[str, ...]] = ("webhook",)

    def send(self, one: Message, name: str, now: datetime) -> None:  # noqa: ARG002 - receivers know keys
        """See `Transport`."""
        headers, body = signed(self._event(one), self._secret(one), one.key, now)
        try:
            answer = self.guard.post(read_target(one.address), headers, body)
        except ParameterError as error:
            raise RefusedError(str(error)) from error
        except ForbiddenTargetError as error:  # the name may lead elsewhere tomorrow
            raise PostponedError(str(error)) from error
        except OSError as error:  # of this receiver alone
            raise PostponedError(str(error)) from error
        _judge(answer, now)

    def _secret(self, one: Message) -> str:
        if one.recipient is None:
            raise RefusedError("events are sent to recipients only")
        with self.database.reading() as connection:
            secret = outbox.get_recipient(connection, one.recipient).secret
        if secret is None:
            raise RefusedError("the recipient has no secret to sign with; take it out, and add it again")
        return secret

    def _event(self, one: Message) -> CloudEvent:
        told: Mapping[str, Any] = one.body.get("event") or {"type": "comeo.message"}
        attributes = {
            "id": one.key, "source": f"{self.source}{told.get('source', '/')}", "type": told["type"],
            "time": one.created, "datacontenttype": "application/json",
        }  # fmt: skip
        data = {"text": one.body["text"], **told.get("data", {})}
        return CloudEvent({**attributes, "subject": one.subject}, data)


def signed(event: CloudEvent, secret: str, key: str, now: datetime) -> tuple[dict[str, str], bytes]:
    """Headers and body of an event.

    Args:
        event: It.
        secret: `whsec_…`.
        key: Id of the message.
        now: Time, which receivers compare with their own.
    """
    made = to_structured_event(event)
    signature = Webhook(secret).sign(key, now, made.body.decode())
    headers = {
        **made.headers, "User-Agent": "comeo", "webhook-id": key,
        "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature,
    }  # fmt: skip
    return headers, made.body


def _judge(answer: Answer, now: datetime) -> None:
    status = answer.status
    if status in _TAKEN:
        return
    if status == 410:
        raise GoneError("410: the receiver wants no more")
    if status in range(300, 400):
        raise PostponedError(f"{status}: the receiver is elsewhere; give the address that it leads to")
    wait = _wish(answer.headers.get("retry-after", ""), now) if status in _LATER else None
    raise PostponedError(f"{status}: the receiver has not taken it", wait)


def _wish(text: str, now: datetime) -> timedelta | None:
    """For how long a receiver wants to be left alone: seconds, or a date (RFC 9110, 10.2.3)."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), LONGEST_WISH.total_seconds()))
    try:
        until = parsedate_to_datetime(text)
        wait = until - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta()), LONGEST_WISH)
