from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from comeo.codecs.learned.encoder import WORTH
from training.logistic import bits, decide


@pytest.mark.parametrize("index", [0.0, 17.0, 30.0])
def test_probabilities_sum_to_one(index: float) -> None:
    cost = bits(torch.arange(-4000, 4001).double(), torch.tensor(index).double())
    assert torch.isfinite(cost).all()
    assert float(torch.exp2(-cost).sum()) == pytest.approx(1, abs=1e-9)


def test_the_scale_is_the_standard_deviation() -> None:
    symbols = torch.arange(-4000, 4001).double()
    for index in (16.0, 24.0, 32.0):
        share = torch.exp2(-bits(symbols, torch.tensor(index).double()))
        variance = float((share * symbols**2).sum())
        assert variance == pytest.approx(4 ** (index / 4 - 4) + 1 / 12, rel=1e-3)


def test_what_is_decided_is_the_best_of_what_is_looked_at() -> None:
    torch.manual_seed(1)
    latents, index = 6 * torch.randn(4000), torch.randint(5, 50, (4000,)).float()
    chosen, nearest = decide(latents, index), torch.floor(latents + 0.5)

    def value(choice: torch.Tensor) -> torch.Tensor:
        return WORTH * (latents - choice).square() + bits(choice, index)

    for choice in (nearest, torch.where(nearest == 0, nearest, nearest - nearest.sign()), 0 * nearest):
        assert (value(chosen) <= value(choice) + 1e-3)[nearest != 0].all()
    assert (chosen[nearest == 0] == 0).all()
    assert (chosen != nearest).any()
