"""An archive in memory that decodes without loss, so that what is measured is the reader alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from affine import Affine
from morecantile import Tile
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.archive import Archive, ArchiveGroup, Level
from comeo.archive.references import Decode
from comeo.codecs.reduction import reduce_mean
from comeo.decibel import reduce_power, uses_power
from comeo.scene import BandGroup, Scene, Window
from comeo.view.reader import ArchiveReader, block_cache
from comeo.view.resampling import ResamplingName
from tileserver.render.matrixsets import matrix_set, tile_grid

BLOCK = 256


@dataclass
class ExactArchive:
    """Stands in for `comeo.archive.Archive`: any levels, exact means at any reduction, of power if in dB."""

    id: str
    groups: dict[str, ArchiveGroup]
    pixels: dict[str, NDArray[Any]]
    etag: str = "exact"
    whole_etag: str = "exact"
    completeness: float = 1.0
    codec: str = "exact"
    path: Path = Path("exact.zarr.zip")
    decoded: list[tuple[str, int, int, int, int]] = field(default_factory=list)
    _shrunk: dict[tuple[str, int], NDArray[Any]] = field(default_factory=dict)

    def decode_blocks(
        self, level: Level, blocks: Sequence[tuple[int, int]], reduce: int = 0, _finer: Decode | None = None
    ) -> list[NDArray[Any]]:
        key = (level.group, level.number + reduce)
        if key not in self._shrunk:
            group, number = self.groups[level.group], level.number + reduce
            pixels = self.pixels[level.group]
            self._shrunk[key] = (
                reduce_power(pixels, number)
                if uses_power(group.bands)
                else shrunk(pixels, number, group.has_nodata)
            )
        values = self._shrunk[key]
        side = level.block >> reduce
        self.decoded += [(level.group, level.number, reduce, *block) for block in blocks]
        return [
            values[:, row * side : (row + 1) * side, col * side : (col + 1) * side] for row, col in blocks
        ]


def shrunk(values: NDArray[Any], number: int, has_nodata: bool) -> NDArray[Any]:
    """Means of valid pixels; nodata where most pixels are."""
    if number == 0:
        return values
    valid = (~np.isnan(values) if values.dtype.kind == "f" else values != 0) | (not has_nodata)
    share = reduce_mean(valid.astype(np.float32), number)
    sums = reduce_mean(np.where(valid, values, 0).astype(np.float32), number)
    means = sums / np.maximum(share, 1e-6)
    if values.dtype.kind == "u":
        lowest = 1 if has_nodata else 0
        means = np.clip(np.rint(means), lowest, 65534)
    fill = np.nan if values.dtype.kind == "f" else 0
    return np.where(share >= 0.5, means, fill).astype(values.dtype)


def archived(scene: Scene, levels: Sequence[int] = (0,)) -> ExactArchive:
    """Archive a scene without loss, storing these levels."""
    groups, pixels = {}, {}
    for group in scene.groups:
        read = group.read(Window(0, 0, group.height, group.width))
        fill = np.nan if group.dtype.kind == "f" else 0
        pixels[group.name] = np.where(read.valid, read.values, fill).astype(group.dtype)
        groups[group.name] = ArchiveGroup(
            group.name, group.bands, group.crs, group.dtype, group.has_nodata,
            tuple(_level(group, number) for number in levels),
        )  # fmt: skip
    return ExactArchive(scene.id, groups, pixels)


def reader_of(archive: ExactArchive) -> ArchiveReader:
    return ArchiveReader(cast("Archive", archive), blocks=block_cache(1 << 28))


def _level(group: BandGroup, number: int) -> Level:
    return Level(
        group.name, number, -(-group.height >> number), -(-group.width >> number),
        group.transform @ Affine.scale(2**number), BLOCK, (8, 8), len(group.bands), group.dtype, 1.0,
    )  # fmt: skip


def tile_image(
    reader: ArchiveReader, tile: Tile, *, scale: int = 1, bands: Sequence[str] | None = None,
    resampling: ResamplingName = "bilinear",
) -> ImageData:  # fmt: skip
    """Read a tile of WebMercatorQuad."""
    grid = tile_grid(matrix_set("WebMercatorQuad"), *tile, scale)
    assert grid is not None
    return reader.read(grid, bands, resampling)
