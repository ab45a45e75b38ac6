"""One pass over a scene: read strips, code blocks, build overviews."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Executor, Future, wait
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from comeo.archive import ArchiveGroup, ArchiveWriter, Level
from comeo.codecs import Codec
from comeo.compression.measure import BlockErrors, ErrorAccumulator, block_errors
from comeo.compression.pool import in_order
from comeo.compression.pyramid import Overview
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
    errors: ErrorAccumulator,
    progress: Progress,
    executor: Executor,
) -> NDArray[np.int64]:
    """Code every block of every level into the writer, and gather the errors of native blocks.

    Args:
        scene: The scene.
        groups: Their layout in the archive, as the scene's own groups in order.
        codec: Codes the blocks.
        writer: Takes the payloads.
        errors: Takes the errors of level 0.
        progress: Receives one unit a block.
        executor: Reads strips and codes blocks.

    Returns:
        (rows, 2): of each row of the finest grid the first valid column and the one after the last; equal
        where a row has none.
    """
    spans = np.zeros((scene.groups[0].height, 2), np.int64)
    total = sum(np.prod(level.grid) for group in groups for level in group.levels)
    progress.start("coding", int(total))
    for source, group in zip(scene.groups, groups, strict=True):
        overviews = [Overview(level) for level in group.levels[1:]]
        with closing(_strips(source, executor)) as strips:
            for top, pixels in strips:
                if source is scene.groups[0]:
                    spans[top : top + pixels.valid.shape[1]] = _valid_spans(pixels.valid)
                _encode_strip(executor, pixels, top, group, group.levels[0], codec, writer, errors, progress)
                if overviews:
                    overviews[0].add(pixels, top, 0)
        for finer, coarser in pairwise(overviews):
            coarser.add(Pixels(finer.values, finer.valid), 0, finer.level.number)
        for overview in overviews:
            pixels = Pixels(overview.values, overview.valid)
            _encode_strip(executor, pixels, 0, group, overview.level, codec, writer, errors, progress)
    return spans


def _strips(group: BandGroup, executor: Executor) -> Generator[tuple[int, Pixels]]:
    """Read a group's strips, each while the one before is being coded; closed, it leaves no read running."""
    height = STRIP_BLOCKS * 256

    def read(top: int) -> Future[Pixels]:
        window = Window(top, 0, min(height, group.height - top), group.width)
        return executor.submit(group.read, window)

    tops = range(0, group.height, height)
    coming = read(0)
    try:
        for top in tops:
            pixels = coming.result()
            if top + height < group.height:
                coming = read(top + height)
            yield top, pixels
    finally:
        coming.cancel()
        wait([coming])


def _encode_strip(
    executor: Executor,
    pixels: Pixels,
    top: int,
    group: ArchiveGroup,
    level: Level,
    codec: Codec,
    writer: ArchiveWriter,
    errors: ErrorAccumulator,
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
    for (row, col), (payload, lost) in zip(places, in_order(executor, code, cut), strict=True):
        place = (top + row) // level.block, col // level.block
        writer.add(level, *place, payload)
        if lost is not None:
            errors.add(group.name, *place, lost, payload)
        progress.advance()


def _valid_spans(valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each row the first valid column in any band and the one after the last, or (0, 0)."""
    any_band: NDArray[np.bool_] = np.any(valid, axis=0)
    some = any_band.any(axis=1)
    first = any_band.argmax(axis=1)
    last = any_band.shape[1] - any_band[:, ::-1].argmax(axis=1)
    return np.stack([np.where(some, first, 0), np.where(some, last, 0)], axis=1)
