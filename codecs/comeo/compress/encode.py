"""One pass over a scene: read strips, code blocks, build overviews."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from comeo.archive import ArchiveGroup, ArchiveWriter, Level
from comeo.codecs import Codec
from comeo.compress.measure import BlockErrors, Tally, block_errors
from comeo.compress.pyramid import Overview
from comeo.progress import Progress
from comeo.scene import BandGroup, Pixels, Scene, Window

STRIP_BLOCKS = 4  # rows of blocks read at a time: 1024 pixels, a tile in ESA's JPEG 2000 files


@dataclass(frozen=True, slots=True)
class BlockEncoder:
    """Codes blocks of one group at one step."""

    codec: Codec
    step: float
    has_nodata: bool

    def __call__(self, pixels: Pixels) -> bytes | None:
        """Payload of a block, or None if it has no valid pixel."""
        if not self.has_nodata:
            return self.codec.encode(pixels.values, step=self.step)
        if not pixels.valid.any():
            return None
        return self.codec.encode(pixels.values, step=self.step, mask=pixels.valid)


def encode_scene(
    scene: Scene,
    groups: list[ArchiveGroup],
    codec: Codec,
    writer: ArchiveWriter,
    tally: Tally,
    progress: Progress,
) -> NDArray[np.int64]:
    """Code every block of every level into the writer, and the errors of native blocks into the tally.

    Returns:
        (rows, 2): of each row of the finest grid the first valid column and the one after the last; equal
        where a row has none.
    """
    spans = np.zeros((scene.groups[0].height, 2), np.int64)
    total = sum(np.prod(level.grid) for group in groups for level in group.levels)
    progress.start("coding", int(total))
    with ThreadPoolExecutor(os.cpu_count()) as pool, ThreadPoolExecutor(1) as ahead:
        for source, group in zip(scene.groups, groups, strict=True):
            overviews = [Overview(level) for level in group.levels[1:]]
            for top, pixels in _strips(source, ahead):
                if source is scene.groups[0]:
                    spans[top : top + pixels.valid.shape[1]] = _valid_spans(pixels.valid)
                _encode_strip(pool, pixels, top, group, group.levels[0], codec, writer, tally, progress)
                if overviews:
                    overviews[0].add(pixels, top, 0)
            for finer, coarser in pairwise(overviews):
                coarser.add(Pixels(finer.values, finer.valid), 0, finer.level.number)
            for overview in overviews:
                pixels = Pixels(overview.values, overview.valid)
                _encode_strip(pool, pixels, 0, group, overview.level, codec, writer, tally, progress)
    return spans


def _strips(group: BandGroup, ahead: ThreadPoolExecutor) -> Iterator[tuple[int, Pixels]]:
    """Read a group's strips, each while the one before is being coded."""
    height = STRIP_BLOCKS * 256

    def read(top: int) -> Future[Pixels]:
        window = Window(top, 0, min(height, group.height - top), group.width)
        return ahead.submit(group.read, window)

    tops = range(0, group.height, height)
    coming = read(0)
    for top in tops:
        pixels = coming.result()
        if top + height < group.height:
            coming = read(top + height)
        yield top, pixels


def _encode_strip(
    pool: ThreadPoolExecutor,
    pixels: Pixels,
    top: int,
    group: ArchiveGroup,
    level: Level,
    codec: Codec,
    writer: ArchiveWriter,
    tally: Tally,
    progress: Progress,
) -> None:
    """Code the blocks of a strip that starts at row `top` of a level."""
    encode = BlockEncoder(codec, level.step, group.has_nodata)

    def code(block: Pixels) -> tuple[bytes | None, BlockErrors | None]:
        payload = encode(block)
        if level.number:
            return payload, None
        return payload, block_errors(block, None if payload is None else codec.decode(payload))

    height, width = pixels.values.shape[1:]
    places = [(row, col) for row in range(0, height, level.block) for col in range(0, width, level.block)]
    cut = (
        Pixels(*(array[:, row : row + level.block, col : col + level.block] for array in pixels))
        for row, col in places
    )
    for (row, col), (payload, errors) in zip(places, pool.map(code, cut), strict=True):
        place = (top + row) // level.block, col // level.block
        writer.add(level, *place, payload)
        if errors is not None:
            tally.add(group.name, *place, errors, payload)
        progress.advance()


def _valid_spans(valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each row the first valid column in any band and the one after the last, or (0, 0)."""
    any_band: NDArray[np.bool_] = np.any(valid, axis=0)
    some = any_band.any(axis=1)
    first = any_band.argmax(axis=1)
    last = any_band.shape[1] - any_band[:, ::-1].argmax(axis=1)
    return np.stack([np.where(some, first, 0), np.where(some, last, 0)], axis=1)
