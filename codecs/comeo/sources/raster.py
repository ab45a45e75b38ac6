"""One band on its own grid, and what every reader of bands has in common."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.scene import Band, Window

logger = logging.getLogger(__name__)

MAX_PIXELS: Final = 1 << 32
_STRIP_PIXELS: Final = 1 << 22
_EXACT_AS_FLOAT32: Final = ("int8", "int16")


class Plane(NamedTuple):
    """One band's pixels of a window: values and where they are valid, both (y, x)."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RasterBand:
    """One band of a source.

    Attributes:
        band: Its name and what its numbers mean.
        grid: Where its pixels lie.
        dtype: `uint16` or `float32`.
        has_nodata: Whether pixels can be invalid.
        read: Gives the pixels of a window inside the grid; may be called from several threads at once.
        path: The file it is read from; None when that is not local.
        close: Frees what it holds open.
        source_dtype: Type of the source's own numbers, as `int16`; empty where it is `dtype`.
        offset_stated: Whether the source states the band's offset, be it 0.
        words: Texts by which the source describes the band, the clearest first.
    """

    band: Band
    grid: Grid
    dtype: np.dtype[Any]
    has_nodata: bool
    read: Callable[[Window], Plane]
    path: Path | None = None
    close: Callable[[], None] = lambda: None
    source_dtype: str = ""
    offset_stated: bool = False
    words: tuple[str, ...] = ()

    def named(self, band: Band) -> RasterBand:
        """The same pixels under another description."""
        return replace(self, band=band)

    def strips(self) -> Iterator[Plane]:
        """All of its pixels, some rows at a time from the top."""
        height, width = self.grid.height, self.grid.width
        rows = max(1, _STRIP_PIXELS // width)
        for row in range(0, height, rows):
            yield self.read(Window(row, 0, min(rows, height - row), width))


def stored_dtype(where: str, dtype: str) -> np.dtype[Any]:
    """Return the type that numbers of a source's type are kept as: `uint16` or `float32`.

    Raises:
        SourceError: If that would lose digits that matter.
    """
    if dtype in ("uint8", "uint16"):
        return np.dtype(np.uint16)
    if dtype in ("float32", *_EXACT_AS_FLOAT32):
        return np.dtype(np.float32)
    if dtype == "float64":
        logger.warning("%s: float64 is kept as float32, seven significant digits", where)
        return np.dtype(np.float32)
    raise SourceError(
        f"{where} holds {dtype} numbers; only uint8, uint16, int8, int16, float32 and float64 are handled: "
        "convert it with `gdal_translate -ot`"
    )


def parse_finite(value: object, what: str) -> float:
    """Parse a finite number of untrusted metadata.

    Raises:
        SourceError: If it is none.
    """
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SourceError(f"{what} is {str(value)[:40]!r}, not a number")
    return number


def finish_plane(values: NDArray[Any], valid: NDArray[np.bool_], dtype: np.dtype[Any]) -> Plane:
    """Bring values to their stored type; numbers that are not finite are never valid."""
    if dtype == np.float32:
        with np.errstate(over="ignore"):
            values = values.astype(np.float32, copy=False)
        valid = valid & np.isfinite(values)
    return Plane(values.astype(dtype, copy=False), valid)


def check_window(window: Window, grid: Grid) -> None:
    """Raise ValueError if a window does not lie inside a grid."""
    row, col, height, width = window
    inside = min(row, col) >= 0 and min(height, width) > 0
    if not inside or row + height > grid.height or col + width > grid.width:
        raise ValueError(f"{window} does not lie inside {grid.width}×{grid.height} pixels")
