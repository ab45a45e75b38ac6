"""The learned codec as it is trained: transforms, quantiser and entropy model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from comeo.training.context import COMPONENTS, ContextModel, bits, energy_class
from comeo.training.integers import round_through
from comeo.training.transforms import CHANNELS, PATCH, PATCH_SIZE, Analysis, Synthesis

HEADER_BITS = 8 * COMPONENTS  # the energy classes


@dataclass(frozen=True, slots=True)
class Coded:
    """What coding a batch gave.

    Attributes:
        decoded: (batch, components, y, x), in steps.
        bits: (batch,) the cost of each block, by the entropy model, whole symbols.
        surrogate: (batch,) the same for symbols with noise in place of rounding; its gradient reaches the
            encoder alone. None outside training.
        symbols: (batch, channels, y, x).
    """

    decoded: Tensor
    bits: Tensor
    surrogate: Tensor | None
    symbols: Tensor


class Model(nn.Module):
    """Encoder, quantiser, entropy model and decoder.

    Args:
        basis: (channels, patch size) principal components of patches, orthonormal rows.
        deviations: (channels,) their standard deviations, over that of their spectral component.
        owner: (channels,) the spectral component that each mostly belongs to.
    """

    def __init__(self, basis: Tensor, deviations: Tensor, owner: Tensor) -> None:
        super().__init__()
        self.analysis = Analysis(basis)
        self.synthesis = Synthesis(basis)
        self.context = ContextModel(deviations, owner)

    @classmethod
    def blank(cls) -> Model:
        """A model to load a state into."""
        return cls(
            torch.zeros(CHANNELS, PATCH_SIZE), torch.ones(CHANNELS), torch.zeros(CHANNELS, dtype=torch.long)
        )

    def forward(self, components: Tensor) -> Coded:
        """Code a batch of (batch, components, y, x), in steps."""
        height, width = components.shape[2:]
        padded = pad(components)
        energy = energy_class(components)
        latents = self.analysis(padded)
        symbols = round_through(latents)
        mean, index = self.context(symbols, energy)
        cost = bits(symbols.detach(), mean, index).sum((1, 2, 3)) + HEADER_BITS
        surrogate = None
        if self.training:
            noisy = latents + torch.rand_like(latents) - 0.5
            surrogate = bits(noisy, mean.detach(), index.detach()).sum((1, 2, 3))
        decoded = self.synthesis(symbols)[:, :, :height, :width]
        return Coded(decoded, cost, surrogate, symbols)

    def macs(self) -> float:
        """Multiply-accumulates a pixel of the decoder, entropy model included."""
        return self.synthesis.macs() + self.context.macs() / PATCH**2


def pad(components: Tensor) -> Tensor:
    """Pad at the far edges to whole patches, repeating the edge."""
    height, width = components.shape[2:]
    return functional.pad(components, (0, -width % PATCH, 0, -height % PATCH), mode="replicate")


def principal_patches(crops: NDArray[np.float32]) -> tuple[Tensor, Tensor, Tensor]:
    """Find the basis that a model starts from.

    Args:
        crops: (count, components, y, x).

    Returns:
        What `Model` takes. Crops count alike, whatever their contrast.
    """
    count, components, height, width = crops.shape
    contrast = np.sqrt((crops**2).mean((1, 2, 3), keepdims=True)) + 1e-6
    split = (crops / contrast).reshape(count, components, height // PATCH, PATCH, width // PATCH, PATCH)
    patches = split.transpose(0, 2, 4, 1, 3, 5).reshape(-1, PATCH_SIZE)
    covariance = (patches.T @ patches).astype(np.float64) / len(patches)
    power, vectors = np.linalg.eigh(covariance)
    basis = vectors.T[::-1][:CHANNELS]
    owner = (basis**2).reshape(CHANNELS, components, -1).sum(2).argmax(1)
    rms = np.sqrt((patches**2).reshape(len(patches), components, -1).mean((0, 2)))
    deviations = np.sqrt(power[::-1][:CHANNELS].clip(1e-9)) / rms[owner]
    return (
        torch.from_numpy(basis.astype(np.float32)),
        torch.from_numpy(deviations.astype(np.float32)),
        torch.from_numpy(owner.copy()),
    )
