"""Sending what is in the outbox: by e-mail, once each, whatever happens meanwhile.

A mail server that has taken a message cannot be asked to forget it. So that no crash between its answer and
the database makes a message go out twice, the answer is written into a receipt beside the database first, and
what was being sent when its sender ended is looked up there before it is sent again.
"""

from __future__ import annotations

import contextlib
import os
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from comeo.settings import SettingsError
from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message

SENDING: Final = timedelta(minutes=2)
"""For so long nobody else takes a message that is being sent."""
GIVEN_UP: Final = timedelta(days=7)
_FIRST_WAIT: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(hours=12)
_PATIENCE: Final = 30.0  # seconds for an answer of the mail server
_AT_ONCE: Final = 50
_PERMANENT: Final = range(500, 600)


class RefusedError(Exception):
    """A message that will never be taken."""


class Transport(Protocol):
    """How messages of a channel leave."""

    def send(self, one: Message, key: str, now: datetime) -> None:
        """Send a message.

        Raises:
            RefusedError: If it will never be taken.
            OSError: If it may be taken later.
        """


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server.

    Attributes:
        host: Of it.
        port: Of it.
        sender: Address that messages are from.
        user: To sign in; empty for none.
        password: Likewise.
        secure: `tls` from the start, `starttls`, or empty for none.
    """

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    secure: str = ""

    @classmethod
    def of(cls, address: str, sender: str) -> Smtp:
        """By a URL: `smtps://user:password@host:465`, `smtp+starttls://…:587`, `smtp://localhost:25`.

        Raises:
            SettingsError: If it is none.
        """
        ways = {"smtp": ("", 25), "smtps": ("tls", 465), "smtp+starttls": ("starttls", 587)}
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = None
        if host is None or parts.scheme not in ways:
            raise SettingsError(
                "COMEO_SMTP is smtp://host:25, smtp+starttls://user:password@host:587 or smtps://…:465"
            )
        secure, usual = ways[parts.scheme]
        user, password = (unquote(each or "") for each in (parts.username, parts.password))
        return cls(host, port or usual, sender, user, password, secure)

    def send(self, one: Message, key: str, now: datetime) -> None:
        """See `Transport`."""
        try:
            with self._connection() as server:
                server.send_message(_mail(one, self.sender, key, now))
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = next(iter(error.recipients.values()))
            raise _failure(code, reason) from error
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPException as error:
            raise OSError(str(error)) from error

    @contextlib.contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        if self.secure == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=_PATIENCE, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=_PATIENCE)
        try:
            if self.secure == "starttls":
                server.starttls(context=context)
            if self.user:
                server.login(self.user, self.password)
            yield server
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()


def _failure(code: int, reason: bytes | str) -> Exception:
    text = f"{code} {reason.decode(errors='replace') if isinstance(reason, bytes) else reason}"
    return RefusedError(text) if code in _PERMANENT else OSError(text)


def _mail(one: Message, sender: str, key: str, now: datetime) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, one.address, one.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"  # the same again, if it is sent again
    mail["Auto-Submitted"] = "auto-generated"
    if "unsubscribe" in one.body:  # RFC 8058
        mail["List-Unsubscribe"] = f"<{one.body['unsubscribe']}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(one.body["text"])
    return mail


@dataclass(frozen=True, slots=True)
class Receipts:
    """What a mail server has taken, one file a message until the database knows.

    Attributes:
        folder: Beside the database.
    """

    folder: Path

    def write(self, number: int) -> None:
        """Keep that a message was taken; it is on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / str(number), os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def has(self, number: int) -> bool:
        """Whether a message was taken."""
        return (self.folder / str(number)).exists()

    def forget(self, number: int) -> None:
        """Drop what the database knows."""
        (self.folder / str(number)).unlink(missing_ok=True)


def deliver(database: Database, transport: Transport, receipts: Receipts, now: datetime) -> int:
    """Send what is due; how many messages were taken."""
    with database.reading() as connection:
        waiting = outbox.due(connection, now, _AT_ONCE)
    return sum(_deliver(database, transport, receipts, one, now) for one in waiting)


def _deliver(
    database: Database, transport: Transport, receipts: Receipts, one: Message, now: datetime
) -> bool:
    with database.writing() as connection:
        if not outbox.claim(connection, one, now + SENDING):
            return False
    error: str | None = None
    state: outbox.State = "sent"
    if not receipts.has(one.id):
        try:
            transport.send(one, f"{one.id}.{one.created:%Y%m%d%H%M%S}", now)
            receipts.write(one.id)
        except RefusedError as failure:
            error, state = str(failure), "dead"
        except OSError as failure:
            error = str(failure) or type(failure).__name__
            state = "dead" if now - one.created > GIVEN_UP else "failed"
    wait = min(_FIRST_WAIT * 2 ** min(one.attempts, 20), _LONGEST_WAIT)
    with database.writing() as connection:
        outbox.settle(connection, one.id, state, now + wait, error and error[:500])
    receipts.forget(one.id)
    return state == "sent"
