"""Weights that move to a model of another design."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from training.design import FIRST_DESIGN, SECOND_DESIGN  # noqa: E402
from training.model import Model  # noqa: E402
from training.transplant import Names, transplant  # noqa: E402


def _trained() -> Any:
    torch.manual_seed(3)
    model = Model.blank(FIRST_DESIGN)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.05)
    return model.eval()


def _crops() -> Any:
    random = torch.Generator().manual_seed(1)
    ground = torch.nn.functional.interpolate(
        torch.randn(2, 4, 16, 16, generator=random) * 6, size=(128, 128), mode="bilinear"
    )
    return ground + torch.randn(2, 4, 128, 128, generator=random)


@torch.no_grad()
def test_the_same_design_stays_the_same_model() -> None:
    old = _trained()
    new = transplant(old, FIRST_DESIGN).eval()
    crops = _crops()
    assert torch.equal(new(crops).bits, old(crops).bits)
    assert torch.equal(new(crops).coded.values, old(crops).coded.values)


@torch.no_grad()
def test_another_design_starts_from_what_was_learned() -> None:
    old, crops = _trained(), _crops()
    new = transplant(old, SECOND_DESIGN).eval()
    fresh = Model.blank(SECOND_DESIGN).eval()
    fresh.order.copy_(old.order)
    assert new.design == SECOND_DESIGN
    for group, networks in enumerate(new.context.groups):
        for network in networks:
            assert torch.isfinite(network.last).all(), group
    place, source = (
        SECOND_DESIGN.layout.starts[4],
        FIRST_DESIGN.layout.starts[2],
    )  # of component 0, from rank 12
    assert tuple(part[place] for part in SECOND_DESIGN.layout.places) == (0, 12)
    assert tuple(part[source] for part in FIRST_DESIGN.layout.places) == (0, 12)
    assert torch.equal(new.context.groups[4][1].bias, old.context.groups[2][1].bias)
    assert not torch.equal(new(crops).bits, fresh(crops).bits)


def test_names_are_as_many_as_a_network_has_inputs() -> None:
    for design in (FIRST_DESIGN, SECOND_DESIGN):
        for number, networks in enumerate(Model.blank(design).context.groups):
            for step, network in enumerate(networks):
                names = Names.of(design.layout, number, step > 0)
                seen = names.direct + names.others + names.own
                assert len(set(seen)) == len(seen) == network.first.weight.shape[1]
                assert len(names.direct) == network.direct
                if network.linear is not None and network.bend is not None:
                    assert len(set(names.neighbours)) == network.linear.weight.shape[1]
                    assert len(set(names.bends)) == network.bend.weight.shape[1]
