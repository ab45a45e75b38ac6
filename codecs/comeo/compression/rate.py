"""Rate control: the step that brings a whole archive to a ratio.

A sample of blocks is coded at trial steps until the estimate meets the target; size against step is close to
a power law, so a secant in logarithms gets there in a few trials. The first full pass
shows what the sample missed, and a second pass corrects it.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.archive import ArchiveGroup, Level
from comeo.archive.references import REFERENCE_REDUCE, Place, finer_blocks, reference_of
from comeo.archive.shard import CRC_BYTES
from comeo.codecs import Codec
from comeo.codecs.correction import correction_bytes
from comeo.compression.clouds import Ground
from comeo.compression.encode import BlockEncoder
from comeo.compression.pool import in_order
from comeo.compression.presets import Weights, weights_of
from comeo.decibel import uses_power
from comeo.errors import CodecError
from comeo.progress import Progress
from comeo.scene import BandGroup, Pixels, Scene, Window

MIN_STEP = 1e-3
MAX_STEP = 50_000.0
SAMPLE_BLOCKS = 96, 320  # least and most; between them a seventh, as a pass over few blocks costs little
_SAMPLE_SHARE = 1 / 7
_TYPICAL_STEP = 0.4  # at ×100, in standard deviations of the pixels
_OVERVIEW_SHARE = 0.045  # of the native levels' bytes, as measured on a full-size scene at ×100
_TYPICAL_SLOPE = -0.8  # d log(size) / d log(step) at ×100
_TRIALS = 10


@dataclass(frozen=True, slots=True)
class _Sample:
    """Some native blocks of a group, each standing for `weight` of them.

    Attributes:
        finely: Weights of bands.
        power: Whether they are decibels, and so will have corrections.
    """

    level: Level
    has_nodata: bool
    blocks: dict[Place, Pixels]
    weight: float
    finely: Weights | None
    power: bool


def _spread(level: Level, count: int) -> list[Place]:
    """At most `count` blocks of a level, evenly spread in raster order."""
    rows, cols = level.grid
    chosen = np.linspace(0, rows * cols - 1, min(rows * cols, count)).round().astype(int)
    return [divmod(int(index), cols) for index in chosen]


def _take_sample(
    source: BandGroup, group: ArchiveGroup, places: list[Place], executor: Executor, preset: str | None
) -> _Sample:
    """Read native blocks."""
    level = group.levels[0]
    windows = [
        Window(row * level.block, col * level.block, *level.block_shape(row, col)[1:]) for row, col in places
    ]
    blocks = dict(zip(places, in_order(executor, source.read, windows), strict=True))
    weight = math.prod(level.grid) / len(places)
    weights, power = weights_of(group.bands, preset), uses_power(group.bands)
    return _Sample(level, group.has_nodata, blocks, weight, weights, power)


def _places(groups: list[ArchiveGroup]) -> list[list[Place]]:
    """The native blocks of each group that are sampled.

    Of a group that others are predicted from they are all those that lie under the others' blocks.
    """
    levels = [group.levels[0] for group in groups]
    total = sum(math.prod(level.grid) for level in levels)
    share = min(SAMPLE_BLOCKS[1], max(SAMPLE_BLOCKS[0], _SAMPLE_SHARE * total)) / total
    found = [_spread(level, max(16, round(share * math.prod(level.grid)))) for level in levels]
    for level, places in zip(levels, found, strict=True):
        if level.reference is not None:
            under = [finer_blocks(level.reference, level, *place) for place in places]
            found[levels.index(level.reference)] = list(dict.fromkeys(chain.from_iterable(under)))
    return found


class RateModel:
    """Predicts the bytes of all payloads of a scene at a step from a sample of native blocks.

    Overviews are not sampled: a typical share is assumed until a full pass gives `correct` the true one.
    """

    def __init__(
        self,
        scene: Scene,
        groups: list[ArchiveGroup],
        codec: Codec,
        progress: Progress,
        executor: Executor,
        preset: str | None = None,
        ground: Ground | None = None,
    ) -> None:
        self._codec = codec
        self._ground = ground
        self._executor = executor
        self._samples = []
        progress.start("sampling", len(groups))
        for source, group, places in zip(scene.groups, groups, _places(groups), strict=True):
            self._samples.append(_take_sample(source, group, places, executor, preset))
            progress.advance()
        self._finer = {sample.level.reference.key for sample in self._samples if sample.level.reference}
        variances = [_variance(list(sample.blocks.values())) for sample in self._samples]
        self._spread = float(np.sqrt(np.mean(variances)))
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
            decoded: dict[str, dict[Place, NDArray[Any]]] = {}
            self._known[step] = sum(
                sample.weight * self._sample_bytes(sample, step, decoded) for sample in self._samples
            )
        return max(1.0, self._known[step] * self._bias)

    def _sample_bytes(
        self, sample: _Sample, step: float, decoded: dict[str, dict[Place, NDArray[Any]]]
    ) -> int:
        """Bytes of a sample; blocks that others are predicted from are added to `decoded`, by level."""
        encode = BlockEncoder(self._codec, step, sample.has_nodata, sample.finely, sample.power)
        level = sample.level
        halves: dict[Place, NDArray[Any]] = decoded.setdefault(level.key, {})

        def code(item: tuple[Place, Pixels]) -> int:
            place, block = item
            reference = None
            if level.reference is not None:
                reference = reference_of(level.reference, level, place, decoded[level.reference.key])
            ground = None if self._ground is None else self._ground.of_block(level, *place)
            payload = encode(block, reference, ground)
            if payload is None:
                return 0
            if level.key in self._finer:
                halves[place] = self._codec.decode(payload, reduce=REFERENCE_REDUCE)
            more = correction_bytes(payload) if sample.power else 0
            return len(payload) + more + CRC_BYTES

        return sum(in_order(self._executor, code, sample.blocks.items()))

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
