"""Payloads of blocks, read straight from the shards of a store.

zarr-python reads the same bytes (tests hold the two equal); this path reads each shard's index once, and then
goes straight to a payload.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from comeo.archive import shard as sharding
from comeo.archive.inventory import Inventory, check
from comeo.archive.model import Level
from comeo.archive.stores import Blob, Store
from comeo.archive.stores.extents import Span
from comeo.errors import ArchiveError

_Key = tuple[str, int, int]
_Shard = tuple[Blob, NDArray[np.uint64]]


class Payloads:
    """The payloads of a store's blocks. Threads may share it; each shard's index is read by one of them.

    Args:
        store: Of the archive.
        inventory: Which shards it has.
    """

    def __init__(self, store: Store, inventory: Inventory) -> None:
        self._store = store
        self._inventory = inventory
        self._shards: dict[_Key, _Shard | None] = {}
        self._loading: dict[_Key, threading.Lock] = {}
        self._lock = threading.Lock()  # of `_loading`: nothing is read while it is held

    def read(self, level: Level, blocks: Sequence[tuple[int, int]]) -> list[memoryview | None]:
        """Return payloads, their checksums verified.

        Args:
            level: Of this archive.
            blocks: (row, col) of each. Those of a shard are read at once.

        Returns:
            One a block; None for a block without a valid pixel.

        Raises:
            ArchiveError: If one is damaged, naming the file and the block.
        """
        out: list[memoryview | None] = [None] * len(blocks)
        for shard, present in self._found(level, blocks):
            for place, data in zip(present, shard.read_many(list(present.values())), strict=True):
                out[place] = sharding.without_checksum(data)
                if out[place] is None:
                    name = self.block_name(level, *blocks[place])
                    raise ArchiveError(f"{name} is damaged, its checksum does not match")
        return out

    def ranges(self, level: Level, blocks: Sequence[tuple[int, int]]) -> list[Span]:
        """Byte ranges, in the archive's file, of those of some blocks that have a valid pixel.

        Raises:
            ArchiveError: If the index of a shard is damaged, or has not come yet.
        """
        return [
            (shard.start + offset, shard.start + offset + length)
            for shard, present in self._found(level, blocks)
            for offset, length in present.values()
        ]

    def _found(
        self, level: Level, blocks: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Blob, dict[int, tuple[int, int]]]]:
        """Shards of blocks, and in each the offset and length of those that it has, by place in the list."""
        shard_rows, shard_cols = level.shard
        by_shard: dict[tuple[int, int], list[int]] = {}
        for place, (row, col) in enumerate(blocks):
            by_shard.setdefault((row // shard_rows, col // shard_cols), []).append(place)
        for (shard_row, shard_col), places in by_shard.items():
            entry = self._shard(level, shard_row, shard_col)
            if entry is None:
                continue
            shard, index = entry
            slots = [
                blocks[place][0] % shard_rows * shard_cols + blocks[place][1] % shard_cols for place in places
            ]
            yield (
                shard,
                {
                    place: (int(index[slot, 0]), int(index[slot, 1]))
                    for place, slot in zip(places, slots, strict=True)
                    if index[slot, 1]
                },
            )

    def block_name(self, level: Level, row: int, col: int) -> str:
        """Name of a block in messages."""
        return f"{self._store.name}: block ({row}, {col}) of {level.group}/{level.number}"

    def close(self) -> None:
        """Forget all shards, and close the store."""
        self._store.close()
        self._shards.clear()

    def _shard(self, level: Level, row: int, col: int) -> _Shard | None:
        """A shard and its index; None if the archive has no such shard, as none of its blocks has a pixel."""
        key = (level.key, row, col)
        if key in self._shards:
            return self._shards[key]
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            if key not in self._shards:
                self._shards[key] = self._load(level, row, col)
            return self._shards[key]

    def _load(self, level: Level, row: int, col: int) -> _Shard | None:
        key = level.shard_key(row, col)
        name, slots = f"{self._store.name}: shard {key}", level.shard[0] * level.shard[1]
        expected = self._inventory.expected(level, row, col)
        shard = self._store.get(key)
        if shard is None:
            check(None, expected, slots, name)
            return None
        index, found = sharding.read_index(shard, slots, name)
        check(found, expected, slots, name)
        return shard, index
