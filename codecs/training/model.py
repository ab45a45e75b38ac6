"""The learned codec as it is trained: transform, quantiser and entropy model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from comeo.codecs.learned.layout import FREQUENCIES, Layout
from training.context import Coded, ContextModel, energy_class
from training.design import FIRST_DESIGN, Design
from training.integers import PEAK
from training.transforms import PATCH, from_coefficients, to_coefficients

ENERGY_NOISE = 3  # eighths of an octave, so that networks don't know training images by their energies


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
        design: Groups of channels, and the networks' widths.
    """

    order: Tensor

    def __init__(self, order: Tensor, deviations: Tensor, design: Design = FIRST_DESIGN) -> None:
        super().__init__()
        self.design = design
        self.register_buffer("order", order)
        self.context = ContextModel(deviations, design)
        self._component, self._rank = map(torch.from_numpy, design.layout.places)

    @property
    def layout(self) -> Layout:
        """Groups of channels."""
        return self.design.layout

    @classmethod
    def blank(cls, design: Design = FIRST_DESIGN) -> Model:
        """A model to load a state into."""
        return cls(torch.arange(FREQUENCIES), torch.ones(design.layout.channels), design)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Model:
        """The model of a state: its `model` are weights, its `design` what `Design.facts` says.

        Raises:
            ValueError: If its design is none.
        """
        made = cls.blank(Design.from_facts(state["design"]) if "design" in state else FIRST_DESIGN)
        weights: dict[str, Tensor] = state["model"]
        made.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
        )
        return made

    def places(self) -> Tensor:
        """Which coefficient each channel is: component · 256 + row · 16 + column."""
        return self._component.to(self.order.device) * FREQUENCIES + self.order[self._rank]

    def latents(self, components: Tensor) -> Tensor:
        """Transform (batch, components, y, x), in steps, to (tiles, channels)."""
        coefficients = to_coefficients(pad(components))[:, self.places()]
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
        return Result(bits + 8 * energy.shape[1], error, coded)  # and a byte for each energy class

    def decoded(self, result: Result, shape: tuple[int, ...]) -> Tensor:
        """The components (batch, components, y, x) that a result decodes to, in steps."""
        batch, _, height, width = shape
        rows, columns = -(-height // PATCH), -(-width // PATCH)
        values = (result.coded.values / 16).reshape(batch, rows, columns, -1).permute(0, 3, 1, 2)
        placed = torch.empty_like(values)
        placed[:, self.places()] = values
        return from_coefficients(placed)[:, :, :height, :width]

    def macs(self) -> float:
        """Multiply-accumulates a pixel of the decoder, entropy model and inverse transform."""
        banded = 2 * 2 * PATCH * self.layout.components
        return banded + self.context.macs() / PATCH**2


def pad(components: Tensor) -> Tensor:
    """Pad at the far edges to whole patches, repeating the edge."""
    height, width = components.shape[2:]
    return functional.pad(components, (0, -width % PATCH, 0, -height % PATCH), mode="replicate")


def measured_order(crops: NDArray[np.float32], layout: Layout = FIRST_DESIGN.layout) -> tuple[Tensor, Tensor]:
    """Order the frequencies by how much they vary, in all components and both directions alike.

    Args:
        crops: (count, components, y, x).
        layout: Of the model.

    Returns:
        What `Model` takes. Crops and components count alike, whatever their contrast.
    """
    contrast = np.sqrt((crops**2).mean((2, 3), keepdims=True)) + 1e-6
    scaled = torch.from_numpy(crops / contrast)
    power = to_coefficients(scaled).square().mean((0, 2, 3)).reshape(layout.components, PATCH, PATCH)
    power = (power + power.mT) / 2
    order = power[:2].mean(0).flatten().argsort(descending=True, stable=True)
    component, rank = map(torch.from_numpy, layout.places)
    deviations = power.flatten(1)[component, order[rank]].sqrt()
    return order, deviations.clamp(min=1e-3)
