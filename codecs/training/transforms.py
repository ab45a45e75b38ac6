"""The lapped 16×16 DCT of the `dct` codec, its coefficients as channels at 1/16 of the resolution."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from comeo.codecs.lapped import SIZE, analysis, synthesis

PATCH = SIZE


def to_coefficients(components: Tensor) -> Tensor:
    """Transform (batch, components, y, x), sides multiples of 16, to (batch, 1024, y/16, x/16)."""
    rows, columns = _matrices(components, inverse=False)
    with torch.autocast(components.device.type, enabled=False):
        return functional.pixel_unshuffle(rows @ components @ columns.T, PATCH)


def from_coefficients(coefficients: Tensor) -> Tensor:
    """The inverse of `to_coefficients`."""
    with torch.autocast(coefficients.device.type, enabled=False):
        plane = functional.pixel_shuffle(coefficients, PATCH)
        rows, columns = _matrices(plane, inverse=True)
        return rows @ plane @ columns.T


@torch.compiler.disable
def _matrices(plane: Tensor, *, inverse: bool) -> tuple[Tensor, Tensor]:
    return (
        _matrix(plane.shape[2] // PATCH, inverse, plane.device),
        _matrix(plane.shape[3] // PATCH, inverse, plane.device),
    )


@lru_cache(maxsize=64)
def _matrix(blocks: int, inverse: bool, device: torch.device) -> Tensor:
    matrix = synthesis(blocks, 0)[0] if inverse else analysis(blocks)
    return torch.from_numpy(np.ascontiguousarray(matrix)).to(device)
