"""JPEG 2000 bands, read through glymur tile by tile."""

from __future__ import annotations

import copy
import logging
import struct
import warnings
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.scene import Band, Window
from comeo.sources.gdal import valid_pixels
from comeo.sources.openjpeg import load_glymur
from comeo.sources.raster import (
    MAX_PIXELS,
    Grid,
    Plane,
    RasterBand,
    check_window,
    finish_plane,
    stored_dtype,
)
from comeo.sources.tilecache import TileCache

logger = logging.getLogger(__name__)

# A row of tiles of the four 10 m bands of Sentinel-2 is 92 MB: read in strips, each tile is decoded once.
CACHE_BYTES: Final = 200 << 20
_CELL: Final = 1024
_MAX_TILE_PIXELS: Final = 1 << 28
_MAX_CODE_BLOCKS: Final = 1 << 20
# What glymur raises on damaged files: it has no error class of its own for all of them.
_DAMAGE: Final = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    TypeError,
    StopIteration,
    struct.error,
    MemoryError,
)


class Jp2File:
    """One JPEG 2000 file of one component.

    Args:
        path: The file.
        cache: Keeps decoded tiles.

    Attributes:
        height: Rows.
        width: Columns.
        dtype: Type of its numbers: `uint8`, `uint16` or a signed one.

    Raises:
        SourceError: If it can't be read, or asks for more than a band can need.
    """

    def __init__(self, path: Path, cache: TileCache) -> None:
        self.path = path
        self._cache = cache
        glymur = load_glymur()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of oddities in boxes that aren't needed
                self._file = glymur.Jp2k(path)
                self._check_complete()
                shape, self.dtype = self._file.shape, np.dtype(self._file.dtype)
                tile, code_block = self._layout()
        except _DAMAGE as error:
            raise SourceError(f"{path.name} is no readable JPEG 2000 file: {_first_line(error)}") from error
        if len(shape) != 2:
            raise SourceError(f"{path.name} has {shape[-1]} components; a band file has one")
        self.height, self.width = shape
        pixels = min(tile[0], self.height) * min(tile[1], self.width)
        if (
            self.height * self.width > MAX_PIXELS
            or pixels > _MAX_TILE_PIXELS
            or pixels // max(1, code_block) > _MAX_CODE_BLOCKS
        ):
            raise SourceError(f"{path.name} is coded in tiles of {tile[1]}×{tile[0]}, too large to be read")
        self._cell = _cell_side(tile[0]), _cell_side(tile[1])

    def _check_complete(self) -> None:
        """Raise ValueError if the file ends before its codestream does."""
        for box in self._file.box:
            if box.box_id == "jp2c" and box.offset + box.length > self.path.stat().st_size:
                raise ValueError("it ends too early")

    def _layout(self) -> tuple[tuple[int, int], int]:
        """Size of a tile (rows, columns), and pixels of the smallest unit that the decoder allocates for."""
        segments = self._file.codestream.segment
        size = next(segment for segment in segments if segment.marker_id == "SIZ")
        style = next(segment for segment in segments if segment.marker_id == "COD")
        if (size.xosiz, size.yosiz, size.xtosiz, size.ytosiz) != (0, 0, 0, 0):
            raise ValueError("its image or tile grid doesn't start at its corner")
        if set(size.xrsiz) != {1} or set(size.yrsiz) != {1}:
            raise ValueError("its components are subsampled")
        precincts = () if style.precinct_size is None else np.reshape(style.precinct_size, (-1, 2)).tolist()
        unit = min(int(height) * int(width) for height, width in (style.code_block_size, *precincts))
        return (size.ytsiz, size.xtsiz), unit

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
        bottom, right = min(row + self._cell[0], self.height), min(col + self._cell[1], self.width)
        file = copy.copy(self._file)  # a decoder's parameters live in the object
        try:
            cell = np.asarray(file[row:bottom, col:right])
        except _DAMAGE as error:
            where = f"rows {row} to {bottom}, columns {col} to {right}"
            raise SourceError(f"{self.path.name} is damaged at {where}: {_first_line(error)}") from error
        if cell.shape != (bottom - row, right - col):
            raise SourceError(f"{self.path.name} is damaged: it decodes to a size other than it states")
        return cell


def _cell_side(tile: int) -> int:
    """Side of what is decoded at once: whole tiles where they are not too large."""
    if tile <= _CELL:
        return max(1, _CELL // tile) * tile
    return tile if tile <= 2 * _CELL else _CELL


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].strip().rstrip(".:")[:200]


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
