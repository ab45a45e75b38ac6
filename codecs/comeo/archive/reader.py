"""Archives, open for reading: their metadata, and their pixels block by block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from comeo.archive.blocks import assemble, blocks_of
from comeo.archive.clear import ClearGroup, ClearLayout, layout_of
from comeo.archive.clear_model import GROUP, SHARD, ClearFacts
from comeo.archive.info import info
from comeo.archive.metadata import Metadata, Part, part_of
from comeo.archive.model import Level
from comeo.archive.payloads import Payloads
from comeo.archive.references import Decode, Place, finer_blocks, references
from comeo.archive.stores import Store, open_store, whole_of
from comeo.archive.stores.base import Range
from comeo.archive.stores.extents import Span
from comeo.codecs import get_codec
from comeo.codecs.payload import is_predicted
from comeo.errors import ArchiveError, CodecError, MissingModelError, NotHereError, ReplacedError
from comeo.places import is_far
from comeo.scene import Window

if TYPE_CHECKING:
    from comeo.codecs.base import Codec
    from comeo.codecs.prediction import Reference


class Archive(Metadata):
    """One compressed scene. Threads may share it, and forked processes unless it lies far away.

    Its codec is imported when the first block is decoded.

    Args:
        store: Of the archive; closed with it.
        path: Where it lies on disk, if it does.

    Raises:
        ArchiveError: See `Metadata`.
    """

    def __init__(self, store: Store, path: Path | None = None) -> None:
        super().__init__(store)
        self.path = path
        self._store = store
        self._payloads = Payloads(store, self.inventory)
        self._clear_read: Part[ClearGroup] | None = None
        self._has_model = self.model is None

    @property
    def clear(self) -> ClearGroup | None:
        """Which pixels are clear, or None where that is not known: the archive does not say, or `damaged`.

        Raises:
            NotHereError: If the archive says so in bytes that have not come yet.
        """
        return self._clear.value

    @property
    def clear_here(self) -> ClearGroup | None:
        """Likewise, and None where that has not come yet."""
        try:
            return self.clear
        except NotHereError:
            return None

    @property
    def damaged(self) -> dict[str, str]:
        """See `Metadata.damaged`; and `clear`."""
        found = "" if self.clear_here is not None else self._clear_damage()
        return {**super().damaged, **({"clear": found} if found else {})}

    @property
    def clear_layout(self) -> ClearLayout | None:
        """Where the classes of `clear` lie, or None where there are none: the head alone is read."""
        if self._comeo.clear is None:
            return None
        try:
            return layout_of(self._store)
        except ArchiveError:  # `damaged` says so
            return None

    def _clear_damage(self) -> str:
        try:
            return self._clear.damage
        except NotHereError:
            return ""

    @property
    def _clear(self) -> Part[ClearGroup]:
        if self._clear_read is None or self._clear_read.damage:  # a server may have been out of reach
            self._clear_read = part_of(
                self._comeo.clear, self._read_clear, f"{self.name}: {GROUP} is damaged"
            )
        return self._clear_read

    def _read_clear(self, value: Any) -> ClearGroup:
        expected = self.inventory.expected_clear(SHARD)
        try:
            return ClearGroup(self._store, ClearFacts.model_validate(value), expected)
        except NotHereError:
            raise
        except ArchiveError as error:
            raise ValueError(str(error).removeprefix(f"{self.name}: ")) from error

    def payload(self, level: Level, row: int, col: int) -> memoryview | None:
        """Return the payload of a block, its checksum verified, or None for a block without a valid pixel.

        Raises:
            ArchiveError: If it is damaged, naming the file and the block.
        """
        return self.payloads(level, [(row, col)])[0]

    def payloads(self, level: Level, blocks: Sequence[tuple[int, int]]) -> list[memoryview | None]:
        """Return the payloads of blocks, each (row, col), those of a shard at once: see `payload`."""
        return self._payloads.read(level, blocks)

    def block_ranges(self, level: Level, blocks: Sequence[Place]) -> list[Span]:
        """Byte ranges, in the archive's file, of those of some blocks that have a valid pixel.

        Raises:
            NotHereError: If the index of a shard has not come yet.
            ArchiveError: If it is damaged.
        """
        return self._payloads.ranges(level, blocks)

    def has_blocks(self, level: Level, blocks: Sequence[Place]) -> bool:
        """Whether the payloads of blocks are here: of an archive that is on its way, not all are.

        Raises:
            ArchiveError: If the index of a shard is damaged.
        """
        if self.completeness == 1:
            return True
        try:
            return all(self._store.here.covers(*span) for span in self.block_ranges(level, blocks))
        except NotHereError:
            return False

    def missing_bytes(self, level: Level, block: Place) -> int:
        """Bytes that are missing of a block and of those that it is predicted from.

        Where the index of a shard is missing, a block counts as its share of the shard.

        Raises:
            ArchiveError: If the index of a shard is damaged, or the archive is a folder.
        """
        finer = level.reference
        under = [] if finer is None else [(finer, place) for place in finer_blocks(finer, level, *block)]
        return sum(self._missing_bytes(*each) for each in [(level, block), *under])

    def _missing_bytes(self, level: Level, block: Place) -> int:
        try:
            return sum(
                stop - start
                for span in self.block_ranges(level, [block])
                for start, stop in self._store.here.missing(*span)
            )
        except NotHereError:
            rows, cols = level.shard
            shard = self._store.ranges()[level.shard_key(block[0] // rows, block[1] // cols)]
            return shard.size // (rows * cols)

    def entries(self) -> dict[str, Range]:
        """Where each object lies in the archive's file, by key.

        Raises:
            ArchiveError: If the archive is a folder.
        """
        return self._store.ranges()

    def decode_blocks(
        self, level: Level, blocks: Sequence[Place], reduce: int = 0, finer: Decode | None = None
    ) -> list[NDArray[Any]]:
        """Decode blocks in one batch.

        Args:
            level: Of this archive.
            blocks: (row, col) of each.
            reduce: Decode at 1/2^reduce of the size.
            finer: Decodes the blocks of a finer group that these are predicted from; by default this method.

        Returns:
            One (bands, y, x) array a block, cropped to the level's size.

        Raises:
            MissingModelError: If the model that they were coded with is not here.
            ArchiveError: If one is damaged, naming the file and the block.
        """
        codec = get_codec(self.codec)
        self._require_model(codec)
        payloads = self.payloads(level, blocks)
        present = [
            (block, payload) for block, payload in zip(blocks, payloads, strict=True) if payload is not None
        ]
        known = self._references(level, present, finer or self.decode_blocks)
        try:
            decoded = iter(
                codec.decode_many([payload for _, payload in present], reduce=reduce, references=known)
            )
        except CodecError:
            decoded = iter(self._decode_singly(codec, level, present, known, reduce))
        out = []
        for (row, col), payload in zip(blocks, payloads, strict=True):
            bands, height, width = level.block_shape(row, col)
            expected = (bands, -(-height >> reduce), -(-width >> reduce))
            if payload is None:
                fill = np.nan if level.dtype.kind == "f" else 0
                out.append(np.full(expected, fill, level.dtype))
                continue
            block = next(decoded)
            if block.shape != expected or block.dtype != level.dtype:
                name = self._payloads.block_name(level, row, col)
                raise ArchiveError(f"{name} holds {block.shape} {block.dtype}, not {expected}")
            out.append(block)
        return out

    def read(self, level: Level, window: Window, reduce: int = 0) -> NDArray[Any]:
        """Decode a window of a level, in pixels of the level at that reduction: (bands, height, width)."""
        blocks = blocks_of(level, window, reduce)
        decoded = self.decode_blocks(level, blocks, reduce)
        return assemble(dict(zip(blocks, decoded, strict=True)), level, window, reduce)

    def info(self) -> dict[str, Any]:
        """The document that `comeo info --json` prints."""
        layer, damaged, clear = self.clear_here, self.damaged, None
        if layer is not None:
            try:
                clear = layer.document()
            except NotHereError:
                clear = None
            except ArchiveError as error:
                damaged["clear"] = str(error)
        return {**info(self), "clear": clear, "damaged": damaged}

    def close(self) -> None:
        """Release the file. Blocks that are being read are read to their end."""
        self._payloads.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_model(self, codec: Codec) -> None:
        """Make sure, once, that blocks are decoded by the model that the archive names."""
        if self._has_model or self.model is None:
            return
        try:
            codec.require(self.model)
        except CodecError as error:  # a folder of models may be damaged, too
            raise MissingModelError(f"{self.id} cannot be decoded: {error}") from error
        self._has_model = True

    def _decode_singly(
        self,
        codec: Codec,
        level: Level,
        present: Sequence[tuple[Place, memoryview]],
        known: Sequence[Reference | None],
        reduce: int,
    ) -> list[NDArray[Any]]:
        """Decode one by one after a batch has failed, to name the damaged block."""
        out = []
        for (block, payload), reference in zip(present, known, strict=True):
            try:
                out.append(codec.decode(payload, reduce=reduce, reference=reference))
            except CodecError as error:
                name = self._payloads.block_name(level, *block)
                raise ArchiveError(f"{name}: {error}") from error
        return out

    def _references(
        self, level: Level, present: Sequence[tuple[Place, memoryview]], decode: Decode
    ) -> list[Reference | None]:
        """The reference of each block that is predicted, None for others.

        Raises:
            ArchiveError: If there is none of its pixels, so that a finer block has been lost.
        """
        predicted = [block for block, payload in present if level.reference and is_predicted(payload)]
        if level.reference is None or not predicted:
            return [None] * len(present)
        found = references(level.reference, level, predicted, decode)
        by_block = dict(zip(predicted, found, strict=True))
        for block, reference in by_block.items():
            if np.isnan(reference).all():
                under = finer_blocks(level.reference, level, *block)
                if not under:
                    name = self._payloads.block_name(level, *block)
                    raise ArchiveError(f"{name} is damaged: {level.reference.group} has nothing under it")
                lost = self._payloads.block_name(level.reference, *under[0])
                raise ArchiveError(
                    f"{lost} is missing, which block {block} of {level.group} is predicted from"
                )
        return [by_block.get(block) for block, _ in present]


def open_archive(place: str | Path, fingerprint: str | None = None) -> Archive:
    """Open an archive: a `.zarr.zip` file, a `.zarr` folder, or the http(s) or s3 URL of a file.

    Of a file on a server or in a bucket only the ranges that are read are fetched. A `.zarr.part`, an archive
    that is on its way, can be opened as soon as its head is here.

    Args:
        place: The archive.
        fingerprint: That it must have (`Archive.etag`), which is compared before anything in it is read. Of
            an archive that is on its way, more or less may be here than when it had it.

    Raises:
        ReplacedError: If it has another one.
        NotHereError: If its head has not come yet.
        ArchiveError: If it is missing, damaged, or of a version that this program does not read.
    """
    store = open_store(place, whole_of(fingerprint or ""))
    try:
        if fingerprint is not None and whole_of(fingerprint) != store.whole_fingerprint:
            raise ReplacedError(f"{store.name} has been replaced by another archive")
        return Archive(store, None if is_far(place) else Path(place).absolute())
    except BaseException:
        store.close()
        raise
