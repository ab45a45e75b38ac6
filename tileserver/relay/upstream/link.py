"""HTTP to a server that is not trusted: bounded in time, bytes and redirects, and counted as on the wire."""

from __future__ import annotations

import contextlib
import time
import weakref
import zlib
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx2

from comeo.errors import ComeoError
from tileserver.relay.errors import UnreachableError, UpstreamError
from tileserver.relay.upstream.base import PIECE_BYTES
from tileserver.relay.upstream.wire import AROUND, Counted, Wire, counted

_TIMEOUT: Final = 30.0
_CONNECT_TIMEOUT: Final = 20.0
_PATIENCE_SECONDS: Final = 60.0
_SLOWEST: Final = 200  # bytes a second, beyond that: links of 2 kbit/s are given up
_REDIRECTS: Final = 5
_KEPT_SECONDS: Final = 300.0


class Link:
    """Connections to a server. Proxies and credentials are those of the environment and `.netrc`.

    Args:
        address: Of the server, for its name.
        proxy: Instead of those of the environment.

    Attributes:
        name: Of the server, for messages.
        wire: Bytes so far.

    Raises:
        ComeoError: If the address or the proxy is none.
    """

    def __init__(self, address: str, proxy: str | None = None) -> None:
        self.name = _shown(address)
        self.wire = Wire()
        self._counted: weakref.WeakKeyDictionary[object, Counted] = weakref.WeakKeyDictionary()
        try:
            self._client = httpx2.Client(
                headers={"User-Agent": "comeo", "Accept": "*/*"}, proxy=proxy,
                limits=httpx2.Limits(max_connections=2, keepalive_expiry=_KEPT_SECONDS),
            )  # fmt: skip
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:  # such as a malformed proxy
            raise ComeoError(f"{self.name} cannot be reached: {error}") from error
        weakref.finalize(self, self._client.close)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    @contextlib.contextmanager
    def ask(self, address: str, headers: Mapping[str, str], wait: float = 0) -> Iterator[httpx2.Response]:
        """Ask for something, over a few redirects.

        Args:
            address: Of it.
            headers: Beside the usual ones.
            wait: Seconds that the server may take before it answers.

        Raises:
            UnreachableError: If the link breaks.
            UpstreamError: If the answer cannot be read, or redirects too often, or to another scheme.
        """
        timeout = httpx2.Timeout(_TIMEOUT + wait, connect=_CONNECT_TIMEOUT)
        try:
            request = self._client.build_request("GET", address, headers=headers, timeout=timeout)
            for _ in range(_REDIRECTS + 1):
                answer = self._client.send(request, stream=True)
                try:
                    following = self._following(answer, timeout)
                    if following is None:
                        yield answer
                        return
                    request = following
                finally:
                    self._count(answer)
                    answer.close()
            raise UpstreamError(f"{self.name} redirects more than {_REDIRECTS} times, and is not followed")
        except httpx2.TransportError as error:
            cause = str(error) or type(error).__name__
            raise UnreachableError(f"{self.name} cannot be reached: {cause}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise UpstreamError(f"{self.name} cannot be read: {error}") from error

    def pieces(self, answer: httpx2.Response, most: int) -> Iterator[bytes]:
        """A body as it comes, in pieces of at most `PIECE_BYTES`.

        Raises:
            UpstreamError: If it has more bytes.
            UnreachableError: If it comes too slowly.
        """
        deadline, total = time.monotonic() + _PATIENCE_SECONDS + most / _SLOWEST, 0
        for chunk in answer.iter_raw():
            total += len(chunk)
            if total > most:
                raise UpstreamError(f"{self.name} sends more than the {most} bytes that were due")
            if time.monotonic() > deadline:
                raise UnreachableError(f"{self.name} sends too slowly; it is asked again later")
            for begin in range(0, len(chunk), PIECE_BYTES):
                yield chunk[begin : begin + PIECE_BYTES]
            self._count(answer)

    def content(self, answer: httpx2.Response, what: str, most: int) -> bytes:
        """A whole body, unpacked if it was compressed by gzip.

        Raises:
            UpstreamError: If it has more bytes than allowed, or cannot be unpacked.
            UnreachableError: If it is cut short.
        """
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", ""):
            raise UpstreamError(f"{self.name}: {what} comes as {encoding[:20]!r}, which was not asked for")
        unpacker = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        content = bytearray()
        try:
            for piece in self.pieces(answer, most + 1):
                content += unpacker.decompress(piece, most + 1 - len(content)) if unpacker else piece
                if len(content) > most:
                    raise UpstreamError(f"{self.name}: {what} has more than {most} bytes, and is not read")
        except zlib.error as error:
            raise UpstreamError(f"{self.name}: {what} cannot be unpacked; ask who runs the origin") from error
        if unpacker and not unpacker.eof:
            raise UnreachableError(f"{self.name}: the link broke, {what} is cut short")
        return bytes(content)

    def _following(self, answer: httpx2.Response, timeout: httpx2.Timeout) -> httpx2.Request | None:
        """Where an answer leads on to, if it does."""
        following = answer.next_request
        if following is None:
            return None
        if answer.request.url.scheme == "https" and following.url.scheme != "https":
            raise UpstreamError(
                f"{self.name} redirects from https to {following.url.scheme}, and is not followed"
            )
        following.extensions = {**following.extensions, "timeout": timeout.as_dict()}
        return following

    def _count(self, answer: httpx2.Response) -> None:
        """Add what the connection has carried since it was looked at last."""
        stream = answer.extensions.get("network_stream")
        connection = stream.get_extra_info("socket") if stream is not None else None
        now = None if connection is None else counted(connection)
        key = answer if now is None else connection
        if now is None and connection in self._counted:
            return  # it has just been closed
        now = now or _estimated(answer)
        before = self._counted.get(key, Counted(0, 0))
        self.wire.sent += max(0, now.sent - before.sent)
        self.wire.received += max(0, now.received - before.received)
        self._counted[key] = now


def _estimated(answer: httpx2.Response) -> Counted:
    """Where the system does not count: bytes of HTTP, and a share for what is around them."""
    asked, told = (
        sum(len(name) + len(value) + 4 for name, value in message.headers.raw)
        for message in (answer.request, answer)
    )
    lines = len(answer.request.url.raw_path) + 16, 17
    return Counted(
        int(AROUND * (asked + lines[0])), int(AROUND * (told + lines[1] + answer.num_bytes_downloaded))
    )


def _shown(address: str) -> str:
    """An address without credentials, which do not belong into messages."""
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known or parts.query or parts.fragment:
        raise ComeoError(f"{address[:100]!r} is no address of an origin; write https://origin.example/")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
