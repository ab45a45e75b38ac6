"""Symbols of a pass turned into intervals of the entropy coder, and back (loops compiled)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.lapped import SIZE
from comeo.codecs.learned.quantiser import Quantiser, decoded
from comeo.codecs.learned.rans import LOWEST, MASK, PRECISION, STATE_BYTES, advance, begin
from comeo.codecs.learned.tables import (
    DAMAGED,
    OFFSET_TABLE,
    OFFSETS,
    SKIPPED,
    Tables,
    bits_of,
    locate,
    moved,
    record,
    take,
)
from comeo.compiled import Array, compiled
from comeo.errors import CodecError

Predicted = tuple[NDArray[np.int32], NDArray[np.uint8]]

_MOST = 50  # intervals that a symbol can take …
_SMALL = 16  # … and 2 if it is smaller than this


@dataclass(frozen=True)
class Chosen:
    """Symbols of a pass, not yet coded.

    Attributes:
        number: The pass, of all.
        tiles: (n,) those of the pass.
        index: Scale indexes, (n, channels of the group).
        symbols: Of the same shape.
        sets: The set of the quantiser's points that each counts in; of the same shape.
    """

    number: int
    tiles: NDArray[np.int64]
    index: NDArray[np.uint8]
    symbols: NDArray[np.int32]
    sets: NDArray[np.uint8]


@dataclass(frozen=True)
class Stream:
    """The coded bytes of a batch of payloads.

    Attributes:
        data: All bytes, uint8.
        ends: (payloads,) where each one's end.
        places: (payloads,) what is read next.
        states: (payloads,) states of the decoders.
        turns: (payloads,) states of the quantisers.
    """

    data: Array
    ends: Array
    places: Array
    states: Array
    turns: Array

    def check(self, *, whole: bool) -> None:
        """Refuse payloads whose decoders didn't end where they should.

        Args:
            whole: Whether all symbols were read; else no more than what there is must have been.

        Raises:
            CodecError: If there is one.
        """
        ended = (self.states == LOWEST) & (self.places == self.ends) if whole else self.places <= self.ends
        if not ended.all():
            raise CodecError("the payload's symbols are damaged")


def intervals(count: int, passes: Sequence[Chosen], tables: Tables) -> tuple[Array, Array, int]:
    """Choose each pass's offset of scales, and record offsets and symbols as `rans.write` takes them.

    Args:
        count: Number of passes that the model has.
        passes: Those that code anything.
        tables: The model's.
    """
    bits = np.zeros((count, 2 * OFFSETS + 1))
    bits += PRECISION - np.log2(np.diff(OFFSET_TABLE))
    for chosen in passes:
        _add_bits(chosen.index, chosen.symbols, chosen.sets, tables.cost, bits[chosen.number])
    offsets = bits.argmin(axis=1) - OFFSETS
    starts, frequencies = [OFFSET_TABLE[offsets + OFFSETS]], [np.diff(OFFSET_TABLE)[offsets + OFFSETS]]
    for chosen in passes:
        large = int((np.abs(chosen.symbols) >= _SMALL).sum())
        most = 2 * chosen.symbols.size + _MOST * large
        start, frequency = np.empty(most, np.int64), np.empty(most, np.int64)
        offset = offsets[chosen.number]
        used = _record(chosen.index, offset, tables.cumulative, chosen.symbols, chosen.sets, start, frequency)
        starts.append(start[:used])
        frequencies.append(frequency[:used])
    all_starts = np.concatenate(starts)
    return all_starts, np.concatenate(frequencies), len(all_starts)


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
    return Stream(data, ends, places, states, np.zeros(len(bodies), np.int64))


def read_offsets(passes: int, stream: Stream) -> NDArray[np.int64]:
    """Read each payload's offsets of scales: (passes, payloads)."""
    found = np.empty((passes, len(stream.ends)), np.int64)
    _read_offsets(found, OFFSET_TABLE, stream.data, stream.ends, stream.places, stream.states)
    return found


def decode_pass(
    tiles: NDArray[np.int64],
    ends: NDArray[np.int64],
    start: int,
    offsets: NDArray[np.int64],
    predicted: Predicted,
    quantiser: Quantiser,
    tables: Tables,
    values: NDArray[np.int32],
    stream: Stream,
) -> None:
    """Decode the symbols of a pass.

    Args:
        tiles: (n,) those of the pass, rising.
        ends: (payloads,) one more than the last tile of each.
        start: First channel of the group.
        offsets: (payloads,) of the pass's scales.
        predicted: Means and scale indexes, (n, channels of the group).
        quantiser: The model's.
        tables: The model's.
        values: (tiles + 1, channels), filled in.
        stream: The payloads' bytes.

    Raises:
        CodecError: If a payload is damaged.
    """
    fine = _decode(
        tiles, ends, start, offsets, *predicted, quantiser.grid, quantiser.transitions, tables.cumulative,
        tables.lookup, tables.points, values, stream.data, stream.ends, stream.places, stream.states,
        stream.turns,
    )  # fmt: skip
    if not fine:
        raise CodecError("the payload's symbols are damaged")


