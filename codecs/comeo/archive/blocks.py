"""From windows to blocks and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.archive.model import Level
from comeo.scene import Window


def reduced_size(level: Level, reduce: int) -> tuple[int, int]:
    """Rows and columns of a level decoded at 1/2^reduce."""
    return -(-level.height >> reduce), -(-level.width >> reduce)


def blocks_of(level: Level, window: Window, reduce: int = 0) -> list[tuple[int, int]]:
    """List the (row, col) of every block that a window of a level, at a reduction, looks at."""
    side = level.block >> reduce
    rows, cols = level.grid
    first_row, last_row = max(0, window.row // side), min(rows, -(-(window.row + window.height) // side))
    first_col, last_col = max(0, window.col // side), min(cols, -(-(window.col + window.width) // side))
    return [(row, col) for row in range(first_row, last_row) for col in range(first_col, last_col)]


def assemble(
    blocks: Mapping[tuple[int, int], NDArray[Any]], level: Level, window: Window, reduce: int = 0
) -> NDArray[Any]:
    """Lay blocks into a window (bands, height, width); what they do not cover is nodata, or 0."""
    side = level.block >> reduce
    fill = np.nan if level.dtype.kind == "f" else 0
    out = np.full((level.bands, window.height, window.width), fill, level.dtype)
    for (row, col), block in blocks.items():
        top, left = row * side - window.row, col * side - window.col
        height, width = block.shape[1:]
        target_rows = slice(max(top, 0), max(0, min(top + height, window.height)))
        target_cols = slice(max(left, 0), max(0, min(left + width, window.width)))
        out[:, target_rows, target_cols] = block[
            :,
            target_rows.start - top : max(target_rows.stop - top, 0),
            target_cols.start - left : max(target_cols.stop - left, 0),
        ]
    return out


def valid_mask(values: NDArray[Any], has_nodata: bool) -> NDArray[np.bool_]:
    """Where decoded values are valid. Exact, since no valid pixel ever decodes to the nodata value."""
    if not has_nodata:
        return np.ones(values.shape, bool)
    valid: NDArray[np.bool_] = ~np.isnan(values) if values.dtype.kind == "f" else values != 0
    return valid
