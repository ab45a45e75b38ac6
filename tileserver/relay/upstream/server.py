"""An upstream that is a server: an origin or relay that runs, or files of one behind any web server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode, urljoin

import httpx2
from cachetools import LRUCache

from tileserver.relay.errors import ChangedError, FeedError, RewoundError, UnreachableError, UpstreamError
from tileserver.relay.feed.checking import Checker
from tileserver.relay.feed.layout import FEED, MAX_SEGMENT_BYTES, MODELS, ROOT, SEGMENT
from tileserver.relay.feed.lines import Index, Line
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream.link import Link
from tileserver.relay.upstream.reading import FeedReader

_BUSY: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
_GONE: Final = frozenset((404, 410, 412))
_MOST_TAGS: Final = 1000
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")


class HttpUpstream(FeedReader):
    """A server. Proxies and credentials are those of the environment and `.netrc`.

    Args:
        address: Its root, `https://origin.example/` or with a path.
        trust: What is known of it.
        proxy: Instead of those of the environment.

    Raises:
        ComeoError: If the address or the proxy is none.
    """

    def __init__(self, address: str, trust: Trust, *, proxy: str | None = None) -> None:
        self._link = Link(address, proxy)
        super().__init__(trust, self._link.name)
        self._root = address if address.endswith("/") else f"{address}/"
        self._tags: LRUCache[tuple[str, str], str] = LRUCache(_MOST_TAGS)
        """By href and ETag of an archive: strong ETags of a server that has others."""
        self.wire = self._link.wire

    def lines(self, after: int, wait: float = 0) -> Iterator[Line]:
        """See `Upstream.lines`: closed segments as files, which any cache keeps, then by the feed."""
        known = self._index
        index = known if known is not None and known.wait and wait else self._fresh()
        if not index.wait:
            yield from self.lines_of(index, after)
            return
        closed = index.last - index.last % SEGMENT
        if after < closed:
            for line in self.lines_of(index.model_copy(update={"last": closed}), after):
                after = line.seq
                yield line
        elif index is not known:
            self._check_place(index, after)
        while True:
            page = self._page(index, after, min(wait, index.wait))
            for line in page:
                after = line.seq
                yield line
            if len(page) < SEGMENT:
                return
            wait = 0

    def read(self, href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Upstream.read`."""
        address = urljoin(self._root, self._below_root(href))
        # Any web server has ETags of its own: the first one is kept, and compared with the next.
        tag = f'"{etag}"' if (self._index or self.index()).wait else self._tags.get((href, etag))
        wanted = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        if tag is not None:
            wanted["If-Range"] = tag
        with self._link.ask(address, wanted) as answer:
            self._check_range(answer, (href, etag), tag, start, stop)
            yield from self._whole(self._link.pieces(answer, stop - start), stop - start, href)

    def part_of_model(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Upstream.part_of_model`."""
        path = f"{MODELS}/{sha256}"
        wanted = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        with self._link.ask(urljoin(self._root, path), wanted) as answer:
            if answer.status_code == 416:  # it ended there
                return
            length = self._range_of(answer, path, start, stop)
            yield from self._whole(self._link.pieces(answer, length), length, path)

    def close(self) -> None:
        """See `Upstream.close`."""
        self._link.close()

    def _page(self, index: Index, after: int, wait: float) -> list[Line]:
        """Lines of the feed after one, at most those of a segment, all of them checked."""
        query = {"after": after, "limit": SEGMENT, **({"wait": int(wait)} if wait >= 1 else {})}
        try:
            content = self._get(f"{FEED}?{urlencode(query)}", MAX_SEGMENT_BYTES, wait)
        except _AnswerError as error:
            if error.status != 410:
                raise
            self._check_place(self._fresh(), after)  # the index says what is wrong, if it is honest
            raise RewoundError(f"{self.name}: the feed does not go on after line {after}") from error
        raw = content.split(b"\n")
        if raw.pop():
            raise UnreachableError(f"{self.name}: the link broke in the middle of a line")
        if len(raw) > SEGMENT:
            raise FeedError(f"{self.name} sends more lines than were asked for; nothing is taken from it")
        checker = Checker(index, after)
        try:
            lines = [checker.read(one) for one in raw]
        except FeedError:
            self._fresh()  # lines of another epoch are signed for that
            raise
        for line in lines:
            self._trust.meet(line)
        return lines

    def _get_closed(self, path: str, index: Index) -> bytes:
        """See `FeedReader._get_closed`: caches keep segments for ever, those of former epochs, too."""
        return self._get(f"{path}?{urlencode({'epoch': index.epoch})}", MAX_SEGMENT_BYTES)

    def _get(self, path: str, most: int, wait: float = 0) -> bytes:
        """See `FeedReader._get`; compressed on the way where the server does that."""
        with self._link.ask(urljoin(self._root, path), {"Accept-Encoding": "gzip"}, wait) as answer:
            path = path.partition("?")[0]
            if answer.status_code != 200:
                raise self._refused(answer, path)
            return self._link.content(answer, path, most)

    def _check_range(
        self, answer: httpx2.Response, version: tuple[str, str], known: str | None, start: int, stop: int
    ) -> None:
        """Check that an answer is the range that was asked for, of the archive that it was asked of."""
        href = version[0]
        tag = answer.headers.get("ETag", "")
        if known is not None and answer.status_code in (200, 206) and tag not in ("", known):
            raise ChangedError(f"{self.name}: {href} has been replaced; read the feed again")
        if answer.status_code == 416:
            raise ChangedError(f"{self.name}: {href} has no bytes {start} to {stop}; read the feed again")
        if self._range_of(answer, href, start, stop) != stop - start:
            raise ChangedError(f"{self.name}: {href} has no bytes {start} to {stop}; read the feed again")
        if known is None and tag.startswith('"'):
            self._tags[version] = tag

    def _range_of(self, answer: httpx2.Response, path: str, start: int, stop: int) -> int:
        """How many bytes an answer has, which are those that were asked for, fewer where the file ends."""
        if answer.status_code == 200:
            raise UpstreamError(f"{self.name} sends no ranges of files; ask who runs it to allow that")
        if answer.status_code != 206:
            raise self._refused(answer, path)
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None or answer.headers.get("Content-Encoding", "identity") != "identity":
            raise UpstreamError(f"{self.name} does not say which bytes of {path} it sends")
        first, last, size = map(int, match.groups())
        if (first, last) != (start, min(stop, size) - 1):
            raise UpstreamError(f"{self.name} sends other bytes of {path} than those that were asked for")
        return last + 1 - first

    def _refused(self, answer: httpx2.Response, path: str) -> UpstreamError:
        status = answer.status_code
        if status in _BUSY:
            return UnreachableError(f"{self.name} is busy ({status}); it is asked again later")
        if status in (401, 403, 407):
            return UpstreamError(f"{self.name} refuses {path} ({status}); check the credentials in .netrc")
        if status in _GONE and not path.startswith(f"{ROOT}/"):
            return ChangedError(f"{self.name} has no {path} any more ({status}); read the feed again")
        return _AnswerError(
            f"{self.name} answers {status} to {path}; see whether it is an origin, with COMEO_RELAY=1", status
        )


class _AnswerError(UpstreamError):
    """A status that is not expected."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
