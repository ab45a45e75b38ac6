"""Which shards an archive has: the checksum at the end of each one, in the root's metadata.

A shard without any payload is not written, so one that has been lost would look like one without a valid
pixel: its pixels would turn to nodata, and those of other groups that are predicted from them to wrong
values. And a shard of another archive under the same key, as half a copy leaves it, would be read as if it
belonged. The checksum is that of a shard's index, which has the length of every payload; a shard that is not
written has the checksum of an index in which every block is absent.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence

from comeo.archive.base64_text import records_from_base64
from comeo.archive.model import Level
from comeo.archive.shard import CRC_BYTES, absent_checksum
from comeo.errors import ArchiveError


class Inventory:
    """What an archive states of its shards.

    Args:
        text: As `encode` returned it; None for an archive of version 1, which states nothing.
        levels: All of the archive, in order.
        clear: Key of the one shard of classes, or None where the archive has none.

    Raises:
        ValueError: If it tells of another number of shards.
    """

    def __init__(self, text: str | None, levels: Sequence[Level], clear: str | None = None) -> None:
        self._first: dict[str, int] = {}
        count = 0
        for level in levels:
            self._first[level.key] = count
            count += math.prod(level.shards)
        if clear is not None:
            self._first[clear] = count
            count += 1
        self._checksums = None if text is None else records_from_base64(text, count, CRC_BYTES, "shards")

    def expected(self, level: Level, row: int, col: int) -> bytes | None:
        """The checksum of a level's shard; None where it is not known."""
        return self._at(self._first[level.key] + row * level.shards[1] + col)

    def expected_clear(self, key: str) -> bytes | None:
        """Likewise of the shard of classes."""
        return self._at(self._first[key])

    def _at(self, place: int) -> bytes | None:
        return None if self._checksums is None else self._checksums[place * CRC_BYTES :][:CRC_BYTES]


def encode(levels: Sequence[Level], written: Mapping[str, bytes], clear: bytes | None = None) -> str:
    """State which shards there are.

    Args:
        levels: All of the archive, in order.
        written: Checksums of the shards that are there, by key.
        clear: Checksum of the shard of classes, or None where the archive has none.

    Returns:
        Base64.
    """
    parts = [written.get(key, absent_checksum(slots)) for key, slots in _shards(levels)]
    return base64.b64encode(b"".join([*parts, clear or b""])).decode()


def check(found: bytes | None, expected: bytes | None, slots: int, name: str) -> None:
    """Compare a shard with what the archive states of it.

    Args:
        found: Its checksum; None if it is not there.
        expected: The one stated, or None where that is not known.
        slots: Of its index.
        name: For messages.

    Raises:
        ArchiveError: If it is lost, or belongs to another archive.
    """
    if expected is None or (absent_checksum(slots) if found is None else found) == expected:
        return
    if found is None:
        raise ArchiveError(f"{name} is missing: copy the archive again")
    raise ArchiveError(f"{name} belongs to another archive than its metadata: copy the archive again")


def _shards(levels: Sequence[Level]) -> Iterator[tuple[str, int]]:
    """Key and number of slots of each shard."""
    for level in levels:
        rows, cols = level.shards
        for row in range(rows):
            for col in range(cols):
                yield level.shard_key(row, col), math.prod(level.shard)
