"""The map that a GRD product is brought onto."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pyproj
from affine import Affine
from pyproj.exceptions import CRSError
from rasterio.crs import CRS
from rasterio.warp import transform, transform_bounds

from comeo.errors import SourceError
from comeo.grid import WGS84, Bounds, Grid
from comeo.sources.grd.options import GeocodeOptions
from comeo.sources.grd.product import Grd

_MARGIN: Final = 1_000.0  # metres around the geolocation grid, whose heights lie 13 km apart
_FINEST: Final = 0.75  # of the image's own spacing
_COARSEST: Final = 100.0
_POLES: Final = 84.0  # degrees of latitude, beyond which UTM is not made for
_MOST_SIDE: Final = 200_000  # pixels; the largest product has 60 000, slantwise


def map_grid(grd: Grd, options: GeocodeOptions) -> tuple[Grid, int]:
    """The map's grid, and how many samples a side of its pixels their power is the mean of.

    Raises:
        SourceError: If the pixels, the reference system or the area given do not suit the product.
    """
    pixel, finer = _pixel(options.pixel, grd.first.annotation.range_spacing)
    grid = scene_grid(grd, pixel, options.crs)
    if options.bbox is None:
        return grid, finer
    part = grid.within(transform_bounds(WGS84, grid.crs, *options.bbox))
    if part is None:
        raise SourceError("the bbox given lies outside the scene; give one that overlaps it")
    return part, finer


def scene_grid(grd: Grd, pixel: float, crs: str | None = None) -> Grid:
    """The map of a whole product, on whole pixels.

    Args:
        grd: The product.
        pixel: Metres.
        crs: Its reference system; None for UTM of its centre, or polar stereographic beyond 84 degrees.

    Raises:
        SourceError: If the reference system is unknown, not in metres, or the product has no place in it.
    """
    points = grd.first.annotation.grid
    system = _own_system(grd) if crs is None else _system(crs)
    xs, ys = (np.array(side) for side in transform(WGS84, system, points.longitudes, points.latitudes))
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
        raise SourceError(f"{grd.name} has no place in {crs}; give another --crs, or none")
    left, bottom = (math.floor((float(side.min()) - _MARGIN) / pixel) for side in (xs, ys))
    right, top = (math.ceil((float(side.max()) + _MARGIN) / pixel) for side in (xs, ys))
    if max(right - left, top - bottom) > _MOST_SIDE:
        raise SourceError(f"{grd.name} is torn apart, or too large, in {crs}; give another --crs, or none")
    return Grid(system, Affine(pixel, 0, left * pixel, 0, -pixel, top * pixel), top - bottom, right - left)


def bounds_of(grd: Grd) -> Bounds:
    """West, south, east and north of a product in degrees; east is beyond 180 where it crosses that."""
    points = grd.first.annotation.grid
    longitudes = points.longitudes
    if np.ptp(longitudes) > 180:
        longitudes = np.where(longitudes < 0, longitudes + 360, longitudes)
    return (
        float(longitudes.min()), float(points.latitudes.min()),
        float(longitudes.max()), float(points.latitudes.max()),
    )  # fmt: skip


def _own_system(grd: Grd) -> CRS:
    points = grd.first.annotation.grid
    middle = float(np.mean(points.latitudes))
    longitude = math.degrees(np.angle(np.exp(1j * np.radians(points.longitudes)).mean()))
    if abs(middle) > _POLES:
        return CRS.from_epsg(32661 if middle > 0 else 32761)
    zone = int((longitude + 180) // 6) % 60 + 1
    return CRS.from_epsg((32600 if middle >= 0 else 32700) + zone)


def _system(text: str) -> CRS:
    try:
        known = pyproj.CRS.from_user_input(text)
    except CRSError:
        raise SourceError(f"{text[:60]!r} is no coordinate reference system; give one as EPSG:3413") from None
    if not (known.is_projected and all(axis.unit_conversion_factor == 1 for axis in known.axis_info[:2])):
        raise SourceError(f"{text[:60]} is not a map projection in metres; give one, as EPSG:3413")
    return CRS.from_wkt(known.to_2d().to_wkt())


def _pixel(wanted: float | None, spacing: float) -> tuple[float, int]:
    """The size of a pixel, and how many samples a side its power is the mean of.

    Raises:
        SourceError: If it is finer than the image, or far coarser.
    """
    if wanted is None:
        return max(10.0, round(spacing / 10) * 10.0), 1
    if not _FINEST * spacing <= wanted <= _COARSEST * spacing:
        raise SourceError(
            f"pixels of {wanted:g} m cannot be made of samples {spacing:g} m apart; take "
            f"{spacing:g} to {_COARSEST * spacing:g}"
        )
    return wanted, max(1, round(wanted / spacing))
