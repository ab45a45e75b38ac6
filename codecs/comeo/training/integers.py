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
LARGEST = 255  # symbols beyond count as this when they are context


def round_through(values: Tensor) -> Tensor:
    """Round to nearest, ties up, with the gradient of the identity."""
    return values + (torch.floor(values + 0.5) - values).detach()


def to_grid(values: Tensor, unit: int) -> Tensor:
    """Round to multiples of 1/unit."""
    return round_through(values * unit) / unit


def activate(values: Tensor) -> Tensor:
    """A rectifier that gives 0…127 sixteenths."""
    return round_through(torch.clamp(values * UNIT, 0, PEAK)) / UNIT


def magnitude(symbols: Tensor) -> Tensor:
    """Map |symbol| to log2(1 + |symbol|), in whole sixteenths."""
    return to_grid(torch.log2(1 + symbols.abs().clamp(max=LARGEST)), UNIT)


def whole_weights(parts: list[Tensor], peak: float = PEAK) -> tuple[list[Tensor], Tensor]:
    """Round weights that are summed together to integers times one power of two for each output.

    Args:
        parts: Weights (outputs, inputs, y, x) of convolutions whose outputs are added.
        peak: Largest integer that an input holds.

    Returns:
        The rounded weights, and the power of two (outputs,).
    """
    flat = torch.cat([part.detach().flatten(1) for part in parts], dim=1).float()
    need = torch.maximum(
        flat.abs().amax(1) / WEIGHT_PEAK, (flat.abs().sum(1) + flat.shape[1] * 1e-9) * (peak / EXACT)
    )
    unit = torch.exp2(torch.ceil(torch.log2(need.clamp(min=2.0**-16))))
    shaped = unit[:, None, None, None]
    return [round_through(part / shaped) * shaped for part in parts], unit


class WholeConv2d(nn.Module):
    """A sum of convolutions of integer tensors, with a common bias.

    Args:
        inputs: Channels of each tensor.
        outputs: Channels.
        sizes: Kernel side for each tensor.
        zero: Start from zero.
        peak: Largest integer that an input holds.
        unit: Inputs are multiples of 1/unit.
    """

    def __init__(
        self,
        inputs: list[int],
        outputs: int,
        sizes: list[int],
        *,
        zero: bool = False,
        peak: float = PEAK,
        unit: int = UNIT,
    ) -> None:
        super().__init__()
        fan_in = sum(count * size**2 for count, size in zip(inputs, sizes, strict=True))
        scale = 0.0 if zero else math.sqrt(2 / fan_in)
        self.weights = nn.ParameterList(
            [
                nn.Parameter(torch.randn(outputs, count, size, size) * scale)
                for count, size in zip(inputs, sizes, strict=True)
            ]
        )
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.peak = peak
        self.unit = unit

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """Return the sum, (batch, outputs, y, x)."""
        weights, unit = whole_weights(list(self.weights), self.peak)
        bias = round_through(self.bias / unit * self.unit) * unit / self.unit
        total = bias[:, None, None]
        for tensor, weight in zip(tensors, weights, strict=True):
            total = total + functional.conv2d(tensor, weight, padding=weight.shape[-1] // 2)
        return total

    def macs(self) -> int:
        """Multiply-accumulates a position."""
        return sum(weight.numel() for weight in self.weights)
