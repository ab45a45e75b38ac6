"""Archives read block by block, straight from the file.

zarr-python reads the same pixels (tests hold the two equal); this path reads the ZIP directory and each
shard's index once, and then goes straight to a payload.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from comeo.archive import shard as sharding
from comeo.archive.blocks import assemble, blocks_of
from comeo.archive.certificate import Certificate, GroupErrors, decode
from comeo.archive.model import (
    ArchiveGroup,
    ArrayMetadata,
    ComeoAttributes,
    GroupAttributes,
    ItemModel,
    Level,
    RootAttributes,
)
from comeo.archive.store import Blob, Store, open_store
from comeo.codecs import Codec, get_codec
from comeo.errors import ArchiveError, CodecError
from comeo.metrics import psnr_of
from comeo.scene import Window

METADATA_KEY = "zarr.json"

Model = TypeVar("Model", bound=BaseModel)


class Archive:
    """One compressed scene. Safe to share between threads, and across forks unless it lies on a server.

    Attributes:
        name: Of its file or folder, for people.
        item: The STAC Item that it carries.
        groups: By name, finest resolution first.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._indexes: dict[tuple[str, int, int], tuple[Blob, NDArray[np.uint64]] | None] = {}
        self._lock = threading.Lock()
        self.name = store.name
        root = self._attributes(METADATA_KEY, RootAttributes)
        self._comeo: ComeoAttributes = root.comeo
        self.item = root.stac_discovery
        self._item = self._validated(METADATA_KEY, ItemModel, self.item)
        self.groups = {name: self._read_group(name) for name in root.comeo.groups}
        names = [band.name for group in self.groups.values() for band in group.bands]
        if len(set(names)) < len(names) or len(self.groups) < len(root.comeo.groups):
            raise ArchiveError(f"{self.name} has two bands or groups of one name")

    @property
    def id(self) -> str:
        """STAC Item id."""
        return self._item.id

    @property
    def collection(self) -> str:
        """STAC Collection id."""
        return self._item.collection

    @property
    def datetime(self) -> datetime | None:
        """Acquisition time, with a time zone, or None where it is unknown."""
        properties = self._item.properties
        return None if properties.datetime_unknown else properties.datetime

    @property
    def codec(self) -> str:
        """Name of the codec of all blocks."""
        return self._comeo.codec

    @property
    def model(self) -> str | None:
        """SHA-256 of the learned model, if the codec has one."""
        return self._comeo.model

    @property
    def step(self) -> float:
        """Quantisation step of the native level."""
        return self._comeo.step

    @property
    def raw_bytes(self) -> int:
        """Bytes of the scene's bands as 16-bit integers at native resolution."""
        return sum(
            2 * group.levels[0].bands * group.levels[0].height * group.levels[0].width
            for group in self.groups.values()
        )

    @property
    def archive_bytes(self) -> int:
        """Bytes of the whole archive."""
        return self._store.size

    @property
    def ratio(self) -> float:
        """How many times smaller than the raw bands the archive is."""
        return self.raw_bytes / self.archive_bytes

    @property
    def etag(self) -> str:
        """Hex digest that changes whenever the archive's bytes do."""
        return self._store.fingerprint

    @property
    def source(self) -> dict[str, str]:
        """Name and SHA-256 of the product that the archive was made from."""
        return self._comeo.source.model_dump()

    @cached_property
    def certificate(self) -> Certificate | None:
        """What coding has lost, or None where the archive does not tell.

        Raises:
            ArchiveError: If it is damaged.
        """
        text = self._comeo.certificate
        if text is None:
            return None
        try:
            return decode(text, [group.layout for group in self.groups.values()], self.step)
        except ValueError as error:
            raise ArchiveError(f"{self.name} has a damaged quality certificate: {error}") from error

    def payload(self, level: Level, row: int, col: int) -> memoryview | None:
        """Return the payload of a block, its checksum verified, or None for a block without a valid pixel.

        Raises:
            ArchiveError: If it is damaged, naming the file and the block.
        """
        return self.payloads(level, [(row, col)])[0]

    def payloads(self, level: Level, blocks: Sequence[tuple[int, int]]) -> list[memoryview | None]:
        """Return the payloads of blocks, each (row, col), those of a shard at once: see `payload`."""
        shard_rows, shard_cols = level.shard
        out: list[memoryview | None] = [None] * len(blocks)
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
            present = [(place, slot) for place, slot in zip(places, slots, strict=True) if index[slot, 1]]
            ranges = [(int(index[slot, 0]), int(index[slot, 1])) for _, slot in present]
            for (place, _), data in zip(present, shard.read_many(ranges), strict=True):
                out[place] = sharding.without_checksum(data)
                if out[place] is None:
                    name = self._block_name(level, *blocks[place])
                    raise ArchiveError(f"{name} is damaged, its checksum does not match")
        return out

    def decode_blocks(
        self, level: Level, blocks: Sequence[tuple[int, int]], reduce: int = 0
    ) -> list[NDArray[Any]]:
        """Decode blocks in one batch.

        Args:
            level: Of this archive.
            blocks: (row, col) of each.
            reduce: Decode at 1/2^reduce of the size.

        Returns:
            One (bands, y, x) array a block, cropped to the level's size.

        Raises:
            ArchiveError: If one is damaged, naming the file and the block.
        """
        payloads = self.payloads(level, blocks)
        present = [payload for payload in payloads if payload is not None]
        codec = get_codec(self.codec)
        try:
            decoded = iter(codec.decode_many(present, reduce=reduce))
        except CodecError:
            decoded = iter(self._decode_singly(codec, level, blocks, payloads, reduce))
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
                raise ArchiveError(
                    f"{self._block_name(level, row, col)} holds {block.shape} {block.dtype}, not {expected}"
                )
            out.append(block)
        return out

    def read(self, level: Level, window: Window, reduce: int = 0) -> NDArray[Any]:
        """Decode a window of a level, in pixels of the level at that reduction: (bands, height, width)."""
        blocks = blocks_of(level, window, reduce)
        decoded = self.decode_blocks(level, blocks, reduce)
        return assemble(dict(zip(blocks, decoded, strict=True)), level, window, reduce)

    def info(self) -> dict[str, Any]:
        """What `comeo info --json` prints."""
        return {
            "id": self.id,
            "collection": self.collection,
            "datetime": self.item["properties"]["datetime"],
            "codec": self.codec,
            "model": self.model,
            "ratio": round(self.ratio, 2),
            "step": self.step,
            "raw_bytes": self.raw_bytes,
            "archive_bytes": self.archive_bytes,
            "source": self.source,
            "certificate": self._certificate_info(),
            "groups": {name: _group_info(group) for name, group in self.groups.items()},
        }

    def _certificate_info(self) -> dict[str, Any] | None:
        """Figures of the certificate: those of blocks are in `certificate`."""
        if self.certificate is None:
            return None
        return {
            "by_block": self.certificate.by_block,
            "groups": {
                name: {
                    "psnr": _figure(errors.psnr),
                    "bands": {
                        band.name: _band_errors(errors, row)
                        for row, band in enumerate(self.groups[name].bands)
                    },
                }
                for name, errors in self.certificate.groups.items()
            },
        }

    def close(self) -> None:
        """Let go of the file."""
        self._indexes.clear()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _attributes(self, key: str, model: type[Model]) -> Model:
        return self._validated(key, model, self._node(key).get("attributes"))

    def _node(self, key: str) -> dict[str, Any]:
        try:
            # Stricter than `json`: no NaN, no halves of characters, no bottomless nesting, since what an
            # archive says of itself goes on to databases and clients.
            node = from_json(self._store.metadata(key), allow_inf_nan=False)
            json.dumps(node, allow_nan=False)  # 1e999 has become infinite
        except ValueError as error:
            raise ArchiveError(f"{self.name}: {key} is not JSON: {error}") from error
        if not isinstance(node, dict):
            raise ArchiveError(f"{self.name}: {key} is no JSON object")
        return node

    def _validated(self, key: str, model: type[Model], value: Any) -> Model:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "its content"
            raise ArchiveError(f"{self.name}: {key}: {where}: {first['msg']}") from error

    def _read_group(self, name: str) -> ArchiveGroup:
        key = f"{name}/{METADATA_KEY}"
        attributes = self._attributes(key, GroupAttributes)
        try:
            crs = attributes.crs()
        except ValueError as error:
            raise ArchiveError(f"{self.name}: {key}: {error}") from error
        transform = Affine(*attributes.transform)
        levels = tuple(self._read_level(name, number, transform) for number in attributes.levels)
        native = levels[0]
        for level in levels:
            size = (-(-native.height >> level.number), -(-native.width >> level.number))
            facts = (level.bands, level.height, level.width, level.dtype)
            if facts != (len(attributes.bands), *size, native.dtype):
                raise ArchiveError(f"{self.name}: {level.key} does not fit {native.key}")
        bands = tuple(band.band() for band in attributes.bands)
        return ArchiveGroup(name, bands, crs, native.dtype, attributes.nodata, levels)

    def _read_level(self, group: str, number: int, transform: Affine) -> Level:
        key = f"{group}/{number}/data/{METADATA_KEY}"
        array = self._validated(key, ArrayMetadata, self._node(key))
        try:
            return array.level(group, number, transform @ Affine.scale(2**number), self.codec)
        except ValueError as error:
            raise ArchiveError(f"{self.name}: {key}: {error}") from error

    def _shard(self, level: Level, row: int, col: int) -> tuple[Blob, NDArray[np.uint64]] | None:
        key = (level.key, row, col)
        with self._lock:
            if key not in self._indexes:
                shard = self._store.get(f"{level.key}/c/0/{row}/{col}")
                name = f"{self.name}: shard {level.key}/c/0/{row}/{col}"
                slots = level.shard[0] * level.shard[1]
                index = None if shard is None else (shard, sharding.read_index(shard, slots, name))
                self._indexes[key] = index
            return self._indexes[key]

    def _decode_singly(
        self,
        codec: Codec,
        level: Level,
        blocks: Sequence[tuple[int, int]],
        payloads: Sequence[memoryview | None],
        reduce: int,
    ) -> list[NDArray[Any]]:
        """Decode one by one after a batch has failed, to name the block that did it."""
        out = []
        for (row, col), payload in zip(blocks, payloads, strict=True):
            if payload is not None:
                try:
                    out.append(codec.decode(payload, reduce=reduce))
                except CodecError as error:
                    raise ArchiveError(f"{self._block_name(level, row, col)}: {error}") from error
        return out

    def _block_name(self, level: Level, row: int, col: int) -> str:
        return f"{self.name}: block ({row}, {col}) of {level.group}/{level.number}"


