"""Lines of a feed as they come: all there, in their order, and what check lines say of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tileserver.relay.errors import FeedError
from tileserver.relay.feed.layout import SEGMENT, is_check
from tileserver.relay.feed.lines import CheckLine, Index, Line, read_line
from tileserver.signing import public_key


class Checker:
    """Reads lines that follow one another.

    Args:
        index: Of the feed.
        after: Number of the line before the first one that comes.
    """

    def __init__(self, index: Index, after: int) -> None:
        self._index = index
        self._key = public_key(index.key)
        self._last = after
        self._digest = hashlib.sha256()
        self._whole = after % SEGMENT == 0  # else the segment's first lines have not been seen

    def read(self, raw: bytes) -> Line:
        """Read the next line.

        Raises:
            FeedError: See `read_line`; or a line is missing, comes twice, or is another one than the check
                line of its segment says.
        """
        line = read_line(raw, self._index.origin, self._index.epoch, self._key)
        if line.seq != self._last + 1:
            raise FeedError(
                f"the feed has line {line.seq} where {self._last + 1} is due; nothing more is taken from it"
            )
        if isinstance(line, CheckLine) is not is_check(line.seq):
            raise FeedError(
                f"line {line.seq} of the feed stands in the wrong place; nothing more is taken from it"
            )
        self._last = line.seq
        if isinstance(line, CheckLine):
            if self._whole and line.sha256 != self._digest.hexdigest():
                raise FeedError(
                    f"the lines before {line.seq} are not those that the origin has published; "
                    "nothing more is taken from it"
                )
            self._digest, self._whole = hashlib.sha256(), True
        else:
            self._digest.update(raw + b"\n")
        return line


def split(content: bytes) -> Iterator[bytes]:
    """Lines of a file, without their line feeds; one without an end is left out: it is being written."""
    begin = 0
    while (end := content.find(b"\n", begin)) >= 0:
        yield content[begin:end]
        begin = end + 1
