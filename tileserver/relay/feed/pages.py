"""Pages of a feed, read from its files while a log writes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from cachetools import LRUCache

from comeo.globe import intersections
from tileserver.catalog import BBox
from tileserver.errors import BusyError, GoneError
from tileserver.relay.feed.checking import split
from tileserver.relay.feed.layout import (
    FEED,
    INDEX,
    MAX_SEGMENT_BYTES,
    OPEN,
    SEGMENT,
    segment_name,
    segment_of,
)
from tileserver.relay.feed.lines import Index, read_index
from tileserver.relay.feed.packing import unpack

_KEPT: Final = 4
_MOST_SEGMENTS: Final = 10
"""Segments that a page is looked for in, where few lines pass its filter."""
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Filter:
    """Which archives lines are to tell of; lines that drop one pass by its collection alone.

    Attributes:
        bbox: That they touch.
        collections: That they are of.
        start: Earliest acquisition, inclusive; scenes of unknown time do not pass.
        end: Latest acquisition, likewise.
        max_cloud: Percent; scenes of which it is unknown pass.
    """

    bbox: BBox | None = None
    collections: frozenset[str] | None = None
    start: datetime | None = None
    end: datetime | None = None
    max_cloud: float | None = None

    def passes(self, raw: bytes) -> bool:
        """Whether a line is to be given."""
        document = json.loads(raw)
        if document["op"] == "pass":
            document = document["line"]
        if document["op"] == "check" or not self._is_of(document):
            return False
        return document["op"] == "drop" or (self._is_when(document) and self._is_where(document))

    def _is_of(self, document: dict[str, Any]) -> bool:
        return self.collections is None or document["c"] in self.collections

    def _is_when(self, document: dict[str, Any]) -> bool:
        if self.start is None and self.end is None:
            return True
        if "t" not in document:
            return False
        when = datetime.fromisoformat(document["t"])
        return (self.start is None or self.start <= when) and (self.end is None or when <= self.end)

    def _is_where(self, document: dict[str, Any]) -> bool:
        if self.max_cloud is not None and document.get("cloud", 0) > self.max_cloud:
            return False
        west, south, east, north = document["bbox"]
        return self.bbox is None or bool(intersections(self.bbox, (west, south, east, north)))


class Page(NamedTuple):
    """Lines of a feed.

    Attributes:
        lines: As they were written, without line feeds.
        next: Number of the last line that was looked at: where the page after begins.
    """

    lines: list[bytes]
    next: int


class Pages:
    """The feed below an origin's root. Threads may share it.

    Args:
        root: Of the origin.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._segments: LRUCache[tuple[int, int], list[bytes]] = LRUCache(_KEPT)
        self._index: tuple[tuple[int, int], Index] | None = None
        self._lock = threading.Lock()

    def index(self) -> Index:
        """The index as it is now.

        Raises:
            OSError: If there is none.
        """
        path = self._root / INDEX
        status = path.stat()
        state = (status.st_ino, status.st_mtime_ns)
        known = self._index
        if known is not None and known[0] == state:
            return known[1]
        found = read_index(path.read_bytes())
        self._index = (state, found)
        return found

    def page(self, after: int, limit: int, chosen: Filter | None = None) -> Page:
        """Lines that follow one.

        Args:
            after: Number of the line before.
            limit: Lines at most.
            chosen: Which lines are given; None for all, with check lines.

        Raises:
            GoneError: If the feed does not reach so far.
            BusyError: If it is being written all the time.
        """
        index = self.index()
        if after > index.last:
            raise GoneError(
                f"the feed ends with line {index.last} of epoch {index.epoch}; begin with after=0"
            )
        out: list[bytes] = []
        last, most = after, segment_of(after + 1) + _MOST_SEGMENTS
        while last < index.last and len(out) < limit and segment_of(last + 1) < most:
            for raw in self._behind(index, last):
                last += 1
                if chosen is None or chosen.passes(raw):
                    out.append(raw)
                if len(out) == limit or last == index.last:
                    break
        return Page(out, last)

    def _behind(self, index: Index, last: int) -> Iterator[bytes]:
        """Lines behind one, of its segment."""
        segment = segment_of(last + 1)
        begin = (segment - 1) * SEGMENT
        for _ in range(_ATTEMPTS):
            lines = self._segment(index.epoch, segment) or self._open(begin + 1)
            if len(lines) > last - begin:
                return iter(lines[last - begin :])
        raise BusyError("the feed is being written; try again in a moment")

    def _segment(self, epoch: int, number: int) -> list[bytes] | None:
        """Lines of a closed segment; None if it is not closed."""
        with self._lock:
            known = self._segments.get((epoch, number))
        if known is not None:
            return known
        name = segment_name(number)
        try:
            packed = (self._root / FEED / name).read_bytes()
        except FileNotFoundError:
            return None
        lines = list(split(unpack(packed, MAX_SEGMENT_BYTES, name)))
        with self._lock:
            self._segments[epoch, number] = lines
        return lines

    def _open(self, first: int) -> list[bytes]:
        """Lines of the open segment, if it begins with a number; else it has been closed meanwhile."""
        lines = list(split((self._root / OPEN).read_bytes()))
        try:
            return lines if lines and json.loads(lines[0])["seq"] == first else []
        except ValueError:  # being written
            return []