def open_archive(place: str | Path) -> Archive:
    """Open an archive: a `.zarr.zip` file, a `.zarr` folder, or the http(s) URL of a file.

    Of a file on a server only the ranges are fetched that are looked at.

    Raises:
        ArchiveError: If it is missing, damaged, or of a version that this program does not read.
    """
    store = open_store(place)
    try:
        return Archive(store)
    except BaseException:
        store.close()
        raise


def _band_errors(errors: GroupErrors, row: int) -> dict[str, float | None]:
    """In the numbers that the array holds; PSNR in dB, null where there is no error at all."""
    rmse = float(errors.rmse[row])
    return {
        "rmse": _figure(rmse),
        "maximum": _figure(float(errors.maximum[row])),
        "bias": _figure(float(errors.bias[row])),
        "psnr": None if math.isnan(rmse) else _figure(psnr_of(rmse**2)),
    }


def _figure(value: float) -> float | None:
    """To the digits that a certificate has, as JSON can say it."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _group_info(group: ArchiveGroup) -> dict[str, Any]:
    native = group.levels[0]
    return {
        "bands": [band.name for band in group.bands],
        "shape": [native.bands, native.height, native.width],
        "dtype": str(group.dtype),
        "nodata": "nan" if group.has_nodata and group.dtype.kind == "f" else group.nodata,
        "crs": group.crs.to_string(),
        "transform": list(native.transform)[:6],
        "levels": [level.number for level in group.levels],
        "block": native.block,
    }
