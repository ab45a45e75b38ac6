from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from comeo.training import pack
from comeo.training.crops import CropOptions, CropSampler
from comeo.training.model import Model, pad, principal_patches


@pytest.fixture(scope="module")
def crops(small_pack: Path) -> np.ndarray:
    sampler = CropSampler(pack.load(small_pack), CropOptions(128, 24, lowest_step=30, highest_step=30), 5)
    return sampler.batch()


@pytest.fixture(scope="module")
def model(crops: np.ndarray) -> Model:
    torch.manual_seed(1)
    made = Model(*principal_patches(crops))
    made.eval().requires_grad_(False)
    return made


def test_it_starts_as_a_working_transform(model: Model, crops: np.ndarray) -> None:
    components = torch.from_numpy(crops[:4])
    coded = model(components)
    error = (coded.decoded - components).square().mean((1, 2, 3))
    power = components.square().mean((1, 2, 3))
    assert (error < 0.1 * power).all()
    assert torch.equal(coded.symbols, coded.symbols.round())
    assert (coded.bits / 128**2 < 8).all()


@pytest.mark.parametrize("shape", [(1, 1), (16, 33), (47, 130)])
def test_blocks_of_any_shape(model: Model, shape: tuple[int, int]) -> None:
    coded = model(torch.randn(1, 4, *shape))
    assert coded.decoded.shape == (1, 4, *shape)
    assert torch.isfinite(coded.decoded).all()
    assert torch.isfinite(coded.bits).all()


def test_an_empty_block_costs_next_to_nothing(model: Model) -> None:
    coded = model(torch.zeros(1, 4, 256, 256))
    assert float(coded.decoded.abs().max()) == 0
    assert float(coded.bits) < 512


def test_the_decoder_keeps_to_its_budget(model: Model) -> None:
    assert model.macs() <= 12_000


def test_padding_repeats_the_edge() -> None:
    padded = pad(torch.arange(6.0).reshape(1, 1, 2, 3))
    assert padded.shape == (1, 1, 16, 16)
    assert torch.equal(padded[0, 0, 2:, 2], torch.full((14,), 5.0))
    assert torch.equal(padded[0, 0, 0, 3:], torch.full((13,), 2.0))


def test_the_basis_is_orthonormal_and_sorted(crops: np.ndarray) -> None:
    basis, deviations, owner = principal_patches(crops)
    assert torch.allclose(basis @ basis.T, torch.eye(len(basis)), atol=1e-4)
    assert deviations.shape == owner.shape == (len(basis),)
    assert int(owner.max()) < 4
