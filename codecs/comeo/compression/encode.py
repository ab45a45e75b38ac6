"""One pass over a scene: read strips, code blocks, build overviews.

Groups that are predicted from a finer one follow it strip by strip: of the finer blocks, as decoded, only
those that are still needed are kept.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.archive import ArchiveGroup, ArchiveWriter, Level
from comeo.archive.model import BLOCK
from comeo.archive.references import REFERENCE_REDUCE, Place, finer_blocks, reference_of
from comeo.codecs import Codec
from comeo.codecs.ground import Mask
from comeo.codecs.prediction import Reference
from comeo.compression.clouds import Ground
from comeo.compression.corners import CornerRows, Corrected, Uncorrected
from comeo.compression.measure import BlockErrors, ErrorAccumulator, block_errors
from comeo.compression.points import raised
from comeo.compression.pool import in_order
from comeo.compression.presets import Weights, weights_of
from comeo.compression.pyramid import Overview
from comeo.decibel import uses_power
from comeo.progress import Progress
from comeo.scene import BandGroup, Pixels, Scene, Window

_STRIP_ROWS = 2 * BLOCK  # read at a time; of ESA's tiles, twice as high, a cache keeps the rest


@dataclass(frozen=True, slots=True)
class BlockEncoder:
    """Codes blocks of one group at one step; of decibels, point targets so that they keep their peaks."""

    codec: Codec
    step: float
    has_nodata: bool
    weights: Weights | None = None
    decibels: bool = False

    def __call__(
        self, pixels: Pixels, reference: Reference | None = None, ground: Mask | None = None
    ) -> bytes | None:
        """Payload of a block, or None if it has no valid pixel.

        Args:
            pixels: Of the block.
            reference: What it is predicted from, if anything.
            ground: Where errors count in full; None: everywhere.
        """
        mask = pixels.valid if self.has_nodata else None
        if mask is not None and not mask.any():
            return None
        encode = partial(
            self.codec.encode, step=self.step, mask=mask, reference=reference, weights=self.weights,
            ground=ground,
        )  # fmt: skip
        payload = encode(pixels.values)
        if not self.decibels:
            return payload
        again = raised(pixels.values, self.codec.decode(payload), mask)
        return payload if again is None else encode(again)


@dataclass(frozen=True, slots=True)
class _Pass:
    """What a pass needs everywhere.

    Attributes:
        codec: Codes the blocks.
        writer: Takes the payloads.
        errors: Takes the errors of level 0.
        progress: Receives one unit a block.
        executor: Reads strips and codes blocks.
        preset: Which bands are coded more finely.
        ground: Where errors count in full; None: everywhere.
        halves: Of levels that others are predicted from, by key: blocks as decoded at half size.
        corners: Of levels in decibels, by key.
    """

    codec: Codec
    writer: ArchiveWriter
    errors: ErrorAccumulator
    progress: Progress
    executor: Executor
    preset: str | None
    ground: Ground | None
    halves: dict[str, dict[Place, NDArray[Any]]] = field(default_factory=dict)
    corners: dict[str, CornerRows] = field(default_factory=dict)


def encode_scene(
    scene: Scene,
    groups: list[ArchiveGroup],
    codec: Codec,
    writer: ArchiveWriter,
    errors: ErrorAccumulator,
    progress: Progress,
    executor: Executor,
    preset: str | None = None,
    ground: Ground | None = None,
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
        preset: Which bands are coded more finely: see `presets`.
        ground: Where errors count in full; None: everywhere.

    Returns:
        (rows, 2): of each row of the finest grid the first valid column and the one after the last; equal
        where a row has none.
    """
    spans = np.zeros((scene.groups[0].height, 2), np.int64)
    total = sum(np.prod(level.grid) for group in groups for level in group.levels)
    progress.start("coding", int(total))
    finer = [level.reference for group in groups for level in group.levels if level.reference]
    halves: dict[str, dict[Place, NDArray[Any]]] = {level.key: {} for level in finer}
    work = _Pass(codec, writer, errors, progress, executor, preset, ground, halves)
    pairs = list(zip(scene.groups, groups, strict=True))
    for source, group in pairs:
        if group.levels[0].reference is not None:
            continue
        with ExitStack() as stack:
            strips = stack.enter_context(closing(_strips(source, executor)))
            leader = _GroupCoder(work, group)
            followers = [
                _Follower(_GroupCoder(work, other), stack.enter_context(closing(_strips(own, executor))))
                for own, other in pairs
                if other.levels[0].reference is group.levels[0]
            ]
            for top, pixels in strips:
                if source is scene.groups[0]:
                    spans[top : top + pixels.valid.shape[1]] = _valid_spans(pixels.valid)
                leader.strip(top, pixels)
                for follower in followers:
                    follower.follow(top + pixels.values.shape[1])
            for each in (leader, *(follower.coder for follower in followers)):
                each.finish()
    return spans


