"""Annotation that is given at some lines, each with samples of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.scene import Window


@dataclass(frozen=True, slots=True)
class Lut:
    """A look-up table over an image: vectors along range at some lines; linear between, held beyond.

    Attributes:
        lines: (n,) int64, rising; they may lie beyond the image.
        pixels: For each line (m,) samples, rising; not the same for all lines.
        values: For each line (m,) float64.

    Raises:
        SourceError: Vectors are missing, out of order, of unequal lengths, or not finite.
    """

    lines: NDArray[np.int64]
    pixels: tuple[NDArray[np.int64], ...]
    values: tuple[NDArray[np.float64], ...]

    def __post_init__(self) -> None:
        vectors = list(zip(self.pixels, self.values, strict=True)) if self._even() else []
        if not vectors:
            raise SourceError("a table of the annotation has no vectors, or not one for each line")
        if any(np.shape(pixels) != np.shape(values) or not np.size(pixels) for pixels, values in vectors):
            raise SourceError("a vector of the annotation does not have a value for each of its samples")
        if not all(_rises(axis) for axis in (self.lines, *self.pixels)):
            raise SourceError("lines or samples of a table of the annotation do not rise")
        if not all(np.isfinite(values).all() for values in self.values):
            raise SourceError("a table of the annotation has values that are not finite")

    def _even(self) -> bool:
        return len(self.lines) == len(self.pixels) == len(self.values)

    def over(self, window: Window) -> NDArray[np.float32]:
        """The table over all lines and samples of a window: (y, x) float32."""
        before, share = between(self.lines, np.arange(window.row, window.row + window.height))
        first, last = int(before[0]), min(int(before[-1]) + 1, len(self.lines) - 1)
        samples = np.arange(window.col, window.col + window.width)
        vectors = np.stack(
            [np.interp(samples, self.pixels[k], self.values[k]) for k in range(first, last + 1)]
        ).astype(np.float32)
        steps = np.diff(vectors, axis=0, append=vectors[-1:])
        table: NDArray[np.float32] = vectors[before - first]
        table += steps[before - first] * share[:, None].astype(np.float32)
        return table


def between(
    nodes: NDArray[np.int64], places: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each place the node before it, and how far it is to the next (0 … 1); held beyond both ends.

    Args:
        nodes: (n,) rising.
        places: (m,).

    Returns:
        (m,) indices of nodes and (m,) shares.
    """
    before = np.clip(np.searchsorted(nodes, places, side="right") - 1, 0, max(len(nodes) - 2, 0))
    after = np.minimum(before + 1, len(nodes) - 1)
    span = np.maximum(nodes[after] - nodes[before], 1)
    return before, np.clip((places - nodes[before]) / span, 0.0, 1.0)


def _rises(axis: NDArray[np.int64]) -> bool:
    return bool((np.diff(axis) > 0).all())
