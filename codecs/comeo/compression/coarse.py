"""The grid of about 60 m on which archives keep which pixels are clear, and the worst class of a pixel."""

from __future__ import annotations

from typing import Final

import numpy as np
from affine import Affine

from comeo.grid import Grid
from comeo.missions.clear import NODATA, Classes
from comeo.scene import pixel_size

METRES: Final = 60.0


def coarse_grid(grid: Grid) -> tuple[Grid, int]:
    """The grid of about 60 m over another one, and how many of its pixels a side a pixel covers."""
    factor = max(1, round(METRES / pixel_size(grid.transform, grid.crs)))
    rows, cols = -(-grid.height // factor), -(-grid.width // factor)
    return Grid(grid.crs, grid.transform @ Affine.scale(factor), rows, cols), factor


def worst(classes: Classes, factor: int) -> Classes:
    """The worst class of each factor × factor pixels (y, x); beyond the far edges there is none."""
    rows, cols = (-(-length // factor) for length in classes.shape)
    padded = np.full((rows * factor, cols * factor), NODATA, np.uint8)
    padded[: classes.shape[0], : classes.shape[1]] = classes
    found: Classes = padded.reshape(rows, factor, cols, factor).max(axis=(1, 3))
    return found
