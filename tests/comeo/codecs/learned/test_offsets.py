"""Offsets of scales: where a block is louder or quieter than the model expects, its tables are others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comeo.codecs.learned import tables as tb
from comeo.codecs.learned.coding import Chosen, decode_pass, intervals, open_streams, read_offsets
from comeo.codecs.learned.layout import FIRST_LAYOUT as LAYOUT
from comeo.codecs.learned.quantiser import POINTS, SCALAR, Quantiser, decoded, dependent
from comeo.codecs.learned.rans import PRECISION, write
from tests.comeo.codecs.learned.made_up import made_up

TILES = 6


def drawn(group: int, index: int, scale: float, seed: int = 1) -> Chosen:
    """Symbols of a standard deviation, said to be of an index."""
    shape = TILES, LAYOUT.groups[group].count
    symbols = np.random.default_rng(seed).laplace(scale=scale / np.sqrt(2), size=shape)
    whole = np.rint(symbols).astype(np.int32)
    return Chosen(
        LAYOUT.first_passes[group],
        np.arange(TILES),
        np.full(shape, index, np.uint8),
        whole,
        np.zeros(shape, np.uint8),
    )


def in_turn(passes: list[Chosen], quantiser: Quantiser) -> list[Chosen]:
    """The same symbols, said to be of the sets that a decoder takes them for; none where none is coded."""
    turn, found = 0, []
    for chosen in passes:
        symbols = np.where(chosen.index > tb.SKIPPED, chosen.symbols, 0)
        sets = np.zeros(symbols.shape, np.uint8)
        for place in np.ndindex(symbols.shape):
            if chosen.index[place] > tb.SKIPPED:
                sets[place] = turn & 1
                turn = int(quantiser.transitions[turn, symbols[place] & 1])
        found.append(replace(chosen, symbols=symbols, sets=sets))
    return found


def read(
    payloads: list[bytes], passes: list[list[Chosen]], quantiser: Quantiser, tables: tb.Tables
) -> np.ndarray:
    """Decode what was written, hold the values against the symbols, and return the offsets."""
    stream = open_streams([memoryview(payload) for payload in payloads])
    offsets = read_offsets(LAYOUT.passes, stream)
    values = np.zeros((TILES * len(payloads) + 1, LAYOUT.channels), np.int32)
    ends = TILES * np.arange(1, len(payloads) + 1)
    for together in zip(*passes, strict=True):
        number = together[0].number
        group = LAYOUT.first_passes.index(number)
        index = np.concatenate([chosen.index for chosen in together])
        mean = np.zeros(index.shape, np.int32)
        tiles = np.arange(ends[-1])
        predicted = mean, index
        start = LAYOUT.starts[group]
        decode_pass(tiles, ends, start, offsets[number], predicted, quantiser, tables, values, stream)
        symbols = np.concatenate([chosen.symbols for chosen in together])
        sets = np.concatenate([chosen.sets for chosen in together])
        for tile, channel in np.ndindex(symbols.shape):
            scale, own = int(index[tile, channel]), int(sets[tile, channel])
            wanted = 0
            if scale > tb.SKIPPED:
                symbol = int(symbols[tile, channel])
                wanted = decoded(symbol, own, *tb.locate(scale), quantiser.grid, tables.points)
            assert values[tile, start + channel] == wanted
    stream.check(whole=True)
    return offsets


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, tb.SCALES - 1), st.floats(0.05, 3000)), min_size=1, max_size=3),
    st.integers(0, 2**16),
    st.sampled_from([SCALAR, dependent(10)]),
)
@example([(5, 3000.0)], 0, dependent(10))
@example([(60, 0.05), (0, 1.0)], 1, dependent(10))
@example([(60, 0.05), (0, 1.0)], 1, SCALAR)
def test_whatever_the_offsets_symbols_come_back(
    kinds: list[tuple[int, float]], seed: int, quantiser: Quantiser
) -> None:
    tables = made_up(quantiser)
    passes = [
        in_turn([drawn(group, index, scale, seed) for group in (0, 1, 4)], quantiser)
        for index, scale in kinds
    ]
    payloads = [bytes(write(*intervals(LAYOUT.passes, own, tables))) for own in passes]
    read(payloads, passes, quantiser, tables)


@pytest.mark.parametrize(
    ("louder", "offset"), [(0.0, 0), (0.5, 2), (0.75, 3), (2.0, 3), (-0.5, -2), (-2.0, -3)]
)
def test_an_offset_tells_how_much_louder_a_block_is(louder: float, offset: int) -> None:
    """In octaves; four indexes are one."""
    tables = tb.check(LAPLACE[None], np.zeros((1, tb.ROWS, POINTS), np.int8), SCALAR)
    index = 20  # a standard deviation of two
    passes = [[drawn(8, index, 2 * 2**louder), drawn(10, index, 2.0)]]
    payload = bytes(write(*intervals(LAYOUT.passes, passes[0], tables)))
    found = read([payload], passes, SCALAR, tables)[:, 0]
    assert len(found) == LAYOUT.passes
    assert found[LAYOUT.first_passes[8]] == offset
    assert not np.delete(found, LAYOUT.first_passes[8]).any(), "passes as expected, or without symbols"


def test_passes_that_are_as_expected_pay_less_than_a_bit() -> None:
    shares = np.diff(tb.OFFSET_TABLE)
    assert shares.sum() == 1 << PRECISION
    assert np.array_equal(shares, shares[::-1])
    assert PRECISION - np.log2(shares[tb.OFFSETS]) < 1


def _laplace() -> np.ndarray:
    rows = []
    for number in range(tb.ROWS):
        edges = np.abs(np.arange(tb.SYMBOLS) - tb.REACH - 0.5)
        width = 2 ** (number / 4 - 4) / np.sqrt(2)
        below = np.where(
            np.arange(tb.SYMBOLS) <= tb.REACH, 0.5 * np.exp(-edges / width), 1 - 0.5 * np.exp(-edges / width)
        )
        shares = np.append(np.diff(below), 1e-4).clip(1e-6)
        row = 1 + (shares / shares.sum() * ((1 << PRECISION) - tb.SYMBOLS)).astype(np.int64)
        row[tb.REACH] += (1 << PRECISION) - row.sum()
        rows.append(row)
    return np.array(rows, np.uint32)


LAPLACE = _laplace()