class _GroupCoder:
    """Codes a group: strips of level 0 as they come, and then its overviews."""

    def __init__(self, work: _Pass, group: ArchiveGroup) -> None:
        self._work = work
        self.group = group
        power = uses_power(group.bands)
        self._overviews = [Overview(level, power=power) for level in group.levels[1:]]
        if power:
            work.corners.update({level.key: CornerRows() for level in group.levels})

    def strip(self, top: int, pixels: Pixels) -> None:
        """Code the strip that starts at row `top`."""
        _encode_strip(self._work, pixels, top, self.group, self.group.levels[0])
        if self._overviews:
            self._overviews[0].add(pixels, top, 0)

    def finish(self) -> None:
        """Code the overviews, and what is left."""
        for finer, coarser in pairwise(self._overviews):
            coarser.add(Pixels(finer.values, finer.valid), 0, finer.level.number)
        for overview in self._overviews:
            pixels = Pixels(overview.values, overview.valid)
            _encode_strip(self._work, pixels, 0, self.group, overview.level)
        for level in self.group.levels:
            if level.key in self._work.corners:
                _correct(self._work, self.group, level, self._work.corners[level.key].last())


class _Follower:
    """A group that is coded as far as the one that it is predicted from is known.

    Args:
        coder: Of the group.
        strips: Its strips, as `_strips` gives them.
    """

    def __init__(self, coder: _GroupCoder, strips: Generator[tuple[int, Pixels]]) -> None:
        self.coder = coder
        self._strips = strips
        self._level = coder.group.levels[0]
        self._top = 0

    def follow(self, known: int) -> None:
        """Code all strips whose ground lies in the first `known` rows of the finer group."""
        finer = self._level.reference
        while finer is not None and self._top < self._level.height:
            bottom = min(self._top + _STRIP_ROWS, self._level.height)
            if known < min(2 * (bottom + max(self._level.offset[0], 0)), finer.height):
                return
            self.coder.strip(*next(self._strips))
            self._top = bottom


def _strips(group: BandGroup, executor: Executor) -> Generator[tuple[int, Pixels]]:
    """Read a group's strips, each while the one before is being coded; closed, it leaves no read running."""
    height = _STRIP_ROWS

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


