"""Rate control: the step that brings a whole archive to a ratio.

A sample of blocks is coded at trial steps until the estimate meets the target; size against step is close to
a power law, so a secant in logarithms gets there in a few trials. The first full pass
shows what the sample missed, and a second pass corrects it.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from comeo.archive import ArchiveGroup
from comeo.archive.shard import CRC_BYTES
from comeo.codecs import Codec
from comeo.compression.encode import BlockEncoder
from comeo.compression.pool import in_order
from comeo.errors import CodecError
from comeo.progress import Progress
from comeo.scene import BandGroup, Pixels, Scene, Window

MIN_STEP = 1e-3
MAX_STEP = 50_000.0
SAMPLE_BLOCKS = 96
_TYPICAL_STEP = 0.4  # at ×100, in standard deviations of the pixels
_OVERVIEW_SHARE = 0.045  # of the native levels' bytes, as measured on a full-size scene at ×100
_TYPICAL_SLOPE = -0.8  # d log(size) / d log(step) at ×100
_TRIALS = 10


@dataclass(frozen=True, slots=True)
class _Sample:
    """Some native blocks of a group, each standing for `weight` of them."""

    has_nodata: bool
    blocks: list[Pixels]
    weight: float


def _take_sample(source: BandGroup, group: ArchiveGroup, count: int, executor: Executor) -> _Sample:
    """Read at most `count` native blocks, evenly spread in raster order."""
    level = group.levels[0]
    rows, cols = level.grid
    count = min(rows * cols, count)
    chosen = np.linspace(0, rows * cols - 1, count).round().astype(int)
    windows = [
        Window(row * level.block, col * level.block, *level.block_shape(row, col)[1:])
        for row, col in (divmod(int(index), cols) for index in chosen)
    ]
    blocks = list(in_order(executor, source.read, windows))
    return _Sample(group.has_nodata, blocks, rows * cols / count)


class RateModel:
    """Predicts the bytes of all payloads of a scene at a step from a sample of native blocks.

    Overviews are not sampled: a typical share is assumed until a full pass gives `correct` the true one.
    """

    def __init__(
        self, scene: Scene, groups: list[ArchiveGroup], codec: Codec, progress: Progress, executor: Executor
    ) -> None:
        total = sum(math.prod(group.levels[0].grid) for group in groups)
        self._codec = codec
        self._executor = executor
        self._samples = []
        progress.start("sampling", len(groups))
        for source, group in zip(scene.groups, groups, strict=True):
            share = math.prod(group.levels[0].grid) / total
            count = max(16, round(SAMPLE_BLOCKS * share))
            self._samples.append(_take_sample(source, group, count, executor))
            progress.advance()
        self._spread = float(np.sqrt(np.mean([_variance(sample.blocks) for sample in self._samples])))
        has_overviews = any(len(group.levels) > 1 for group in groups)
        self._bias = 1 + (_OVERVIEW_SHARE if has_overviews else 0.0)
        self._known: dict[float, float] = {}

    def first_guess(self, ratio: float) -> float:
        """A step to start from."""
        guess: float = _TYPICAL_STEP * self._spread * (ratio / 100) ** (-1 / _TYPICAL_SLOPE)
        return min(MAX_STEP, max(MIN_STEP, guess))

    def payload_bytes(self, step: float) -> float:
        """Predicted bytes of all payloads with their checksums."""
        if step not in self._known:
            self._known[step] = sum(
                sample.weight * self._sample_bytes(sample, step) for sample in self._samples
            )
        return max(1.0, self._known[step] * self._bias)

    def _sample_bytes(self, sample: _Sample, step: float) -> int:
        encode = BlockEncoder(self._codec, step, sample.has_nodata)
        payloads = in_order(self._executor, encode, sample.blocks)
        return sum(len(payload) + CRC_BYTES for payload in payloads if payload is not None)

    def correct(self, step: float, actual: int) -> None:
        """Learn from a full pass."""
        self._bias *= actual / self.payload_bytes(step)

    def find_step(self, target: float, start: float, tolerance: float = 0.002) -> float:
        """Find the step at which all payloads are predicted to take `target` bytes.

        Raises:
            CodecError: If no step does.
        """
        step = start
        slope = _TYPICAL_SLOPE
        previous: tuple[float, float] | None = None
        best = math.inf, step
        for _ in range(_TRIALS):
            error = math.log(self.payload_bytes(step) / target)
            best = min(best, (abs(error), step))
            if best[0] < tolerance:
                return step
            if (error > 0 and step >= MAX_STEP) or (error < 0 and step <= MIN_STEP):
                break
            here = math.log(step)
            if previous is not None and abs(here - previous[0]) > 1e-6:
                slope = min(-0.1, max(-3.0, (error - previous[1]) / (here - previous[0])))
            previous = here, error
            step = min(MAX_STEP, max(MIN_STEP, math.exp(here - error / slope)))
        if best[0] < 10 * tolerance:  # small payloads are whole numbers of bytes, some way off the target
            return best[1]
        reasons = {
            MAX_STEP: "the smallest payloads are still too large",
            MIN_STEP: "payloads cannot be that large",
        }
        reason = reasons.get(step, "the closest sizes are off by more than the tolerance")
        raise CodecError(f"no step reaches this ratio, {reason}; choose another ratio, or give a step")


def _variance(blocks: list[Pixels]) -> float:
    """Mean variance of the valid pixels of blocks; 1 if there are none."""
    variances = [float(np.var(block.values[block.valid])) for block in blocks if block.valid.any()]
    return sum(variances) / len(variances) if variances else 1.0
