from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from training import pack
from training.crops import CropOptions, CropSampler
from training.model import Model, measured_order, pad
from training.transforms import from_coefficients, to_coefficients


@pytest.fixture(scope="module")
def crops(small_pack: Path) -> np.ndarray:
    sampler = CropSampler(pack.load(small_pack), CropOptions(128, 8, lowest_step=30, highest_step=30), 5)
    return sampler.batch()


@pytest.fixture(scope="module")
def model(crops: np.ndarray) -> Model:
    torch.manual_seed(1)
    made = Model(*measured_order(crops))
    made.eval().requires_grad_(False)
    return made


def test_it_starts_as_a_working_codec(model: Model, crops: np.ndarray) -> None:
    components = torch.from_numpy(crops[:3])
    result = model(components)
    decoded = model.decoded(result, components.shape)
    error = (decoded - components).square().mean((1, 2, 3))
    assert (error < 0.15 * components.square().mean((1, 2, 3))).all()
    assert (result.bits / 128**2 < 10).all()
    # The border filters are not quite orthonormal.
    torch.testing.assert_close(result.error, (decoded - components).square().sum((1, 2, 3)), rtol=0.1, atol=0)


@pytest.mark.parametrize("shape", [(1, 1), (16, 33), (47, 130)])
def test_blocks_of_any_shape(model: Model, shape: tuple[int, int]) -> None:
    components = torch.randn(1, 4, *shape)
    result = model(components)
    decoded = model.decoded(result, components.shape)
    assert decoded.shape == (1, 4, *shape)
    assert torch.isfinite(decoded).all()
    assert torch.isfinite(result.bits).all()


def test_an_empty_block_costs_next_to_nothing(model: Model) -> None:
    components = torch.zeros(1, 4, 256, 256)
    result = model(components)
    assert float(model.decoded(result, components.shape).abs().max()) == 0
    assert float(result.bits) < 512


def test_blocks_of_a_batch_are_coded_alone(model: Model, crops: np.ndarray) -> None:
    together = model(torch.from_numpy(crops[:2]))
    for number in range(2):
        alone = model(torch.from_numpy(crops[number : number + 1]))
        assert torch.equal(alone.coded.values, together.coded.values[64 * number : 64 * number + 64])
        torch.testing.assert_close(alone.bits[0], together.bits[number])


def test_the_decoder_keeps_to_its_budget(model: Model) -> None:
    assert model.macs() <= 12_000


def test_the_transform_is_undone() -> None:
    components = torch.randn(2, 4, 48, 32)
    torch.testing.assert_close(from_coefficients(to_coefficients(components)), components, atol=1e-4, rtol=0)


def test_padding_repeats_the_edge() -> None:
    padded = pad(torch.arange(6.0).reshape(1, 1, 2, 3))
    assert padded.shape == (1, 1, 16, 16)
    assert torch.equal(padded[0, 0, 2:, 2], torch.full((14,), 5.0))
    assert torch.equal(padded[0, 0, 0, 3:], torch.full((13,), 2.0))


def test_frequencies_come_by_how_much_they_vary(crops: np.ndarray) -> None:
    order, deviations = measured_order(crops)
    assert sorted(order.tolist()) == list(range(256))
    assert order[0] == 0, "the mean varies most"
    place = {frequency: rank for rank, frequency in enumerate(order.tolist())}
    for row in range(16):
        for column in range(16):
            assert abs(place[16 * row + column] - place[16 * column + row]) <= 1, "directions count alike"
    assert deviations.shape == (1024,)
    assert float(deviations[0]) > float(deviations[11]) > 0
