"""Symbols of one pass to intervals of the entropy coder and back (loops compiled)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.dct.lapped import SIZE
from comeo.codecs.dct.layout import Array, compiled
from comeo.codecs.learned.layout import COMPONENTS
from comeo.codecs.learned.rans import LOWEST, PRECISION, STATE_BYTES, begin
from comeo.codecs.learned.tables import DAMAGED, SKIPPED, Tables, choose, record, take
from comeo.errors import CodecError

_MOST = 48  # intervals that a symbol can take


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
    worth: NDArray[np.float32],
    mean: NDArray[np.int32] | None,
    index: NDArray[np.uint8],
    tables: Tables,
    symbols: NDArray[np.int32],
) -> Recorded:
    """Choose the symbols of a pass.

    Args:
        tiles: (n,) those of the pass.
        start: First channel of the group.
        latents: (tiles, channels), in steps.
        worth: (tiles,) bits that a squared step is worth.
        mean: (n, channels of the group) in quarters, or None.
        index: (n, channels of the group) scale indexes.
        tables: The model's.
        symbols: (tiles + 1, channels), filled in.

    Returns:
        Their intervals.
    """
    means = np.zeros((1, 1), np.int32) if mean is None else mean
    count = _choose(tiles, start, latents, worth, means, index, tables.cost, symbols)
    starts, frequencies = np.empty(count + _MOST, np.int64), np.empty(count + _MOST, np.int64)
    count = _record(tiles, start, means, index, tables.cumulative, symbols, starts, frequencies)
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
    mean: NDArray[np.int32] | None,
    index: NDArray[np.uint8],
    tables: Tables,
    symbols: NDArray[np.int32],
    stream: Stream,
) -> None:
    """Decode the symbols of a pass.

    Args:
        tiles: (n,) those of the pass, rising.
        ends: (payloads,) one more than the last tile of each.
        start: First channel of the group.
        mean: (n, channels of the group) in quarters, or None.
        index: (n, channels of the group) scale indexes.
        tables: The model's.
        symbols: (tiles + 1, channels), filled in.
        stream: The payloads' bytes.

    Raises:
        CodecError: If a payload is damaged.
    """
    means = np.zeros((1, 1), np.int32) if mean is None else mean
    fine = _decode(
        tiles, ends, start, means, index, tables.cumulative, tables.lookup, symbols,
        stream.data, stream.ends, stream.places, stream.states,
    )  # fmt: skip
    if not fine:
        raise CodecError("the payload's symbols are damaged")


@compiled
def synthesise_rows(
    symbols: Array, order: Array, shape: tuple[int, int], bands: int, across: Array, support: Array
) -> Array:
    """Apply the transform's inverse along x, for the few symbols that aren't zero.

    Args:
        symbols: (items · tiles, channels).
        order: (channels,) which coefficient each is: component · 256 + row · 16 + column.
        shape: Rows and columns of tiles.
        bands: Components; those of the last item beyond are left out.
        across: (columns · 16, x) float32, a basis function a row.
        support: (columns · 16, 2): first and last + 1 sample that is not zero in each.

    Returns:
        (bands, rows · 16, x) float32: coefficients along y, samples along x.
    """
    rows, columns = shape
    result = np.zeros((bands, rows * SIZE, across.shape[1]), np.float32)
    for place in range(len(symbols)):
        item, tile = divmod(place, rows * columns)
        top, left = tile // columns * SIZE, tile % columns * SIZE
        for channel in range(symbols.shape[1]):
            symbol = symbols[place, channel]
            if symbol == 0:
                continue
            component, within = divmod(order[channel], SIZE * SIZE)
            band = item * COMPONENTS + component
            if band < bands:
                y, k = top + within // SIZE, left + within % SIZE
                for x in range(support[k, 0], support[k, 1]):
                    result[band, y, x] += np.float32(symbol) * across[k, x]
    return result


@compiled
def _choose(
    tiles: Array,
    start: int,
    latents: Array,
    worth: Array,
    means: Array,
    index: Array,
    cost: Array,
    symbols: Array,
) -> int:
    """Fill in the symbols; returns the most intervals that they take."""
    most = 0
    has_means = means.shape[0] > 1 or means.shape[1] > 1
    for i in range(len(tiles)):
        tile = tiles[i]
        for c in range(index.shape[1]):
            if index[i, c] <= SKIPPED:
                continue
            mean = means[i, c] if has_means else 0
            symbol = choose(latents[tile, start + c], mean, index[i, c], worth[tile], cost)
            symbols[tile, start + c] = symbol
            most += 2 if abs(symbol - (mean >> 2)) < 16 else _MOST
    return most


@compiled
def _record(
    tiles: Array,
    start: int,
    means: Array,
    index: Array,
    cumulative: Array,
    symbols: Array,
    starts: Array,
    frequencies: Array,
) -> int:
    count = 0
    has_means = means.shape[0] > 1 or means.shape[1] > 1
    for i in range(len(tiles)):
        for c in range(index.shape[1]):
            if index[i, c] > SKIPPED:
                mean = means[i, c] if has_means else 0
                symbol = symbols[tiles[i], start + c]
                count = record(symbol, mean, index[i, c], cumulative, starts, frequencies, count)
    return count


@compiled
def _decode(
    tiles: Array,
    ends: Array,
    start: int,
    means: Array,
    index: Array,
    cumulative: Array,
    lookup: Array,
    symbols: Array,
    data: Array,
    data_ends: Array,
    places: Array,
    states: Array,
) -> bool:
    has_means = means.shape[0] > 1 or means.shape[1] > 1
    payload = 0
    state, place, end = states[0], places[0], data_ends[0]
    for i in range(len(tiles)):
        tile = tiles[i]
        while tile >= ends[payload]:
            states[payload], places[payload] = state, place
            payload += 1
            state, place, end = states[payload], places[payload], data_ends[payload]
        for c in range(index.shape[1]):
            if index[i, c] > SKIPPED:
                mean = means[i, c] if has_means else 0
                symbol, state, place = take(mean, index[i, c], cumulative, lookup, state, data, place, end)
                if state == DAMAGED:
                    return False
                symbols[tile, start + c] = symbol
    states[payload], places[payload] = state, place
    return True
