"""Whether bytes that have come are right: all that is published has been compared with something.

The ETag of a line is of the ZIP directory, which has the CRC-32 of metadata and all that headers of entries
say. Metadata have the checksums of indexes, these are CRC32C as those of blocks are. At the end the SHA-256
of the whole is compared, so that none was hit by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from comeo.archive import Archive
from comeo.archive.clear_model import SHARD
from comeo.archive.shard import CRC_BYTES, index_bytes_of, without_checksum
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
        where: In the file.
        slots: Of its index.
        expected: Checksum of its index, as the archive's head states it; None where it does not.
    """

    where: Range
    slots: int
    expected: bytes | None

    @property
    def index(self) -> Span:
        """Its index, the checksum at the end included."""
        stop = self.where.data + self.where.size
        return stop - index_bytes_of(self.slots), stop


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
        self.store = ZipStore(self.file)
        self.ranges = self.store.ranges()
        self.archive = Archive(self.store, path)

    def shards(self) -> Iterator[Shard]:
        """All shards that there are, that of the classes among them."""
        inventory = self.archive.inventory
        for level in (level for group in self.archive.groups.values() for level in group.levels):
            rows, cols = level.shards
            for row, col in product(range(rows), range(cols)):
                where = self.ranges.get(level.shard_key(row, col))
                if where is not None:
                    yield Shard(where, prod(level.shard), inventory.expected(level, row, col))
        where, layout = self.ranges.get(SHARD), self.archive.clear_layout
        if where is not None and layout is not None:
            yield Shard(where, prod(layout.shape), inventory.expected_clear(SHARD))

    def blocks(self, shard: Shard) -> list[Span]:
        """Where the blocks of a shard lie, its index being here.

        Raises:
            ArchiveError: If the index is damaged.
        """
        start, stop = shard.index
        raw = self.file.read(start, stop - start)
        content = without_checksum(raw)
        if content is None or shard.expected not in (None, raw[-CRC_BYTES:]):
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
    with received.archive:
        bad = [span for span in received.store.unsound() if wanted.covers(*span)]
        bad += [span for shard in received.shards() for span in _bad(received, shard, wanted)]
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


def scene_of(path: Path, kept: Kept) -> tuple[str, str]:
    """Collection and id that an archive says of itself, its head being here.

    Raises:
        ArchiveError: If it cannot be read.
    """
    received = Received(path, kept)
    with received.archive as archive:
        return archive.collection, archive.id


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
