"""Servers that do not behave: each is stopped with a sentence."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.tileserver.relay.feeds import SHORT, make_log
from tests.tileserver.relay.hostile import files_of, ok, serving
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream import FeedError, HttpUpstream, UnreachableError, UpstreamError

pytestmark = pytest.mark.usefixtures("short_segments")


def _answering(
    published: Path, **special: Iterable[bytes]
) -> Callable[[str, dict[str, str]], Iterable[bytes]]:
    usual = files_of(published)

    def answer(path: str, headers: dict[str, str]) -> Iterable[bytes]:
        for name, given in special.items():
            if path.lstrip("/").startswith(name.replace("__", "/")):
                return given
        return usual(path, headers)

    return answer


class Endless:
    """A beginning, and the same piece for ever."""

    def __init__(self, begin: bytes, piece: bytes) -> None:
        self._begin, self._piece = begin, piece

    def __iter__(self) -> Iterator[bytes]:
        return itertools.chain([self._begin], itertools.repeat(self._piece))


ENDLESS = Endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)
HEADERS = Endless(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n")
PACKED = gzip.compress(b"x" * 10)
BOMB = gzip.compress(b" " * (64 << 20))


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (ENDLESS, UpstreamError, "sends more than the 65537 bytes|has more than 65536 bytes"),
        (HEADERS, UpstreamError, "cannot be re"),
        (ok(BOMB, Content_Encoding="gzip"), UpstreamError, "has more than 65536 bytes, and is not read"),
        (ok(BOMB[:50], Content_Encoding="gzip"), UpstreamError, "cut short|more than"),
        (ok(b"junk", Content_Encoding="gzip"), UpstreamError, "cannot be unpacked"),
        (ok(b"junk", Content_Encoding="br"), UpstreamError, "comes as 'br', which was not asked for"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"], UnreachableError, "cannot be reached"),
        ([b"SSH-2.0-OpenSSH\r\n"], UnreachableError, "cannot be reached"),
        ([b""], UnreachableError, "cannot be reached"),
        (ok(b"", "503 Busy"), UnreachableError, "is busy"),
        (ok(b"", "404 Not Found"), UpstreamError, "answers 404 .* COMEO_RELAY=1"),
        (ok(b"", "401 No"), UpstreamError, "refuses .*credentials"),
        (ok(b"", "302 Found", Location="/relay/v1/index.json"), UpstreamError, "redirects more than 5 times"),
        (ok(b"", "302 Found", Location="ftp://x/"), UpstreamError, "cannot be re"),
    ],
)  # fmt: skip
def test_a_server_that_does_not_behave(
    given: Iterable[bytes], kind: type[Exception], words: str, published: Path
) -> None:
    with serving(_answering(published, relay__v1__index=given)) as address, pytest.raises(kind, match=words):
        HttpUpstream(address, Trust()).index()


def _range(stated: str, body: bytes = b"x" * 10, **headers: str) -> list[bytes]:
    return ok(body, "206 Partial Content", Content_Range=stated, **headers)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (_range("bytes 0-9/100"), "sends other bytes"),
        (_range("bytes 5-15/100"), "sends other bytes"),
        (_range("bytes 5-14"), "does not say which bytes"),
        (_range("lines 5-14/100"), "does not say which bytes"),
        (ok(b"x" * 10, "206 Partial Content"), "does not say which bytes"),
        (_range("bytes 5-14/100", b"x" * 11), "sends more than the 10 bytes"),
        (_range("bytes 5-14/100", b"x" * 9), "the link broke, 1 bytes"),
        (
            _range("bytes 5-14/100", gzip.compress(b"x" * 10), Content_Encoding="gzip"),
            "does not say which bytes",
        ),
        (ok(b"x" * 10), "sends no ranges of files"),
        (ok(b"", "404 Not Found"), "has no scene any more"),
        (ok(b"", "416 Odd"), "has no bytes 5 to 15"),
    ],
)
def test_a_server_that_sends_other_bytes(given: Iterable[bytes], words: str, published: Path) -> None:
    with serving(_answering(published, scene=given)) as address, pytest.raises(UpstreamError, match=words):
        list(HttpUpstream(address, Trust()).read("scene", "0" * 32, 5, 15))


def test_an_endless_feed_of_a_server_that_waits(tmp_path: Path) -> None:
    make_log(tmp_path, wait=50)
    folder = tmp_path / "public"
    with make_log(tmp_path, wait=50).writing():
        pass
    with serving(_answering(folder, relay__v1__feed=ENDLESS)) as address:
        upstream = HttpUpstream(address, Trust())
        with pytest.raises(UpstreamError, match="more than"):
            list(upstream.lines(0))
    lines = ok(b"{}\n" * (SHORT + 1))
    with (
        serving(_answering(folder, relay__v1__feed=lines)) as address,
        pytest.raises(FeedError, match="more lines than were asked for"),
    ):
        list(HttpUpstream(address, Trust()).lines(0))
