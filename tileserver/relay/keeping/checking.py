"""Whether bytes that have come are right: CRC32C of blocks and indexes, CRC-32 of metadata.

What these do not cover, headers of ZIP entries, the SHA-256 of the whole does, at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from comeo.archive import Archive
from comeo.archive.clear_model import SHARD
from comeo.archive.model import Level
from comeo.archive.shard import CRC_BYTES, SLOT_BYTES, without_checksum
from comeo.archive.stores.base import Range
from comeo.archive.stores.extents import Extents, Span
from comeo.archive.stores.sparse import PartFile
from comeo.archive.stores.zip import ZipStore
from comeo.errors import ArchiveError
from tileserver.relay.keeping.journal import Kept
from tileserver.relay.plan.offers import Offer

_ABSENT = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of an archive, and where it lies.

    Attributes:
        level: That it is of.
        place: Row and column of the shard.
        where: In the file.
    """

    level: Level
    place: tuple[int, int]
    where: Range

    @property
    def index(self) -> Span:
        """Its index, the checksum at the end included."""
        stop = self.where.data + self.where.size
        return stop - prod(self.level.shard) * SLOT_BYTES - CRC_BYTES, stop


class Received:
    """An archive under way, opened to check what has come of it.

    Args:
        path: Of the part.
        kept: What the journal says of it.

    Raises:
        ArchiveError: If its head is damaged, or of another archive.
        NotHereError: If its head has not come.
    """

    def __init__(self, path: Path, kept: Kept) -> None:
        self.here = kept.received
        self.file = PartFile(path, kept.received, kept.key.etag)
        store = ZipStore(self.file)
        self.ranges = store.ranges()
        self.archive = Archive(store, path)

    def shards(self) -> Iterator[Shard]:
        """All shards of pixels that there are."""
        for group in self.archive.groups.values():
            for level in group.levels:
                rows, cols = level.shards
                for row in range(rows):
                    for col in range(cols):
                        where = self.ranges.get(level.shard_key(row, col))
                        if where is not None:
                            yield Shard(level, (row, col), where)

    def blocks(self, shard: Shard) -> list[Span]:
        """Where the blocks of a shard lie, its index being here.

        Raises:
            ArchiveError: If the index is damaged.
        """
        start, stop = shard.index
        raw = self.file.read(start, stop - start)
        content = without_checksum(raw)
        expected = self.archive.inventory.expected(shard.level, *shard.place)
        if content is None or expected not in (None, raw[-CRC_BYTES:]):
            raise ArchiveError(f"{self.file.name} has a damaged index")
        index = np.frombuffer(content, "<u8").reshape(-1, 2)
        spans = []
        for offset, length in index[(index != _ABSENT).any(axis=1)].tolist():
            begin = shard.where.data + offset
            if not shard.where.data <= begin < begin + length <= start:
                raise ArchiveError(f"{self.file.name} has an index that points outside its shard")
            spans.append((begin, begin + length))
        return spans

    def is_right(self, span: Span) -> bool:
        """Whether a block's checksum is that of its bytes."""
        return without_checksum(self.file.read(span[0], span[1] - span[0])) is not None


def damaged(path: Path, kept: Kept, offer: Offer, wanted: Extents) -> Extents:
    """Bytes that have come and are not what they should be, so that they have to be asked for again.

    Args:
        path: Of the part.
        kept: With what has come.
        offer: Of the scene.
        wanted: Where to look.
    """
    try:
        received = Received(path, kept)
    except ArchiveError:
        return Extents([(offer.tail, offer.size)])
    with received.archive as archive:
        bad = [span for shard in received.shards() for span in _bad(received, shard, wanted)]
        where = received.ranges.get(SHARD)
        if where is not None and kept.received.covers(where.start, where.stop):
            try:
                if "clear" in archive.damaged:
                    bad.append((where.start, where.stop))
                elif archive.clear is not None:
                    archive.clear.counts  # noqa: B018 - reads all of it
            except ArchiveError:
                bad.append((where.start, where.stop))
    return Extents(bad)


def _bad(received: Received, shard: Shard, wanted: Extents) -> Iterator[Span]:
    """Blocks, or the index, of a shard that are here and damaged."""
    if not received.here.covers(*shard.index) or not wanted.common(Extents([shard.where[::3]])).total:
        return
    try:
        blocks = received.blocks(shard)
    except ArchiveError:
        yield shard.index
        return
    for span in blocks:
        if received.here.covers(*span) and wanted.covers(*span) and not received.is_right(span):
            yield span


def unprotected(path: Path, kept: Kept) -> Extents:
    """Bytes that no checksum of a block covers, of an archive that is all here and yet another one.

    Raises:
        ArchiveError: If it cannot be read.
    """
    received = Received(path, kept)
    with received.archive:
        covered = [shard.index for shard in received.shards()]
        covered += [span for shard in received.shards() for span in received.blocks(shard)]
        return Extents([(0, received.file.size)]).without(Extents(covered))
