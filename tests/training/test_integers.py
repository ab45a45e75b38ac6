from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from training import integers


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize(("peak", "unit"), [(127, 16), (2047, 1)])
def test_any_order_and_precision_give_the_same_bits(scale: float, peak: int, unit: int) -> None:
    torch.manual_seed(1)
    layer = integers.WholeLinear(240, 16, peak=peak, unit=unit)
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.normal_()
    inputs = torch.randint(0, peak + 1, (50, 240)) / unit
    result = layer(inputs)
    order = torch.randperm(240)
    shuffled = integers.WholeLinear(240, 16, peak=peak, unit=unit)
    shuffled.load_state_dict(layer.state_dict())
    with torch.no_grad():
        shuffled.weight.copy_(layer.weight[:, order])
    assert torch.equal(result, shuffled(inputs[:, order]))
    assert torch.equal(result.double(), layer.double()(inputs.double()))


@pytest.mark.parametrize("peak", [127, 2047])
def test_sums_stay_below_the_mantissa(peak: int) -> None:
    torch.manual_seed(2)
    weights = torch.cat([torch.randn(8, 4000), torch.full((1, 4000), 3.0), torch.zeros(1, 4000)])
    rounded, unit = integers.whole_weights(weights, peak)
    whole = rounded / unit[:, None]
    assert torch.equal(whole, whole.round())
    assert float(whole.abs().max()) <= integers.WEIGHT_PEAK
    assert float(whole.abs().sum(1).max()) * peak < 2**24
    assert torch.equal(torch.log2(unit), torch.log2(unit).round())


def test_rounding_is_no_coarser_than_it_has_to_be() -> None:
    torch.manual_seed(3)
    weights = torch.randn(8, 100)
    rounded, _ = integers.whole_weights(weights)
    assert float((rounded - weights).abs().max()) <= float(weights.abs().max()) / 100


def test_rounding_passes_the_gradient() -> None:
    values = torch.tensor([-1.5, -0.4, 0.5, 2.7], requires_grad=True)
    rounded = integers.round_through(values)
    assert rounded.tolist() == [-1.0, 0.0, 1.0, 3.0]
    rounded.sum().backward()
    assert values.grad.tolist() == [1.0] * 4


def test_activations_are_whole_sixteenths() -> None:
    values = integers.activate(torch.linspace(-20, 20, 1001)) * integers.UNIT
    assert torch.equal(values, values.round())
    assert (float(values.min()), float(values.max())) == (0.0, 127.0)
