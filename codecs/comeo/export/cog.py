"""GeoTIFFs: Cloud-Optimized ones written piece by piece, and small ones encoded in memory.

No more than a piece of a file is ever in memory. The pieces go into a plain tiled GeoTIFF beside the output,
which GDAL's COG driver then packs: tiles, overviews, statistics, and the order of bytes that the OGC
standard 21-026 requires.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_dataset
from rasterio.windows import Window as RasterWindow

from comeo.decibel import PLAIN, Reduction
from comeo.errors import OutputError
from comeo.export.overviews import with_overviews
from comeo.grid import Grid
from comeo.leftovers import held_folder
from comeo.meridian import from_greenwich
from comeo.progress import Progress, Silent
from comeo.scene import Band, Window

PIECE_SIDE = 1024
# Small images are stored in strips: tiles would pad them.
TILED_FROM = 512
# GDAL would take a twentieth of the machine's memory for blocks of files that are written once.
_CACHE_MEBIBYTES = 64
_COMPRESSION = {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "LEVEL": "6"}
_COLOURS = ("red", "green", "blue", "coastal", "rededge", "nir", "swir")


@dataclass(frozen=True, slots=True)
class RasterBand:
    """Description of one band of a file.

    Attributes:
        name: Its description.
        scale: Physical value = number × scale + offset.
        offset: See `scale`.
        unit: Of the physical value, or empty.
        colour: STAC's common name (`red`, `nir08`, …), or empty.
        tags: Further metadata items of the band.
    """

    name: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    colour: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, band: Band) -> RasterBand:
        """Describe a band of a scene, as stored."""
        return cls(band.name, band.scale, band.offset, band.unit, band.common_name)


@dataclass(frozen=True, slots=True)
class Raster:
    """A file to be written, without its pixels.

    Attributes:
        crs: Coordinate reference system.
        transform: Pixel corner (column, row) to CRS coordinates.
        height: Rows.
        width: Columns.
        dtype: Of all bands.
        nodata: The value of invalid pixels. None: no value marks them; a mask does if `masked`.
        bands: In order.
        tags: Metadata items of the file.
        masked: Whether pieces carry a mask. Counts only without nodata.
        reduction: What means of the bands are means of: overviews and statistics.
    """

    crs: CRS
    transform: Affine
    height: int
    width: int
    dtype: np.dtype[Any]
    nodata: float | None
    bands: tuple[RasterBand, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    masked: bool = False
    reduction: Reduction = PLAIN

    @property
    def raw_bytes(self) -> int:
        """Size of the pixels."""
        return self.height * self.width * len(self.bands) * self.dtype.itemsize


class Piece(NamedTuple):
    """A part of a raster: where it goes, values (bands, y, x), and what is valid (y, x), or None for all."""

    window: Window
    values: NDArray[Any]
    valid: NDArray[np.bool_] | None = None


def write_cog(
    output: Path, raster: Raster, pieces: Iterable[Piece], progress: Progress | None = None
) -> None:
    """Write a Cloud-Optimized GeoTIFF. It appears under its name once it is complete.

    Args:
        output: The file; one of that name is replaced.
        raster: Description of the file.
        pieces: Cover it in any order; they are taken one at a time. Any error that they raise ends the work.
        progress: Receives the stage of packing.

    Raises:
        OutputError: If the file cannot be written.
    """
    with _writing(output), _folder_beside(output) as folder, _gdal():
        plain = folder / "plain.tif"
        with rasterio.open(plain, "w", **_profile(raster)) as target:
            _describe(target, raster)
            for piece in pieces:
                place = RasterWindow(*_offsets(piece.window))
                target.write(piece.values, window=place)
                if raster.masked and raster.nodata is None:
                    target.write_mask(True if piece.valid is None else piece.valid, window=place)
        watch = progress or Silent()
        watch.start("packing", 1)
        whole = folder / f"{uuid.uuid4().hex}.tif"
        source, statistics = plain, "YES"
        if not raster.reduction.is_plain:
            source, statistics = with_overviews(plain, folder, raster.reduction), "AUTO"
        copy_dataset(
            source, whole, driver="COG", OVERVIEW_RESAMPLING="AVERAGE", STATISTICS=statistics,
            NUM_THREADS="2", BIGTIFF="IF_SAFER", **_COMPRESSION,
        )  # fmt: skip
        whole.replace(output)
        watch.advance()


def encode_geotiff(raster: Raster, values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> bytes:
    """Encode an image as a GeoTIFF in memory, without overviews.

    Args:
        raster: Description of the file.
        values: (bands, y, x), with `raster.nodata` (if there is one) where invalid.
        valid: (y, x); written as a mask if `raster` is masked and has no nodata. None: all pixels.
    """
    profile = _profile(raster) | {"compress": "deflate", "predictor": _predictor(raster)}
    if max(raster.height, raster.width) <= TILED_FROM:
        profile = {name: value for name, value in profile.items() if not name.startswith("block")}
        profile["tiled"] = False
    with _gdal(), rasterio.MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            _describe(dataset, raster)
            dataset.write(values)
            if raster.masked and raster.nodata is None and valid is not None:
                dataset.write_mask(valid)
        return bytes(memory.getbuffer())


def compressed_size(raster: Raster, values: NDArray[Any]) -> int:
    """Bytes that pixels of a raster, (bands, y, x), take when packed as `write_cog` packs them."""
    _, height, width = values.shape
    profile = _profile(raster) | {"height": height, "width": width} | _COMPRESSION
    profile["PREDICTOR"] = str(_predictor(raster))
    profile["ZLEVEL"] = profile.pop("LEVEL")
    with rasterio.MemoryFile() as memory:
        with memory.open(**{**profile, "interleave": "pixel"}) as dataset:
            dataset.write(values)
        return len(memory.getbuffer())


def pieces_of(
    height: int, width: int, side: int = PIECE_SIDE, origin: tuple[int, int] = (0, 0)
) -> list[Window]:
    """Cut a raster into pieces along multiples of `side`, counted from a pixel `origin` before its first one.

    Where `origin` is the raster's place in a grid of blocks, no block is needed by two pieces.
    """
    return [
        Window(top, left, bottom - top, right - left)
        for top, bottom in _cuts(height, side, origin[0])
        for left, right in _cuts(width, side, origin[1])
    ]


def _cuts(size: int, side: int, origin: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < size:
        stop = min(size, ((start + origin) // side + 1) * side - origin)
        yield start, stop
        start = stop


def _offsets(window: Window) -> tuple[int, int, int, int]:
    return window.col, window.row, window.width, window.height


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Make the folder, and name the file in errors: neither GDAL's message nor the system's does."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, RasterioError) as error:
        reason = getattr(error, "strerror", None) or error.__cause__ or error
        raise OutputError(str(output), str(reason)) from error


@contextlib.contextmanager
def _folder_beside(output: Path) -> Iterator[Path]:
    """A folder for halves of files, on the output's own disk."""
    with held_folder(output.parent, f".{output.name}.unfinished-") as folder:
        yield folder


