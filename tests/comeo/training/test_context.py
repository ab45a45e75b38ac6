from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from comeo.training.context import (
    GROUPS,
    PASSES,
    SCALES,
    ContextModel,
    bits,
    energy_class,
    positions,
)

CHANNELS = sum(GROUPS)
STARTS = [sum(GROUPS[:number]) for number in range(len(GROUPS))]


def _model() -> ContextModel:
    """A model whose every weight matters, as after training."""
    torch.manual_seed(3)
    model = ContextModel(torch.rand(CHANNELS) + 0.1, torch.randint(0, 4, (CHANNELS,)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    model.eval().requires_grad_(False)
    return model


def _symbols(height: int = 7, width: int = 6) -> torch.Tensor:
    torch.manual_seed(4)
    return torch.round(
        torch.randn(1, CHANNELS, height, width) * torch.linspace(60, 0.2, CHANNELS)[:, None, None]
    )


ENERGY = torch.tensor([[70.0, 50.0, 30.0, 0.0]])


def _pass_numbers(height: int, width: int) -> torch.Tensor:
    """When each symbol is decoded, over all groups."""
    numbers, begun = [], 0
    for group, count in enumerate(GROUPS):
        numbers.append((positions(group, height, width) + begun).expand(count, -1, -1))
        begun += PASSES[group]
    return torch.cat(numbers)[None]


def test_a_pass_knows_only_the_passes_before_it() -> None:
    model, symbols = _model(), _symbols()
    when = _pass_numbers(7, 6)
    mean, index = model(symbols, ENERGY)
    for number in range(int(when.max()) + 1):
        hidden = torch.where(when >= number, torch.full_like(symbols, 9.0), symbols)
        mean_hidden, index_hidden = model(hidden, ENERGY)
        known = when <= number
        assert torch.equal(mean[known], mean_hidden[known])
        assert torch.equal(index[known], index_hidden[known])


def test_every_pass_but_the_first_uses_its_context() -> None:
    model, symbols = _model(), _symbols()
    when = _pass_numbers(7, 6)
    mean, index = model(symbols, ENERGY)
    mean_blind, index_blind = model(torch.zeros_like(symbols), ENERGY)
    for number in range(1, int(when.max()) + 1):
        here = when == number
        assert ((mean != mean_blind) | (index != index_blind))[here].any()


def test_table_indexes_are_exact() -> None:
    model, symbols = _model(), _symbols()
    mean, index = model(symbols, ENERGY)
    assert torch.equal(index, index.round())
    assert torch.equal(mean * 4, (mean * 4).round())
    assert 0 <= float(index.min()) < float(index.max()) <= SCALES - 1
    mean_double, index_double = model.double()(symbols.double(), ENERGY.double())
    assert torch.equal(mean.double(), mean_double)
    assert torch.equal(index.double(), index_double)


@pytest.mark.parametrize("index", [0.0, 17.0, 30.0])
@pytest.mark.parametrize("mean", [0.0, 0.25, -3.5])
def test_probabilities_sum_to_one(index: float, mean: float) -> None:
    symbols = torch.arange(-4000, 4001).double()
    cost = bits(symbols, torch.tensor(mean).double(), torch.tensor(index).double())
    assert torch.isfinite(cost).all()
    assert float(torch.exp2(-cost).sum()) == pytest.approx(1, abs=1e-9)


def test_energy_classes_are_logarithmic_and_bounded() -> None:
    values = torch.stack(
        [torch.zeros(8, 8), torch.ones(8, 8), torch.full((8, 8), 2.0), torch.full((8, 8), 1e9)]
    )
    assert energy_class(values[None]).tolist() == [[0.0, 32.0, 40.0, 127.0]]
