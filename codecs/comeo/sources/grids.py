"""The grid of a source: what scenes can be made of, and odd spellings of the same brought to one."""

from __future__ import annotations

import math
from typing import Final

import pyproj
from affine import Affine
from rasterio.crs import CRS

from comeo.crs import check_crs
from comeo.errors import CrsError, SourceError
from comeo.globe import TURN
from comeo.grid import Grid
from comeo.meridian import DEGREE, OPPOSITE, from_180
from comeo.sources.raster import MAX_PIXELS

# A shear that moves no pixel of a raster by more than this part of a pixel is a rounding error.
_SHEAR_PIXELS: Final = 1e-3
# Names of groups have room for no larger pixels, and numbers in degrees no precision for smaller ones.
_PIXEL_METRES: Final = (1e-3, 1e6)


def checked_grid(where: str, crs: CRS | None, transform: Affine, height: int, width: int) -> Grid:
    """Return a grid that scenes can be made of.

    Of a compound CRS the horizontal part is kept. A geographic grid that runs from 0 to 360, or across 180,
    is expressed in longitudes within ±180, if need be from the antimeridian on: no pixel moves.

    Raises:
        SourceError: If it has no CRS of a map, is rotated, sheared or flipped, is absurdly large, has pixels
            of an absurd size, or does not lie on the globe.
    """
    if not crs:
        raise SourceError(
            f"{where} has no coordinate reference system; give it one with `gdal_edit.py -a_srs`"
        )
    try:
        check_crs(crs)
    except CrsError as error:
        raise SourceError(f"{where}: {error}") from error
    if not all(math.isfinite(value) for value in transform[:6]):
        raise SourceError(
            f"{where} has a georeference that is not finite; give it one with `gdal_edit.py -a_ullr`"
        )
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise SourceError(f"{where} has {width}×{height} pixels; at most {MAX_PIXELS} a band are handled")
    transform = _north_up(where, transform, height, width)
    crs = _horizontal(crs)
    grid = Grid(crs, transform, height, width)
    smallest, largest = _PIXEL_METRES
    if not smallest <= grid.pixel_size <= largest:
        raise SourceError(
            f"{where} has pixels of {grid.pixel_size:g} m; correct its georeference or its coordinate "
            f"reference system (pixels of {smallest:g} m to {largest / 1000:g} km are handled)"
        )
    return _on_the_globe(where, grid) if crs.is_geographic else grid


def _north_up(where: str, transform: Affine, height: int, width: int) -> Affine:
    """The transform without a shear that is mere rounding."""
    a, b, c, d, e, f = transform[:6]
    drift = max(abs(b) * height / abs(a) if a else math.inf, abs(d) * width / abs(e) if e else math.inf)
    if (b or d) and drift > _SHEAR_PIXELS:
        raise SourceError(f"{where} has a rotated or sheared georeference; bring it north up with `gdalwarp`")
    if transform == Affine.identity() or not a or not e:
        raise SourceError(f"{where} has no georeference; give it one with `gdal_edit.py -a_ullr`")
    if a < 0 or e > 0:
        raise SourceError(
            f"{where} has rows or columns that run backwards; bring it north up with `gdalwarp`"
        )
    return Affine(a, 0.0, c, 0.0, e, f)


def _horizontal(crs: CRS) -> CRS:
    """The CRS without a vertical part: heights have no place in a grid."""
    whole = pyproj.CRS.from_wkt(crs.to_wkt())
    parts = whole.sub_crs_list if whole.is_compound else [whole]
    if len(parts[0].axis_info) > 2:
        parts = [parts[0].to_2d()]
    elif not whole.is_compound:
        return crs
    flat = CRS.from_wkt(parts[0].to_wkt())
    code = flat.to_authority()
    return CRS.from_string(":".join(code)) if code else flat


def _on_the_globe(where: str, grid: Grid) -> Grid:
    """A geographic grid with all its longitudes within ±180, in its own CRS or one that starts at 180.

    Raises:
        SourceError: If it is wider than the globe, or passes a pole, by more than a pixel.
    """
    degree = float(grid.crs.units_factor[1]) / DEGREE
    left, bottom, right, top = (value * degree for value in grid.bounds)
    across, down = grid.transform.a * degree, -grid.transform.e * degree
    if top > 90 + down or bottom < -90 - down:
        raise SourceError(
            f"{where} has latitudes from {bottom:g} to {top:g}, beyond a pole; correct its georeference with "
            "`gdal_edit.py -a_ullr`, or its coordinate reference system with -a_srs"
        )
    if right - left > TURN + across:
        raise SourceError(
            f"{where} has longitudes from {left:g} to {right:g}, more than once round the globe; correct its "
            "georeference with `gdal_edit.py -a_ullr`, or its coordinate reference system with -a_srs"
        )
    if _fits(left, right, across):
        return grid
    turns = TURN * math.floor((left + 180) / TURN)
    if _fits(left - turns, right - turns, across):
        return _shifted(grid, grid.crs, -turns / degree)
    turns = TURN * math.floor(left / TURN)
    crs = from_180(grid.crs)
    if crs is None or not _fits(left - turns - OPPOSITE, right - turns - OPPOSITE, across):
        raise SourceError(
            f"{where} has longitudes from {left:g} to {right:g}; bring it to -180 to 180, or to a projection "
            "of the place, with `gdalwarp -t_srs`"
        )
    return _shifted(grid, crs, -(turns + OPPOSITE))


def _fits(left: float, right: float, pixel: float) -> bool:
    """Whether longitudes lie within ±180; whole globes on lines rather than cells reach half a pixel out."""
    room = pixel if right - left >= TURN - pixel else 1e-9
    return left >= -180 - room and right <= 180 + room


def _shifted(grid: Grid, crs: CRS, shift: float) -> Grid:
    a, _, c, _, e, f = grid.transform[:6]
    # Sums like 179.9 + 360 − 360 are off in their last digits.
    return Grid(crs, Affine(a, 0.0, round(c + shift, 12), 0.0, e, f), grid.height, grid.width)
