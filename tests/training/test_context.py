from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from comeo.codecs.learned import features as exact
from comeo.codecs.learned.layout import FIRST_LAYOUT as LAYOUT
from comeo.codecs.learned.tables import SCALES
from training import context
from training.context import ContextModel, Known, cross_weights, energy_class
from training.integers import PEAK, UNIT

SHAPES = ((5, 4), (2, 3))
TILES = 26


def _model() -> ContextModel:
    """A model whose every weight matters, as after training."""
    torch.manual_seed(3)
    model = ContextModel(torch.rand(LAYOUT.channels) + 0.1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    model.eval().requires_grad_(False)
    return model


def _latents(loud: float = 60.0) -> torch.Tensor:
    torch.manual_seed(4)
    rank = torch.from_numpy(LAYOUT.places[1])
    return torch.randn(TILES, LAYOUT.channels) * loud / (1 + rank) + torch.randn(TILES, LAYOUT.channels) * 0.3


def _energy() -> torch.Tensor:
    torch.manual_seed(5)
    return torch.randint(20, 90, (TILES, LAYOUT.components)).float()


def _channels(number: int) -> slice:
    return slice(LAYOUT.starts[number], LAYOUT.starts[number] + LAYOUT.groups[number].count)


def _pass_numbers() -> torch.Tensor:
    """When each value is decoded, over all groups: (tiles, channels)."""
    when = torch.empty(TILES, LAYOUT.channels, dtype=torch.long)
    begun = 0
    for number, steps in enumerate(LAYOUT.plan(SHAPES).steps):
        for step in steps:
            when[torch.from_numpy(step.tiles), _channels(number)] = begun
            begun += 1
    return when


def test_a_pass_knows_only_the_passes_before_it() -> None:
    model, latents, when = _model(), _latents(), _pass_numbers()
    coded = model(latents, _energy(), SHAPES)
    for number in range(int(when.max()) + 1):
        hidden = model(torch.where(when >= number, torch.full_like(latents, 9.3), latents), _energy(), SHAPES)
        before, known = when < number, when <= number
        assert torch.equal(coded.values[before], hidden.values[before])
        assert torch.equal(coded.index[known], hidden.index[known])


def test_every_pass_but_the_first_uses_its_context() -> None:
    model, latents, when = _model(), _latents(), _pass_numbers()
    index = model(latents, _energy(), SHAPES).index
    for number in range(1, int(when.max()) + 1):
        blind = model(torch.where(when < number, torch.zeros_like(latents), latents), _energy(), SHAPES).index
        here = when == number
        assert (index != blind)[here].any()


def test_values_and_indexes_are_whole() -> None:
    coded = _model()(_latents(), _energy(), SHAPES)
    assert torch.equal(coded.values, coded.values.round())
    assert torch.equal(coded.symbols, coded.symbols.round())
    assert torch.equal(coded.index, coded.index.round())
    assert -1 <= float(coded.index.min()) < float(coded.index.max()) <= SCALES - 1


def test_what_a_block_costs_and_loses_is_that_of_its_symbols() -> None:
    latents = _latents()
    coded = _model()(latents, _energy(), SHAPES)
    error = (latents - coded.values / UNIT).square().sum(1)
    torch.testing.assert_close(coded.error, error, rtol=1e-3, atol=1e-3)
    assert (coded.bits > 0).all()
    assert (coded.symbols[coded.index < 0] == 0).all()


def test_groups_of_quiet_tiles_are_not_coded() -> None:
    model = _model()
    for networks in model.groups:
        for network in networks:
            network.linear = network.bend = None  # a mean would be something that fine groups may follow
    index = model(torch.zeros(TILES, LAYOUT.channels), _energy(), SHAPES).index
    for number, group in enumerate(LAYOUT.groups):
        assert (index[:, _channels(number)] < 0).all() == bool(group.parents)


@pytest.mark.parametrize("size", [0.3, 30.0, 1e5])
def test_training_sees_what_the_codec_sees(size: float) -> None:
    """Both kinds of `Known` make the same of the same values, up to damaged payloads' sizes."""
    random = np.random.default_rng(6)
    final = (
        np.rint(random.standard_cauchy((TILES, LAYOUT.channels)) * size)
        .clip(-(2**22), 2**22)
        .astype(np.int32)
    )
    final[:7] = 0
    energy = random.integers(0, PEAK + 1, (TILES, LAYOUT.components)).astype(np.uint8)
    plan = LAYOUT.plan(SHAPES)
    codecs = exact.Known(LAYOUT, energy, np.arange(TILES), plan)
    trained = Known(LAYOUT, torch.from_numpy(energy.astype(np.float32)), plan)
    for number, steps in enumerate(plan.steps):
        active = codecs.active(number, np.zeros(TILES, bool))
        np.testing.assert_array_equal(trained.active(number).numpy(), active)
        for step in (each.where(active) for each in steps):
            wanted, found = codecs.inputs(number, step), trained.inputs(number, step)
            seen = UNIT * torch.cat([found.direct, found.others, found.own], 1)
            np.testing.assert_array_equal(seen.numpy(), wanted.features)
            bends = None if found.bends is None else UNIT * found.bends
            for one, other in zip((found.neighbours, bends, found.crossed), wanted[1:], strict=True):
                assert (one is None) == (other is None)
                if one is not None:
                    np.testing.assert_array_equal(one.numpy(), other)
            values = final[step.tiles, _channels(number)]
            codecs.values[step.tiles, _channels(number)] = values
            codecs.note(number, step.tiles)
            trained.add(number, torch.from_numpy(step.tiles), torch.from_numpy(values).float())


def test_networks_are_exact() -> None:
    """Float64 and any order of features give the same bits."""
    random = np.random.default_rng(2)
    for networks in _model().groups:
        for network in networks:
            width, count = network.first.weight.shape[1], len(network.bias)
            seen = torch.from_numpy(random.integers(0, PEAK + 1, (40, width)).astype(np.float32) / UNIT)
            own = width - network.kinds * count
            neighbours = bends = crossed = None
            if network.bend is not None:
                size = network.bend.weight.shape[1]
                drawn = random.integers(-PEAK, PEAK + 1, (40, size)).astype(np.float32)
                bends = torch.from_numpy(drawn / UNIT)
            if network.linear is not None:
                size = network.linear.weight.shape[1]
                neighbours = torch.from_numpy(random.integers(-2047, 2048, (40, size)).astype(np.float32))
            if network.cross is not None:
                crossed = torch.from_numpy(random.integers(-2047, 2048, (40, count)).astype(np.float32))
            parts = seen[:, : network.direct], seen[:, network.direct : own], seen[:, own:]
            inputs = context.Inputs(*parts, neighbours, bends, crossed)
            mean, index = network(inputs)
            doubles = [None if each is None else each.double() for each in inputs]
            mean_double, index_double = network.double()(context.Inputs(*doubles))
            network.float()
            assert torch.equal(index.double(), index_double)
            assert torch.equal(mean.double(), mean_double)
            assert torch.equal(mean * UNIT, (mean * UNIT).round())


def test_weights_of_crossed_predictions_are_bounded_sixty_fourths() -> None:
    weights = cross_weights(torch.tensor([-3.0, 0.0, 0.5, 0.851, 9.0], requires_grad=True))
    assert weights.tolist() == [0.0, 0.0, 0.5, 54 / 64, 1.5]


def test_energy_classes_are_logarithmic_and_bounded() -> None:
    values = torch.stack(
        [torch.zeros(8, 8), torch.ones(8, 8), torch.full((8, 8), 2.0), torch.full((8, 8), 1e9)]
    )
    assert energy_class(values[None]).tolist() == [[0.0, 32.0, 40.0, 127.0]]
