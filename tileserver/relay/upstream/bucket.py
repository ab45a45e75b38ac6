"""An upstream that is a bucket of an object store, which `comeo relay publish s3://…` has written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from cachetools import LRUCache

from comeo.archive.stores.buckets import (
    MissingError,
    ShortError,
    UnchangedError,
    check_installed,
    fetch,
    fetch_pieces,
)
from comeo.errors import ArchiveError, OutOfReachError
from comeo.places import ObjectAddress, address_of
from tileserver.relay.errors import ChangedError, UnreachableError, UpstreamError
from tileserver.relay.feed.layout import INDEX, MODELS
from tileserver.relay.feed.lines import Index
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream.base import PIECE_BYTES
from tileserver.relay.upstream.reading import FeedReader
from tileserver.relay.upstream.wire import AROUND, Wire

if TYPE_CHECKING:
    from obstore import GetOptions

_MOST_TAGS: Final = 1000
_ASKED_BYTES: Final = 700
_TOLD_BYTES: Final = 500
"""Of headers: the client tells nothing of the connection, and signs each request."""


class BucketUpstream(FeedReader):
    """A bucket, or a folder in one. Credentials are those of the environment.

    Args:
        place: Its address, `s3://BUCKET/PREFIX`.
        trust: What is known of it.

    Raises:
        ComeoError: If the address is none, or what buckets need is not installed.
    """

    def __init__(self, place: str, trust: Trust) -> None:
        check_installed()
        self._root = address_of(place)
        super().__init__(trust, str(self._root).removesuffix("/"))
        self._tags: LRUCache[tuple[str, str], str] = LRUCache(_MOST_TAGS)
        """By href and ETag of an archive: of the object of the first range."""
        self._since = self._state = ""
        self.wire = Wire()

    def index_since(self, state: str) -> tuple[Index, str] | None:
        """The index, and its ETag in the store; None if that is still the one that was seen.

        Args:
            state: The ETag that was seen; empty for none.

        Raises:
            UpstreamError: See `Upstream.index`.
        """
        self._since = state
        try:
            return self.index(), self._state
        except UnchangedError:
            return None
        finally:
            self._since = ""

    def read(self, href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Upstream.read`. The store has ETags of its own: the first is the condition of all others."""
        address, version = self._address(href), (href, etag)
        tag = self._tags.get(version)
        options: GetOptions = {"range": (start, stop)}
        with self._saying(href):
            found, pieces = fetch_pieces(
                address, {**options, "if_match": tag} if tag else options, PIECE_BYTES
            )
            if tag not in (None, found.etag):  # a store that knows no conditions
                raise ChangedError(f"{self.name}: {href} has been replaced; read the feed again")
            if stop > found.size:
                raise ChangedError(f"{self.name}: {href} has no bytes {start} to {stop}; read the feed again")
            self._keep(version, found.etag)
            self._count(0)
            yield from self._whole(self._received(pieces), stop - start, href)

    def part_of_model(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Upstream.part_of_model`."""
        path = f"{MODELS}/{sha256}"
        try:
            with self._saying_of_feed(path):
                found, pieces = fetch_pieces(self._root.child(path), {"range": (start, stop)}, PIECE_BYTES)
                self._count(0)
                yield from self._whole(self._received(pieces), min(stop, found.size) - start, path)
        except ShortError:  # it ended there
            return

    def _get(self, path: str, most: int) -> bytes:
        """See `FeedReader._get`."""
        options: GetOptions = {"if_none_match": self._since} if path == INDEX and self._since else {}
        with self._saying_of_feed(path):
            found = fetch(self._root.child(path), options, most)
        self._count(len(found.data))
        if path == INDEX:
            self._state = found.etag
        return found.data

    @contextlib.contextmanager
    def _saying_of_feed(self, path: str) -> Iterator[None]:
        """Say what is wrong with a file of the feed."""
        try:
            yield
        except (UnchangedError, ShortError):
            raise
        except OutOfReachError as error:
            raise UnreachableError(f"{self.name}: {error}") from error
        except MissingError as error:
            raise UpstreamError(
                f"{self.name} has no {path}; see whether `comeo relay publish` has written a feed there"
            ) from error
        except ArchiveError as error:
            raise UpstreamError(f"{self.name}: {error}") from error

    def _address(self, href: str) -> ObjectAddress:
        """Where an archive lies, which is below the root."""
        try:
            return address_of(str(self._root.child(unquote(self._below_root(href)))))
        except ArchiveError as error:
            raise UpstreamError(f"{self.name}: {href[:80]!r} is no path in a bucket: {error}") from error

    def _keep(self, version: tuple[str, str], tag: str) -> None:
        if not tag.startswith('"'):
            raise UpstreamError(
                f"{self.name} has no ETag that tells states of {version[0]} apart; use another store"
            )
        self._tags[version] = tag

    @contextlib.contextmanager
    def _saying(self, href: str) -> Iterator[None]:
        """Say what is wrong with an archive by what helps."""
        try:
            yield
        except OutOfReachError as error:
            raise UnreachableError(f"{self.name}: {error}") from error
        except MissingError as error:
            raise ChangedError(f"{self.name} has no {href} any more; read the feed again") from error
        except ArchiveError as error:  # replaced, or shorter
            raise ChangedError(
                f"{self.name}: {href} is another archive than its line tells of: {error}"
            ) from error

    def _received(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same, counted."""
        for piece in pieces:
            self.wire.received += int(AROUND * len(piece))
            yield piece

    def _count(self, content: int) -> None:
        """Count a request and what was told, about as on the wire."""
        self.wire.sent += int(AROUND * _ASKED_BYTES)
        self.wire.received += int(AROUND * (_TOLD_BYTES + content))
