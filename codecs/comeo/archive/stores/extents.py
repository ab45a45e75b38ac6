"""Byte ranges of a file: sorted, apart from each other, and never changed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter

Span = tuple[int, int]
"""First byte, and the one behind the last."""
_stop = itemgetter(1)
_start = itemgetter(0)


class Extents:
    """A set of bytes of a file, as ranges. Ranges that touch are one.

    Args:
        spans: In any order, and overlapping as they like; empty ones count for nothing.

    Attributes:
        total: Bytes.

    Raises:
        ValueError: If one starts before the first byte, or stops before it starts.
    """

    __slots__ = ("_spans", "total")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        merged: list[Span] = []
        for start, stop in sorted(spans):
            if not 0 <= start <= stop:
                raise ValueError(f"{start} to {stop} is no range of bytes")
            if start == stop:
                continue
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], stop)
            else:
                merged.append((start, stop))
        self._spans = tuple(merged)
        self.total = sum(stop - start for start, stop in merged)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extents) and self._spans == other._spans

    def __hash__(self) -> int:
        return hash(self._spans)

    def __repr__(self) -> str:
        return f"Extents({list(self._spans)})"

    def add(self, start: int, stop: int) -> Extents:
        """These bytes and those of one more range."""
        return Extents((*self._spans, (start, stop)))

    def union(self, other: Extents) -> Extents:
        """The bytes that are in either."""
        return Extents((*self._spans, *other._spans))

    def common(self, other: Extents) -> Extents:
        """The bytes that are in both."""
        return Extents(span for start, stop in other for span in self._within(start, stop))

    def without(self, other: Extents) -> Extents:
        """The bytes that are here and not in the other."""
        return Extents(span for start, stop in self for span in other.missing(start, stop))

    def covers(self, start: int, stop: int) -> bool:
        """Whether all bytes of a range are here. An empty range has none that could be missing."""
        if start >= stop:
            return True
        place = bisect_right(self._spans, start, key=_start) - 1
        return place >= 0 and stop <= self._spans[place][1]

    def missing(self, start: int, stop: int) -> list[Span]:
        """The parts of a range that are not here, in order."""
        out: list[Span] = []
        for own_start, own_stop in self._within(start, stop):
            if start < own_start:
                out.append((start, own_start))
            start = own_stop
        if start < stop:
            out.append((start, stop))
        return out

    def coalesced(self, gap: int) -> Extents:
        """These bytes, and those between ranges that lie fewer than `gap` bytes apart.

        A request costs as much as some bytes that nobody needs.
        """
        out: list[Span] = []
        for start, stop in self._spans:
            if out and start - out[-1][1] < gap:
                out[-1] = out[-1][0], stop
            else:
                out.append((start, stop))
        return Extents(out)

    def _within(self, start: int, stop: int) -> Iterator[Span]:
        """The parts of a range that are here, in order."""
        first = bisect_right(self._spans, start, key=_stop)
        last = bisect_left(self._spans, stop, key=_start)
        for own_start, own_stop in self._spans[first:last]:
            yield max(start, own_start), min(stop, own_stop)
