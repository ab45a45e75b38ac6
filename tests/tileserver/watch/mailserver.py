"""A mail server that takes, refuses, stalls and hangs up as it is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tileserver.watch.channels.mail import Smtp

SENDER = "comeo@example.org"


@dataclass
class Inbox:
    """What a server has taken; and what it answers, by the address of the recipient.

    Attributes:
        taken: Envelope recipients and messages, in the order in which they came.
        to_recipient: Answers to RCPT.
        to_data: Answers to the end of DATA.
    """

    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    to_recipient: dict[str, str] = field(default_factory=dict)
    to_data: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Answer to a recipient."""
        if address in self.to_recipient:
            return self.to_recipient[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Answer to a message."""
        answer = self.to_data.get(envelope.rcpt_tos[0], "250 OK")
        if answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.taken.append((list(envelope.rcpt_tos), mail))
        return answer

    def ids(self) -> list[str]:
        """Message-IDs of what was taken."""
        return [str(mail["Message-ID"]) for _, mail in self.taken]


@contextlib.contextmanager
def mail_server() -> Iterator[tuple[Inbox, Smtp]]:
    """A server that runs, and how mail gets there."""
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield inbox, Smtp("127.0.0.1", controller.port, SENDER)
    finally:
        controller.stop()


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def odd_server(*answers: str | None) -> Iterator[tuple[list[bytes], Smtp]]:
    """A server that answers line by line as told; None hangs up, the empty answer never comes.

    Yields:
        All that it was sent, and how mail gets there.
    """
    heard: list[bytes] = []
    ended = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while not ended.is_set():
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    _converse(connection, answers, heard, ended)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield heard, Smtp("127.0.0.1", listening.getsockname()[1], SENDER)
    finally:
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def _converse(
    connection: socket.socket, answers: tuple[str | None, ...], heard: list[bytes], ended: threading.Event
) -> None:
    for answer in answers:
        if answer is None:
            return
        if not answer:
            ended.wait(2)
            return
        connection.sendall(f"{answer}\r\n".encode())
        data = connection.recv(65536)
        if answer.startswith("354"):
            while not data.endswith(b"\r\n.\r\n"):
                data += connection.recv(65536)
        heard.append(data)
