"""PSNR at a number of bytes, found by bisection over a codec's quality."""

from __future__ import annotations

import math

from benchmarks.rate_distortion.peers import Method
from comeo.codecs.base import Block
from comeo.metrics import mse, psnr_of

_CLOSE_ENOUGH = 0.004  # of the bytes asked for; the rest is interpolated
_ROUNDS = 14


class Curve:
    """A codec's rate-distortion curve on one block, measured where it is asked for."""

    def __init__(self, method: Method, block: Block) -> None:
        self._method = method
        self._block = block
        self._points: dict[float, tuple[int, float]] = {}

    def psnr_at(self, size: int) -> float:
        """PSNR in dB at `size` bytes, between the closest qualities in log(bytes); NaN if out of reach."""
        low, high = self._method.low, self._method.high
        if self._point(low)[0] > size:
            return math.nan
        for known, (bytes_, _) in self._points.items():
            low, high = (max(low, known), high) if bytes_ <= size else (low, min(high, known))
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            if self._method.integer:
                middle = round(middle)
                if middle in (low, high):
                    break
            bytes_ = self._point(middle)[0]
            low, high = (middle, high) if bytes_ <= size else (low, middle)
            if abs(bytes_ / size - 1) < _CLOSE_ENOUGH:
                break
        return self._between(low, high, size)

    def _between(self, low: float, high: float, size: int) -> float:
        (bytes_low, mse_low), (bytes_high, mse_high) = self._point(low), self._point(high)
        if bytes_high <= bytes_low:
            return psnr_of(mse_low)
        weight = math.log(size / bytes_low) / math.log(bytes_high / bytes_low)
        return (1 - min(weight, 1)) * psnr_of(mse_low) + min(weight, 1) * psnr_of(mse_high)

    def _point(self, quality: float) -> tuple[int, float]:
        if quality not in self._points:
            size, decoded = self._method.run(self._block, quality)
            self._points[quality] = size, mse(self._block, decoded)
        return self._points[quality]
