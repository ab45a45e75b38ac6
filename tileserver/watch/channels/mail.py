"""The channel of e-mail: a mail server (SMTP)."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final
from urllib.parse import unquote, urlsplit

from comeo.settings import SettingsError
from tileserver.store.outbox import Message
from tileserver.watch.channels.letter import NOTHING, Enclosures, letter
from tileserver.watch.channels.transport import BouncedError, PostponedError, RefusedError

_PATIENCE: Final = 30.0  # seconds for an answer of the mail server


_PERMANENT: Final = range(500, 600)


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
        enclosures: What mail carries: pictures and files.
    """

    channels: ClassVar[tuple[str, ...]] = ("email",)

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    secure: str = ""
    enclosures: Enclosures = NOTHING

    @classmethod
    def of(cls, address: str, sender: str, enclosures: Enclosures = NOTHING) -> Smtp:
        """By a URL: `smtps://user:password@host:465`, `smtp+starttls://…:587`, `smtp://localhost:25`.

        Raises:
            SettingsError: If the URL cannot be read.
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
        return cls(host, port or usual, sender, user, password, secure, enclosures)

    def send(self, one: Message, name: str, now: datetime) -> None:
        """See `Transport`."""
        try:
            mail = letter(one, self.sender, name, now, self.enclosures)
        except ValueError as error:  # a header that mail cannot carry
            raise RefusedError(str(error)) from error
        try:
            with self._connection() as server:
                try:
                    server.send_message(mail, self.sender, [one.address])
                except smtplib.SMTPNotSupportedError as error:  # of an address in other letters
                    raise RefusedError(str(error)) from error
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = next(iter(error.recipients.values()))
            if code in _PERMANENT:
                raise BouncedError(_answer(code, reason)) from error
            raise PostponedError(_answer(code, reason)) from error
        except smtplib.SMTPDataError as error:
            raise _failure(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPResponseException as error:  # of us: a password, a quota
            raise OSError(_answer(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPException as error:
            raise OSError(str(error)) from error

    @contextlib.contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        if self.secure == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=_PATIENCE, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=_PATIENCE)
        try:
            if self.secure == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.user:
                server.login(self.user, self.password)
            yield server
        finally:
            # Its answer, which RFC 5321 (4.1.1.10) would have us wait for, changes nothing; and each moment
            # until the receipt is written is one in which a power cut sends the message again.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.putcmd("quit")
            server.close()


def _answer(code: int, reason: bytes | str) -> str:
    return f"{code} {reason.decode(errors='replace') if isinstance(reason, bytes) else reason}"


def _failure(code: int, reason: bytes | str) -> Exception:
    text = _answer(code, reason)
    return RefusedError(text) if code in _PERMANENT else PostponedError(text)
