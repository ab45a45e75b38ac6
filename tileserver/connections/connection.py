"""A client's connection, from one request to the next."""

from __future__ import annotations

import enum
import math
import socket
import struct
import time
from typing import Any, Final

from gunicorn.http import get_parser  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from tileserver.connections.incoming import Incoming
from tileserver.connections.outbox import Outbox

HEAD_SECONDS = 15.0
"""For the whole head of a request, from its first byte."""
STALL_SECONDS = 30.0
"""In which a body, either way, must come on by `STALL_BYTES`, or to its end."""
STALL_BYTES: Final = 4096
LINGER_SECONDS: Final = 2.0
"""That a client is given to take an answer's last bytes and close."""
LINGER_BYTES: Final = 64 << 10


class Phase(enum.IntEnum):
    """What a connection is doing; those of the least number are closed first when there are too many."""

    IDLE = enum.auto()
    LINGERING = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    SENDING = enum.auto()
    WORKING = enum.auto()


class Connection(TConn):  # type: ignore[misc]
    """A connection as gunicorn's threads take it, with what the loop knows of it.

    Attributes:
        raw: The socket. `sock` is what threads take for it.
        incoming: The request that is arriving.
        phase: What it is doing.
        deadline: By the monotonic clock, when it has to have come on.
        keep: Whether another request may follow the answer being sent.
    """

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any, body_limit: int) -> None:
        super().__init__(cfg, sock, client, server)
        self.raw = sock
        self.sock: Outbox = Outbox(sock)
        self.parser = get_parser(cfg, self.sock, client)
        self.initialized = self.data_ready = True
        self._body_limit = body_limit
        self.incoming = Incoming(body_limit)
        self.phase = Phase.IDLE
        self.deadline = math.inf
        self.keep = False
        self.discarded = 0
        self._mark = 0
        self._patience = math.inf

    @property
    def held(self) -> int:
        """Bytes in memory for this client."""
        return len(self.incoming.buffer) + self.sock.held

    @property
    def expects_end(self) -> bool:
        """Whether the client has asked for the end behind this answer, and so sends no more.

        Only bytes that come after a close make the system cut off what the client has not read yet.
        """
        request = self.parser.mesg
        if request is None or request.must_close or not request.should_close():
            return False
        if self.parser.unreader.buf.getbuffer().nbytes:
            return False
        try:
            return not self.raw.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False

    def enter(self, phase: Phase, seconds: float = math.inf) -> None:
        """Begin a phase that may take so long without coming on."""
        if phase is not self.phase or phase is Phase.IDLE:
            self.phase, self._patience, self._mark = phase, seconds, self._progress()
            self.deadline = time.monotonic() + seconds

    def comes_on(self, now: float) -> bool:
        """Whether it has come on since its deadline was set, which then is set anew."""
        if self.phase not in (Phase.BODY, Phase.SENDING):
            return False
        progress = self._progress()
        if progress - self._mark < STALL_BYTES:
            return False
        self._mark, self.deadline = progress, now + self._patience
        return True

    def hand_over(self) -> None:
        """Give the request that has arrived to the parser, and begin with the next."""
        self.parser.unreader.unread(bytes(self.incoming.buffer))
        self.incoming = Incoming(self._body_limit)
        self.enter(Phase.WORKING)

    def abort(self) -> None:
        """Close, without leaving the system bytes for a client that takes none."""
        if self.phase is Phase.SENDING:
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.discard()
        self.raw.close()

    def _progress(self) -> int:
        """Bytes of the body at hand that have gone through."""
        return self.sock.acknowledged() if self.phase is Phase.SENDING else len(self.incoming.buffer)
