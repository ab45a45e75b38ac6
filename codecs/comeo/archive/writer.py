"""Writing an archive: blocks in any order, then the metadata, then verification, then the final name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from comeo.archive import documents, inventory
from comeo.archive.clear import ClearLayer
from comeo.archive.model import FORMAT_VERSION, ArchiveGroup, Level
from comeo.archive.reader import Archive, open_archive
from comeo.archive.shard import CRC_BYTES, build_shard
from comeo.archive.stores import FOLDER_SUFFIX, ZIP_SUFFIX, open_sink
from comeo.archive.stores.base import METADATA_KEY
from comeo.errors import ArchiveError


def archive_suffix(path: PurePath) -> str | None:
    """The suffix that makes a name an archive's, or None."""
    return next((suffix for suffix in (ZIP_SUFFIX, FOLDER_SUFFIX) if path.name.endswith(suffix)), None)


@dataclass(slots=True)
class _Shard:
    """A shard being filled: `expected` blocks lie inside the level."""

    expected: int
    seen: int = 0
    payloads: dict[int, bytes] = field(default_factory=dict)


class ArchiveWriter:
    """Writes one archive beside its final name; nothing appears there before `commit`.

    Native levels come first in the file. What a reader looks at first stands together at its end: overviews,
    the coarsest last, then metadata, so that one read of the end opens an archive and shows all of it.

    Args:
        path: Final name, ending in `.zarr.zip` or `.zarr`.
        groups: To be written, finest resolution first.
        codec: Name of the codec of all blocks.
        configuration: The codec's own parameters, as its Zarr metadata carries them beside the step.
        clear: Which pixels are clear, if that is known.

    Attributes:
        payload_bytes: Of the payloads added so far, with their checksums.
    """

    def __init__(
        self,
        path: Path,
        groups: Sequence[ArchiveGroup],
        *,
        codec: str,
        configuration: Mapping[str, Any] | None = None,
        clear: ClearLayer | None = None,
    ) -> None:
        self._final = path
        self._groups = groups
        self._codec = codec
        self._configuration = dict(configuration or {})
        self._clear = clear
        self._sink = open_sink(path)
        self._open: dict[tuple[str, int, int], _Shard] = {}
        self._held: list[tuple[int, str, bytes]] = []  # overviews: level, key and bytes of a shard
        self._written: dict[str, bytes] = {}  # checksum of each shard
        self.payload_bytes = 0

    @property
    def size(self) -> int:
        """Bytes of the archive as written so far."""
        return self._sink.size

    def add(self, level: Level, row: int, col: int, payload: bytes | None) -> None:
        """Add a block's payload; None for a block without a valid pixel."""
        shard_rows, shard_cols = level.shard
        shard_row, shard_col = row // shard_rows, col // shard_cols
        key = (level.key, shard_row, shard_col)
        shard = self._open.get(key)
        if shard is None:
            rows, cols = level.grid
            height = min(shard_rows, rows - shard_row * shard_rows)
            width = min(shard_cols, cols - shard_col * shard_cols)
            shard = self._open[key] = _Shard(expected=height * width)
        shard.seen += 1
        if payload is not None:
            shard.payloads[(row % shard_rows) * shard_cols + col % shard_cols] = payload
            self.payload_bytes += len(payload) + CRC_BYTES
        if shard.seen == shard.expected:
            del self._open[key]
            if shard.payloads:
                data = build_shard(shard.payloads, shard_rows * shard_cols)
                self._put(level.number, level.shard_key(shard_row, shard_col), data)

    def _put(self, number: int, key: str, data: bytes) -> None:
        """Write a shard of a native level; hold those of overviews, 1/64 of the bytes, until `finish`."""
        self._written[key] = data[-CRC_BYTES:]
        if number:
            self._held.append((number, key, data))
        else:
            self._sink.write(key, data)

    def finish(
        self,
        item: Mapping[str, Any],
        facts: Mapping[str, Any],
        verify: Callable[[Archive], None],
        further: Callable[[int], Mapping[str, Any]] = lambda _: {},
    ) -> None:
        """Write the metadata and read the archive back.

        Args:
            item: The STAC Item.
            facts: The `comeo` root attribute but for format version, codec, groups and ratio.
            verify: Called with the finished, still nameless archive; raises what it finds.
            further: Called with the archive's size so far; returns further facts that depend on it.

        Raises:
            ArchiveError: If blocks are missing.
        """
        if self._open:
            raise ArchiveError(f"{self._final.name}: blocks of {next(iter(self._open))[0]} were never added")
        for _, key, data in sorted(self._held, key=lambda shard: shard[0]):
            self._sink.write(key, data)
        self._held.clear()
        for key, data in (self._clear.objects if self._clear else {}).items():
            self._sink.write(key, data)
        facts = {**facts, "shards": self._inventory()}
        nodes = self._nodes()
        files = {f"{key}/{METADATA_KEY}": documents.dumps(node) for key, node in nodes.items()}
        size = self._sink.size + sum(self._sink.cost(key, len(data)) for key, data in files.items())
        facts = {**facts, **further(size + len(self._root(item, facts, nodes, size)))}
        draft = self._root(item, facts, nodes, size)
        size += self._sink.cost(METADATA_KEY, len(draft))
        files[METADATA_KEY] = self._root(item, facts, nodes, size)
        for key, data in files.items():
            self._sink.write(key, data)
        self._sink.finish()
        with open_archive(self._sink.path) as archive:
            verify(archive)

    def commit(self, *, replace: bool = False) -> Path:
        """Move the finished archive to its final name; where that fails, nothing is left behind.

        Args:
            replace: Whether an older archive of that name gives way.

        Raises:
            ArchiveError: If the name is taken, or the disk does not allow it.
        """
        try:
            self._sink.publish(replace=replace)
        except BaseException:
            self.discard()
            raise
        return self._final

    def discard(self) -> None:
        """Remove what was written."""
        self._sink.discard()

    def _inventory(self) -> str:
        levels = [level for group in self._groups for level in group.levels]
        return inventory.encode(levels, self._written, self._clear.checksum if self._clear else None)

    def _nodes(self) -> dict[str, dict[str, Any]]:
        """All nodes of the hierarchy but the root."""
        nodes: dict[str, dict[str, Any]] = {}
        for group in self._groups:
            nodes[group.name] = documents.group_node(documents.group_attributes(group))
            for level in group.levels:
                attributes = documents.level_attributes(group, level)
                nodes[f"{group.name}/{level.number}"] = documents.group_node(attributes)
                nodes[level.key] = documents.array_node(group, level, self._codec, self._configuration)
        return {**nodes, **(self._clear.nodes() if self._clear else {})}

    def _root(
        self, item: Mapping[str, Any], facts: Mapping[str, Any], nodes: Mapping[str, Any], size: int
    ) -> bytes:
        comeo = {
            "format_version": FORMAT_VERSION,
            "codec": self._codec,
            **facts,
            "ratio": float(f"{facts['raw_bytes'] / size:.5g}"),
            "groups": [group.name for group in self._groups],
            **({"clear": self._clear.facts.model_dump(exclude_none=True)} if self._clear else {}),
        }
        return documents.dumps(documents.root_node({"stac_discovery": dict(item), "comeo": comeo}, nodes))
