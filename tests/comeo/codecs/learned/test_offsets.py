"""Offsets of scales: where a block is louder or quieter than the model expects, its tables are others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comeo.codecs.learned import tables as tb
from comeo.codecs.learned.coding import Chosen, decode_pass, intervals, open_streams, read_offsets
from comeo.codecs.learned.layout import FIRST_LAYOUT as LAYOUT
from comeo.codecs.learned.rans import PRECISION, write
from tests.comeo.codecs.learned.test_tables import made_up

TILES = 6


def drawn(group: int, index: int, scale: float, seed: int = 1) -> Chosen:
    """Symbols of a standard deviation, said to be of an index."""
    shape = TILES, LAYOUT.groups[group].count
    symbols = np.random.default_rng(seed).laplace(scale=scale / np.sqrt(2), size=shape)
    return Chosen(
        LAYOUT.first_passes[group], np.full(shape, index, np.uint8), np.rint(symbols).astype(np.int32)
    )


def read(payloads: list[bytes], passes: list[list[Chosen]], tables: tb.Tables) -> np.ndarray:
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
        decode_pass(tiles, ends, LAYOUT.starts[group], offsets[number], predicted, tables, values, stream)
        for tile, (symbols, indexes) in enumerate(
            zip(np.concatenate([chosen.symbols for chosen in together]), index, strict=True)
        ):
            wanted = [
                tb.decoded(symbol, *tb.locate(scale), tables.points) if scale > tb.SKIPPED else 0
                for symbol, scale in zip(symbols.tolist(), indexes.tolist(), strict=True)
            ]
            assert values[tile, LAYOUT.starts[group] : LAYOUT.starts[group] + len(wanted)].tolist() == wanted
    stream.check()
    return offsets


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, tb.SCALES - 1), st.floats(0.05, 3000)), min_size=1, max_size=3),
    st.integers(0, 2**16),
)
@example([(5, 3000.0)], 0)
@example([(60, 0.05), (0, 1.0)], 1)
def test_whatever_the_offsets_symbols_come_back(kinds: list[tuple[int, float]], seed: int) -> None:
    tables = made_up()
    passes = [[drawn(group, index, scale, seed) for group in (0, 1, 4)] for index, scale in kinds]
    for own in passes:
        for chosen in own:
            chosen.symbols[chosen.index <= tb.SKIPPED] = 0
    read([bytes(write(*intervals(LAYOUT.passes, own, tables))) for own in passes], passes, tables)


@pytest.mark.parametrize(
    ("louder", "offset"), [(0.0, 0), (0.5, 2), (0.75, 3), (2.0, 3), (-0.5, -2), (-2.0, -3)]
)
def test_an_offset_tells_how_much_louder_a_block_is(louder: float, offset: int) -> None:
    """In octaves; four indexes are one."""
    tables = tb.check(LAPLACE, np.zeros((tb.ROWS, tb.POINTS), np.int8))
    index = 20  # a standard deviation of two
    passes = [[drawn(8, index, 2 * 2**louder), drawn(10, index, 2.0)]]
    payload = bytes(write(*intervals(LAYOUT.passes, passes[0], tables)))
    found = read([payload], passes, tables)[:, 0]
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
