"""Services that carry messages to phones and chats, by apprise: those that talk to one host of their own.

Many of apprise's hundred services send to whatever host an address names, or read files that it names. So a
service has to be in this table, whose hosts are written in its code, and an address may have no options but
the sender's number: those open templates, switch off the check of certificates, or wait for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from comeo.errors import ParameterError
from tileserver.store.outbox import Message
from tileserver.watch.channels.transport import PostponedError, RefusedError

SMS: Final[Mapping[str, str]] = {
    "atalk": "Africa's Talking", "bulksms": "BulkSMS", "clickatell": "Clickatell", "clicksend": "ClickSend",
    "d7sms": "D7 Networks", "msgbird": "MessageBird", "plivo": "Plivo", "seven": "seven", "twilio": "Twilio",
    "vonage": "Vonage",
}  # fmt: skip
CHATS: Final[Mapping[str, str]] = {"tgram": "Telegram", "whatsapp": "WhatsApp", "pover": "Pushover"}
SERVICES: Final[Mapping[str, str]] = {**SMS, **CHATS}
MOST_SHORT: Final = 160
"""Characters of a message to a phone."""
_OPTIONS: Final = frozenset({"from"})


def check_service(url: str) -> None:
    """Refuse an address that no message would reach, or that leads elsewhere than to its service.

    Raises:
        ParameterError: Saying what is wrong, or that apprise is not installed.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in SERVICES:
        raise ParameterError(
            f"{scheme[:20]} is no service that can be used; use one of {', '.join(SERVICES)}"
        )
    unknown = {name for name, _ in parse_qsl(rest.partition("?")[2], keep_blank_values=True)} - _OPTIONS
    if unknown or "#" in rest:
        raise ParameterError(f"{SERVICES[scheme]} takes no options here but from=; leave the others out")
    try:
        plugin = _plugin(url)
    except ImportError as error:
        raise ParameterError(
            "messages to phones and chats need apprise on the server; install comeo[notify]"
        ) from error
    if plugin is None:
        raise ParameterError(f"the address is not one of {SERVICES[scheme]}; see apprise's page on it")
    if len(plugin) != 1:
        raise ParameterError(f"name one number or chat of {SERVICES[scheme]}, and add others by themselves")


def masked(url: str) -> str:
    """An address as it is shown: what it is, without the keys that are in it."""
    scheme = url.partition("://")[0]
    try:
        plugin = _plugin(url)
    except ImportError:
        plugin = None
    if plugin is None:
        return f"{scheme}://…"
    return str(plugin.url(privacy=True)).partition("?")[0]


@dataclass(frozen=True, slots=True)
class Services:
    """What sends by apprise."""

    channels: ClassVar[tuple[str, ...]] = ("apprise",)

    def send(self, one: Message, name: str, now: datetime) -> None:  # noqa: ARG002 - no service knows a name
        """See `Transport`."""
        try:
            check_service(one.address)
            plugin = _plugin(one.address)
        except ParameterError as error:
            if isinstance(error.__cause__, ImportError):  # it was installed once, and may be again
                raise PostponedError(str(error)) from error
            raise RefusedError(str(error)) from error
        scheme = one.address.partition("://")[0]
        is_short = scheme in SMS
        text = one.body["short"] if is_short else one.body["text"]
        title = "" if is_short else one.subject
        if not plugin.notify(body=text, title=title, body_format="text"):
            raise PostponedError(f"{SERVICES[scheme]} has not taken it")


def short_text(sentence: str, link: str) -> str:
    """A sentence and a link in as many characters as a message to a phone has; the link is never cut."""
    room = MOST_SHORT - len(link) - 1
    if room < 20:  # the server's own address is that long
        return _cut(sentence, MOST_SHORT)
    return f"{_cut(sentence, room)} {link}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _plugin(url: str) -> Any:
    """What apprise sends with; None if it does not understand the address."""
    import apprise  # noqa: PLC0415 - an extra, and slow to load

    logging.getLogger("apprise").disabled = True  # it writes keys into logs
    return apprise.Apprise.instantiate(url, suppress_exceptions=True)
