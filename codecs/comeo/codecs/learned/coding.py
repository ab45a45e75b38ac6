"""Symbols of one pass to intervals of the entropy coder and back (loops compiled)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.dct.lapped import SIZE
from comeo.codecs.dct.layout import Array, compiled
from comeo.codecs.learned.features import UNIT
from comeo.codecs.learned.layout import COMPONENTS
from comeo.codecs.learned.rans import LOWEST, PRECISION, STATE_BYTES, begin
from comeo.codecs.learned.tables import DAMAGED, SKIPPED, Tables, choose, decoded, locate, record, take
from comeo.errors import CodecError

Predicted = tuple[NDArray[np.int32], NDArray[np.uint8]]

_MOST = 56  # intervals that a symbol can take


@dataclass
class Recorded:
    """Intervals of the entropy coder, in the order in which they will be read.

    Attributes:
        starts: Arrays of where they start, of 2^16.
        frequencies: Arrays of their lengths.
    """

    starts: list[Array] = field(default_factory=list)
    frequencies: list[Array] = field(default_factory=list)

    def __iadd__(self, other: Recorded) -> Self:
        """Append."""
        self.starts += other.starts
        self.frequencies += other.frequencies
        return self

    @property
    def bits(self) -> float:
        """What they will take."""
        return float(sum((PRECISION - np.log2(part)).sum() for part in self.frequencies))

    def intervals(self) -> tuple[Array, Array, int]:
        """What `rans.write` takes."""
        starts, frequencies = np.concatenate(self.starts), np.concatenate(self.frequencies)
        return starts, frequencies, len(starts)


@dataclass(frozen=True)
class Stream:
    """The coded bytes of a batch of payloads.

    Attributes:
        data: All bytes, uint8.
        ends: (payloads,) where each one's end.
        places: (payloads,) what is read next.
        states: (payloads,) states of the decoders.
    """

    data: Array
    ends: Array
    places: Array
    states: Array

    def check(self) -> None:
        """Refuse payloads whose decoders didn't end where they should.

        Raises:
            CodecError: If there is one.
        """
        if (self.states != LOWEST).any() or (self.places != self.ends).any():
            raise CodecError("the payload's symbols are damaged")


def encode_pass(
    tiles: NDArray[np.int64],
    start: int,
    latents: NDArray[np.float32],
    worth: float,
    predicted: Predicted,
    tables: Tables,
    values: NDArray[np.int32],
) -> Recorded:
    """Choose the symbols of a pass.

    Args:
        tiles: (n,) those of the pass.
        start: First channel of the group.
        latents: (tiles, channels), in steps.
        worth: Bits that a squared step is worth.
        predicted: Means and scale indexes, (n, channels of the group).
        tables: The model's.
        values: (tiles + 1, channels), filled in.

    Returns:
        Their intervals.
    """
    mean, index = predicted
    symbols = np.zeros(index.shape, np.int32)
    count = _choose(tiles, start, latents, worth, mean, index, tables.cost, tables.points, symbols, values)
    starts, frequencies = np.empty(count + _MOST, np.int64), np.empty(count + _MOST, np.int64)
    count = _record(index, tables.cumulative, symbols, starts, frequencies)
    return Recorded([starts[:count]], [frequencies[:count]])


def open_streams(bodies: Sequence[memoryview]) -> Stream:
    """Begin to read the symbols of a batch of payloads.

    Raises:
        CodecError: If one is too short.
    """
    ends = np.cumsum([len(body) for body in bodies])
    data = np.frombuffer(b"".join(bodies), np.uint8)
    places, states = np.concatenate([[0], ends[:-1]]), np.zeros(len(bodies), np.int64)
    for number, end in enumerate(ends):
        states[number], places[number] = begin(data, places[number], end)
    if (states < LOWEST).any() or (states >= LOWEST << 8).any():
        raise CodecError(f"the payload's symbols are damaged: they begin with {STATE_BYTES} bytes")
    return Stream(data, ends, places, states)


def decode_pass(
    tiles: NDArray[np.int64],
    ends: NDArray[np.int64],
    start: int,
    predicted: Predicted,
    tables: Tables,
    values: NDArray[np.int32],
    stream: Stream,
) -> None:
    """Decode the symbols of a pass.

    Args:
        tiles: (n,) those of the pass, rising.
        ends: (payloads,) one more than the last tile of each.
        start: First channel of the group.
        predicted: Means and scale indexes, (n, channels of the group).
        tables: The model's.
        values: (tiles + 1, channels), filled in.
        stream: The payloads' bytes.

    Raises:
        CodecError: If a payload is damaged.
    """
    fine = _decode(
        tiles, ends, start, *predicted, tables.cumulative, tables.lookup, tables.points, values,
        stream.data, stream.ends, stream.places, stream.states,
    )  # fmt: skip
    if not fine:
        raise CodecError("the payload's symbols are damaged")


@compiled
def synthesise_rows(
    values: Array, place: Array, shape: tuple[int, int], bands: int, across: Array, support: Array
) -> Array:
    """Apply the transform's inverse along x, for the few values that aren't zero.

    Args:
        values: (items · tiles, channels), in sixteenths.
        place: (channels,) which coefficient each is: component · 256 + row · 16 + column.
        shape: Rows and columns of tiles.
        bands: Components; those of the last item beyond are left out.
        across: (columns · 16, x) float32, a basis function a row.
        support: (columns · 16, 2): first and last + 1 sample that is not zero in each.

    Returns:
        (bands, rows · 16, x) float32: coefficients along y, samples along x.
    """
    rows, columns = shape
    result = np.zeros((bands, rows * SIZE, across.shape[1]), np.float32)
    for number in range(len(values)):
        item, tile = divmod(number, rows * columns)
        top, left = tile // columns * SIZE, tile % columns * SIZE
        for channel in range(values.shape[1]):
            value = values[number, channel]
            if value == 0:
                continue
            component, within = divmod(place[channel], SIZE * SIZE)
            band = item * COMPONENTS + component
            if band < bands:
                y, k = top + within // SIZE, left + within % SIZE
                for x in range(support[k, 0], support[k, 1]):
                    result[band, y, x] += np.float32(value) * across[k, x]
    return result


@compiled
def _choose(
    tiles: Array,
    start: int,
    latents: Array,
    worth: float,
    mean: Array,
    index: Array,
    cost: Array,
    points: Array,
    symbols: Array,
    values: Array,
) -> int:
    """Fill in symbols and values; returns the most intervals that they take."""
    most = 0
    for i in range(len(tiles)):
        tile = tiles[i]
        for c in range(index.shape[1]):
            value = mean[i, c]
            if index[i, c] > SKIPPED:
                wanted = latents[tile, start + c] - value / UNIT
                symbol = choose(wanted, index[i, c], worth, cost, points)
                row, shift = locate(index[i, c])
                value += decoded(symbol, row, shift, points)
                symbols[i, c] = symbol
                most += 2 if abs(symbol) < 16 else _MOST
            values[tile, start + c] = value
    return most


@compiled
def _record(index: Array, cumulative: Array, symbols: Array, starts: Array, frequencies: Array) -> int:
    count = 0
    for i in range(index.shape[0]):
        for c in range(index.shape[1]):
            if index[i, c] > SKIPPED:
                count = record(symbols[i, c], index[i, c], cumulative, starts, frequencies, count)
    return count


@compiled
def _decode(
    tiles: Array,
    ends: Array,
    start: int,
    mean: Array,
    index: Array,
    cumulative: Array,
    lookup: Array,
    points: Array,
    values: Array,
    data: Array,
    data_ends: Array,
    places: Array,
    states: Array,
) -> bool:
    payload = 0
    state, place, end = states[0], places[0], data_ends[0]
    for i in range(len(tiles)):
        tile = tiles[i]
        while tile >= ends[payload]:
            states[payload], places[payload] = state, place
            payload += 1
            state, place, end = states[payload], places[payload], data_ends[payload]
        for c in range(index.shape[1]):
            value = mean[i, c]
            if index[i, c] > SKIPPED:
                symbol, state, place = take(index[i, c], cumulative, lookup, state, data, place, end)
                if state == DAMAGED:
                    return False
                row, shift = locate(index[i, c])
                value += decoded(symbol, row, shift, points)
            values[tile, start + c] = value
    states[payload], places[payload] = state, place
    return True
