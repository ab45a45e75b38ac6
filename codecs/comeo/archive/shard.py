"""Shards: many payloads in one object with an index at its end (Zarr v3 `sharding_indexed`, ZEP 2)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from comeo.archive.stores import Blob
from comeo.errors import ArchiveError

_ABSENT = 0xFFFFFFFFFFFFFFFF
CRC_BYTES = 4
SLOT_BYTES = 16
MAX_BLOCKS_PER_SIDE = 16
MAX_PAYLOAD_BYTES = 1 << 25  # twice the samples of the largest block


def shard_sides(rows: int, cols: int) -> tuple[int, int]:
    """Size of a level's shards in blocks: as few shards of at most 16×16 as the grid allows, evenly filled.

    A shard's index has a slot for every block, so a shard larger than the level would waste bytes.
    """

    def side(blocks: int) -> int:
        shards = -(-blocks // MAX_BLOCKS_PER_SIDE)
        return -(-blocks // shards)

    return side(rows), side(cols)


def index_bytes_of(slots: int) -> int:
    """Bytes of the index of a shard of so many slots, with its checksum."""
    return slots * SLOT_BYTES + CRC_BYTES


def absent_checksum(slots: int) -> bytes:
    """The checksum at the end of a shard of so many slots without a payload."""
    return with_checksum(b"\xff" * (slots * SLOT_BYTES))[-CRC_BYTES:]


def with_checksum(data: bytes) -> bytes:
    """Append a CRC32C, as Zarr's `crc32c` codec does."""
    return data + struct.pack("<I", google_crc32c.value(data))


def without_checksum(data: bytes) -> memoryview | None:
    """Remove and verify the checksum; None if it does not match."""
    content = memoryview(data)[:-CRC_BYTES]
    return (
        content
        if google_crc32c.value(bytes(content)) == int.from_bytes(data[-CRC_BYTES:], "little")
        else None
    )


def build_shard(payloads: Mapping[int, bytes], slots: int) -> bytes:
    """Join payloads and their index.

    Args:
        payloads: By slot number; a missing slot is a block without a valid pixel.
        slots: How many there are.
    """
    index = np.full((slots, 2), _ABSENT, "<u8")
    parts = []
    position = 0
    for slot, payload in sorted(payloads.items()):
        part = with_checksum(payload)
        index[slot] = position, len(part)
        position += len(part)
        parts.append(part)
    return b"".join([*parts, with_checksum(index.tobytes())])


def read_index(shard: Blob, slots: int, name: str) -> tuple[NDArray[np.uint64], bytes]:
    """Read and check a shard's index.

    Returns:
        (slots, 2): offset and length of each payload with its checksum; length 0 for a missing one. And the
        index's own checksum, with which the shard ends.

    Raises:
        ArchiveError: If the index is damaged, points outside the shard, or to the same bytes twice.
    """
    index_bytes = slots * SLOT_BYTES
    start = shard.size - index_bytes - CRC_BYTES
    if start < 0:
        raise ArchiveError(f"{name} is too short for its index")
    content = shard.read(start, index_bytes + CRC_BYTES)
    data = without_checksum(content)
    if data is None:
        raise ArchiveError(f"{name} has a damaged index, its checksum does not match")
    index = np.frombuffer(data, "<u8").reshape(slots, 2).astype(np.uint64)
    absent = (index == _ABSENT).all(axis=1)
    index[absent] = 0
    offset, length = index[:, 0], index[:, 1]
    sound = (offset <= start) & (length <= start) & (offset + length <= start)
    sound &= length <= MAX_PAYLOAD_BYTES
    if not (sound & (absent | (length > CRC_BYTES))).all():
        raise ArchiveError(f"{name} has an index that points outside it, or to too large a block")
    order = np.argsort(offset[~absent])
    starts, ends = offset[~absent][order], (offset + length)[~absent][order]
    if (ends[:-1] > starts[1:]).any():  # so that blocks together never take more memory than the file
        raise ArchiveError(f"{name} has blocks that overlap")
    return index, content[-CRC_BYTES:]
