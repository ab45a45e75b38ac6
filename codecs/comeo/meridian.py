"""Geographic grids that pass 180 degrees: kept on a prime meridian of 180, written as people write them.

On that meridian all longitudes of such a grid lie within ±180, as PROJ and GDAL expect; no pixel moves.
"""

from __future__ import annotations

import math
import re
from typing import Final

from affine import Affine
from rasterio.crs import CRS

from comeo.grid import Grid

OPPOSITE: Final = 180.0
_SUFFIX: Final = " from 180"
_MERIDIAN: Final = 'PRIMEM["Antimeridian",180]'
_GREENWICH: Final = 'PRIMEM["Greenwich",0]'
_CODES_AND_AXES: Final = re.compile(r',(AUTHORITY\["[^"]*","[^"]*"\]|AXIS\["[^"]*",[A-Z]*\])')
DEGREE: Final = math.radians(1)
"""Of a geographic CRS, in radians as PROJ has it."""


def from_180(crs: CRS) -> CRS | None:
    """A geographic CRS with longitudes counted from 180, or None if its own are not degrees of Greenwich."""
    text = _CODES_AND_AXES.sub("", crs.to_wkt())
    text, found = re.subn(r'PRIMEM\["[^"]*",0\]', _MERIDIAN, text)
    if not found or abs(float(crs.units_factor[1]) - DEGREE) > 1e-12:
        return None
    return CRS.from_wkt(re.sub(r'^GEOGCS\["([^"]*)"', rf'GEOGCS["\1{_SUFFIX}"', text))


def from_greenwich(grid: Grid) -> Grid:
    """The grid as files have it: longitudes from Greenwich, beyond 180 if need be.

    GeoTIFF's own names of systems have no place for another meridian, and GDAL drops it in silence.
    """
    text = grid.crs.to_wkt() if grid.crs.is_geographic else ""
    if _MERIDIAN not in text:
        return grid
    text = _CODES_AND_AXES.sub("", text).replace(_MERIDIAN, _GREENWICH).replace(_SUFFIX, "")
    crs = CRS.from_wkt(text)
    code = crs.to_epsg()
    a, b, c, d, e, f = grid.transform[:6]
    transform = Affine(a, b, round(c + OPPOSITE, 12), d, e, f)
    return Grid(CRS.from_epsg(code) if code else crs, transform, grid.height, grid.width)