def _encode_strip(work: _Pass, pixels: Pixels, top: int, group: ArchiveGroup, level: Level) -> None:
    """Code the blocks of a strip that starts at row `top` of a level."""
    encode = BlockEncoder(
        work.codec,
        level.step,
        group.has_nodata,
        weights_of(group.bands, work.preset),
        uses_power(group.bands),
    )
    halves = work.halves.get(level.key)

    def code(item: tuple[Place, Pixels, Reference | None]) -> tuple[bytes | None, BlockErrors | None]:
        place, block, reference = item
        ground = None if work.ground is None else work.ground.of_block(level, *place)
        payload = encode(block, reference, ground)
        if payload is not None and halves is not None:
            halves[place] = work.codec.decode(payload, reduce=REFERENCE_REDUCE, reference=reference)
        if level.number:
            return payload, None
        decoded = None if payload is None else work.codec.decode(payload, reference=reference)
        return payload, block_errors(block, decoded, ground)

    places = [
        (row, col)
        for row in range(top // level.block, -(-(top + pixels.values.shape[1]) // level.block))
        for col in range(level.grid[1])
    ]
    items = ((place, _cut(pixels, top, level, place), _reference(work, level, place)) for place in places)
    if level.key in work.corners:
        _encode_decibels(work, group, level, encode, items)
        return
    for place, (payload, lost) in zip(places, in_order(work.executor, code, items), strict=True):
        _add(work, group, level, place, payload, lost)
    _forget(work, level, places[-1][0] + 1)


def _add(
    work: _Pass,
    group: ArchiveGroup,
    level: Level,
    place: Place,
    payload: bytes | None,
    lost: BlockErrors | None,
) -> None:
    """Take in a block that is done."""
    work.writer.add(level, *place, payload)
    if lost is not None:
        work.errors.add(group.name, *place, lost, payload)
    work.progress.advance()


def _encode_decibels(
    work: _Pass,
    group: ArchiveGroup,
    level: Level,
    encode: BlockEncoder,
    items: Iterable[tuple[Place, Pixels, Reference | None]],
) -> None:
    """Code blocks of decibels, those of whole rows, and correct what can be corrected by now."""

    def code(item: tuple[Place, Pixels, Reference | None]) -> Uncorrected:
        place, block, _ = item
        ground = None if work.ground is None else work.ground.of_block(level, *place)
        return Uncorrected.of(place, block, encode(block, ground=ground), work.codec)

    coded = in_order(work.executor, code, items)
    while row := list(islice(coded, level.grid[1])):
        _correct(work, group, level, work.corners[level.key].add(row))


def _correct(work: _Pass, group: ArchiveGroup, level: Level, blocks: Sequence[Corrected]) -> None:
    """Correct blocks of decibels, and measure what they have become."""

    def finish(item: Corrected) -> tuple[bytes | None, BlockErrors | None]:
        block, corners = item
        payload = block.corrected(corners, work.codec)
        if level.number:
            return payload, None
        ground = None if work.ground is None else work.ground.of_block(level, *block.place)
        decoded = None if payload is None else work.codec.decode(payload)
        return payload, block_errors(block.pixels, decoded, ground, power=True)

    for (block, _), (payload, lost) in zip(blocks, in_order(work.executor, finish, blocks), strict=True):
        _add(work, group, level, block.place, payload, lost)


def _cut(strip: Pixels, top: int, level: Level, place: Place) -> Pixels:
    """A block of a strip that starts at row `top`."""
    row, col = place[0] * level.block - top, place[1] * level.block
    return Pixels(*(array[:, row : row + level.block, col : col + level.block] for array in strip))


def _reference(work: _Pass, level: Level, place: Place) -> Reference | None:
    """What a block is predicted from, made of what is kept."""
    finer = level.reference
    if finer is None:
        return None
    halves = work.halves[finer.key]
    found = any(block in halves for block in finer_blocks(finer, level, *place))
    return reference_of(finer, level, place, halves) if found else None


def _forget(work: _Pass, level: Level, row: int) -> None:
    """Forget of the finer blocks that are kept those that no block from this row of blocks on needs."""
    finer = level.reference
    if finer is None:
        return
    needed = finer_blocks(finer, level, row, 0) if row < level.grid[0] else []
    first = needed[0][0] if needed else finer.grid[0]
    halves = work.halves[finer.key]
    for block in [block for block in halves if block[0] < first]:
        del halves[block]


def _valid_spans(valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each row the first valid column in any band and the one after the last, or (0, 0)."""
    any_band: NDArray[np.bool_] = np.any(valid, axis=0)
    some = any_band.any(axis=1)
    first = any_band.argmax(axis=1)
    last = any_band.shape[1] - any_band[:, ::-1].argmax(axis=1)
    return np.stack([np.where(some, first, 0), np.where(some, last, 0)], axis=1)
