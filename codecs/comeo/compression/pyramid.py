"""Overviews, built while a scene streams by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.archive.model import Level
from comeo.codecs.reduction import reduce_mask, reduce_mean
from comeo.decibel import reduce_power
from comeo.scene import Pixels


class Overview:
    """One level above native, filled strip by strip.

    A pixel is the mean of the valid pixels that it covers, and valid where at least half of them are.

    Args:
        level: The level.
        power: Whether pixels are decibels, so that the mean is one of power.
    """

    def __init__(self, level: Level, *, power: bool = False) -> None:
        shape = (level.bands, level.height, level.width)
        self.level = level
        self.values: NDArray[Any] = np.zeros(shape, level.dtype)
        self.valid = np.zeros(shape, bool)
        self._power = power

    def add(self, pixels: Pixels, top: int, number: int) -> None:
        """Take in a strip of a finer level, whose rows start at a multiple of this level's pixels.

        Args:
            pixels: Full width of the finer level.
            top: Its first row.
            number: The finer level's number.
        """
        reduce = self.level.number - number
        mean = self._means(pixels, reduce)
        valid = reduce_mask(pixels.valid, reduce)
        rows = slice(top >> reduce, (top >> reduce) + mean.shape[1])
        self.values[:, rows] = np.rint(mean) if self.level.dtype.kind == "u" else np.where(valid, mean, 0)
        self.valid[:, rows] = valid

    def _means(self, pixels: Pixels, reduce: int) -> NDArray[np.float32]:
        """Means of the valid pixels of cells, anything where there is none."""
        if self._power:
            return reduce_power(np.where(pixels.valid, pixels.values, np.float32(np.nan)), reduce)
        share = reduce_mean(pixels.valid.astype(np.float32), reduce)
        values = np.where(pixels.valid, pixels.values, 0).astype(np.float32)
        return np.divide(reduce_mean(values, reduce), np.maximum(share, 1e-9), dtype=np.float32)
