"""Networks whose arithmetic is exact: integer weights, integer activations, powers of two in between.

Tensors hold integers times a power of two in float32. Every product and every partial sum is then an
integer below 2²⁴ times a power of two, so any order of summation gives the same bits, on any processor.
Training sees the very same numbers as decoding does; gradients pass the rounding straight through (Bengio
et al., arXiv:1308.3432).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

UNIT = 16  # activations are multiples of 1/16 …
PEAK = 127  # … and at most 127 of them
WEIGHT_PEAK = 127
EXACT = 2.0**23  # bound of Σ|w|·max|a|, one bit below the mantissa to leave room for the bias


def round_through(values: Tensor) -> Tensor:
    """Round to nearest, ties up, with the gradient of the identity."""
    return values + (torch.floor(values + 0.5) - values).detach()


def activate(values: Tensor) -> Tensor:
    """A rectifier that gives 0…127 sixteenths."""
    return round_through(torch.clamp(values * UNIT, 0, PEAK)) / UNIT


def whole_weights(weights: Tensor, peak: float = PEAK) -> tuple[Tensor, Tensor]:
    """Round weights to integers times one power of two for each output.

    Args:
        weights: (outputs, inputs).
        peak: Largest integer that an input holds.

    Returns:
        The rounded weights, and the powers of two (outputs,).
    """
    size = weights.detach().abs().float()
    need = torch.maximum(size.amax(1) / WEIGHT_PEAK, (size.sum(1) + size.shape[1] * 1e-9) * (peak / EXACT))
    unit = torch.exp2(torch.ceil(torch.log2(need.clamp(min=2.0**-16))))
    return round_through(weights / unit[:, None]) * unit[:, None], unit


class WholeLinear(nn.Module):
    """A linear map of integer tensors.

    Args:
        inputs: Features.
        outputs: Features.
        zero: Start from zero.
        peak: Largest integer that an input holds.
        unit: Inputs are multiples of 1/unit.
    """

    def __init__(
        self, inputs: int, outputs: int, *, zero: bool = False, peak: float = PEAK, unit: int = UNIT
    ) -> None:
        super().__init__()
        scale = 0.0 if zero else math.sqrt(2 / inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * scale)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.peak = peak
        self.unit = unit

    def frozen(self) -> tuple[Tensor, Tensor]:
        """Weights (outputs, inputs) and bias (outputs,) as they are used."""
        weight, unit = whole_weights(self.weight, self.peak)
        return weight, round_through(self.bias / unit * self.unit) * unit / self.unit

    def forward(self, features: Tensor) -> Tensor:
        """Map (items, inputs) to (items, outputs)."""
        weight, bias = self.frozen()
        return functional.linear(features, weight) + bias

    def macs(self) -> int:
        """Multiply-accumulates an item."""
        return int(self.weight.numel())
