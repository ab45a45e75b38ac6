"""Rate control: the step that brings a whole archive to a ratio.

A sample of blocks is coded at trial steps until the estimate meets the target; size against step is close to a
power law, so a secant in logarithms gets there in a few trials. What the sample misses, the first full pass
tells, and a second pass corrects.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from comeo.archive import ArchiveGroup
from comeo.archive.shard import CRC_BYTES
from comeo.codecs import Codec
from comeo.compress.encode import BlockEncoder
from comeo.compress.progress import Progress
from comeo.errors import CodecError
from comeo.scene import Pixels, Scene, Window

MIN_STEP = 0.25
MAX_STEP = 50_000.0
SAMPLE_BLOCKS = 96
_FIRST_GUESS_STEP, _FIRST_GUESS_RATIO = 300.0, 100.0
_TYPICAL_SLOPE = -0.8  # d log(size) / d log(step) at ×100
_TRIALS = 10


@dataclass(frozen=True, slots=True)
class _Sample:
    """Some native blocks of a group, each standing for `weight` of them."""

    encoder_of: Callable[[float], BlockEncoder]
    blocks: list[Pixels]
    weight: float


class RateModel:
    """Predicts the bytes of all payloads of a scene at a step from a sample of native blocks.

    Overviews are not sampled: their share is learned by `correct` after a full pass.
    """

    def __init__(self, scene: Scene, groups: list[ArchiveGroup], codec: Codec, progress: Progress) -> None:
        total = sum(math.prod(group.levels[0].grid) for group in groups)
        self._samples = []
        progress.start("sampling", len(groups))
        for source, group in zip(scene.groups, groups, strict=True):
            level = group.levels[0]
            rows, cols = level.grid
            count = min(rows * cols, max(16, SAMPLE_BLOCKS * rows * cols // total))
            chosen = np.linspace(0, rows * cols - 1, count).round().astype(int)
            windows = [
                Window(row * level.block, col * level.block, *level.block_shape(row, col)[1:])
                for row, col in (divmod(int(index), cols) for index in chosen)
            ]
            has_nodata = group.has_nodata
            self._samples.append(
                _Sample(
                    lambda step, has_nodata=has_nodata: BlockEncoder(codec, step, has_nodata),
                    [source.read(window) for window in windows],
                    rows * cols / count,
                )
            )
            progress.advance()
        self._bias = 1.0
        self._known: dict[float, float] = {}

    def payload_bytes(self, step: float) -> float:
        """Predicted bytes of all payloads with their checksums."""
        if step not in self._known:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                self._known[step] = sum(
                    sample.weight
                    * sum(
                        len(payload) + CRC_BYTES
                        for payload in pool.map(sample.encoder_of(step), sample.blocks)
                        if payload is not None
                    )
                    for sample in self._samples
                )
        return self._known[step] * self._bias

    def correct(self, step: float, actual: int) -> None:
        """Learn from a full pass."""
        self._bias *= actual / self.payload_bytes(step)

    def find_step(self, target: float, start: float | None = None, tolerance: float = 0.002) -> float:
        """Find the step at which all payloads are predicted to take `target` bytes.

        Raises:
            CodecError: If no step does.
        """
        step = start or _FIRST_GUESS_STEP
        slope = _TYPICAL_SLOPE
        previous: tuple[float, float] | None = None
        for _ in range(_TRIALS):
            error = math.log(self.payload_bytes(step) / target)
            if abs(error) < tolerance:
                return step
            if (error > 0 and step >= MAX_STEP) or (error < 0 and step <= MIN_STEP):
                break
            here = math.log(step)
            if previous is not None and abs(here - previous[0]) > 1e-6:
                slope = min(-0.1, max(-3.0, (error - previous[1]) / (here - previous[0])))
            previous = here, error
            step = min(MAX_STEP, max(MIN_STEP, math.exp(here - error / slope)))
        error = math.log(self.payload_bytes(step) / target)
        if abs(error) < 10 * tolerance:
            return step
        raise CodecError(
            "no step reaches this ratio: "
            + (
                "the smallest payloads are still too large"
                if error > 0
                else "the payloads can't be that large"
            )
            + "; ask for another ratio, or fix the step"
        )


def first_guess(ratio: float) -> float:
    """A step to start from."""
    return _FIRST_GUESS_STEP * (ratio / _FIRST_GUESS_RATIO) ** (-1 / _TYPICAL_SLOPE)
