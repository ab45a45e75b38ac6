"""The encoder's choice of symbols, against an exhaustive search."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comeo.codecs.learned import tables as tb
from comeo.codecs.learned.layout import FIRST_LAYOUT as LAYOUT
from comeo.codecs.learned.quantiser import SCALAR, Quantiser, decoded, dependent
from comeo.codecs.learned.trellis import Chooser, Payload, Rules, Spreading, search
from tests.comeo.codecs.learned.made_up import made_up

WORTH = 9.0
indexes = st.integers(tb.SKIPPED + 1, tb.SCALES - 1)
wants = st.floats(-3000, 3000, width=32) | st.floats(-4, 4, width=32)


def chosen(
    wanted: list[float], index: list[int], quantiser: Quantiser, turn: int = 0
) -> tuple[list[int], list[int], int]:
    rules = Rules.of(quantiser, made_up(quantiser))
    symbols, sets = np.zeros((1, len(wanted)), np.int32), np.zeros((1, len(wanted)), np.uint8)
    end = search(
        np.array([wanted]), np.array([index], np.uint8), rules, np.array([WORTH]), turn, symbols, sets
    )
    return symbols[0].tolist(), sets[0].tolist(), end


def cost_of(
    symbols: list[int], wanted: list[float], index: list[int], quantiser: Quantiser, turn: int = 0
) -> tuple[float, list[int], int]:
    """Bits and the worth of the error, the sets and the state behind them, the slow way."""
    tables, total, sets = made_up(quantiser), 0.0, []
    for symbol, want, scale in zip(symbols, wanted, index, strict=True):
        if scale <= tb.SKIPPED:
            continue
        own = turn & 1
        row, shift = tb.locate(scale)
        error = want - decoded(symbol, own, row, shift, quantiser.grid, tables.points) / 16
        total += WORTH * error**2 + tb.bits_of(symbol, row, shift, tables.cost[own])
        sets.append(own)
        turn = int(quantiser.transitions[turn, symbol & 1])
    return total, sets, turn


def sequences(wanted: list[float], quantiser: Quantiser, turn: int) -> Iterator[list[int]]:
    """All sequences of the points beside what is wanted, and of zeros where these are small."""
    if not wanted:
        yield []
        return
    own, size = turn & 1, abs(wanted[0])
    low = int((16 * size / quantiser.grid + own) / 2)
    for k in {low, low + 1} | ({0} if low <= 3 else set()):
        after = int(quantiser.transitions[turn, k & 1])
        for rest in sequences(wanted[1:], quantiser, after):
            yield [k if wanted[0] >= 0 else -k, *rest]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-2.5, 2.5), st.integers(12, 24)), min_size=1, max_size=5), st.integers(0, 7)
)
def test_no_sequence_of_symbols_is_better(coded: list[tuple[float, int]], turn: int) -> None:
    quantiser = dependent(10)
    wanted, index = [each for each, _ in coded], [scale for _, scale in coded]
    symbols, sets, end = chosen(wanted, index, quantiser, turn)
    value, own, behind = cost_of(symbols, wanted, index, quantiser, turn)
    assert (sets, end) == (own, behind)
    every = sequences(wanted, quantiser, turn)
    least = min(cost_of(other, wanted, index, quantiser, turn)[0] for other in every)
    assert value <= least + 1e-3


@settings(max_examples=200, deadline=None)
@given(wants, indexes)
@example(0.5, 20)
@example(-0.5, 20)
def test_a_scalar_symbol_is_the_best_of_those_beside_it(wanted: float, index: int) -> None:
    (symbol,), _, _ = chosen([wanted], [index], SCALAR)
    low = int(np.floor(abs(wanted))) * (1 if wanted >= 0 else -1)
    looked_at = {low, low + (1 if wanted >= 0 else -1)} | ({0} if abs(low) <= 3 else set())
    assert symbol in looked_at
    values = [cost_of([each], [wanted], [index], SCALAR)[0] for each in looked_at]
    assert cost_of([symbol], [wanted], [index], SCALAR)[0] <= min(values) + 1e-3


@pytest.mark.parametrize("quantiser", [SCALAR, dependent(10)])
@pytest.mark.parametrize("index", [5, 24, 60])
def test_no_symbol_is_chosen_more_than_a_few_steps_off(index: int, quantiser: Quantiser) -> None:
    """Whatever the table says a large symbol costs, an error of many steps is worth more."""
    wanted = np.linspace(-200, 200, 4001).tolist()
    symbols, sets, _ = chosen(wanted, [index] * len(wanted), quantiser)
    row, shift = tb.locate(index)
    points = made_up(quantiser).points
    for want, symbol, own in zip(wanted, symbols, sets, strict=True):
        assert abs(want - decoded(symbol, own, row, shift, quantiser.grid, points) / 16) < 4


def test_symbols_that_are_not_coded_do_not_move_the_quantiser() -> None:
    quantiser = dependent(10)
    symbols, sets, end = chosen([0.7, 9.0, -1.2], [20, tb.SKIPPED, 20], quantiser)
    (first, second), own, behind = chosen([0.7, -1.2], [20, 20], quantiser)
    assert symbols == [first, 0, second]
    assert [sets[0], sets[2]] == own
    assert end == behind


def means_left(strength: float, quantiser: Quantiser) -> tuple[float, float]:
    """RMS of the error of the first component's mean: of a tile, and of 4×4 tiles."""
    rng, side = np.random.default_rng(1), 16
    plan = LAYOUT.plan(((side, side),))
    latents = np.zeros((side * side, LAYOUT.channels), np.float32)
    latents[:, 0] = rng.normal(0, 3, side * side)
    values = np.zeros((side * side + 1, LAYOUT.channels), np.int32)
    spreading = Spreading.over(LAYOUT, plan, strength)
    payload = Payload(np.full(side * side, WORTH), latents.copy(), values)
    chooser = Chooser(LAYOUT, Rules.of(quantiser, made_up(quantiser)), payload, spreading, side)
    for step in plan.steps[0]:
        shape = len(step.tiles), LAYOUT.groups[0].count
        chooser.choose(0, step.tiles, np.zeros(shape, np.int32), np.full(shape, 22, np.uint8))
    assert spreading.done[:, 0].all()
    off = (latents[:, 0] - values[:-1, 0] / 16).reshape(side, side)
    blocks = off.reshape(4, 4, 4, 4).mean((1, 3))
    return float(np.sqrt(np.square(off).mean())), float(np.sqrt(np.square(blocks).mean()))


