from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from comeo.training import tables


def test_every_row_sums_to_the_precision_and_has_no_zero() -> None:
    built = tables.build()
    assert built.shape == (tables.SCALES, tables.FRACTIONS, tables.SYMBOLS)
    assert (built.sum(2) == 2**tables.PRECISION).all()
    assert built.min() >= 1
    assert np.array_equal(built[:, 0, :-1], built[:, 0, -2::-1])


def test_frequencies_follow_the_logistic_distribution() -> None:
    scale, fraction = 16, 1
    width = 2 ** (scale / 4 - 4) * math.sqrt(3) / math.pi
    for symbol in (-2, 0, 1):
        low, high = (1 / (1 + math.exp(-(symbol + side - fraction / 4) / width)) for side in (-0.5, 0.5))
        share = tables.build()[scale, fraction, symbol + tables.REACH] / 2**tables.PRECISION
        assert abs(share - (high - low)) < 1e-4


@given(st.integers(-5000, 5000), st.integers(-20000, 20000), st.integers(0, 60), st.integers(0, 2**9))
def test_a_symbol_can_be_found_again(symbol: int, mean: int, index: int, low_bits: int) -> None:
    rows, distances, shifts = tables.locate(np.array([symbol]), np.array([mean]), np.array([index]))
    row, distance, shift = int(rows[0]), int(distances[0]), int(shifts[0])
    assert 0 <= row < tables.SCALES * tables.FRACTIONS
    centre = (mean + 2) >> 2
    mirrored = shift > 0 or mean - 4 * centre < 0
    rest = (symbol - centre) & ((1 << shift) - 1)
    assert centre + ((-distance if mirrored else distance) << shift) + rest == symbol
    other = (symbol - centre) ^ (low_bits & ((1 << shift) - 1))
    again = tables.locate(np.array([other + centre]), np.array([mean]), np.array([index]))
    assert int(again[1][0]) == distance


def test_the_cost_is_that_of_the_distribution() -> None:
    random = np.random.default_rng(1)
    for index in (4, 20, 28, 36, 48):
        deviation = 2 ** (index / 4 - 4)
        mean = random.integers(-40, 40, 20000)
        exact = random.logistic(mean / 4, deviation * math.sqrt(3) / math.pi)
        located = tables.locate(np.rint(exact).astype(np.int64), mean, np.full(mean.shape, index))
        spent = tables.cost(*located) / mean.size
        width = deviation * math.sqrt(3) / math.pi
        if deviation >= 2:  # the entropy of a logistic distribution, cut into units
            assert abs(spent - (math.log2(width) + 2 / math.log(2))) < 0.05
        else:
            assert spent < math.log2(width + 1) + 2 / math.log(2)


def test_a_symbol_out_of_reach_costs_an_escape_and_nothing_breaks() -> None:
    near = tables.cost(*tables.locate(np.array([0]), np.array([0]), np.array([8])))
    far = tables.cost(*tables.locate(np.array([4000]), np.array([0]), np.array([8])))
    assert near < 1
    assert tables.PRECISION < far < 2 * tables.PRECISION + 16
