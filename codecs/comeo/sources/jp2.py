"""JPEG 2000 bands in local files: checked before anything is allocated, read by GDAL tile by tile."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as GdalWindow

from comeo.cache import ByteCache
from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.scene import Band, Window
from comeo.sources.codestream import read_image_header
from comeo.sources.gdal import JPEG2000, GdalFile, valid_pixels
from comeo.sources.raster import Plane, RasterBand, check_window, finish_plane, stored_dtype

# A row of tiles of the four 10 m bands of Sentinel-2 is 92 MB: read in strips, each tile is decoded once.
CACHE_BYTES: Final = 200 << 20
_CELL: Final = 1024

_BEGINNINGS: Final = (bytes.fromhex("0000000c6a5020200d0a870a"), bytes.fromhex("ff4fff51"))

TileCache = ByteCache[tuple[Path, int, int], NDArray[Any]]


def is_jpeg2000(head: bytes) -> bool:
    """Whether a file whose first 12 bytes these are is a JP2 or a bare JPEG 2000 codestream."""
    return head.startswith(_BEGINNINGS)


def tile_cache(limit: int = CACHE_BYTES) -> TileCache:
    """Return a cache of decoded tiles, which the bands of a product share.

    GDAL's own cache belongs to a handle, and each reading thread has one: without this, four threads that
    read 256 rows each would decode a tile up to four times.
    """
    return ByteCache(limit, lambda tile: tile.nbytes)


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
        SourceError: If it cannot be read, or its header states more than a band can need.
    """

    def __init__(self, path: Path, cache: TileCache) -> None:
        self.path = path
        self._cache = cache
        header = read_image_header(path)
        self.height, self.width = header.height, header.width
        self._cell = _cell_side(header.tile[0]), _cell_side(header.tile[1])
        self._file = GdalFile(path, JPEG2000)
        with self._file.handle() as dataset:
            shape, dtypes = dataset.shape, dataset.dtypes
        if shape != (self.height, self.width) or len(dtypes) != 1:
            self.close()
            raise SourceError(f"{path.name} is damaged: its boxes and its codestream state different images")
        self.dtype = np.dtype(dtypes[0])

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

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _decode(self, row: int, col: int) -> NDArray[Any]:
        height, width = min(self._cell[0], self.height - row), min(self._cell[1], self.width - col)
        with self._file.handle() as dataset:
            cell: NDArray[Any] = dataset.read(1, window=GdalWindow(col, row, width, height))
        cell.flags.writeable = False
        return cell


def _cell_side(tile: int) -> int:
    """Side of a piece that is decoded at once: whole tiles where they are not too large."""
    if tile <= _CELL:
        return max(1, _CELL // tile) * tile
    return tile if tile <= 2 * _CELL else _CELL


def jp2_band(file: Jp2File, grid: Grid, band: Band, nodata: int | None) -> RasterBand:
    """Return the band that a file holds.

    Args:
        file: The file.
        grid: Where its pixels lie.
        band: Name of the band and meaning of its numbers.
        nodata: Number that marks invalid pixels, or None.

    Raises:
        SourceError: If the file has another size than the grid, or numbers of a type that is not handled.
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

    return RasterBand(band, grid, dtype, nodata is not None, read, file.path, file.close, file.dtype.name)
