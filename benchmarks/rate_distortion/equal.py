"""Bytes at equal PSNR: ours at a ratio, and what x265 needs for the same PSNR."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from benchmarks.rate_distortion import x265
from comeo.metrics import mse, psnr_of

RATIOS: Final = (50, 100, 250)
_CLOSE: Final = 0.02
_TRIES: Final = 8
_FIRST_STEP: Final = 12.0  # times the ratio: near enough to begin with
_STEEPEST: Final = -3.0  # log of the step over log of the bytes
_FLATTEST: Final = -0.3
_SPACING: Final = 2  # of x265's qualities: a third of an octave of its step
_FIRST_QUALITY: Final = -44


class Coded(NamedTuple):
    """Bytes and mean squared error of each part that was coded at one step."""

    bytes: list[int]
    errors: list[float]


class AtRatio:
    """A codec of ours at given ratios, nearly: what is compared then is at equal PSNR anyhow.

    Args:
        raw_bytes: Of what is coded, as 16-bit integers.
        code: Codes it at a step.
    """

    def __init__(self, raw_bytes: int, code: Callable[[float], Coded]) -> None:
        self._raw_bytes = raw_bytes
        self._code = code
        self._tried: dict[float, Coded] = {}

    def at_ratio(self, ratio: float) -> Coded:
        """Coded so that the bytes have a ratio."""
        target = math.log(self._raw_bytes / ratio)
        step = next_step(self._sizes(), target) or _FIRST_STEP * ratio
        for _ in range(_TRIES):
            if step not in self._tried:
                self._tried[step] = self._code(step)
            over = self._sizes()[step] - target
            if abs(over) < _CLOSE:
                break
            step = next_step(self._sizes(), target) or step * math.exp(over)
        sizes = self._sizes()
        return self._tried[min(sizes, key=lambda tried: abs(sizes[tried] - target))]

    def _sizes(self) -> dict[float, float]:
        return {step: math.log(sum(coded.bytes)) for step, coded in self._tried.items()}


def next_step(sizes: Mapping[float, float], target: float) -> float | None:
    """A step whose bytes should be those wanted, by a line through two known ones, in logarithms.

    They are the nearest ones: one on each side of the target where there are such.

    Args:
        sizes: Log of the bytes by step.
        target: Log of the bytes that are wanted.

    Returns:
        None where fewer than two are known.
    """
    if len(sizes) < 2:
        return None
    near = sorted(sizes.items(), key=lambda known: abs(known[1] - target))
    one, first = near[0]
    across = [known for known in near if (known[1] - target) * (first - target) < 0]
    other, second = (across or near[1:])[0]
    slope = (math.log(other) - math.log(one)) / (second - first) if first != second else -math.inf
    slope = min(_FLATTEST, max(_STEEPEST, slope))  # bytes of a few blocks don't always fall with the step
    return math.exp(math.log(one) + slope * (target - first))


class Peer:
    """x265's bytes for blocks that are coded at one quality, at any PSNR of all of them together."""

    def __init__(self, blocks: Sequence[NDArray[Any]]) -> None:
        self._blocks = blocks
        self._tried: dict[int, tuple[float, float]] = {}

    def bytes_at(self, psnr: float) -> float:
        """Bytes at a PSNR, by monotone cubic interpolation of log bytes between whole qualities.

        Raises:
            ValueError: If x265 can't be that coarse, or that fine.
        """
        quality = min(
            self._tried, key=lambda tried: abs(self._tried[tried][0] - psnr), default=_FIRST_QUALITY
        )
        while self._at(quality)[0] > psnr:
            quality -= _SPACING
        while self._at(quality)[0] <= psnr:
            quality += _SPACING
        for near in (-2, -1, 1):  # two points on each side
            self._at(min(max(quality + near * _SPACING, x265.COARSEST), x265.FINEST))
        curve = PchipInterpolator(*zip(*sorted(set(self._tried.values())), strict=True), extrapolate=False)
        return math.exp(float(curve(psnr)))

    def _at(self, quality: int) -> tuple[float, float]:
        """PSNR and log bytes."""
        if quality not in self._tried:
            if not x265.COARSEST <= quality <= x265.FINEST:
                raise ValueError(f"x265 has no quality {quality}")
            coded = [x265.code(block, quality) for block in self._blocks]
            errors = [mse(block, pixels) for block, (_, pixels) in zip(self._blocks, coded, strict=True)]
            size = sum(size for size, _ in coded)
            self._tried[quality] = psnr_of(statistics.fmean(errors)), math.log(size)
        return self._tried[quality]


def percent(share: float) -> str:
    """A share with its sign."""
    return f"{100 * share:+.1f} %"
