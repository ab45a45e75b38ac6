"""The `clear/` group of an archive: which pixels are clear, without loss, by Zarr's own codecs.

One array (y, x) of classes (`comeo.missions.clear`) on a grid of about 60 m. There are no overviews: a whole
Sentinel-2 tile has 64 blocks, and coarser pixels are counted from them. Four large ones would take 4 % fewer
bytes, but a relay that wants a site fetches the blocks of that alone.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pydantic import ValidationError

from comeo.archive import documents
from comeo.archive.clear_model import (
    GROUP,
    KEY,
    MIN_BLOCK,
    SHARD,
    ClearArray,
    ClearFacts,
)
from comeo.archive.inventory import check
from comeo.archive.model import GridAttributes, Level
from comeo.archive.shard import CRC_BYTES, absent_checksum, build_shard, read_index, without_checksum
from comeo.archive.stores import Blob, Store
from comeo.archive.stores.extents import Span
from comeo.errors import ArchiveError
from comeo.grid import Grid
from comeo.missions.clear import (
    CLASSES,
    CLOUD,
    NODATA,
    Classes,
    clear_percentage,
    counts_of,
    shares_of,
)
from comeo.scene import Window

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGEST_BLOCK: Final = 256
_LEVEL: Final = 22


@dataclass(frozen=True)
class ClearLayer:
    """Classes of a scene, to be written.

    Attributes:
        classes: (y, x) uint8.
        grid: Where they lie.
        facts: Where they come from.
    """

    classes: Classes
    grid: Grid
    facts: ClearFacts

    @property
    def block(self) -> int:
        """Side of a block: a power of two, no larger than the layer needs."""
        longest = max(self.grid.height, self.grid.width)
        return min(LARGEST_BLOCK, max(MIN_BLOCK, 1 << (longest - 1).bit_length()))

    @cached_property
    def size(self) -> int:
        """Bytes of the classes in an archive."""
        return sum(map(len, self.objects.values()))

    @cached_property
    def objects(self) -> dict[str, bytes]:
        """Objects of the archive that hold the classes, by key: none where no pixel has one."""
        side, (height, width) = self.block, self.classes.shape
        rows, cols = -(-height // side), -(-width // side)
        payloads: dict[int, bytes] = {}
        for slot in range(rows * cols):
            row, col = divmod(slot, cols)
            block = np.full((side, side), NODATA, np.uint8)
            part = self.classes[row * side : (row + 1) * side, col * side : (col + 1) * side]
            block[: part.shape[0], : part.shape[1]] = part
            if block.any():
                payloads[slot] = zstd.compress(block.tobytes(), _LEVEL)
        return {SHARD: build_shard(payloads, rows * cols)} if payloads else {}

    @property
    def checksum(self) -> bytes:
        """Of the shard that holds the classes: see `comeo.archive.inventory`."""
        slots = math.prod(-(-length // self.block) for length in self.classes.shape)
        return self.objects[SHARD][-CRC_BYTES:] if self.objects else absent_checksum(slots)

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Zarr nodes of the group, by path."""
        side = self.block
        shard = [-(-length // side) * side for length in self.classes.shape]
        names = ["nodata", *(each.name for each in CLASSES)]
        sharding = {
            "chunk_shape": [side, side],
            "codecs": [
                {"name": "bytes"},
                {"name": "zstd", "configuration": {"level": _LEVEL, "checksum": False}},
                {"name": "crc32c"},
            ],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": "end",
        }
        array = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.classes.shape),
            "data_type": "uint8",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
            "chunk_key_encoding": {"name": "default"},
            "fill_value": NODATA,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "dimension_names": ["y", "x"],
            "attributes": {"flag_values": list(range(len(names))), "flag_meanings": " ".join(names)},
        }
        return {GROUP: documents.group_node(documents.grid_attributes(self.grid)), KEY: array}


def classes_under(classes: Classes, grid: Grid, transform: Affine, window: Window) -> Classes:
    """Classes of pixels of another grid of the same projection, by where their centres lie.

    Args:
        classes: (y, x) of the whole layer.
        grid: Of the layer.
        transform: Pixel corner (column, row) of the other grid to coordinates.
        window: Of the other grid.

    Returns:
        (y, x) uint8, without data beyond the layer.
    """
    there = ~grid.transform @ transform
    col, row = np.meshgrid(
        np.arange(window.width) + (window.col + 0.5), np.arange(window.height) + (window.row + 0.5)
    )
    cols = np.floor(there.a * col + there.b * row + there.c)
    rows = np.floor(there.d * col + there.e * row + there.f)
    inside = (cols >= 0) & (cols < grid.width) & (rows >= 0) & (rows < grid.height)
    out = np.full(col.shape, NODATA, np.uint8)
    out[inside] = classes[rows[inside].astype(np.intp), cols[inside].astype(np.intp)]
    return out


