"""Analysis and synthesis: linear block transforms, each with a non-linear network beside it.

The linear parts start as the principal components of 16×16 patches of four spectral components; their
coarse channels then grow taps into the neighbouring patches, a learned lapped transform. The networks start
at zero, so that training starts from a working transform.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from comeo.training.context import COMPONENTS, GROUPS

PATCH = 16
CHANNELS = sum(GROUPS)
LAPPED = GROUPS[0] + GROUPS[1]
FINEST = GROUPS[-1]  # channels that the synthesis network does not look at
PATCH_SIZE = COMPONENTS * PATCH * PATCH


def squeeze(values: Tensor) -> Tensor:
    """Tame a wide range: ±log2(1 + |value|)."""
    return torch.sign(values) * torch.log2(1 + values.abs())


class Residual(nn.Module):
    """1×1, 3×3, 1×1 convolutions beside the identity, starting at zero."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, inner, 1)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1)
        self.expand = nn.Conv2d(inner, channels, 1)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, values: Tensor) -> Tensor:
        """Return values of the same shape."""
        inner = functional.relu(self.mix(functional.relu(self.reduce(values))))
        return values + self.expand(inner)


class Analysis(nn.Module):
    """Components to latents; as heavy as one encoding for years of decoding allows.

    Args:
        basis: (channels, patch size), orthonormal rows.
        widths: Channels at 1/4, 1/8 and 1/16 of the resolution.
        depths: Residual blocks there.
    """

    def __init__(
        self,
        basis: Tensor,
        widths: tuple[int, int, int] = (96, 160, 256),
        depths: tuple[int, int, int] = (3, 3, 4),
    ) -> None:
        super().__init__()
        self.block = _patch_conv(basis[LAPPED:])
        self.lapped = _lapped_conv(basis[:LAPPED, :, None, None])
        quarter, eighth, sixteenth = widths
        self.first = nn.Conv2d(COMPONENTS * 16, quarter, 3, padding=1)
        self.quarter = nn.Sequential(*(Residual(quarter, quarter // 2) for _ in range(depths[0])))
        self.down_eighth = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.eighth = nn.Sequential(*(Residual(eighth, eighth // 2) for _ in range(depths[1])))
        self.down_sixteenth = nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1)
        self.take_latents = nn.Conv2d(CHANNELS, sixteenth, 1)
        self.sixteenth = nn.Sequential(*(Residual(sixteenth, sixteenth // 2) for _ in range(depths[2])))
        self.last = nn.Conv2d(sixteenth, 2 * CHANNELS, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, components: Tensor) -> Tensor:
        """Components (batch, 4, y, x) in steps to latents (batch, channels, y/16, x/16)."""
        with torch.autocast(components.device.type, enabled=False):
            patches = functional.pixel_unshuffle(components, PATCH)
            linear = torch.cat([self.lapped(patches), self.block(patches)], 1)
        features = self.first(functional.pixel_unshuffle(squeeze(components), 4))
        features = self.down_eighth(self.quarter(features))
        features = self.down_sixteenth(self.eighth(features)) + self.take_latents(squeeze(linear))
        gain, shift = self.last(self.sixteenth(features)).float().chunk(2, 1)
        return linear * (1 + gain) + shift


class Synthesis(nn.Module):
    """Latents to components: at most 12 000 multiply-accumulates a pixel together with the entropy model.

    Args:
        basis: (channels, patch size), orthonormal rows.
        width: Channels at 1/8 of the resolution.
        inner: Channels inside its residual blocks.
        depth: Number of these.
    """

    def __init__(self, basis: Tensor, width: int = 128, inner: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.block = _patch_conv(basis[LAPPED:].T)
        self.lapped = _lapped_conv(basis[:LAPPED].T[:, :, None, None])
        self.take = nn.Conv2d(CHANNELS - FINEST, 4 * width, 1)
        self.trunk = nn.Sequential(*(Residual(width, inner) for _ in range(depth)))
        self.last = nn.Conv2d(width, COMPONENTS * 64, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, latents: Tensor) -> Tensor:
        """Whole latents (batch, channels, y, x) to components (batch, 4, 16·y, 16·x) in steps."""
        with torch.autocast(latents.device.type, enabled=False):
            linear = self.lapped(latents[:, :LAPPED]) + self.block(latents[:, LAPPED:])
            linear = functional.pixel_shuffle(linear, PATCH)
        trunk = functional.relu(functional.pixel_shuffle(self.take(squeeze(latents[:, :-FINEST])), 2))
        correction = functional.pixel_shuffle(self.last(functional.relu(self.trunk(trunk))), 8)
        return linear + correction.float()

    def macs(self) -> float:
        """Multiply-accumulates a pixel."""
        count = 0.0
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                coarse = name.split(".")[0] in ("block", "lapped", "take")
                count += module.weight.numel() / (256 if coarse else 64)
        return count


def _patch_conv(matrix: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(matrix.shape[1], matrix.shape[0], 1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(matrix[:, :, None, None])
    return convolution


def _lapped_conv(centre: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(centre.shape[1], centre.shape[0], 3, padding=1, bias=False)
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[:, :, 1:2, 1:2] = centre
    return convolution
