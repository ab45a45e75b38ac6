"""What a request's thread takes for its client's socket: it never waits for the client."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final

TURN_BYTES: Final = 1 << 20
"""Most that one client is sent before it is the others' turn."""
_PARTS_AT_ONCE: Final = 16


@dataclass(slots=True)
class _FilePart:
    """A stretch of a file, under a descriptor of its own: the response closes the file before it has gone."""

    descriptor: int
    offset: int
    left: int


class Outbox:
    """A socket's other half: it takes answers, and sends as much of them as the system takes at once.

    gunicorn's response writes into it. It has a socket's methods as far as gunicorn uses them; reading finds
    the end, since a request is only answered when all that is wanted of it has arrived.

    Args:
        sock: Of the client, not blocking.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._parts: deque[memoryview | _FilePart] = deque()
        self._sent = 0
        self.held = 0
        """Bytes in memory that wait for the client."""

    def sendall(self, data: bytes) -> None:
        """Take bytes, to be sent after those before."""
        if data:
            self._parts.append(memoryview(data))
            self.held += len(data)
        if self.held > TURN_BYTES:
            self.flush()

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> int:
        """Take a stretch of a file; of what lies behind its end nothing is sent.

        Returns:
            Its bytes.
        """
        descriptor = os.dup(file.fileno())
        left = os.fstat(descriptor).st_size - offset if count is None else count
        self._parts.append(_FilePart(descriptor, offset, left))
        return left

    def flush(self) -> bool:
        """Send what the system takes without waiting, within a turn.

        Returns:
            Whether all has gone.

        Raises:
            OSError: If the client has gone, or a file ends before its part does.
        """
        turn = TURN_BYTES
        while self._parts and turn > 0:
            first = self._parts[0]
            try:
                if isinstance(first, _FilePart):
                    sent = os.sendfile(
                        self._socket.fileno(), first.descriptor, first.offset, min(first.left, turn)
                    )
                    if sent == 0 and first.left:
                        raise ConnectionAbortedError("a file became shorter while it was sent")
                else:
                    sent = self._socket.sendmsg(self._memory())
            except (BlockingIOError, InterruptedError):
                return False
            turn -= sent
            self._take_off(sent)
        return not self._parts

    def acknowledged(self) -> int:
        """Bytes that the client has taken, as far as the system can tell."""
        try:
            waiting = fcntl.ioctl(self._socket, termios.TIOCOUTQ, b"\0" * 4)
        except OSError:  # not Linux: the bytes that the system has taken
            return self._sent
        return self._sent - int(struct.unpack("i", waiting)[0])

    def discard(self) -> None:
        """Forget what has not been sent."""
        for part in self._parts:
            if isinstance(part, _FilePart):
                os.close(part.descriptor)
        self._parts.clear()
        self.held = 0

    def _memory(self) -> list[memoryview]:
        """The parts in memory that come first: header and body go in one packet."""
        first: list[memoryview] = []
        for part in islice(self._parts, _PARTS_AT_ONCE):
            if isinstance(part, _FilePart):
                break
            first.append(part)
        return first

    def _take_off(self, sent: int) -> None:
        """Forget bytes that have been sent, and parts that are at their end."""
        self._sent += sent
        while self._parts:
            first = self._parts[0]
            if isinstance(first, _FilePart):
                step = min(sent, first.left)
                first.offset, first.left = first.offset + step, first.left - step
                if first.left:
                    return
                os.close(first.descriptor)
            else:
                step = min(sent, len(first))
                self.held -= step
                if step < len(first):
                    self._parts[0] = first[step:]
                    return
            sent -= step
            self._parts.popleft()

    # What else gunicorn does with a socket.

    def recv(self, size: int, flags: int = 0) -> bytes:
        """The end; with flags (a look whether the client has gone) what the socket says."""
        return self._socket.recv(size, flags) if flags else b""

    def send(self, data: bytes) -> int:
        """Drop gunicorn's only use, `100 Continue`: by now the body is here, or isn't wanted."""
        return len(data)

    def fileno(self) -> int:
        """Of the socket."""
        return self._socket.fileno()

    def gettimeout(self) -> float:
        """No limit: nothing waits in here."""
        return 0.0

    def settimeout(self, _seconds: float | None) -> None:
        """Nothing waits in here."""

    def setblocking(self, _blocking: bool) -> None:
        """Nothing waits in here."""

    def shutdown(self, _how: int) -> None:
        """Whoever holds the connection closes it when all has gone."""

    def close(self) -> None:
        """See `shutdown`."""
