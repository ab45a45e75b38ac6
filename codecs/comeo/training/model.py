"""The learned codec as it is trained: transform, quantiser and entropy model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from comeo.training.context import CHANNELS, COMPONENTS, ContextModel, Decided, energy_class
from comeo.training.transforms import PATCH, from_coefficients, to_coefficients

HEADER_BITS = 8 * COMPONENTS  # the energy classes


@dataclass(frozen=True, slots=True)
class Coded:
    """What coding a batch gave.

    Attributes:
        decoded: (batch, components, y, x), in steps.
        bits: (batch,) the cost of each block, by the entropy model.
        decided: The symbols, and what was predicted of them.
    """

    decoded: Tensor
    bits: Tensor
    decided: Decided


class Model(nn.Module):
    """Transform, quantiser and entropy model.

    Args:
        order: (channels,) which coefficient each channel is.
        deviations: (channels,) their standard deviations, over that of their spectral component.
    """

    order: Tensor

    def __init__(self, order: Tensor, deviations: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.context = ContextModel(deviations, order // PATCH**2)

    @classmethod
    def blank(cls) -> Model:
        """A model to load a state into."""
        return cls(torch.arange(CHANNELS), torch.ones(CHANNELS))

    def forward(self, components: Tensor) -> Coded:
        """Code a batch of (batch, components, y, x), in steps."""
        height, width = components.shape[2:]
        latents = to_coefficients(pad(components))[:, self.order]
        batch, channels, rows, columns = latents.shape
        tokens = latents.permute(0, 2, 3, 1).reshape(-1, channels)
        energy = energy_class(components).repeat_interleave(rows * columns, 0)
        decided = self.context(tokens, energy, ((rows, columns),) * batch)
        symbols = decided.symbols.reshape(batch, rows, columns, channels).permute(0, 3, 1, 2)
        decoded = from_coefficients(symbols[:, self.order.argsort()])[:, :, :height, :width]
        return Coded(decoded, decided.cost.reshape(batch, -1).sum(1) + HEADER_BITS, decided)

    def macs(self) -> float:
        """Multiply-accumulates a pixel of the decoder, entropy model and inverse transform."""
        banded = 2 * 2 * PATCH * COMPONENTS
        return banded + self.context.macs() / PATCH**2


def pad(components: Tensor) -> Tensor:
    """Pad at the far edges to whole patches, repeating the edge."""
    height, width = components.shape[2:]
    return functional.pad(components, (0, -width % PATCH, 0, -height % PATCH), mode="replicate")


def measured_order(crops: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Order the coefficients by how much they vary.

    Args:
        crops: (count, components, y, x).

    Returns:
        What `Model` takes. Crops count alike, whatever their contrast.
    """
    contrast = np.sqrt((crops**2).mean((1, 2, 3), keepdims=True)) + 1e-6
    scaled = torch.from_numpy(crops / contrast)
    power = to_coefficients(scaled).square().mean((0, 2, 3))
    component = scaled.square().mean((0, 2, 3)).repeat_interleave(PATCH**2)
    order = power.argsort(descending=True)
    return order, (power / component).sqrt()[order].clamp(min=1e-3)
