"""The exact Karhunen-Loève transform, for peers that have none of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.base import Block


@dataclass(frozen=True)
class ExactKlt:
    """The Karhunen-Loève transform of one block in double precision.

    Attributes:
        components: (bands, y, x), of mean zero, largest variance first.
        matrix: (components, bands).
        mean: (bands, 1).
    """

    components: NDArray[np.float64]
    matrix: NDArray[np.float64]
    mean: NDArray[np.float64]

    @classmethod
    def of(cls, block: Block) -> ExactKlt:
        """Fit to a block (bands, y, x) and apply."""
        samples = block.reshape(len(block), -1).astype(np.float64)
        mean = samples.mean(axis=1, keepdims=True)
        centred = samples - mean
        _, vectors = np.linalg.eigh(centred @ centred.T)
        matrix = vectors.T[::-1]
        return cls((matrix @ centred).reshape(block.shape), matrix, mean)

    def inverse(self, components: NDArray[Any]) -> NDArray[np.float64]:
        """Components back to bands, as whole digital numbers."""
        bands = self.matrix.T @ components.reshape(len(components), -1) + self.mean
        return np.asarray(np.clip(np.rint(bands), 0, 65535), np.float64).reshape(components.shape)
