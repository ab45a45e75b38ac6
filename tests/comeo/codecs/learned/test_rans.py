"""The entropy coder."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comeo.codecs.learned import rans

WHOLE = 1 << rans.PRECISION


@st.composite
def intervals(draw: st.DrawFn) -> tuple[int, int]:
    """Start and length of an interval of 2^16."""
    start = draw(st.integers(0, WHOLE - 1))
    return start, draw(st.integers(1, WHOLE - start))


def coded(symbols: list[tuple[int, int]]) -> np.ndarray:
    starts = np.array([start for start, _ in symbols], np.int64)
    frequencies = np.array([length for _, length in symbols], np.int64)
    written: np.ndarray = rans.write(starts, frequencies, len(symbols))
    return written


def read(data: np.ndarray, symbols: list[tuple[int, int]]) -> tuple[bool, int, int]:
    """Take the symbols' intervals off; whether each was where it should be, the last state and place."""
    state, place = rans.begin(data, 0, len(data))
    for start, length in symbols:
        if not start <= state & rans.MASK < start + length:
            return False, state, place
        state, place = rans.advance(state, start, length, data, place, len(data))
    return True, state, place


@settings(max_examples=200, deadline=None)
@given(st.lists(intervals(), max_size=200))
@example([])
@example([(0, WHOLE)] * 50)
@example([(WHOLE - 1, 1)] * 50)
@example([(0, 1), (1, WHOLE - 1)] * 20)
def test_intervals_are_read_as_they_were_written(symbols: list[tuple[int, int]]) -> None:
    data = coded(symbols)
    found, state, place = read(data, symbols)
    assert found
    assert (state, place) == (rans.LOWEST, len(data)), "the state comes back to where it started"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_cost_is_that_of_the_intervals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frequencies = np.exp(rng.uniform(0, np.log(WHOLE), 3000)).astype(np.int64).clip(1, WHOLE)
    starts = (rng.random(3000) * (WHOLE - frequencies + 1)).astype(np.int64)
    spent = 8 * len(rans.write(starts, frequencies, 3000))
    shannon = float((rans.PRECISION - np.log2(frequencies)).sum())
    assert 0 <= spent - shannon < 8 * rans.STATE_BYTES + 8 + 0.002 * shannon


def test_the_state_stays_within_its_bytes() -> None:
    """The largest state that an encoder can leave fits the five bytes that are written."""
    assert math.ceil(math.log2(rans.LOWEST << 8)) <= 8 * rans.STATE_BYTES
    for symbols in ([(0, 1)] * 7, [(WHOLE - 1, 1)] * 9, [(5, WHOLE - 5)] * 3):
        state, _ = rans.begin(coded(symbols), 0, rans.STATE_BYTES)
        assert rans.LOWEST <= state < rans.LOWEST << 8


def test_data_too_short_are_told() -> None:
    for length in range(rans.STATE_BYTES):
        assert rans.begin(np.ones(length, np.uint8), 0, length) == (0, 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(intervals(), min_size=5, max_size=60), st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_never_goes_unnoticed_where_all_intervals_are_known(
    symbols: list[tuple[int, int]], place: int, change: int
) -> None:
    """With intervals that do not depend on what is read, the decoder's state tells every single change."""
    data = coded(symbols)
    data[place % len(data)] ^= change
    found, state, end = read(data, symbols)
    assert not found or (state, end) != (rans.LOWEST, len(data))
