"""Places on the ellipsoid as points in space."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.grid import Grid

SEMI_MAJOR: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257223563
_ECCENTRICITY: Final = _FLATTENING * (2 - _FLATTENING)  # squared
Values = NDArray[np.float64]


def normals(latitudes: Values, longitudes: Values) -> Values:
    """Upward unit vectors of the WGS 84 ellipsoid: degrees of any shape to (…, 3)."""
    latitudes, longitudes = np.radians(latitudes), np.radians(longitudes)
    level = np.cos(latitudes)
    return np.stack([level * np.cos(longitudes), level * np.sin(longitudes), np.sin(latitudes)], -1)


def to_ecef(latitudes: Values, longitudes: Values, heights: Values) -> Values:
    """Degrees and metres over WGS 84, of any one shape, to (…, 3) metres Earth-centred and Earth-fixed."""
    up = normals(latitudes, longitudes)
    radius = SEMI_MAJOR / np.sqrt(1 - _ECCENTRICITY * up[..., 2] ** 2)
    points = up * (radius + heights)[..., None]
    points[..., 2] -= radius * _ECCENTRICITY * up[..., 2]
    return points


def grid_degrees(grid: Grid, rows: Values, columns: Values) -> tuple[Values, Values]:
    """Latitudes and longitudes of places of a grid; (0, 0) is the centre of its first pixel.

    Args:
        grid: In any map projection.
        rows: Of any shape.
        columns: Of the same shape.
    """
    from pyproj import CRS, Transformer  # noqa: PLC0415 - half a second that a decoder does without

    place = grid.transform
    xs = place.a * (columns + 0.5) + place.b * (rows + 0.5) + place.c
    ys = place.d * (columns + 0.5) + place.e * (rows + 0.5) + place.f
    # Both sides are two-dimensional: no library is to move heights here.
    transformer = Transformer.from_crs(CRS.from_wkt(grid.crs.to_wkt()), CRS.from_epsg(4326), always_xy=True)
    longitudes, latitudes = transformer.transform(xs, ys)
    return np.asarray(latitudes, np.float64), np.asarray(longitudes, np.float64)