def _gdal() -> rasterio.Env:
    return rasterio.Env(GDAL_CACHEMAX=_CACHE_MEBIBYTES, GDAL_TIFF_INTERNAL_MASK=True)


def _profile(raster: Raster) -> dict[str, Any]:
    written = from_greenwich(Grid(raster.crs, raster.transform, raster.height, raster.width))
    return {
        "driver": "GTiff", "dtype": raster.dtype.name, "count": len(raster.bands), "height": raster.height,
        "width": raster.width, "crs": written.crs, "transform": written.transform, "nodata": raster.nodata,
        "tiled": True, "blockxsize": 256, "blockysize": 256, "bigtiff": "if_safer", "interleave": "band",
        "photometric": "minisblack",
    }  # fmt: skip


def _predictor(raster: Raster) -> int:
    return 3 if raster.dtype.kind == "f" else 2


def _describe(target: Any, raster: Raster) -> None:
    target.descriptions = [band.name for band in raster.bands]
    target.scales = [band.scale for band in raster.bands]
    target.offsets = [band.offset for band in raster.bands]
    target.units = [band.unit for band in raster.bands]
    target.colorinterp = _colours(raster.bands)
    target.update_tags(**raster.tags)
    for index, band in enumerate(raster.bands, 1):
        if band.tags:
            target.update_tags(index, **band.tags)


def _colours(bands: tuple[RasterBand, ...]) -> list[ColorInterp]:
    if len(bands) == 1:
        return [ColorInterp.gray]
    names = [next((name for name in _COLOURS if band.colour.startswith(name)), "undefined") for band in bands]
    return [getattr(ColorInterp, name, ColorInterp.undefined) for name in names]
