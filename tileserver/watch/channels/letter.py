"""A message as mail: text, the same as a page, and one small picture inside; it says all without pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final

from PIL import Image

from tileserver.pages import environment
from tileserver.store.outbox import Message
from tileserver.watch.channels.transport import RefusedError
from tileserver.watch.words import direction_of, language_of

MOST_BYTES: Final = 50_000
"""Of a mail with its picture, as it is sent."""
Draw = Callable[[Mapping[str, Any]], bytes | None]
"""Makes the JPEG of what a message's `picture` says; None where it cannot be made."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a message carries.

    Attributes:
        name: Of the file.
        content_type: Of its bytes.
        body: Its bytes.
    """

    name: str
    content_type: str
    body: bytes


Load = Callable[[Mapping[str, Any]], Attachment | None]
"""From what a message says of an attachment to the file."""


@dataclass(frozen=True, slots=True)
class Enclosures:
    """What mail carries besides its text.

    Attributes:
        draw: What makes pictures; None makes none.
        load: What gives the files that messages name as `attachments`; None gives none.
    """

    draw: Draw | None = None
    load: Load | None = None


NOTHING: Final = Enclosures()


def letter(one: Message, sender: str, name: str, now: datetime, enclosures: Enclosures) -> EmailMessage:
    """The mail of a message.

    Args:
        one: The message.
        sender: Address that it is from.
        name: Of the message alone.
        now: Time.
        enclosures: What it carries.

    Raises:
        RefusedError: If a file that it names is not there.
        ValueError: If a header is one that mail cannot carry.
    """
    draw = enclosures.draw
    picture = draw(one.body["picture"]) if draw and "picture" in one.body else None
    mail = _mail(one, sender, name, now, picture)
    if picture is not None and len(mail.as_bytes()) > MOST_BYTES:
        mail = _mail(one, sender, name, now, None)
    for wanted in one.body.get("attachments", ()):
        found = enclosures.load(wanted) if enclosures.load else None
        if found is None:
            raise RefusedError("a file that this message carries is not there")
        kind, _, subtype = found.content_type.partition("/")
        mail.add_attachment(found.body, maintype=kind, subtype=subtype, filename=found.name)
    return mail


def _mail(one: Message, sender: str, name: str, now: datetime, picture: bytes | None) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, one.address, one.subject
    mail["Date"] = format_datetime(now)
    own = f"{name}@{sender.rpartition('@')[2]}"
    mail["Message-ID"] = f"<{own}>"  # the same again, if it is sent again
    mail["Auto-Submitted"] = "auto-generated"
    if "unsubscribe" in one.body:  # RFC 8058
        mail["List-Unsubscribe"] = f"<{one.body['unsubscribe']}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(one.body["text"])
    if "page" not in one.body:
        return mail
    mail.add_alternative(_page(one, own, picture), subtype="html")
    if picture is not None:
        page = mail.get_payload()[1]  # type: ignore[index]
        assert isinstance(page, EmailMessage)  # noqa: S101 - as `add_alternative` has just made it
        page.add_related(
            picture, "image", "jpeg", cid=f"<picture-{own}>", disposition="inline", filename="site.jpg"
        )
    return mail


def _page(one: Message, own: str, picture: bytes | None) -> str:
    page = one.body["page"]
    shown = None
    if picture is not None:
        with Image.open(io.BytesIO(picture)) as opened:
            width, height = opened.size
        shown = {
            "cid": f"picture-{own}", "alt": one.body["picture"]["caption"], "width": width, "height": height
        }  # fmt: skip
    direction = direction_of(page["locale"])
    return environment().get_template("geoservices/mail.html").render(
        locale=language_of(page["locale"]), direction=direction, subject=one.subject, page=page,
        start="right" if direction == "rtl" else "left", picture=shown,
    )  # fmt: skip
