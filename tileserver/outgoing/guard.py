"""Sending something to an address that a user gave: it is looked up once, judged, and then connected to.

Whoever gives a name also says what it leads to, and may say something else the next time. So the very address
that was judged is connected to; the certificate is still checked against the name. No redirect is followed,
no proxy used, and nothing of the answer read but its status and headers, within one deadline for all.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import httpcore2

from comeo.errors import ComeoError
from tileserver.outgoing.addresses import PORTS, Address, Network, Target, is_in, is_public

SECONDS: Final = 10.0
"""For looking up, connecting, sending and the answer's headers together."""
_MOST_TRIED: Final = 4  # addresses of a name
_CHUNK: Final = 1 << 16
_UNREADABLE: Final = (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol)
Resolve = Callable[[str, int], Sequence[Address]]


class ForbiddenTargetError(ComeoError):
    """An address that nothing is sent to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered.

    Attributes:
        status: Of HTTP.
        headers: By their names in lower case; the last one of a name.
    """

    status: int
    headers: Mapping[str, str]


def look_up(host: str, port: int) -> Sequence[Address]:
    """Addresses of a host, as the system finds them.

    Raises:
        OSError: If it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(str(each[4][0]).partition("%")[0]) for each in found))


@dataclass(frozen=True, slots=True)
class Guard:
    """What sends to addresses of users.

    Attributes:
        networks: That may be reached though they are not public, at any port, also by http.
        resolve: How hosts are looked up.
        context: Of TLS.
        seconds: For all of one request.
    """

    networks: Sequence[Network] = ()
    resolve: Resolve = look_up
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    seconds: float = SECONDS

    def check(self, target: Target) -> None:
        """Refuse what needs no looking up to be refused.

        Raises:
            ForbiddenTargetError: Saying why.
        """
        literal = target.literal
        if literal is not None:
            self._allowed(target, [literal])
        elif not self.networks:
            _check_public(target)

    def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a body by POST.

        Args:
            target: Where to.
            headers: Besides Host and Content-Length.
            body: It.

        Raises:
            ForbiddenTargetError: If the address is not allowed.
            OSError: If nobody answers in time, or what is no HTTP.
        """
        ends = time.monotonic() + self.seconds
        literal = target.literal
        found = [literal] if literal is not None else _resolved(self.resolve, target, ends)
        backend = _Backend(self._allowed(target, found), ends)
        url = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port,
            target=target.path.encode(),
        )  # fmt: skip
        sent = [
            ("Host", target.authority), ("Content-Length", str(len(body))), ("Connection", "close"),
            *headers.items(),
        ]  # fmt: skip
        with (
            _told_plainly(),
            httpcore2.ConnectionPool(ssl_context=self.context, network_backend=backend) as pool,
            pool.stream("POST", url, headers=sent, content=body) as answer,
        ):
            return Answer(
                answer.status,
                {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers},
            )

    def _allowed(self, target: Target, found: Sequence[Address]) -> list[Address]:
        """Those of a host's addresses that may be connected to."""
        own = [each for each in found if is_in(each, self.networks)]
        if own:
            return own
        _check_public(target)
        public = [each for each in found if is_public(each)]
        if not public:
            raise ForbiddenTargetError(
                f"{target.host} has no public address; the operator names networks that may be reached in "
                "COMEO_WEBHOOK_NETWORKS"
            )
        return public


def _check_public(target: Target) -> None:
    if target.scheme != "https":
        raise ForbiddenTargetError(f"{target.host} is to be reached by https, not by http")
    if target.port not in PORTS.values():
        raise ForbiddenTargetError(f"port {target.port} of {target.host} is not to be reached; use 443")


def _resolved(resolve: Resolve, target: Target, ends: float) -> Sequence[Address]:
    """Look a host up, but not for longer than there is time: whoever owns the name may keep one waiting."""
    found: list[Sequence[Address] | OSError] = []

    def work() -> None:
        try:
            found.append(resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            found.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(max(ends - time.monotonic(), 0.0))
    if not found:
        raise TimeoutError(f"{target.host} could not be looked up in time")
    if isinstance(found[0], OSError):
        raise OSError(f"{target.host} is unknown") from found[0]
    return found[0]


class _Backend(httpcore2.NetworkBackend):
    """Connects to addresses that were judged, whatever host it is asked for."""

    def __init__(self, allowed: Sequence[Address], ends: float) -> None:
        self._allowed = allowed[:_MOST_TRIED]
        self._ends = ends
        self._real = httpcore2.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,  # noqa: ARG002 - the address is known
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        """Connect to the first address that answers."""
        failure: Exception | None = None
        for number, each in enumerate(self._allowed):
            share = _left(self._ends) / (len(self._allowed) - number)
            try:
                opened = self._real.connect_tcp(str(each), port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                continue
            return _Stream(opened, self._ends)
        raise failure or httpcore2.ConnectError("no address")


class _Stream(httpcore2.NetworkStream):
    """A connection that ends at a time, however little comes or goes at once."""

    def __init__(self, inner: httpcore2.NetworkStream, ends: float) -> None:
        self._inner = inner
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - there is one deadline
        """Read what has come."""
        return self._inner.read(max_bytes, _left(self._ends))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Write all, piece by piece as they are taken."""
        connection: socket.socket = self._inner.get_extra_info("socket")
        view = memoryview(buffer)
        try:
            while view:
                connection.settimeout(_left(self._ends))
                view = view[connection.send(view[:_CHUNK]) :]
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:  # fmt: skip
        """Begin TLS; the certificate is checked against the name that was asked for."""
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(self._ends)), self._ends)

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows of itself."""
        return self._inner.get_extra_info(info)


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("it takes too long")
    return left


@contextlib.contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise TimeoutError("no answer in time") from error
    except httpcore2.NetworkError as error:
        raise OSError(str(error) or "the connection was closed") from error
    except _UNREADABLE as error:
        raise OSError("the answer is no HTTP") from error
