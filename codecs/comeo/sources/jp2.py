"""JPEG 2000 bands, read through glymur tile by tile."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.scene import Band, Window
from comeo.sources.codestream import decode_area, read_image_header
from comeo.sources.gdal import valid_pixels
from comeo.sources.raster import Plane, RasterBand, check_window, finish_plane, stored_dtype
from comeo.sources.tilecache import TileCache

# A row of tiles of the four 10 m bands of Sentinel-2 is 92 MB: read in strips, each tile is decoded once.
CACHE_BYTES: Final = 200 << 20
_CELL: Final = 1024


class Jp2File:
    """One JPEG 2000 file of one component.

    Args:
        path: The file.
        cache: Keeps decoded tiles.

    Attributes:
        height: Rows.
        width: Columns.
        dtype: Type of its numbers: 8 or 16 bits, signed or not.

    Raises:
        SourceError: If it can't be read, or asks for more than a band can need.
    """

    def __init__(self, path: Path, cache: TileCache) -> None:
        self.path = path
        self._cache = cache
        self._header = read_image_header(path)
        self.height, self.width, self.dtype = self._header.height, self._header.width, self._header.dtype
        rows, cols = self._header.tile
        self._cell = _cell_side(rows), _cell_side(cols)

    def read(self, window: Window) -> NDArray[Any]:
        """Return a window's numbers (y, x); safe to call from several threads.

        Raises:
            SourceError: If the file is damaged.
        """
        values = np.empty((window.height, window.width), self.dtype)
        rows, cols = self._cell
        for row in range(window.row // rows * rows, window.row + window.height, rows):
            for col in range(window.col // cols * cols, window.col + window.width, cols):
                cell = self._cache.get((self.path, row, col), partial(self._decode, row, col))
                top, left = max(row, window.row), max(col, window.col)
                bottom = min(row + cell.shape[0], window.row + window.height)
                right = min(col + cell.shape[1], window.col + window.width)
                values[top - window.row : bottom - window.row, left - window.col : right - window.col] = cell[
                    top - row : bottom - row, left - col : right - col
                ]
        return values

    def _decode(self, row: int, col: int) -> NDArray[Any]:
        rows = slice(row, min(row + self._cell[0], self.height))
        cols = slice(col, min(col + self._cell[1], self.width))
        return decode_area(self.path, self._header, rows, cols)


def _cell_side(tile: int) -> int:
    """Side of what is decoded at once: whole tiles where they are not too large."""
    if tile <= _CELL:
        return max(1, _CELL // tile) * tile
    return tile if tile <= 2 * _CELL else _CELL


def jp2_band(file: Jp2File, grid: Grid, band: Band, nodata: int | None) -> RasterBand:
    """Return the band that a file holds.

    Args:
        file: The file.
        grid: Where its pixels lie.
        band: What it is.
        nodata: Number that marks invalid pixels, or None.

    Raises:
        SourceError: If the file has another size than the grid.
    """
    if (file.height, file.width) != (grid.height, grid.width):
        raise SourceError(
            f"{file.path.name} has {file.width}×{file.height} pixels, "
            f"but its metadata say {grid.width}×{grid.height}"
        )
    dtype = stored_dtype(file.path.name, file.dtype.name)

    def read(window: Window) -> Plane:
        check_window(window, grid)
        values = file.read(window)
        return finish_plane(values, valid_pixels(values, nodata), dtype)

    return RasterBand(band, grid, dtype, nodata is not None, read, file.path)
