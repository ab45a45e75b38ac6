"""Pixels of a band at places spread over its grid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from comeo.scene import Window
from comeo.sources.raster import Plane, RasterBand

_SIDE: Final = 96
_PLACES: Final = 4  # by side


def sample_planes(band: RasterBand) -> Iterator[Plane]:
    """Windows spread over a band's grid, the middle first; all of it where it is small."""
    grid = band.grid
    height, width = min(_SIDE, grid.height), min(_SIDE, grid.width)
    rows = np.unique(np.linspace(0, grid.height - height, _PLACES, dtype=int))
    cols = np.unique(np.linspace(0, grid.width - width, _PLACES, dtype=int))
    middle = np.array([(grid.height - height) / 2, (grid.width - width) / 2])
    places = sorted(((r, c) for r in rows for c in cols), key=lambda at: float(np.abs(at - middle).sum()))
    for row, col in places:
        yield band.read(Window(int(row), int(col), height, width))