@compiled
def synthesise_rows(
    values: Array, place: Array, band: Array, shape: tuple[int, int], across: Array, support: Array
) -> Array:
    """Apply the transform's inverse along x, for the few values that aren't zero.

    Args:
        values: (items · tiles, channels), in sixteenths.
        place: (channels,) which coefficient each is: component · 256 + row · 16 + column.
        band: (items, components) which component of the result each one is; −1 where it is left out.
        shape: Rows and columns of tiles.
        across: (columns · 16, x) float32, a basis function a row.
        support: (columns · 16, 2): first and last + 1 sample that is not zero in each.

    Returns:
        (bands, rows · 16, x) float32: coefficients along y, samples along x.
    """
    rows, columns = shape
    result = np.zeros((band.max() + 1, rows * SIZE, across.shape[1]), np.float32)
    for number in range(len(values)):
        item, tile = divmod(number, rows * columns)
        top, left = tile // columns * SIZE, tile % columns * SIZE
        for channel in range(values.shape[1]):
            value = values[number, channel]
            if value == 0:
                continue
            component, within = divmod(place[channel], SIZE * SIZE)
            plane = band[item, component]
            if plane >= 0:
                y, k = top + within // SIZE, left + within % SIZE
                for x in range(support[k, 0], support[k, 1]):
                    result[plane, y, x] += np.float32(value) * across[k, x]
    return result


@compiled
def _add_bits(index: Array, symbols: Array, sets: Array, cost: Array, bits: Array) -> None:
    """Add what symbols cost at each offset."""
    for i in range(index.shape[0]):
        for c in range(index.shape[1]):
            if index[i, c] > SKIPPED:
                for place in range(2 * OFFSETS + 1):
                    row, shift = locate(moved(index[i, c], place - OFFSETS))
                    bits[place] += bits_of(symbols[i, c], row, shift, cost[sets[i, c]])


@compiled
def _record(
    index: Array,
    offset: int,
    cumulative: Array,
    symbols: Array,
    sets: Array,
    starts: Array,
    frequencies: Array,
) -> int:
    count = 0
    for i in range(index.shape[0]):
        for c in range(index.shape[1]):
            if index[i, c] > SKIPPED:
                scale = moved(index[i, c], offset)
                own = cumulative[sets[i, c]]
                count = record(symbols[i, c], scale, own, starts, frequencies, count)
    return count


@compiled
def _read_offsets(
    offsets: Array, table: Array, data: Array, data_ends: Array, places: Array, states: Array
) -> None:
    for payload in range(len(states)):
        state, place = states[payload], places[payload]
        for number in range(len(offsets)):
            column = 0
            while table[column + 1] <= state & MASK:
                column += 1
            length = table[column + 1] - table[column]
            state, place = advance(state, table[column], length, data, place, data_ends[payload])
            offsets[number, payload] = column - OFFSETS
        states[payload], places[payload] = state, place


@compiled
def _decode(
    tiles: Array,
    ends: Array,
    start: int,
    offsets: Array,
    mean: Array,
    index: Array,
    grid: int,
    transitions: Array,
    cumulative: Array,
    lookup: Array,
    points: Array,
    values: Array,
    data: Array,
    data_ends: Array,
    places: Array,
    states: Array,
    turns: Array,
) -> bool:
    payload = 0
    state, place, end, turn = states[0], places[0], data_ends[0], turns[0]
    for i in range(len(tiles)):
        tile = tiles[i]
        while tile >= ends[payload]:
            states[payload], places[payload], turns[payload] = state, place, turn
            payload += 1
            state, place, end, turn = states[payload], places[payload], data_ends[payload], turns[payload]
        for c in range(index.shape[1]):
            value = mean[i, c]
            if index[i, c] > SKIPPED:
                scale = moved(index[i, c], offsets[payload])
                own = turn & 1
                symbol, state, place = take(scale, cumulative[own], lookup[own], state, data, place, end)
                if state == DAMAGED:
                    return False
                row, shift = locate(index[i, c])
                value += decoded(symbol, own, row, shift, grid, points)
                turn = transitions[turn, symbol & 1]
            values[tile, start + c] = value
    states[payload], places[payload], turns[payload] = state, place, turn
    return True
