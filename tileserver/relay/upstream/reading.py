"""Reading a feed as a folder of files, whatever gives the files."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pydantic import TypeAdapter, ValidationError

from comeo.codecs.learned.folder import MOST_BYTES
from tileserver.relay.errors import (
    FeedError,
    NewEpochError,
    RewoundError,
    UnreachableError,
    UpstreamError,
)
from tileserver.relay.feed.checking import Checker, split
from tileserver.relay.feed.layout import (
    FEED,
    HEADS,
    INDEX,
    MAX_INDEX_BYTES,
    MAX_SEGMENT_BYTES,
    MODELS,
    OPEN,
    SEGMENT,
    head_name,
    segment_name,
    segment_of,
)
from tileserver.relay.feed.lines import Href, Index, Line, read_index
from tileserver.relay.feed.packing import unpack
from tileserver.relay.feed.trust import Trust

_MOST_LOOKS: Final = 10
_HREF: Final[TypeAdapter[str]] = TypeAdapter(Href)


class FeedReader(ABC):
    """What folders, servers and buckets have in common; as it is, nothing is waited for, nor stays open.

    Args:
        trust: What is known of the upstream.
        name: Of the upstream, for messages.
    """

    def __init__(self, trust: Trust, name: str) -> None:
        self.name = name
        self._trust = trust
        self._index: Index | None = None
        self._written = b""

    @abstractmethod
    def _get(self, path: str, most: int) -> bytes:
        """A small file below the root, whole.

        Raises:
            UnreachableError: If there is no answer.
            UpstreamError: If there is no such file, or it has more bytes.
        """

    @abstractmethod
    def read(self, href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Upstream.read`."""

    def lines(self, after: int, wait: float = 0) -> Iterator[Line]:  # noqa: ARG002 - files tell nothing
        """See `Upstream.lines`."""
        yield from self.lines_of(self._fresh(), after)

    def has(self, href: str) -> bool:  # noqa: ARG002 - it is asked when it is read
        """See `Upstream.has`."""
        return True

    def close(self) -> None:  # noqa: B027
        """See `Upstream.close`."""

    def index(self) -> Index:
        """See `Upstream.index`."""
        written = self._get(INDEX, MAX_INDEX_BYTES)
        found = read_index(written)
        self._trust.check(found)
        self._index, self._written = found, written
        return found

    def head(self, etag: str, packed: int, size: int) -> bytes:
        """See `Upstream.head`."""
        name = f"{HEADS}/{head_name(etag)}"
        try:
            found = unpack(self._get(name, packed), size, f"{self.name}: {name}")
        except FeedError as error:  # and is no lie: a flipped bit
            raise UpstreamError(str(error)) from error
        if len(found) != size:
            raise UpstreamError(f"{self.name}: {name} has {len(found)} bytes, not {size}; it is not used")
        return found

    def files(self, has: Callable[[int], bool]) -> Iterator[tuple[str, bytes]]:
        """The files of the feed as they are, for a copy: closed segments, the open one, and the index last.

        Args:
            has: Whether the copy has a closed segment already, by its number.

        Yields:
            Name below the root, and content, which whoever reads the copy checks.

        Raises:
            NewEpochError: If the log was begun anew since `index` was asked for.
            UnreachableError: If there is no answer, or the files are not of one time.
        """
        for _ in range(_MOST_LOOKS):  # segments may be closed meanwhile
            index = self._fresh()
            closed, rest = divmod(index.last, SEGMENT)
            for number in range(segment_of(index.first), closed + 1):
                if not has(number):
                    name = f"{FEED}/{segment_name(number)}"
                    yield name, self._get_closed(name, index)
            content = self._rest(index) if rest else self._get(OPEN, MAX_SEGMENT_BYTES)
            if content is not None:
                yield OPEN, content
                yield INDEX, self._written
                return
        raise UnreachableError(f"{self.name}: the feed's files are not of one time; try later")

    def model(self, sha256: str) -> bytes:
        """See `Upstream.model`."""
        data = self._get(f"{MODELS}/{sha256}", MOST_BYTES)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise UpstreamError(f"{self.name}: the model {sha256[:12]}… is damaged; fetch it again")
        return data

    def _fresh(self) -> Index:
        """The index as it is now, of the epoch that the last one was of.

        Raises:
            NewEpochError: If it is of another one.
        """
        before, now = self._index, self.index()
        if before is not None and now.epoch != before.epoch:
            raise NewEpochError(f"{self.name} has begun its log anew; its lines are read from the first")
        return now

    def lines_of(self, index: Index, after: int) -> Iterator[Line]:
        """The lines of an index that follow one, each checked, by closed segments and the open one.

        Raises:
            UpstreamError: See `Upstream.lines`.
        """
        self._check_place(index, after)
        last = max(after, index.first - 1)
        while last < index.last:
            segment = segment_of(last + 1)
            if segment * SEGMENT <= index.last:
                content = self._closed(segment, index)
            else:
                found = self._rest(index)
                if found is None:
                    index = self._closed_since(segment)
                    continue
                content = found
            upto = min(segment * SEGMENT, index.last)
            yield from self._checked(index, split(content), (segment - 1) * SEGMENT, last, upto)
            last = upto

    def _below_root(self, href: str) -> str:
        """An href that leads nowhere else; whoever asks may have it from somewhere else than a line.

        Raises:
            UpstreamError: If it does.
        """
        try:
            return _HREF.validate_python(href)
        except ValidationError as error:
            raise UpstreamError(f"{self.name}: {href[:80]!r} is no path below the origin's root") from error

    def _whole(self, pieces: Iterable[bytes], left: int, what: str) -> Iterator[bytes]:
        """Pieces as they come, so many bytes in all.

        Raises:
            UnreachableError: If they are fewer.
            UpstreamError: If they are more.
        """
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise UpstreamError(f"{self.name} sends more of {what} than was asked for")
            yield piece
        if left:
            raise UnreachableError(f"{self.name}: the link broke, {left} bytes of {what} are missing")

    def _get_closed(self, path: str, index: Index) -> bytes:  # noqa: ARG002 - servers have caches before them
        """A closed segment, as it is in the epoch of an index."""
        return self._get(path, MAX_SEGMENT_BYTES)

    def _closed(self, segment: int, index: Index) -> bytes:
        """Lines of a closed segment."""
        name = segment_name(segment)
        raw = self._get_closed(f"{FEED}/{name}", index)
        return unpack(raw, MAX_SEGMENT_BYTES, f"{self.name}: segment {name}")

    def _rest(self, index: Index) -> bytes | None:
        """Lines behind the last closed segment that an index tells of; None where they are not there.

        Where their segment was closed, and the index does not yet say so, they are in its file: also when
        the writer was killed in between.
        """
        segment = segment_of(index.last)
        begin = (segment - 1) * SEGMENT
        content = self._get(OPEN, MAX_SEGMENT_BYTES)
        if _holds(content, index.last, index.last - begin):
            return content
        try:
            content = self._closed(segment, index)
            for _ in self._checked(index, split(content), begin, index.last, index.last):
                pass
        except UnreachableError:
            raise
        except UpstreamError:  # there is none, or a former epoch's: the index does not tell of it
            return None
        return content

    def _closed_since(self, segment: int) -> Index:
        """The index anew, where the open segment was not the one that the last one told of.

        Raises:
            UnreachableError: If it was not closed: a copy is under way, or a cache on the way is behind.
        """
        now = self._fresh()
        if now.last < segment * SEGMENT:
            raise UnreachableError(
                f"{self.name}: the feed's files are not of one time, as while they are copied; try later"
            )
        return now

    def _check_place(self, index: Index, after: int) -> None:
        if after > index.last:
            raise RewoundError(
                f"{self.name}: the feed ends with line {index.last}, and {after} was seen: it was "
                "set back, or is an old copy; ask who runs the origin"
            )

    def _checked(
        self, index: Index, raw: Iterable[bytes], begin: int, after: int, upto: int
    ) -> Iterator[Line]:
        """Lines of a segment from its first one; those after one, up to another, are given."""
        checker, number = Checker(index, begin), begin
        for number, one in enumerate(raw, begin + 1):
            line = checker.read(one)
            if number > after:
                self._trust.meet(line)
                yield line
            if number == upto:
                return
        raise FeedError(
            f"{self.name}: line {number + 1} of the feed is missing; its index tells of {index.last}"
        )


def _holds(content: bytes, last: int, count: int) -> bool:
    """Whether an open segment has so many lines up to one."""
    found = next(split(content), None)
    return found is not None and content.count(b"\n") >= count and _seq(found) == last - count + 1


def _seq(raw: bytes) -> object:
    """Number of a line that has not been checked; None where it has none."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return document.get("seq") if isinstance(document, dict) else None