@dataclass(frozen=True, slots=True)
class ClearLayout:
    """Where the classes of an archive lie, as its head tells.

    Attributes:
        grid: Of the layer.
        block: Side of a block.
    """

    grid: Grid
    block: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return -(-self.grid.height // self.block), -(-self.grid.width // self.block)

    @property
    def level(self) -> Level:
        """The layer as a level of a group, as far as finding blocks goes."""
        grid = self.grid
        return Level(
            GROUP, 0, grid.height, grid.width, grid.transform, self.block, self.shape, 1,
            np.dtype(np.uint8), 1.0,
        )  # fmt: skip


def layout_of(store: Store) -> ClearLayout:
    """Read where the classes of an archive lie.

    Raises:
        ArchiveError: If its metadata say so nowhere, or are damaged.
    """
    attributes = _checked(store, GROUP, GridAttributes)
    array = _checked(store, KEY, ClearArray)
    try:
        crs = attributes.crs()
    except ValueError as error:
        raise ArchiveError(f"{store.name}: {GROUP}: {error}") from error
    return ClearLayout(Grid(crs, Affine(*attributes.transform), *array.shape), array.block)


def _checked(store: Store, key: str, model: type[Any]) -> Any:
    """A node of the group: attributes of a group, or an array's document."""
    try:
        node = documents.loads(store.metadata(f"{key}/zarr.json"))
        return model.model_validate(node.get("attributes") if key == GROUP else node)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its content"
        raise ArchiveError(f"{store.name}: {key}: {where}: {first['msg']}") from error
    except ValueError as error:
        raise ArchiveError(f"{store.name}: {key} is not JSON: {error}") from error


class ClearGroup:
    """The group of an open archive. Threads may share it.

    Args:
        store: Of the archive.
        facts: As the archive's root states them.
        expected: Checksum of its shard, as the root states it; None where it does not.

    Attributes:
        facts: Where the classes come from.
        layout: Where they lie.
        grid: Likewise.
        block: Side of a block.

    Raises:
        ArchiveError: If the group is damaged, or its shard is missing.
    """

    def __init__(self, store: Store, facts: ClearFacts, expected: bytes | None = None) -> None:
        self._name = store.name
        self.facts = facts
        self.layout = layout_of(store)
        self.grid, self.block = self.layout.grid, self.layout.block
        self._shard: Blob | None = store.get(SHARD)
        slots = self.shape[0] * self.shape[1]
        self._index: NDArray[np.uint64] | None = None
        found: bytes | None = None
        if self._shard is not None:
            self._index, found = read_index(self._shard, slots, self._where)
        check(found, expected, slots, self._where)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return self.layout.shape

    def ranges(self, places: Sequence[tuple[int, int]]) -> list[Span]:
        """Byte ranges, in the archive's file, of those of some blocks, each (row, column), that there are."""
        if self._shard is None or self._index is None:
            return []
        slots = [row * self.shape[1] + col for row, col in places]
        found = [(int(self._index[slot, 0]), int(self._index[slot, 1])) for slot in slots]
        start = self._shard.start
        return [(start + offset, start + offset + length) for offset, length in found if length]

    def blocks(self, places: Sequence[tuple[int, int]]) -> list[Classes]:
        """Read blocks, each (row, column): (block, block) uint8, beyond the layer's edge without data.

        Raises:
            ArchiveError: If one is damaged, naming the file and the block.
        """
        out = [np.full((self.block, self.block), NODATA, np.uint8) for _ in places]
        if self._shard is None or self._index is None:
            return out
        slots = [row * self.shape[1] + col for row, col in places]
        present = [(number, slot) for number, slot in enumerate(slots) if self._index[slot, 1]]
        ranges = [(int(self._index[slot, 0]), int(self._index[slot, 1])) for _, slot in present]
        for (number, _), data in zip(present, self._shard.read_many(ranges), strict=True):
            out[number] = self._decoded(data, *places[number])
        return out

    def read(self, window: Window | None = None) -> Classes:
        """Read the classes of a window of the grid, by default of all of it: (y, x) uint8.

        Raises:
            ArchiveError: If a block is damaged.
        """
        row, col, height, width = window or Window(0, 0, self.grid.height, self.grid.width)
        side = self.block
        first = row // side, col // side
        last = -(-(row + height) // side), -(-(col + width) // side)
        places = [(r, c) for r in range(first[0], last[0]) for c in range(first[1], last[1])]
        out = np.empty(((last[0] - first[0]) * side, (last[1] - first[1]) * side), np.uint8)
        for (r, c), block in zip(places, self.blocks(places), strict=True):
            out[(r - first[0]) * side :, (c - first[1]) * side :][:side, :side] = block
        top, left = row - first[0] * side, col - first[1] * side
        return out[top : top + height, left : left + width]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Pixels of each class over the whole layer, by number.

        Raises:
            ArchiveError: If a block is damaged.
        """
        total = np.zeros(CLOUD + 1, np.int64)
        present = () if self._index is None else np.flatnonzero(self._index[:, 1])
        for slot in present:
            total += counts_of(self.blocks([divmod(int(slot), self.shape[1])])[0])
        total[NODATA] = max(0, self.grid.height * self.grid.width - int(total[NODATA + 1 :].sum()))
        return total

    def document(self) -> dict[str, Any]:
        """What `comeo info --json` says of the group."""
        shares = shares_of(self.counts)
        return {
            **self.facts.model_dump(exclude_none=True),
            "shape": [self.grid.height, self.grid.width],
            "transform": list(self.grid.transform)[:6],
            "size": self.size,
            "shares": shares,
            "clear": None if shares is None else clear_percentage(shares),
        }

    @property
    def size(self) -> int:
        """Bytes of the classes in the archive."""
        return 0 if self._shard is None else self._shard.size

    @property
    def _where(self) -> str:
        return f"{self._name}: shard {SHARD}"

    def _decoded(self, data: bytes, row: int, col: int) -> Classes:
        size = self.block**2
        frame = without_checksum(data)
        block: Classes | None = None
        if frame is not None:
            longest = {int(zstd.DecompressionParameter.window_log_max): max(10, size.bit_length())}
            decompressor = zstd.ZstdDecompressor(options=longest)
            try:
                content = decompressor.decompress(bytes(frame), size + 1)
            except zstd.ZstdError:
                content = b""
            # nothing behind the frame, which other readers would unpack, too
            if len(content) == size and decompressor.eof and not decompressor.unused_data:
                block = np.frombuffer(content, np.uint8).reshape(self.block, self.block)
        if block is None or block.max() > CLOUD:
            raise ArchiveError(f"{self._name}: block ({row}, {col}) of {GROUP} is damaged")
        return block
