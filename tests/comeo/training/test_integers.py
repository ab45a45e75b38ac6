from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from comeo.training import integers


def _inputs(*channels: int) -> list[torch.Tensor]:
    return [torch.randint(0, 128, (2, count, 9, 7)) / integers.UNIT for count in channels]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_any_order_and_precision_give_the_same_bits(scale: float) -> None:
    torch.manual_seed(1)
    layer = integers.WholeConv2d([48, 192], 16, [1, 3])
    with torch.no_grad():
        for weight in layer.weights:
            weight.mul_(scale)
        layer.bias.normal_()
    inputs = _inputs(48, 192)
    result = layer(inputs)
    order = [torch.randperm(48), torch.randperm(192)]
    shuffled = integers.WholeConv2d([48, 192], 16, [1, 3])
    shuffled.load_state_dict(layer.state_dict())
    with torch.no_grad():
        for number, permutation in enumerate(order):
            shuffled.weights[number].copy_(layer.weights[number][:, permutation])
    assert torch.equal(result, shuffled([x[:, p] for x, p in zip(inputs, order, strict=True)]))
    assert torch.equal(result.double(), layer.double()([x.double() for x in inputs]))


def test_sums_stay_below_the_mantissa() -> None:
    torch.manual_seed(2)
    weights = [torch.randn(8, 400, 3, 3), torch.full((8, 100, 1, 1), 3.0)]
    rounded, unit = integers.whole_weights(weights)
    total = sum((weight / unit[:, None, None, None]).abs().flatten(1).sum(1) for weight in rounded)
    assert float(total.max()) * integers.PEAK < 2**24
    for weight in rounded:
        whole = weight / unit[:, None, None, None]
        assert torch.equal(whole, whole.round())


def test_rounding_passes_the_gradient() -> None:
    values = torch.tensor([-1.5, -0.4, 0.5, 2.7], requires_grad=True)
    rounded = integers.round_through(values)
    assert rounded.tolist() == [-1.0, 0.0, 1.0, 3.0]
    rounded.sum().backward()
    assert values.grad.tolist() == [1.0] * 4


def test_activations_and_magnitudes_are_whole_sixteenths() -> None:
    values = integers.activate(torch.linspace(-20, 20, 1001)) * integers.UNIT
    assert torch.equal(values, values.round())
    assert (float(values.min()), float(values.max())) == (0.0, 127.0)
    symbols = torch.arange(-3000, 3001).float()
    magnitudes = integers.magnitude(symbols) * integers.UNIT
    assert torch.equal(magnitudes, magnitudes.flip(0))
    assert float(magnitudes.max()) == 16 * 8
    exact = torch.floor(16 * torch.log2(1 + symbols.double().abs().clamp(max=255)) + 0.5)
    assert torch.equal(magnitudes.double(), exact)
