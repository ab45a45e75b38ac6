"""How single symbols are coded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comeo.codecs.learned import rans
from comeo.codecs.learned import tables as tb
from comeo.codecs.learned.quantiser import SCALAR, SETS, dependent
from tests.comeo.codecs.learned.made_up import made_up

WHOLE = 1 << rans.PRECISION
MOST = 50  # intervals that `coding` leaves room for


symbols = st.integers(-tb.LARGEST, tb.LARGEST) | st.integers(-60, 60)
indexes = st.integers(tb.SKIPPED + 1, tb.SCALES - 1)


def recorded(
    coded: list[tuple[int, int]], tables: tb.Tables, own: int = 0
) -> tuple[np.ndarray, np.ndarray, int]:
    starts, frequencies = np.zeros((2, MOST * len(coded)), np.int64)
    count = 0
    for symbol, index in coded:
        before = count
        count = tb.record(symbol, index, tables.cumulative[own], starts, frequencies, count)
        assert 1 <= count - before <= MOST
        assert abs(symbol) >= 16 or count - before <= 2, "what `coding` leaves for small symbols"
    return starts, frequencies, count


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(symbols, indexes), min_size=1, max_size=30), st.integers(0, SETS - 1))
@example([(symbol, index) for symbol in (-20, 20, -21, 21) for index in (5, 24, 25, 28, 29, 60)], 0)
@example([(tb.LARGEST, 5), (-tb.LARGEST, 5), (tb.LARGEST, 60), (-tb.LARGEST, 60)], 1)
def test_symbols_are_read_as_they_were_written(coded: list[tuple[int, int]], own: int) -> None:
    tables = made_up()
    starts, frequencies, count = recorded(coded, tables, own)
    assert (frequencies[:count] > 0).all()
    assert (starts[:count] + frequencies[:count] <= WHOLE).all()
    data = rans.write(starts, frequencies, count)
    state, place = rans.begin(data, 0, len(data))
    for symbol, index in coded:
        found, state, place = tb.take(
            index, tables.cumulative[own], tables.lookup[own], state, data, place, len(data)
        )
        assert state != tb.DAMAGED
        assert found == symbol
    assert (state, place) == (rans.LOWEST, len(data))


@settings(max_examples=300, deadline=None)
@given(symbols, indexes)
def test_the_encoder_knows_what_a_symbol_costs(symbol: int, index: int) -> None:
    tables = made_up()
    _, frequencies, count = recorded([(symbol, index)], tables)
    spent = float((rans.PRECISION - np.log2(frequencies[:count])).sum())
    assert tb.bits_of(symbol, *tb.locate(index), tables.cost[0]) == pytest.approx(spent, abs=1e-3)


def test_the_cost_agrees_with_the_bytes() -> None:
    tables, rng = made_up(), np.random.default_rng(5)
    coded, told = [], 0.0
    for index in rng.integers(tb.SKIPPED + 1, tb.SCALES, 4000).tolist():
        symbol = int(np.rint(rng.logistic(0, 2 ** (index / 4 - 4) * 0.55)))
        coded.append((symbol, index))
        told += tb.bits_of(symbol, *tb.locate(index), tables.cost[0])
    spent = 8 * len(rans.write(*recorded(coded, tables)))
    assert spent == pytest.approx(told, rel=0.005)


@pytest.mark.parametrize("index", range(tb.SKIPPED + 1, tb.SCALES))
def test_scales_above_four_are_halved_until_they_are_not(index: int) -> None:
    row, shift = tb.locate(index)
    assert (row, shift) == ((index, 0) if index <= 24 else (21 + (index - 25) % 4, 1 + (index - 25) // 4))


def test_a_number_without_end_is_refused() -> None:
    """An Exp-Golomb number whose zeros never stop."""
    tables = made_up()
    row = tb.locate(20)[0]
    start = int(tables.cumulative[0, row, tb.SYMBOLS - 1])
    zeros = [(start, int(tables.cumulative[0, row, tb.SYMBOLS]) - start)] + [(0, WHOLE // 2)] * 200
    data = rans.write(np.array([a for a, _ in zeros]), np.array([b for _, b in zeros]), len(zeros))
    state, place = rans.begin(data, 0, len(data))
    _, state, place = tb.take(20, tables.cumulative[0], tables.lookup[0], state, data, place, len(data))
    assert state == tb.DAMAGED


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_symbol_too_large_is_refused(sign: int) -> None:
    tables = made_up()
    starts, frequencies, count = recorded([(sign * (tb.LARGEST + 512), 60)], tables)
    data = rans.write(starts, frequencies, count)
    state, place = rans.begin(data, 0, len(data))
    assert tb.take(60, tables.cumulative[0], tables.lookup[0], state, data, place, len(data))[1] == tb.DAMAGED


@pytest.mark.parametrize("damage", ["shape", "sets", "zero", "sum", "points", "points' shape"])
def test_damaged_tables_are_refused(damage: str) -> None:
    rows = np.diff(made_up().cumulative).astype(np.uint32)
    points = made_up().points.astype(np.int8)
    if damage == "shape":
        rows = rows[:, :-1]
    elif damage == "zero":
        rows[1, 3, 4], rows[1, 3, 5] = 0, rows[1, 3, 5] + rows[1, 3, 4]
    elif damage == "sum":
        rows[0, 0, 0] += 1
    elif damage == "sets":
        assert len(rows) == SETS, "and the scalar quantiser has one"
    elif damage == "points":
        points[1, 2, 1] = -128
    else:
        points = points[..., :2]
    with pytest.raises(ValueError, match="damaged"):
        tb.check(rows, points, SCALAR if damage == "sets" else dependent(10))
