"""One file that holds one band: JPEG 2000 or GeoTIFF, by its content, whatever its name says."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Final

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.missions import nodata_in
from comeo.scene import Band
from comeo.sources import gdal
from comeo.sources.jp2 import Jp2File, TileCache, is_jpeg2000, jp2_band
from comeo.sources.raster import RasterBand

logger = logging.getLogger(__name__)

GEOTIFF_SUFFIXES: Final = (".tif", ".tiff")
JP2_SUFFIXES: Final = (".jp2", ".j2k")
_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ALIGNED: Final = 1e-6


def open_band(
    file: Path, band: Band, cache: TileCache, nodata: float | None = None, grid: Grid | None = None
) -> RasterBand:
    """Open a file that holds one band.

    Args:
        file: GeoTIFF or JPEG 2000.
        band: Its description; scale, offset and unit that are the defaults are taken from the file.
        cache: Keeps decoded tiles of JPEG 2000.
        nodata: Number that marks invalid pixels where the file itself states none.
        grid: Where its pixels lie, as the product's metadata say. A file that was cut out of it is taken
            where the file itself says. None to take the file's own grid.

    Raises:
        SourceError: If it cannot be read, has several bands, or is not on the grid.
    """
    is_jp2 = _is_jp2(file)
    gdal.warn_of_side_files(file)
    if is_jp2 and grid is not None and nodata is not None:
        image = Jp2File(file, cache)
        if (image.height, image.width) == (grid.height, grid.width):
            return jp2_band(image, grid, band, int(nodata))
        image.close()
    raster = gdal.GdalFile(file, gdal.JPEG2000 if is_jp2 else gdal.GEOTIFF)
    try:
        own = _own_grid(raster, grid)
        with raster.handle() as dataset:
            count = len(dataset.indexes) - len(gdal.alpha_indexes(dataset))
            if count != 1:
                raise SourceError(f"{file.name} has {count} bands; a file in a folder of bands has one")
            stated = (float(dataset.scales[0]), float(dataset.offsets[0]))
            unit, own_nodata = dataset.units[0] or "", dataset.nodatavals[0]
        if (band.scale, band.offset) == (1.0, 0.0):
            band = replace(band, scale=stated[0], offset=stated[1], unit=band.unit or unit)
        if not is_jp2:
            return gdal.band_of(raster, own, 1, band, nodata)
        raster.close()
        marker = own_nodata if nodata is None else nodata
        marker = nodata_in(file.stem) if marker is None else marker
        return jp2_band(Jp2File(file, cache), own, band, None if marker is None else int(marker))
    except BaseException:
        raster.close()
        raise


def _is_jp2(file: Path) -> bool:
    """Whether a file is JPEG 2000; what is neither that nor TIFF is taken for what its name says."""
    with file.open("rb") as stream:
        head = stream.read(12)
    if is_jpeg2000(head):
        return True
    return not head.startswith(_TIFF) and file.suffix.lower() in JP2_SUFFIXES


def _own_grid(raster: gdal.GdalFile, stated: Grid | None) -> Grid:
    """The grid that a file is on: the stated one, or a part of it that the file's own georeference names."""
    if stated is None:
        return gdal.grid_of(raster)
    with raster.handle() as dataset:
        height, width = dataset.shape
        referenced = bool(dataset.crs)
    if (height, width) == (stated.height, stated.width):
        return stated
    fault = SourceError(
        f"{raster.name} has {width}×{height} pixels, but its metadata say {stated.width}×{stated.height}"
    )
    if not referenced:
        raise fault
    own = gdal.grid_of(raster)
    if own.crs != stated.crs or not _is_part(own, stated):
        raise fault
    logger.warning(
        "%s was cut to %d×%d pixels, and lies where the file itself says", raster.name, width, height
    )
    return own


def _is_part(own: Grid, whole: Grid) -> bool:
    """Whether a grid's pixels are some of another grid's."""
    inner, outer = own.transform, whole.transform
    col, row = ~outer @ (inner.c, inner.f)
    steps = (inner.a / outer.a - 1, inner.e / outer.e - 1, col - round(col), row - round(row))
    if max(map(abs, steps)) > _ALIGNED or min(col, row) < -_ALIGNED:
        return False
    fits: bool = round(col) + own.width <= whole.width and round(row) + own.height <= whole.height
    return fits
