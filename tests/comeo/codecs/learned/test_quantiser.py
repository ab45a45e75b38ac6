"""What symbols stand for, against plain arithmetic."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.codecs.learned import tables as tb
from comeo.codecs.learned.quantiser import SCALAR, Quantiser, decoded, dependent, quantiser_of
from tests.comeo.codecs.learned.made_up import made_up

indexes = st.integers(tb.SKIPPED + 1, tb.SCALES - 1)
quantisers = st.sampled_from([SCALAR, dependent(10), dependent(1), dependent(16)])


@settings(deadline=None)
@given(st.integers(-60, 60), indexes, st.integers(0, 1), quantisers)
def test_what_a_symbol_decodes_to_is_symmetric_and_near_its_point(
    symbol: int, index: int, own: int, quantiser: Quantiser
) -> None:
    points, grid = made_up(quantiser).points, quantiser.grid
    own = min(own, quantiser.sets - 1)
    value = decoded(symbol, own, *tb.locate(index), grid, points)
    assert decoded(-symbol, own, *tb.locate(index), grid, points) == -value
    wanted = 2 * grid * abs(symbol) - (grid if own and symbol else 0)
    if symbol and index < tb.ROWS:
        wanted -= int(points[own, index, min(abs(symbol), 3) - 1])
    assert abs(value) == wanted
    assert (value > 0) == (symbol > 0)


def test_the_scalar_quantiser_counts_whole_steps() -> None:
    none = np.zeros((1, tb.ROWS, 3), np.int64)
    assert [decoded(k, 0, 20, 0, SCALAR.grid, none) for k in (-3, 0, 1, 9)] == [-48, 0, 16, 144]
    assert not SCALAR.transitions.any()


def test_either_set_leads_to_both_and_no_state_is_a_dead_end() -> None:
    """Whatever the state, both parities lead on to different states, and every state is reached twice."""
    transitions = dependent(10).transitions
    assert (transitions[:, 0] != transitions[:, 1]).all()
    assert np.array_equal(np.bincount(transitions.ravel()), np.full(8, 2))
    reached = {0}
    for _ in range(4):
        reached |= {int(after) for state in reached for after in transitions[state]}
    assert reached == set(range(8))


@pytest.mark.parametrize("quantiser", [SCALAR, dependent(10)])
def test_a_quantiser_is_what_it_says_of_itself(quantiser: Quantiser) -> None:
    again = quantiser_of(json.loads(json.dumps(quantiser.facts())))
    assert again.facts() == quantiser.facts()
    assert np.array_equal(again.transitions, quantiser.transitions)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"kind": "vector"},
        {"kind": "scalar", "grid": 8},
        {"kind": "dependent"},
        {"kind": "dependent", "grid": "10"},
        {"kind": "dependent", "grid": 0},
        {"kind": "dependent", "grid": 17},
    ],
)
def test_other_quantisers_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="quantiser"):
        quantiser_of(facts)