@pytest.mark.parametrize("quantiser", [SCALAR, dependent(10)])
def test_what_a_mean_loses_its_neighbours_make_good(quantiser: Quantiser) -> None:
    (one, many), (one_alone, many_alone) = (means_left(strength, quantiser) for strength in (1.0, 0.0))
    assert many < 0.8 * many_alone
    assert one < 1.5 * one_alone


def test_coarse_tiles_neither_pass_on_errors_nor_take_any() -> None:
    quantiser, side = dependent(10), 8
    plan = LAYOUT.plan(((side, side),))
    ground = int(plan.steps[0][-1].tiles[0])  # coded when all around it is
    latents = np.zeros((side * side, LAYOUT.channels), np.float32)
    latents[:, 0] = np.random.default_rng(1).normal(0, 3, side * side)
    coarse = np.arange(side * side) != ground
    passed = {}
    for which in (None, coarse):
        wanted, values = latents.copy(), np.zeros((side * side + 1, LAYOUT.channels), np.int32)
        spreading = Spreading.over(LAYOUT, plan, coarse=which)
        payload = Payload(np.where(coarse, WORTH / 16, WORTH), wanted, values)
        chooser = Chooser(LAYOUT, Rules.of(quantiser, made_up(quantiser)), payload, spreading, side)
        for step in plan.steps[0]:
            shape = len(step.tiles), LAYOUT.groups[0].count
            chooser.choose(0, step.tiles, np.zeros(shape, np.int32), np.full(shape, 22, np.uint8))
        passed[which is not None] = np.abs(wanted - latents)[:, 0]
    assert passed[False][ground] > 0
    assert not passed[True].any()


@pytest.mark.parametrize("reach", [0.6, 2.4])
def test_where_a_squared_step_is_worth_less_fewer_bits_are_spent(reach: float) -> None:
    quantiser = dependent(10)
    wanted = np.random.default_rng(2).normal(0, reach, (2, 40))
    symbols, sets = np.zeros((2, 40), np.int32), np.zeros((2, 40), np.uint8)
    rules = Rules.of(quantiser, made_up(quantiser))
    worth = np.array([WORTH, WORTH / 16])
    search(wanted, np.full((2, 40), 20, np.uint8), rules, worth, 0, symbols, sets)
    assert np.count_nonzero(symbols[1]) < np.count_nonzero(symbols[0])
