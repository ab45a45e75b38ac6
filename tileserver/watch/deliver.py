"""Sending what is in the outbox: by e-mail, once each, whatever happens meanwhile.

A mail server that has taken a message cannot be asked to forget it. So that no crash between its answer and
the database makes a message go out twice, the answer is written into a receipt beside the database first, and
what was being sent when its sender ended is looked up there before it is sent again. A full disk shows before
a message leaves: the receipt's file is made then, and only renamed once the message was taken.

Exactly once is impossible: between the mail server's "250" and that rename, a power cut, or a connection that
breaks while the "250" is on its way, leaves it open whether the message was taken (two generals). It is then
sent again, with the same Message-ID, by which mail programs tell that it is the same: an alert that comes
twice does less harm than one that never comes.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol
from urllib.parse import unquote, urlsplit

from comeo.errors import ComeoError
from comeo.settings import SettingsError
from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message

SENDING: Final = timedelta(minutes=2)
"""For so long nobody else takes a message that is being sent."""
GIVEN_UP: Final = timedelta(days=7)
LEAST_TRIES: Final = 10
"""So often a message is tried before it is given up, whatever the clock says: it may have been wrong, or the
server without power for a week."""
_FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=12)
_PATIENCE: Final = 30.0  # seconds for an answer of the mail server
_AT_ONCE: Final = 50
_PERMANENT: Final = range(500, 600)
_Outcome = Literal["sent", "failed", "dead", "unreachable"]
log = logging.getLogger("comeo")


class RefusedError(Exception):
    """A message that will never be taken."""


class PostponedError(Exception):
    """A message that is not taken now, for a reason that does not concern others."""


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


class Transport(Protocol):
    """How messages of a channel leave."""

    def send(self, one: Message, name: str, now: datetime) -> None:
        """Send a message.

        Args:
            one: It.
            name: The same whenever it is sent, and no other message's.
            now: Time.

        Raises:
            RefusedError: If it will never be taken.
            PostponedError: If it may be taken later.
            OSError: If nothing can be sent now.
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
        load: What gives the files that messages name as `attachments`; None where there are none.
    """

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    secure: str = ""
    load: Load | None = None

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

    def send(self, one: Message, name: str, now: datetime) -> None:
        """See `Transport`."""
        try:
            mail = _mail(one, self.sender, name, now)
            _attach(mail, one, self.load)
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
            raise _failure(code, reason) from error
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


def _mail(one: Message, sender: str, name: str, now: datetime) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, one.address, one.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"  # the same again, if it is sent again
    mail["Auto-Submitted"] = "auto-generated"
    if "unsubscribe" in one.body:  # RFC 8058
        mail["List-Unsubscribe"] = f"<{one.body['unsubscribe']}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(one.body["text"])
    return mail


def _attach(mail: EmailMessage, one: Message, load: Load | None) -> None:
    for wanted in one.body.get("attachments", ()):
        found = load(wanted) if load else None
        if found is None:
            raise RefusedError("a file that this message carries is not there")
        kind, _, subtype = found.content_type.partition("/")
        mail.add_attachment(found.body, maintype=kind, subtype=subtype, filename=found.name)


@dataclass(frozen=True, slots=True)
class Receipts:
    """What a mail server has taken, one file a message until the database knows.

    Attributes:
        folder: Beside the database.
    """

    folder: Path
    _taken: set[str] = field(default_factory=set)
    """What this process knows to be taken, also while the disk is full."""

    def prepare(self, name: str) -> None:
        """Make sure that a receipt can be written.

        Raises:
            ComeoError: If the disk is full, or the folder is not to be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._prepared(name), os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.write(handle, b"taken\n")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise ComeoError(
                f"no mail is sent while {self.folder} cannot be written: {error.strerror}"
            ) from error

    def write(self, name: str) -> None:
        """Keep that a message was taken, for which a receipt was prepared; it is on the disk afterwards."""
        self._taken.add(name)
        self._prepared(name).replace(self.folder / name)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def has(self, name: str) -> bool:
        """Whether a message was taken."""
        return name in self._taken or (self.folder / name).exists()

    def forget(self, name: str) -> None:
        """Drop what the database knows."""
        self._taken.discard(name)
        for each in (self._prepared(name), self.folder / name):
            with contextlib.suppress(OSError):  # a receipt too many does no harm
                each.unlink(missing_ok=True)

    def _prepared(self, name: str) -> Path:
        return self.folder / f"{name}.sending"


def name_of(one: Message) -> str:
    """A name that is the same whenever a message is sent, and no other's, even of a database made anew."""
    return hashlib.sha256(f"{one.key}\n{one.address}\n{one.created.isoformat()}".encode()).hexdigest()[:32]


def deliver(
    database: Database, transport: Transport, receipts: Receipts, clock: Callable[[], datetime],
    believed: datetime | None = None,
) -> int:  # fmt: skip
    """Send what is due; how many messages were taken. If nothing can be sent now, the rest waits.

    Args:
        database: With the outbox.
        transport: How messages leave.
        receipts: Of what was taken.
        clock: Time.
        believed: The time by which messages are given up: see `watch.clock`; by default what the clock says.

    Raises:
        ComeoError: If the database or the receipts cannot be written; nothing is lost, nor sent twice.
    """
    with database.reading() as connection:
        waiting = outbox.due(connection, clock(), LONGEST_WAIT, _AT_ONCE)
    sent = 0
    for one in waiting:
        outcome = _deliver(database, transport, receipts, one, clock, believed)
        sent += outcome == "sent"
        if outcome == "unreachable":
            break
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
    outcome, error = ("sent", None) if taken else _send(transport, one, name, clock())
    if outcome == "sent" and not taken:
        try:
            receipts.write(name)
        except OSError as failure:  # then the database has to remember it alone
            log.warning("the receipt of a message cannot be written: %s", failure)
    state: outbox.State = "failed" if outcome == "unreachable" else outcome
    now = clock()
    if state == "failed" and (believed or now) - one.created > GIVEN_UP and one.attempts + 1 >= LEAST_TRIES:
        state = "dead"
    wait = min(_FIRST_WAIT * 2 ** min(one.attempts, 20), LONGEST_WAIT)
    with database.writing() as connection:
        outbox.settle(connection, one.id, state, now + wait, error and error[:500])
    receipts.forget(name)
    return outcome


def _send(transport: Transport, one: Message, name: str, now: datetime) -> tuple[_Outcome, str | None]:
    try:
        transport.send(one, name, now)
    except RefusedError as failure:
        return "dead", str(failure)
    except PostponedError as failure:
        return "failed", str(failure)
    except OSError as failure:
        return "unreachable", str(failure) or type(failure).__name__
    return "sent", None
