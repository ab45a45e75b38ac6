"""Errors of normalised differences: NDVI, NDWI, NBR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.quality.distortion import Errors
from comeo.scene import Band

DARKEST: Final = 0.02  # sum of two reflectances; below, an index is noise in the original too
FIELD: Final = 8  # pixels to a side
_RESOLUTION: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Index:
    """A normalised difference (a − b) / (a + b) of reflectances.

    Attributes:
        name: As users know it.
        pairs: Bands a and b; the first pair that lies in one group is taken.
        source: Who defined it.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    source: str


INDICES: Final = (
    Index("NDVI", (("B08", "B04"), ("B8A", "B04")), "Rouse et al. 1974"),
    Index("NDWI", (("B03", "B08"), ("B03", "B8A")), "McFeeters 1996"),
    Index("NBR", (("B8A", "B12"), ("B08", "B12")), "Key and Benson 2006"),
)


def normalised_difference(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """(a − b) / (a + b) of reflectances, negative ones taken as 0, in [−1, 1]; 0 where both are 0."""
    a, b = np.maximum(a, 0), np.maximum(b, 0)
    total = a + b
    out = np.divide(a - b, total, out=np.zeros(total.shape, np.float32), where=total > 0)
    return np.asarray(out, np.float32)


@dataclass
class IndexErrors:
    """Errors of one index, of all its pixels, of those on clear land, and of means of small fields there.

    Attributes:
        index: Which.
        bands: Names of a and b.
        places: Their places in the group.
    """

    index: Index
    bands: tuple[str, str]
    places: tuple[int, int]
    everywhere: Errors = field(default_factory=lambda: Errors(_RESOLUTION))
    land: Errors = field(default_factory=lambda: Errors(_RESOLUTION))
    fields: Errors = field(default_factory=lambda: Errors(_RESOLUTION))

    def add(
        self,
        reference: NDArray[np.float32],
        decoded: NDArray[np.float32],
        valid: NDArray[np.bool_],
        land: NDArray[np.bool_] | None,
    ) -> None:
        """Count a strip.

        Args:
            reference: (bands, y, x) reflectances of the group.
            decoded: The same of the other version.
            valid: (bands, y, x).
            land: (y, x), where the ground is clear land, or None where that is not known.
        """
        a, b = self.places
        counted = valid[a] & valid[b] & (reference[a] + reference[b] > DARKEST)
        ours = normalised_difference(reference[a], reference[b])
        theirs = normalised_difference(decoded[a], decoded[b])
        self.everywhere.add(ours[counted], theirs[counted])
        if land is not None:
            counted &= land
            self.land.add(ours[counted], theirs[counted])
            whole = _cells(counted).all(axis=(1, 3))
            means = [_cells(each).mean(axis=(1, 3))[whole] for each in (ours, theirs)]
            self.fields.add(*means)


def index_errors(bands: Sequence[Band]) -> list[IndexErrors]:
    """The indices that a group's bands give, if they are reflectances."""
    names = [band.name for band in bands if band.unit == "reflectance"]
    out = []
    for index in INDICES:
        pair = next((pair for pair in index.pairs if set(pair) <= set(names)), None)
        if pair is not None:
            order = [band.name for band in bands]
            out.append(IndexErrors(index, pair, (order.index(pair[0]), order.index(pair[1]))))
    return out


def _cells(plane: NDArray[Any]) -> NDArray[Any]:
    rows, cols = plane.shape[0] // FIELD, plane.shape[1] // FIELD
    return plane[: rows * FIELD, : cols * FIELD].reshape(rows, FIELD, cols, FIELD)
