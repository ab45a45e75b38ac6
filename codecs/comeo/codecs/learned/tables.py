"""How a symbol is coded, given the scale that was predicted for it.

A symbol counts points of a quantiser from the predicted mean (see `quantiser`). Standard deviations above
four steps are halved until they are not, and as many low bits of the symbol are sent as they are. What is
left has one frozen table for each scale (four an octave) and each of the quantiser's sets of points. Symbols
beyond the table's reach follow as Exp-Golomb numbers. Where the scale is least the symbol is zero and takes
no bits at all.

The encoder may move all scales of a pass by a few places, where the model is too sure of a block or not sure
enough.

What a small symbol decodes to lies a little nearer zero than its point, or farther: frozen, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.learned.quantiser import POINTS, Quantiser
from comeo.codecs.learned.rans import MASK, PRECISION, advance
from comeo.compiled import Array, compiled

SCALES: Final = 61  # predicted indexes: standard deviation 2^(index/4 − 4), 1/16 to 2048
SKIPPED: Final = 4  # indexes up to this are not coded
ROWS: Final = 25  # scales that have tables, up to 4
REACH: Final = 20
SYMBOLS: Final = 2 * REACH + 2  # −20…20, then one that announces an Exp-Golomb number
LARGEST: Final = 1 << 23  # no symbol is larger
DAMAGED: Final = -1

OFFSETS: Final = 3  # scale indexes can be moved by −3…3
OFFSET_TABLE: Final = np.cumsum([0, 1, 2, 4, 18, 4, 2, 1]) << (PRECISION - 5)

_LOOKUP_SHIFT: Final = 8
_BIT: Final = 1 << (PRECISION - 1)
_LONGEST: Final = 25


@dataclass(frozen=True)
class Tables:
    """Frozen tables.

    Attributes:
        cumulative: (sets, ROWS, SYMBOLS + 1) int64, each row from 0 to 2^16, rising.
        points: (sets, ROWS, POINTS) int64: how much nearer zero symbols decode, in sixteenths.
    """

    cumulative: NDArray[np.int64]
    points: NDArray[np.int64]

    @cached_property
    def cost(self) -> NDArray[np.float32]:
        """Bits of each symbol, (sets, rows, SYMBOLS)."""
        return (PRECISION - np.log2(np.diff(self.cumulative))).astype(np.float32)

    @cached_property
    def lookup(self) -> NDArray[np.uint8]:
        """The symbol that a part of 2^8 starts in, (sets, rows, 256)."""
        parts = np.arange(0, 1 << PRECISION, 1 << _LOOKUP_SHIFT)
        rows = [np.searchsorted(row, parts, "right") - 1 for own in self.cumulative for row in own]
        return np.reshape(rows, (*self.cumulative.shape[:2], -1)).astype(np.uint8)


def check(frequencies: NDArray[np.uint32], points: NDArray[np.int8], quantiser: Quantiser) -> Tables:
    """Tables of the frequencies (sets, ROWS, SYMBOLS) and points (sets, ROWS, POINTS) of a model file.

    Raises:
        ValueError: If a frequency is zero, a row doesn't sum to 2^16, or a point lies beyond zero.
    """
    shape = quantiser.sets, ROWS, SYMBOLS
    if frequencies.shape != shape or not frequencies.all() or (frequencies.sum(2) != 1 << PRECISION).any():
        raise ValueError("the frequency tables are damaged")
    if points.shape != (*shape[:2], POINTS) or (np.abs(points.astype(np.int64)) >= quantiser.grid).any():
        raise ValueError("the reconstruction points are damaged")
    cumulative = np.pad(frequencies.astype(np.int64).cumsum(2), ((0, 0), (0, 0), (1, 0)))
    return Tables(cumulative, points.astype(np.int64))


@compiled
def locate(index: int) -> tuple[int, int]:
    """Row of the tables, and number of low bits, of a scale index above SKIPPED."""
    shift = max(-((ROWS - 1 - index) // 4), 0)
    return index - 4 * shift, shift


@compiled
def moved(index: int, offset: int) -> int:
    """A scale index above SKIPPED, moved; it stays above."""
    return min(max(index + offset, SKIPPED + 1), SCALES - 1)


@compiled
def bits_of(symbol: int, row: int, shift: int, cost: Array) -> float:
    """Bits of a symbol; `cost` is that of its set of points, (rows, SYMBOLS)."""
    distance = symbol >> shift
    if abs(distance) <= REACH:
        return float(shift + cost[row, distance + REACH])
    excess, length = abs(distance) - REACH, 0
    while excess >> length:
        length += 1
    return float(shift + cost[row, SYMBOLS - 1] + 2.0 * length)


@compiled
def record(symbol: int, index: int, cumulative: Array, starts: Array, frequencies: Array, count: int) -> int:
    """Append the intervals that code a symbol; returns the new count (at most 50 more).

    Args:
        symbol: The symbol.
        index: Scale index above SKIPPED.
        cumulative: Of the symbol's set of points, (rows, SYMBOLS + 1).
        starts: Where intervals start, filled in.
        frequencies: How long they are, filled in.
        count: How many there are.
    """
    row, shift = locate(index)
    distance = symbol >> shift
    far = abs(distance) > REACH
    column = SYMBOLS - 1 if far else distance + REACH
    starts[count] = cumulative[row, column]
    frequencies[count] = cumulative[row, column + 1] - cumulative[row, column]
    count += 1
    if far:
        excess, length = abs(distance) - REACH, 0
        while excess >> length:
            length += 1
        value = excess << 1 | (1 if distance < 0 else 0)
        for i in range(2 * length):  # zeros, as many as bits follow the first; the number; the sign
            bit = 0 if i < length - 1 else value >> (2 * length - 1 - i) & 1
            starts[count], frequencies[count] = bit * _BIT, _BIT
            count += 1
    if shift:
        size = 1 << (PRECISION - shift)
        starts[count], frequencies[count] = (symbol & ((1 << shift) - 1)) * size, size
        count += 1
    return count


@compiled
def take(
    index: int, cumulative: Array, lookup: Array, state: int, data: Array, place: int, end: int
) -> tuple[int, int, int]:
    """Decode a symbol: returns it, the state (DAMAGED if there can be no such symbol) and the place.

    Args:
        index: Scale index above SKIPPED.
        cumulative: Of the symbol's set of points, (rows, SYMBOLS + 1).
        lookup: Of the same, (rows, 256).
        state: Of the entropy decoder.
        data: All bytes.
        place: What is read next.
        end: Where the payload's end.
    """
    row, shift = locate(index)
    slot = state & MASK
    column = int(lookup[row, slot >> _LOOKUP_SHIFT])
    while cumulative[row, column + 1] <= slot:
        column += 1
    start = cumulative[row, column]
    state, place = advance(state, start, cumulative[row, column + 1] - start, data, place, end)
    distance = column - REACH
    if column == SYMBOLS - 1:
        length, excess = 1, 1
        while not (state & MASK) >> (PRECISION - 1):
            state, place = advance(state, 0, _BIT, data, place, end)
            length += 1
            if length > _LONGEST:
                return 0, DAMAGED, place
        state, place = advance(state, _BIT, _BIT, data, place, end)
        for _ in range(length):
            bit = (state & MASK) >> (PRECISION - 1)
            state, place = advance(state, bit * _BIT, _BIT, data, place, end)
            excess = excess << 1 | bit
        negative = excess & 1
        distance = (REACH + (excess >> 1)) * (-1 if negative else 1)
    symbol = distance << shift
    if shift:
        size = 1 << (PRECISION - shift)
        low = (state & MASK) // size
        state, place = advance(state, low * size, size, data, place, end)
        symbol += low
    return (symbol, state, place) if abs(symbol) <= LARGEST else (0, DAMAGED, place)
