"""Files that do not lie on a disk: each read of them is a request, so that they are read in few."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from comeo.archive.stores.extents import Span
from comeo.archive.stores.file import ByteFile

CONNECTIONS: Final = 4
"""Requests for one file at once."""
# Fetching so many bytes that are not needed costs less than a second request.
_GAP_BYTES: Final = 1 << 14


class FarFile(ByteFile):
    """A file of which only the ranges that are read are fetched. Its end, which is read first, is kept."""

    nearby = False

    def __init__(self) -> None:
        self._ahead: deque[tuple[tuple[int, int], bytes]] = deque(maxlen=CONNECTIONS)
        """Offset and length, and bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """See `ByteFile.read`."""
        for (start, size), data in list(self._ahead):
            if start <= offset and offset + length <= start + size:
                return data[offset - start : offset - start + length]
        return super().read(offset, length)

    def read_ahead(self, wanted: tuple[int, int], ahead: tuple[int, int]) -> bytes:
        """See `ByteFile.read_ahead`: both are fetched at once, and the other one kept for a while."""
        data, coming = self.read_many([wanted, ahead])
        self._ahead.append((ahead, coming))
        return data

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `ByteFile.read_many`: ranges that lie close together are fetched as one, the others at once."""
        spans = _merged(sorted((offset, offset + length) for offset, length in ranges))
        if len(spans) == 1:
            parts = [self.read(spans[0][0], spans[0][1] - spans[0][0])]
        else:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                parts = list(pool.map(lambda span: self.read(span[0], span[1] - span[0]), spans))
        fetched = list(zip(spans, parts, strict=True))
        return [_part(fetched, offset, length) for offset, length in ranges]


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Join sorted spans that lie close together."""
    out: list[Span] = []
    for start, stop in spans:
        if out and start - out[-1][1] <= _GAP_BYTES:
            out[-1] = (out[-1][0], max(out[-1][1], stop))
        else:
            out.append((start, stop))
    return out


def _part(fetched: Sequence[tuple[Span, bytes]], offset: int, length: int) -> bytes:
    """Cut a range out of the one fetched span that holds it."""
    for (start, stop), data in fetched:
        if start <= offset and offset + length <= stop:
            return data[offset - start : offset - start + length]
    raise AssertionError("each range lies in a span")
