"""The models that the metadata of an archive's `clear/` group are checked with."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from comeo.archive.model import NamedCodec, Strict

GROUP = "clear"
KEY = f"{GROUP}/data"
SHARD = f"{KEY}/c/0/0"
MAX_SIDE = 1 << 20
MAX_PIXELS = 1 << 28
MIN_BLOCK, MAX_BLOCK = 64, 2048


class ClearFacts(Strict):
    """Where an archive's classes come from: the member `clear` of the root attribute `comeo`.

    Attributes:
        source: Layer of the product, `SCL`, or the method that found them, `s2cloudless`.
        version: Of the method, or None.
        threshold: Probability from which the method calls a pixel cloud, or None.
        classes: Names of the classes that the source can tell apart.
    """

    source: str = Field(pattern=r"^[A-Za-z0-9_.\-]{1,32}$")
    version: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.\-+]{1,32}$")
    threshold: float | None = Field(default=None, ge=0, le=1)
    classes: tuple[Annotated[str, Field(pattern=r"^[a-z]{1,16}$")], ...] = Field(min_length=1, max_length=16)


_Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class _ChunkShape(Strict):
    chunk_shape: tuple[_Side, _Side]


class _ChunkGrid(Strict):
    name: Literal["regular"]
    configuration: _ChunkShape


class _Sharding(_ChunkShape):
    codecs: tuple[NamedCodec, NamedCodec, NamedCodec]
    index_location: Literal["end"] = "end"


class _ShardingCodec(Strict):
    name: Literal["sharding_indexed"]
    configuration: _Sharding


class ClearArray(Strict):
    """The zarr.json of the group's array."""

    zarr_format: Literal[3]
    node_type: Literal["array"]
    shape: tuple[_Side, _Side]
    data_type: Literal["uint8"]
    chunk_grid: _ChunkGrid
    fill_value: Literal[0]
    codecs: tuple[_ShardingCodec]

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Square blocks, all in one shard, coded by `bytes`, `zstd` and `crc32c`."""
        sharding = self.codecs[0].configuration
        side, other = sharding.chunk_shape
        if side != other or not MIN_BLOCK <= side <= MAX_BLOCK:
            raise ValueError(f"its blocks have the shape {sharding.chunk_shape}")
        rows, cols = (-(-length // side) for length in self.shape)
        if rows * cols * side**2 > MAX_PIXELS:
            raise ValueError(f"it claims {rows}×{cols} blocks, with more than {MAX_PIXELS} pixels")
        if self.chunk_grid.configuration.chunk_shape != (rows * side, cols * side):
            raise ValueError("its blocks are not in one shard")
        names = tuple(codec.name for codec in sharding.codecs)
        if names != ("bytes", "zstd", "crc32c"):
            raise ValueError(f"its codecs are {', '.join(names)}, not bytes, zstd, crc32c")
        return self

    @property
    def block(self) -> int:
        """Side of a block."""
        return self.codecs[0].configuration.chunk_shape[0]
