"""The codec's quantiser in the training's loop."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from comeo.codecs.learned.quantiser import decoded, dependent  # noqa: E402
from comeo.codecs.learned.tables import SKIPPED  # noqa: E402
from training.quantising import Choice, cell_bits  # noqa: E402
from training.train import quantising  # noqa: E402

GRID = 10


def test_blocks_are_quantised_apart() -> None:
    make = quantising(GRID)
    assert make is not None
    random = np.random.default_rng(2)
    wanted = torch.from_numpy(random.laplace(0, 1.5, (8, 6)))
    index = torch.from_numpy(random.integers(5, 30, (8, 6))).double()
    whole = make([4, 4]).choose(np.arange(8), wanted, index)
    second = make([4]).choose(np.arange(4), wanted[4:], index[4:])
    assert torch.equal(whole.values[4:], second.values)


def test_the_state_goes_on_from_pass_to_pass() -> None:
    make = quantising(GRID)
    assert make is not None
    wanted = torch.full((2, 1), 0.63)  # one point of the odd set: reached from the second state alone
    index = torch.full((2, 1), 24.0)
    blocks = make([2])
    found = [blocks.choose(np.array([tile]), wanted[:1], index[:1]) for tile in (0, 1)]
    symbols, sets = ([int(getattr(choice, name)) for choice in found] for name in ("symbols", "sets"))
    state = 0
    for symbol, own in zip(symbols, sets, strict=True):
        assert own == state & 1
        state = int(dependent(GRID).transitions[state, symbol & 1])


def test_values_are_what_symbols_decode_to() -> None:
    make = quantising(GRID)
    assert make is not None
    random = np.random.default_rng(4)
    wanted, index = torch.from_numpy(random.normal(0, 4, (5, 7))), torch.full((5, 7), 22.0).double()
    choice = make([5]).choose(np.arange(5), wanted, index)
    points = np.zeros((2, 25, 3), np.int64)
    for symbol, own, value in zip(*(part.flatten().tolist() for part in choice), strict=True):
        assert 16 * value == decoded(int(symbol), int(own), 22, 0, GRID, points)


@pytest.mark.parametrize("own", [0, 1])
def test_the_cells_of_a_set_cover_everything_once(own: int) -> None:
    make = quantising(GRID)
    assert make is not None
    symbols = torch.arange(-400, 401).double()[None]
    choice = Choice(symbols, torch.full_like(symbols, own), symbols)
    bits = make([1]).bits(choice, torch.full_like(symbols, 12.0))
    assert abs(float(torch.exp2(-bits).sum()) - 1) < 1e-9


def test_what_is_not_coded_is_learned_from_in_whole_steps() -> None:
    make = quantising(GRID)
    assert make is not None
    wanted = torch.tensor([[3.1, -0.2]]).double()
    choice = make([1]).choose(np.array([0]), wanted, torch.full((1, 2), float(SKIPPED)).double())
    assert choice.values.tolist() == choice.symbols.tolist()
    assert choice.coded(torch.full((1, 2), float(SKIPPED))).values.tolist() == [[0.0, 0.0]]


def test_bits_far_in_the_tails_are_finite() -> None:
    index = torch.tensor([[0.0]]).double()
    assert torch.isfinite(
        cell_bits(torch.tensor([[40.0]]).double(), torch.tensor([[41.0]]).double(), index)
    ).all()
