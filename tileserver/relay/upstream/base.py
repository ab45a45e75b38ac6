"""The contract of upstreams: whatever they are, lines are checked and bytes come piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from tileserver.relay.feed.lines import Index, Line
from tileserver.relay.upstream.wire import Wire

PIECE_BYTES: Final = 1 << 16


class Upstream(Protocol):
    """An origin, or a relay, that lines and archives are taken from. For one thread at a time.

    Attributes:
        wire: Bytes that it has taken so far.
    """

    wire: Wire

    def index(self) -> Index:
        """The state of the feed, its signature checked, by the key that is known.

        Raises:
            UnreachableError: If there is no answer.
            FeedError: If it must not be believed: see `tileserver.relay.feed.trust`.
        """
        ...

    def lines(self, after: int, wait: float = 0) -> Iterator[Line]:
        """The lines that follow one, each checked, in their order: all that there are.

        Args:
            after: Number of the last line that is known; 0 to begin, also where `index` is of another epoch
                than that line was.
            wait: Seconds to wait for a line if there is none; fewer where the upstream allows no more.

        Raises:
            UnreachableError: If there is no answer; lines that have come are good.
            NewEpochError: If the log was begun anew since `index` was asked for.
            RewoundError: If the feed ends before `after`.
            FeedError: If a line must not be believed.
        """
        ...

    def read(self, href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes of an archive as they come, in pieces of at most `PIECE_BYTES`.

        Args:
            href: As a line of this upstream has it: see `href_of`.
            etag: That the archive must have.
            start: First byte.
            stop: Byte behind the last.

        Raises:
            ChangedError: If the archive is another one, or gone.
            UnreachableError: If the link broke; what has come is good so far as its checksums say.
            UpstreamError: If other bytes come than those that were asked for.
        """
        ...

    def head(self, etag: str, packed: int, size: int) -> bytes:
        """What follows `tail` of an archive, which has come packed.

        Args:
            etag: Of the archive.
            packed: Bytes on the way, as its line says.
            size: Bytes.

        Raises:
            UnreachableError: If there is no answer.
            UpstreamError: If this upstream does not have it packed, or not of that size.
        """
        ...

    def has(self, href: str) -> bool:
        """Whether an archive is there, as far as that is known without asking a server.

        Args:
            href: See `read`.
        """
        ...

    def model(self, sha256: str) -> bytes:
        """A learned model that the index names, compared with its digest.

        Raises:
            UpstreamError: If it is not there, or is another one.
        """
        ...

    def part_of_model(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes of a learned model as they come, fewer where it ends; whoever takes them compares its digest.

        Args:
            sha256: Of the model.
            start: First byte.
            stop: Byte behind the last.

        Raises:
            UnreachableError: If the link broke; what has come stays.
            UpstreamError: If there is no such model, or other bytes come than those that were asked for.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
