"""The learned codec as it is trained: transform, quantiser and entropy model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from comeo.codecs.learned.layout import COMPONENTS, FREQUENCIES, channel_places
from training.context import Coded, ContextModel, energy_class
from training.integers import PEAK
from training.transforms import PATCH, from_coefficients, to_coefficients

HEADER_BITS = 8 * COMPONENTS  # the energy classes
ENERGY_NOISE = 3  # eighths of an octave, so that networks don't know training images by their energies

_COMPONENT, _RANK = (torch.from_numpy(place) for place in channel_places())


@dataclass(frozen=True, slots=True)
class Result:
    """Result of coding a batch.

    Attributes:
        bits: (batch,) the cost of each block, by the entropy model.
        error: (batch,) sum of squared errors of the coefficients, in squared steps.
        coded: All of it, by tile.
    """

    bits: Tensor
    error: Tensor
    coded: Coded


class Model(nn.Module):
    """Transform, quantiser and entropy model.

    Args:
        order: (FREQUENCIES,) the frequency of each rank.
        deviations: (channels,) their standard deviations, over that of their spectral component.
    """

    order: Tensor

    def __init__(self, order: Tensor, deviations: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.context = ContextModel(deviations)

    @classmethod
    def blank(cls) -> Model:
        """A model to load a state into."""
        return cls(torch.arange(FREQUENCIES), torch.ones(FREQUENCIES * COMPONENTS))

    def latents(self, components: Tensor) -> Tensor:
        """Transform (batch, components, y, x), in steps, to (tiles, channels)."""
        coefficients = to_coefficients(pad(components))[:, _COMPONENT * FREQUENCIES + self.order[_RANK]]
        return coefficients.permute(0, 2, 3, 1).flatten(0, 2)

    def forward(self, components: Tensor) -> Result:
        """Code a batch of (batch, components, y, x), in steps."""
        batch, _, height, width = components.shape
        shape = -(-height // PATCH), -(-width // PATCH)
        energy = energy_class(components)
        if self.training:
            noise = torch.randint_like(energy, -ENERGY_NOISE, ENERGY_NOISE + 1)
            energy = (energy + noise).clamp(0, PEAK)
        energy = energy.repeat_interleave(shape[0] * shape[1], 0)
        coded = self.context(self.latents(components), energy, (shape,) * batch)
        bits, error = (each.reshape(batch, -1).sum(1) for each in (coded.bits, coded.error))
        return Result(bits + HEADER_BITS, error, coded)

    def decoded(self, result: Result, shape: tuple[int, ...]) -> Tensor:
        """The components (batch, components, y, x) that a result decodes to, in steps."""
        batch, _, height, width = shape
        rows, columns = -(-height // PATCH), -(-width // PATCH)
        values = (result.coded.values / 16).reshape(batch, rows, columns, -1).permute(0, 3, 1, 2)
        placed = torch.empty_like(values)
        placed[:, _COMPONENT * FREQUENCIES + self.order[_RANK]] = values
        return from_coefficients(placed)[:, :, :height, :width]

    def macs(self) -> float:
        """Multiply-accumulates a pixel of the decoder, entropy model and inverse transform."""
        banded = 2 * 2 * PATCH * COMPONENTS
        return banded + self.context.macs() / PATCH**2


def pad(components: Tensor) -> Tensor:
    """Pad at the far edges to whole patches, repeating the edge."""
    height, width = components.shape[2:]
    return functional.pad(components, (0, -width % PATCH, 0, -height % PATCH), mode="replicate")


def measured_order(crops: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Order the frequencies by how much they vary, in all components and both directions alike.

    Args:
        crops: (count, components, y, x).

    Returns:
        What `Model` takes. Crops and components count alike, whatever their contrast.
    """
    contrast = np.sqrt((crops**2).mean((2, 3), keepdims=True)) + 1e-6
    scaled = torch.from_numpy(crops / contrast)
    power = to_coefficients(scaled).square().mean((0, 2, 3)).reshape(COMPONENTS, PATCH, PATCH)
    power = (power + power.mT) / 2
    order = power[:2].mean(0).flatten().argsort(descending=True, stable=True)
    deviations = power.flatten(1)[_COMPONENT, order[_RANK]].sqrt()
    return order, deviations.clamp(min=1e-3)
