"""A file on an HTTP server, of which only the ranges that are read are fetched (RFC 9110, section 14)."""

from __future__ import annotations

import re
import time
import weakref
from typing import Final
from urllib.parse import urlsplit

import httpx2

from comeo.archive.stores.extents import Span
from comeo.archive.stores.far import CONNECTIONS, FarFile
from comeo.archive.stores.file import LARGEST_FILE, TAIL_BYTES
from comeo.errors import ArchiveError, OutOfReachError, ReplacedError

_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.5
_TIMEOUT: Final = httpx2.Timeout(30.0, connect=10.0)
_PATIENCE_SECONDS: Final = 60.0
_SLOWEST: Final = 1000  # bytes a second, beyond that
_TRY_AGAIN: Final = frozenset((429, 502, 503, 504))
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")


class RemoteFile(FarFile):
    """A file on an HTTP server.

    Args:
        url: http(s); redirects are followed, proxies and credentials taken from the environment and `.netrc`.

    Raises:
        ArchiveError: If the file cannot be fetched, or the server does not support range requests.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.name = _name(url)
        self._url = url
        limits = httpx2.Limits(max_connections=CONNECTIONS)
        headers = {"Accept-Encoding": "identity", "User-Agent": "comeo"}
        try:
            self._client = httpx2.Client(
                headers=headers, timeout=_TIMEOUT, follow_redirects=True, limits=limits, max_redirects=5
            )
        except (httpx2.HTTPError, ValueError) as error:  # such as a malformed proxy
            raise ArchiveError(f"{self.name} cannot be fetched: {error}") from error
        weakref.finalize(self, self._client.close)
        self._etag: str | None = None
        self.size = -1
        self._tail, _ = self._request(f"bytes=-{TAIL_BYTES}", TAIL_BYTES)

    def _fetch(self, offset: int, length: int) -> bytes:
        """See `ByteFile._fetch`."""
        span = offset, offset + length
        data, found = self._request(f"bytes={offset}-{span[1] - 1}", length)
        if found != span:
            raise ArchiveError(f"{self.name}: the server sends other bytes than those requested")
        return data

    def _request(self, wanted: str, most: int) -> tuple[bytes, Span]:
        """Request a range, again if the server is only busy."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_SECONDS * 2**attempt)
            try:
                with self._client.stream("GET", self._url, headers={"Range": wanted}) as answer:
                    if answer.status_code in _TRY_AGAIN and attempt + 1 < _ATTEMPTS:
                        continue
                    span = self._check(answer, most)
                    return self._body(answer, span[1] - span[0]), span
            except httpx2.TransportError as error:
                if attempt + 1 == _ATTEMPTS:
                    raise OutOfReachError(f"{self.name} cannot be reached: {error}") from error
            except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
                raise ArchiveError(f"{self.name} cannot be fetched: {error}") from error
        raise AssertionError("the last attempt returns or raises")

    def _check(self, answer: httpx2.Response, most: int) -> Span:
        """Check that an answer is a range of the same file as before; return where it starts and stops."""
        if answer.status_code == 200:
            raise ArchiveError(
                f"{self.name}: the server does not support range requests; download the file instead"
            )
        if answer.status_code != 206:
            raise ArchiveError(f"{self.name} cannot be fetched: the server answers {answer.status_code}")
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None or answer.headers.get("Content-Encoding", "identity") != "identity":
            raise ArchiveError(f"{self.name}: the server does not say which bytes it sends")
        first, last, size = map(int, match.groups())
        if self.size < 0:
            self.size, self._etag = size, answer.headers.get("ETag")
            if last + 1 != size:
                raise ArchiveError(f"{self.name}: the server sends other bytes than those requested")
        if (size, answer.headers.get("ETag")) != (self.size, self._etag):
            raise ReplacedError(f"{self.name} has changed while it was in use")
        if not 0 <= last + 1 - first <= most or size > LARGEST_FILE:
            raise ArchiveError(f"{self.name}: the server sends other bytes than those requested")
        return first, last + 1

    def _body(self, answer: httpx2.Response, length: int) -> bytes:
        """Read a body of known length, from a server that may send too much, too little, or for ever."""
        deadline = time.monotonic() + _PATIENCE_SECONDS + length / _SLOWEST
        data = bytearray()
        for chunk in answer.iter_raw():  # as it comes: a chunk of fixed size could take for ever to fill
            data += chunk
            if len(data) > length or time.monotonic() > deadline:
                raise ArchiveError(f"{self.name}: the server sends more than {length} bytes, or too slowly")
        if len(data) != length:
            raise ArchiveError(f"{self.name}: the server sent {len(data)} bytes of {length}")
        return bytes(data)


def _name(url: str) -> str:
    """An address without credentials and signatures, which do not belong into messages."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ArchiveError(f"the address cannot be read: {error}") from error
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
