"""How single symbols are coded."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comeo.codecs.learned import rans
from comeo.codecs.learned import tables as tb

WHOLE = 1 << rans.PRECISION
MOST = 48  # intervals that `coding` leaves room for


@cache
def made_up(seed: int = 3) -> tb.Tables:
    """Tables that are peaked as real ones are, no two rows alike."""
    rng = np.random.default_rng(seed)
    distance = np.abs(np.arange(tb.SYMBOLS) - tb.REACH)
    rows = []
    for number in range(tb.ROWS * tb.FRACTIONS):
        width = 2 ** (number // tb.FRACTIONS / 4 - 4)
        shares = np.exp(-distance / width) * rng.uniform(0.5, 1.5, tb.SYMBOLS) + 1e-6
        row = 1 + (shares / shares.sum() * (WHOLE - tb.SYMBOLS)).astype(np.int64)
        row[tb.REACH] += WHOLE - row.sum()
        rows.append(row)
    return tb.check(np.array(rows, np.uint32))


symbols = st.integers(-(1 << 19), 1 << 19) | st.integers(-60, 60)
means = st.integers(-40_000, 40_000) | st.integers(-20, 20)
indexes = st.integers(tb.SKIPPED + 1, tb.SCALES - 1)


def recorded(coded: list[tuple[int, int, int]], tables: tb.Tables) -> tuple[np.ndarray, np.ndarray, int]:
    starts, frequencies = np.zeros((2, MOST * len(coded)), np.int64)
    count = 0
    for symbol, mean, index in coded:
        before = count
        count = tb.record(symbol, mean, index, tables.cumulative, starts, frequencies, count)
        assert 1 <= count - before <= MOST
    return starts, frequencies, count


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(symbols, means, indexes), min_size=1, max_size=30))
@example([(symbol, 0, index) for symbol in (-20, 20, -21, 21) for index in (6, 24, 28, 60)])
@example([((1 << 19), -40_000, 6), (-(1 << 19), 40_000, 60)])
def test_symbols_are_read_as_they_were_written(coded: list[tuple[int, int, int]]) -> None:
    tables = made_up()
    starts, frequencies, count = recorded(coded, tables)
    assert (frequencies[:count] > 0).all()
    assert (starts[:count] + frequencies[:count] <= WHOLE).all()
    data = rans.write(starts, frequencies, count)
    state, place = rans.begin(data, 0, len(data))
    for symbol, mean, index in coded:
        found, state, place = tb.take(
            mean, index, tables.cumulative, tables.lookup, state, data, place, len(data)
        )
        assert (found, state) != (0, tb.DAMAGED)
        assert found == symbol
    assert (state, place) == (rans.LOWEST, len(data))


@settings(max_examples=300, deadline=None)
@given(symbols, means, indexes)
def test_the_encoder_knows_what_a_symbol_costs(symbol: int, mean: int, index: int) -> None:
    tables = made_up()
    _, frequencies, count = recorded([(symbol, mean, index)], tables)
    spent = float((rans.PRECISION - np.log2(frequencies[:count])).sum())
    told = tb.bits_of(symbol, *tb.locate(mean, index), tables.cost)
    assert told == pytest.approx(spent, abs=1e-3)


def test_the_cost_agrees_with_the_bytes() -> None:
    tables, rng = made_up(), np.random.default_rng(5)
    coded, told = [], 0.0
    for index in rng.integers(tb.SKIPPED + 1, tb.SCALES, 4000).tolist():
        mean = int(rng.integers(-60, 60))
        symbol = int(np.rint(rng.logistic(mean / 4, 2 ** (index / 4 - 4) * 0.55)))
        coded.append((symbol, mean, index))
        told += tb.bits_of(symbol, *tb.locate(mean, index), tables.cost)
    spent = 8 * len(rans.write(*recorded(coded, tables)))
    assert spent == pytest.approx(told, rel=0.005)


@settings(max_examples=100, deadline=None)
@given(means, indexes, st.integers(-30, 30))
def test_a_mean_and_its_mirror_image_cost_alike(mean: int, index: int, away: int) -> None:
    """Below four, tables of 1/4 and 1/2 serve both signs; at exactly 1/2 rounding decides the side."""
    tables = made_up()
    if index >= tb.ROWS or mean % 4 == 2 or mean % 4 == 0:
        return
    nearest = (mean + 2) >> 2
    one = tb.bits_of(nearest + away, *tb.locate(mean, index), tables.cost)
    other = tb.bits_of(-nearest - away, *tb.locate(-mean, index), tables.cost)
    assert one == other


@settings(max_examples=300, deadline=None)
@given(st.floats(-3000, 3000, width=32), st.integers(-12_000, 12_000), st.integers(0, tb.SCALES - 1))
def test_what_is_chosen_is_the_best_of_what_is_looked_at(latent: float, mean: int, index: int) -> None:
    tables, worth = made_up(), 9.0
    chosen = tb.choose(np.float32(latent), mean, index, worth, tables.cost)
    if index <= tb.SKIPPED:
        assert chosen == 0
        return
    nearest, centre = int(np.floor(np.float32(latent) + np.float32(0.5))), (mean + 2) >> 2
    assert chosen in {nearest, nearest - int(np.sign(nearest - centre)), centre}

    def value(choice: int) -> float:
        spent: float = tb.bits_of(choice, *tb.locate(mean, index), tables.cost)
        return worth * (float(np.float32(latent)) - choice) ** 2 + spent

    assert value(chosen) <= value(nearest) + 1e-3
    assert value(chosen) <= value(centre) + 1e-3


def test_a_number_without_end_is_refused() -> None:
    """An Exp-Golomb number whose zeros never stop."""
    tables = made_up()
    row = tb.locate(0, 20)[0]
    start = int(tables.cumulative[row, tb.SYMBOLS - 1])
    zeros = [(start, int(tables.cumulative[row, tb.SYMBOLS]) - start)] + [(0, WHOLE // 2)] * 200
    data = rans.write(np.array([a for a, _ in zeros]), np.array([b for _, b in zeros]), len(zeros))
    state, place = rans.begin(data, 0, len(data))
    _, state, place = tb.take(0, 20, tables.cumulative, tables.lookup, state, data, place, len(data))
    assert state == tb.DAMAGED


@pytest.mark.parametrize("damage", ["shape", "zero", "sum"])
def test_damaged_tables_are_refused(damage: str) -> None:
    rows = np.diff(made_up().cumulative, axis=1).astype(np.uint32)
    if damage == "shape":
        rows = rows[:-1]
    elif damage == "zero":
        rows[3, 4], rows[3, 5] = 0, rows[3, 5] + rows[3, 4]
    else:
        rows[0, 0] += 1
    with pytest.raises(ValueError, match="damaged"):
        tb.check(rows)
