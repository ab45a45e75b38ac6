"""Errors of named indices: NDVI, NDWI, NBR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.indicators.catalogue import document
from comeo.quality.distortion import Errors
from comeo.quality.render import Rendering, rendering_of
from comeo.scene import Band

DARKEST: Final = 0.02  # sum of two reflectances; below, an index is noise in the original too
FIELD: Final = 8  # pixels to a side
_RESOLUTION: Final = 1e-4


INDICES: Final = tuple(document(name) for name in ("ndvi", "ndwi", "burn"))
"""Indices whose errors are measured: bounded normalised differences, of predefined documents."""


@dataclass
class IndexErrors:
    """Errors of one index, of all its pixels, of those on clear land, and of means of small fields there.

    Attributes:
        index: The index, for the bands of the group.
    """

    index: Rendering
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
        places = list(self.index.places)
        counted: NDArray[np.bool_] = np.all(valid[places], axis=0) & (reference[places].sum(axis=0) > DARKEST)
        ours, theirs = (self.index.evaluate(each[places])[0] for each in (reference, decoded))
        self.everywhere.add(ours[counted], theirs[counted])
        if land is not None:
            counted &= land
            self.land.add(ours[counted], theirs[counted])
            whole = _cells(counted).all(axis=(1, 3))
            means = [_cells(each).mean(axis=(1, 3))[whole] for each in (ours, theirs)]
            self.fields.add(*means)


def index_errors(bands: Sequence[Band]) -> list[IndexErrors]:
    """The indices that a group's bands give, if they are reflectances."""
    found = (rendering_of(index, bands) for index in INDICES)
    return [IndexErrors(index) for index in found if index is not None]


def _cells(plane: NDArray[Any]) -> NDArray[Any]:
    rows, cols = plane.shape[0] // FIELD, plane.shape[1] // FIELD
    return plane[: rows * FIELD, : cols * FIELD].reshape(rows, FIELD, cols, FIELD)
