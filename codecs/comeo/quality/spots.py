"""A few pixels whose spectra stand for the scene's classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.quality import cover
from comeo.quality.crops import Crop
from comeo.quality.thematic import Clustering, assign

_APART: Final = (
    16  # pixels between spots, and twice their distance from the border, so that marks are legible
)
_FEWEST: Final = 4  # pixels of a class in a window, below which it is left out


@dataclass(frozen=True)
class Spot:
    """One pixel of a crop.

    Attributes:
        name: Name of its class, by the ground that it looks like.
        row: In the crop.
        col: In the crop.
        reference: (bands,) physical values.
        decoded: The same of the other version.
    """

    name: str
    row: int
    col: int
    reference: NDArray[np.float32]
    decoded: NDArray[np.float32]


def class_names(clustering: Clustering, bands: tuple[str, ...]) -> list[str]:
    """A name for each class, by the ground its centroid looks like: `2 vegetation`."""
    if not set(cover.NEEDED) <= set(bands):
        return [f"{number}" for number in range(1, clustering.k + 1)]
    places = [bands.index(name) for name in cover.NEEDED]
    kinds = [cover.kind_of_spectrum(centroid[places]) for centroid in clustering.centroids]
    return [f"{number} {kind}" for number, kind in enumerate(kinds, 1)]


def choose_spots(crop: Crop, clustering: Clustering, names: list[str], most: int = 6) -> list[Spot]:
    """The pixel of median error of each class in a crop, the largest classes first.

    The median, since the pixel nearest to a class's centre would flatter, and the worst one would not.
    """
    labels = np.full(crop.valid.shape, -1)
    labels[crop.valid] = assign(crop.reference[:, crop.valid].T, clustering.centroids)
    errors = np.linalg.norm(crop.decoded - crop.reference, axis=0)
    inside = np.zeros(labels.shape, bool)
    inside[_APART // 2 : -_APART // 2, _APART // 2 : -_APART // 2] = True
    spots: list[Spot] = []
    for label in np.argsort(-np.bincount(labels[labels >= 0], minlength=clustering.k))[:most]:
        rows, cols = np.nonzero((labels == label) & inside)
        if rows.size < _FEWEST:
            continue
        off = np.abs(errors[rows, cols] - np.median(errors[labels == label]))
        off[
            [
                any(_near(spot, row, col) for spot in spots)
                for row, col in zip(rows.tolist(), cols.tolist(), strict=True)
            ]
        ] = np.inf
        middle = int(np.argmin(off))
        if not np.isfinite(off[middle]):
            continue
        row, col = int(rows[middle]), int(cols[middle])
        spots.append(Spot(names[label], row, col, crop.reference[:, row, col], crop.decoded[:, row, col]))
    return spots


def _near(spot: Spot, row: int, col: int) -> bool:
    return max(abs(spot.row - row), abs(spot.col - col)) < _APART
