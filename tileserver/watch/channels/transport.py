"""What channels have in common: how they send, and what may come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tileserver.store.outbox import Message


class RefusedError(Exception):
    """A message that will never be taken."""


class BouncedError(RefusedError):
    """A message that will never be taken, since its address does not exist."""


class GoneError(RefusedError):
    """A message to somebody who wants none."""


class PostponedError(Exception):
    """A message that is not taken now, for a reason that does not concern others.

    Attributes:
        wait: For how long it is to wait at least; None leaves that open.
    """

    def __init__(self, reason: str, wait: timedelta | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Transport(Protocol):
    """How messages leave."""

    @property
    def channels(self) -> Sequence[str]:
        """Whose messages it sends."""

    def send(self, one: Message, name: str, now: datetime) -> None:
        """Send a message.

        Args:
            one: It.
            name: The same whenever it is sent, and no other message's.
            now: Time.

        Raises:
            RefusedError: If it will never be taken.
            PostponedError: If it may be taken later.
            OSError: If nothing can be sent now by its channel.
        """


@dataclass(frozen=True, slots=True)
class Channels:
    """Several ways as one.

    Attributes:
        ways: By channel.
    """

    ways: Mapping[str, Transport]

    @property
    def channels(self) -> Sequence[str]:
        """See `Transport`."""
        return tuple(self.ways)

    def send(self, one: Message, name: str, now: datetime) -> None:
        """See `Transport`."""
        self.ways[one.channel].send(one, name, now)
