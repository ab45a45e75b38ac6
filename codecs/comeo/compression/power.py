"""What coding loses of mean power, of bands in decibels: over a scene, and over cells of 8×8 pixels and more.

A mean of decibels is no mean that anybody measures, so errors of means are 10·log10 of ratios of mean power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comeo.archive.power import SIDE, BandPower
from comeo.decibel import to_power
from comeo.figures import significant

_DIGITS = 4


@dataclass(frozen=True, slots=True)
class PowerErrors:
    """Sums over a block's valid pixels, or a scene's.

    Attributes:
        original: (bands,) sum of the original pixels' power.
        decoded: Likewise of the decoded ones.
        cells: (bands,) cells of `SIDE` pixels to a side, all of them valid.
        squares: (bands,) sum of the squares of these cells' errors, in dB.
    """

    original: NDArray[np.float64]
    decoded: NDArray[np.float64]
    cells: NDArray[np.int64]
    squares: NDArray[np.float64]

    def __add__(self, other: PowerErrors) -> PowerErrors:
        """Of both together."""
        return PowerErrors(
            self.original + other.original, self.decoded + other.decoded,
            self.cells + other.cells, self.squares + other.squares,
        )  # fmt: skip

    def stated(self) -> list[BandPower]:
        """Of each band, as an archive states it."""
        with np.errstate(divide="ignore", invalid="ignore"):
            bias = 10 * np.log10(self.decoded / self.original)
            rmse = np.sqrt(self.squares / self.cells)
        return [
            BandPower(bias=significant(own, _DIGITS), rmse_8=significant(cells, _DIGITS))
            for own, cells in zip(bias.tolist(), rmse.tolist(), strict=True)
        ]


def power_of(decibels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Power (bands, y, x); 0 where pixels do not count."""
    return np.where(valid, to_power(decibels), 0).astype(np.float64)


def cell_errors(
    original: NDArray[np.float64], decoded: NDArray[np.float64], valid: NDArray[np.bool_], side: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Errors of the mean power of a block's cells, as far as all their pixels are valid.

    Args:
        original: (bands, y, x) power.
        decoded: Likewise.
        valid: Likewise.
        side: Of a cell, in pixels.

    Returns:
        (bands,) how many cells, and (bands,) the sum of their squared errors, in dB.
    """
    true, found, whole = (_cell_sums(each, side) for each in (original, decoded, valid.astype(np.float64)))
    counted = whole == side**2
    errors = 10 * np.log10(np.divide(found, true, out=np.ones_like(true), where=counted))
    return counted.sum(axis=(1, 2)), np.square(errors).sum(axis=(1, 2))


def power_errors(
    original: NDArray[np.float64], decoded: NDArray[np.float64], valid: NDArray[np.bool_]
) -> PowerErrors:
    """Compare the power of a block with that of its decoded payload: see `cell_errors`."""
    everywhere = (1, 2)
    return PowerErrors(
        original.sum(axis=everywhere),
        decoded.sum(axis=everywhere),
        *cell_errors(original, decoded, valid, SIDE),
    )


def _cell_sums(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Sums over the whole cells of a block."""
    bands, height, width = values.shape
    rows, cols = height // side, width // side
    inside = values[:, : rows * side, : cols * side]
    sums: NDArray[np.float64] = inside.reshape(bands, rows, side, cols, side).sum(axis=(2, 4))
    return sums
