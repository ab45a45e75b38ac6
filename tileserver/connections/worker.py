"""gunicorn's worker with threads, in which no thread ever waits for a client.

gunicorn's own gives a connection to a thread at its first byte, and keeps the thread until the last byte of
the answer has been taken: as many slow clients as there are threads stop it. Here a loop gathers requests and
hands out answers, and a thread only sees requests that have arrived as a whole.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from gunicorn.errors import ConfigError  # type: ignore[import-untyped]
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    STOP_KEEPALIVE_LINGER,
    ThreadWorker,
)

from tileserver.connections import connection as pace
from tileserver.connections.connection import Connection, Phase
from tileserver.connections.incoming import Stage
from tileserver.connections.outbox import Outbox

RECEIVE_BYTES: Final = 64 << 10
BODY_BYTES: Final = 1 << 20
"""Of a body, where the application has no `MAX_CONTENT_LENGTH`."""
HELD_BYTES: Final = 256 << 20
"""Of requests and answers that wait for their clients, in a process."""
OTHER_FILES: Final = 256
"""Descriptors of a process that are no connections': archives, the catalogue, libraries."""
FEWEST_CONNECTIONS: Final = 16
SWEEP_SECONDS: Final = 0.5
REFUSALS: Final = {
    Stage.OVERLONG: (
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "the request's head is too long; shorten it",
    ),
    Stage.OVERSIZED: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request's body is too large; send less"),
    Stage.TORN: (HTTPStatus.BAD_REQUEST, "the chunks of the request's body cannot be read; send them anew"),
}
PARSER: Final = {
    HTTPStatus.REQUEST_URI_TOO_LONG: "the address is too long; shorten it, or send a search as a POST",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "headers are too many or too long; send fewer",
    HTTPStatus.EXPECTATION_FAILED: "the only expectation that is met is 100-continue; leave others out",
    HTTPStatus.NOT_IMPLEMENTED: "the only transfer coding that is read is chunked; use no other",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the server could not answer; its log says why",
}
"""What to say of errors that gunicorn finds; of others what it says."""
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_PASSING: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR)
_STARVED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Worker(ThreadWorker):  # type: ignore[misc]
    """A process that answers requests. See the module."""

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what this worker cannot do.

        Raises:
            ConfigError: If TLS, another protocol than HTTP or the PROXY protocol is asked for.
        """
        super().check_config(cfg, log)
        if cfg.is_ssl or cfg.protocol != "http" or cfg.proxy_protocol != "off":
            raise ConfigError("this worker speaks plain HTTP/1.1 only; let a reverse proxy do the rest")

    def init_process(self) -> None:
        """Set up, and run until stopped."""
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}  # in the order in which they became so
        self._watched: set[Connection] = set()
        self._next_sweep = 0.0
        self._limit = min(self.cfg.worker_connections, connections_for(raise_file_limit()))
        # gunicorn stops to accept at this number: when all that may be are at work, and none can be closed.
        self.worker_connections = self._limit + 1
        super().init_process()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End at once, and once: of Ctrl+C gunicorn tells its processes, too, and people press it again.

        Such a signal would interrupt the ending, which waits for threads that decode, with a traceback.
        """
        for each in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(each, signal.SIG_IGN)
        super().handle_quit(sig, frame)

    def load_wsgi(self) -> None:
        """Load the application, and learn how large a body it takes."""
        super().load_wsgi()
        config = getattr(self.wsgi, "config", {})
        self._body_limit = config.get("MAX_CONTENT_LENGTH") or BODY_BYTES

    def accept(self, listener: socket.socket) -> None:
        """Take a connection in; of too many, close one that does nothing."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in _STARVED:
                self._close_one()
            elif error.errno not in _PASSING:
                raise
            return
        if len(self._open) >= self._limit:
            self._close_one()
        if hasattr(socket, "TCP_USER_TIMEOUT") and client.family != socket.AF_UNIX:
            # What the system still keeps for a client after the end is the system's to give up.
            patience = int(1000 * pace.STALL_SECONDS)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
        conn = Connection(self.cfg, client, address, listener.getsockname(), self._body_limit)
        self._open.add(conn)
        self.nr_conns += 1
        self._rest(conn)
        self._receive(conn)

    def handle(self, conn: Connection) -> bool:
        """Answer a request, in a thread; what its client doesn't take at once is left to the loop."""
        keep = bool(super().handle(conn))
        try:
            conn.sock.flush()
        except OSError:
            return False
        return keep

    def handle_error(self, req: Any, client: Outbox, addr: Any, exc: Exception) -> None:
        """Answer what gunicorn's parser refuses as all other errors are answered."""
        said = _Said()
        super().handle_error(req, said, addr, exc)
        if said.status is not None:
            reason = PARSER.get(said.status, f"the request is not valid HTTP ({str(exc)[:200]})")
            client.sendall(refusal(said.status, reason))

    def finish_request(self, conn: Connection, future: Future[bool]) -> None:
        """Go on with a connection whose request has been answered."""
        try:
            conn.keep = not future.cancelled() and future.result()
        except Exception:  # noqa: BLE001 - whatever it was, gunicorn has logged it
            self._drop(conn)
            return
        self._send(conn)

    def murder_pending(self) -> None:
        """Close connections whose time is over."""
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_SECONDS
        self._bound_memory()
        for conn in [conn for conn in self._open if conn.deadline <= now]:
            if conn not in self._open or conn.comes_on(now):
                continue
            if conn.phase in (Phase.HEAD, Phase.BODY):
                self._refuse(
                    conn, HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time; send it again"
                )
            else:
                self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Close idle connections soon: the process stops."""
        for conn in self._idle:
            conn.deadline = min(conn.deadline, deadline)

    def _receive(self, conn: Connection) -> None:
        """Read what has arrived."""
        try:
            data = conn.raw.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            self._watch(conn, _READ, self._receive)
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn)
            return
        self._feed(conn, data)

    def _feed(self, conn: Connection, data: bytes) -> None:
        """Add bytes to a request, and give it to a thread when it is whole."""
        self._idle.pop(conn, None)
        incoming = conn.incoming
        incoming.feed(data)
        if incoming.stage is Stage.WHOLE:
            self._watch(conn, 0)
            conn.hand_over()
            self.enqueue_req(conn)
        elif incoming.stage in REFUSALS:
            self._refuse(conn, *REFUSALS[incoming.stage])
        else:
            if incoming.stage is Stage.HEAD:
                conn.enter(Phase.HEAD, pace.HEAD_SECONDS)
            elif conn.phase is not Phase.BODY:
                conn.enter(Phase.BODY, pace.STALL_SECONDS)
                if incoming.expects_continue:
                    conn.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                    with contextlib.suppress(OSError):  # reading will tell, too
                        conn.sock.flush()
            self._watch(conn, _READ, self._receive)

    def _send(self, conn: Connection) -> None:
        """Send what the client takes, and go on when it has all."""
        try:
            done = conn.sock.flush()
        except OSError:
            self._drop(conn)
            return
        if not done:
            conn.enter(Phase.SENDING, pace.STALL_SECONDS)
            self._watch(conn, _WRITE, self._send)
            self._bound_memory()
        elif conn.keep:
            self._rest(conn)
            self._watch(conn, _READ, self._receive)
            if ahead := conn.parser.unreader.take_buffered():
                self._feed(conn, ahead)
        elif conn.expects_end:
            # No longer sending: what the system still keeps for the client is to reach it.
            conn.enter(Phase.LINGERING, pace.LINGER_SECONDS)
            self._drop(conn)
        else:
            self._linger(conn)

    def _rest(self, conn: Connection) -> None:
        """Wait for a request, without haste."""
        conn.enter(Phase.IDLE, self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
        self._idle[conn] = None

    def _refuse(self, conn: Connection, status: HTTPStatus, detail: str) -> None:
        """Answer without a thread, and close."""
        conn.sock.sendall(refusal(status, detail))
        conn.keep = False
        self._send(conn)

    def _linger(self, conn: Connection) -> None:
        """Say that nothing more comes, and read on for a little: a close at once could cut the answer off."""
        try:
            conn.raw.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.enter(Phase.LINGERING, pace.LINGER_SECONDS)
        self._watch(conn, _READ, self._discard)

    def _discard(self, conn: Connection) -> None:
        try:
            size = len(conn.raw.recv(RECEIVE_BYTES))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            size = 0
        conn.discarded += size
        if size == 0 or conn.discarded > pace.LINGER_BYTES:
            self._drop(conn)

    def _bound_memory(self) -> None:
        """Close those that wait longest for their clients when they hold too much together."""
        while sum(conn.held for conn in self._open) > HELD_BYTES and self._close_one(Phase.BODY):
            pass

    def _close_one(self, least: Phase = Phase.IDLE) -> bool:
        """Close the connection that is of least use. False if all are at work."""
        if least is Phase.IDLE and self._idle:
            self._drop(next(iter(self._idle)))
            return True
        found = [conn for conn in self._open if least <= conn.phase < Phase.WORKING]
        if found:
            self._drop(min(found, key=lambda conn: (conn.phase, conn.deadline)))
        return bool(found)

    def _drop(self, conn: Connection) -> None:
        """Close a connection that no thread works for."""
        if conn not in self._open:
            return
        self._watch(conn, 0)
        self._idle.pop(conn, None)
        self._open.discard(conn)
        self.nr_conns -= 1
        conn.abort()

    def _watch(self, conn: Connection, events: int, then: Callable[[Connection], None] | None = None) -> None:
        """Call a method when a connection can be read or written; not at all for no events."""
        watched = conn in self._watched
        if then is None:
            if watched:
                self._watched.discard(conn)
                self.poller.unregister(conn.raw)
            return
        self._watched.add(conn)
        change = self.poller.modify if watched else self.poller.register
        change(conn.raw, events, partial(self._call, conn, then))

    def _call(self, conn: Connection, then: Callable[[Connection], None], _socket: Any) -> None:
        if conn in self._open:  # another event of the same moment may have closed it
            then(conn)


class _Said:
    """In a socket's place: it keeps the status of an answer, and drops the rest."""

    def __init__(self) -> None:
        self.status: HTTPStatus | None = None

    def sendall(self, data: bytes) -> None:
        """Read the status line."""
        self.status = self.status or HTTPStatus(int(data.split(None, 2)[1]))

    def gettimeout(self) -> float:
        """None at all."""
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


def refusal(status: HTTPStatus, detail: str) -> bytes:
    """An answer that refuses a request, and is the last of its connection."""
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    body = json.dumps(problem)
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nCache-Control: no-store\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def raise_file_limit() -> float:
    """Let this process open as many files as it may, and return how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):  # macOS has a bound of its own
            pass
    return math.inf if soft == resource.RLIM_INFINITY else soft


def connections_for(files: float) -> int:
    """Connections for which descriptors suffice: two each, of the socket and of the file being sent."""
    most = (files - OTHER_FILES) / 2
    return max(FEWEST_CONNECTIONS, int(min(most, 1 << 20)))
