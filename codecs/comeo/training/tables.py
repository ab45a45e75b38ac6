"""Frozen frequency tables of the entropy coder.

A symbol is coded as its distance from the rounded mean. Standard deviations above eight are halved until
they are not, and as many low bits of the distance are sent as they are. What is left has one table for
each scale (four an octave) and each distance of the mean from a whole number: 0, 1/4 or 1/2; a mean below
its rounded value mirrors the symbol.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

SCALES: Final = 29  # standard deviation 2^(index/4 − 4): 1/16 to 8
FRACTIONS: Final = 3
REACH: Final = 62  # largest distance that has a frequency of its own
SYMBOLS: Final = 2 * REACH + 2  # −62…62, then one that announces an Exp-Golomb number
PRECISION: Final = 24


def build() -> NDArray[np.uint32]:
    """Frequencies (scale, fraction, symbol), each row summing to 2^24, none zero."""
    rows = [[_row(scale, fraction / 4) for fraction in range(FRACTIONS)] for scale in range(SCALES)]
    return np.array(rows, np.uint32)


def locate(
    symbols: NDArray[np.int64], mean: NDArray[np.int64], index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find how symbols are coded.

    Args:
        symbols: Whole numbers.
        mean: Means, in quarters.
        index: Scale indexes, 0 to 60.

    Returns:
        For each symbol: the row of the tables (scale · 3 + fraction), the distance to code with it, and the
        number of low bits, no part of that distance, that are sent as they are; each like `symbols`.
    """
    shift: NDArray[np.int64] = np.maximum(-(-(index - (SCALES - 1)) // 4), 0)
    centre = (mean + 2) >> 2
    fraction = mean - 4 * centre
    distance = (symbols - centre) >> shift
    # The floor of a shift moves the middle of every bin up by half a bin, so the mean goes down by as much.
    fraction = np.where(shift > 0, -2, fraction)
    signed: NDArray[np.int64] = np.where(fraction < 0, -distance, distance)
    return (index - 4 * shift) * FRACTIONS + np.abs(fraction), signed, shift


def cost(rows: NDArray[np.int64], distances: NDArray[np.int64], shifts: NDArray[np.int64]) -> float:
    """Bits that an ideal coder spends with these tables on what `locate` returned."""
    lengths = PRECISION - np.log2(build().reshape(-1, SYMBOLS))
    beyond = np.abs(distances) > REACH
    column = np.where(beyond, SYMBOLS - 1, np.clip(distances, -REACH, REACH) + REACH)
    excess = np.abs(distances[beyond]) - REACH
    escape = 1 + (2 * np.floor(np.log2(excess)) + 1).sum() / max(len(excess), 1)
    return float(lengths[rows, column].sum() + shifts.sum() + escape * beyond.sum())


def _row(scale: int, mean: float) -> list[int]:
    """Frequencies of a logistic distribution, integrated over one unit."""
    width = 2 ** (scale / 4 - 4) * math.sqrt(3) / math.pi
    edges = (np.arange(-REACH, REACH + 2) - 0.5 - mean) / width
    # Each half from its own tail: there the difference of cumulative probabilities keeps its precision.
    lower, upper = 1 / (1 + np.exp(-np.clip(edges, -500, 0))), 1 / (1 + np.exp(np.clip(edges, 0, 500)))
    below = np.where(edges < 0, lower, 1 - upper)
    above = np.where(edges < 0, 1 - lower, upper)
    mass = np.where(edges[1:] < 0, np.diff(below), -np.diff(above))
    outside = below[0] + above[-1]
    shares = np.append(mass, outside) * (2**PRECISION - SYMBOLS)
    frequencies = np.floor(shares).astype(np.int64) + 1
    frequencies[np.argmax(frequencies)] += 2**PRECISION - frequencies.sum()
    return [int(frequency) for frequency in frequencies]
