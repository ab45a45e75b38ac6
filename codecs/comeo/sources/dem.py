"""Heights of the ground from a digital elevation model that GDAL reads, in metres over the ellipsoid."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray
from pyproj.exceptions import CRSError
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject, transform_bounds

from comeo.errors import SourceError
from comeo.grid import WGS84, Bounds, Grid
from comeo.radar.geodesy import grid_degrees
from comeo.sources.geoid import DATUMS, Datum, datum_named, undulation

_UNITS: Final = {
    "": 1.0, "m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0,
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "ftus": 1200 / 3937, "us survey foot": 1200 / 3937,
}  # fmt: skip
_STEP: Final = 64  # pixels, between which the geoid is as good as flat
_LIMITS: Final = (-600.0, 9_500.0)  # metres of ground; what is outside is a marker of voids, or no height
Values = NDArray[np.float64]


class Heights(Protocol):
    """The shape of the ground."""

    def over(self, grid: Grid) -> NDArray[np.float32]:
        """Heights (y, x) of a map's pixels in metres over WGS 84; where there is no ground, of the sea."""


class Dem:
    """A digital elevation model: any path that GDAL opens, a VRT over tiles for example.

    Args:
        path: The path.
        datum: What its heights are measured from; by default as its vertical reference system or its name
            says.

    Attributes:
        name: Of the file.
        datum: What its heights are measured from.
        voids: Pixels asked for that it knows no height of: taken as sea.
        pixels: Pixels asked for.

    Raises:
        SourceError: If it cannot be read, or what its heights are measured from is unknown.
    """

    def __init__(self, path: str, datum: Datum | None = None) -> None:
        self.name = Path(path).name
        self._lock = threading.Lock()
        self.voids = self.pixels = 0
        try:
            self._dataset = rasterio.open(path)
        except RasterioError as error:
            raise SourceError(f"the DEM {self.name} cannot be opened: {str(error)[:200]}") from error
        try:
            self._crs, vertical, unit = _reference(self.name, self._dataset)
            self.datum = datum or self._stated_datum(vertical)
            self._factor = self._unit_factor(unit)
        except BaseException:
            self._dataset.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dataset.close()

    def check_covers(self, bounds: Bounds) -> None:
        """Refuse a DEM of another place.

        Args:
            bounds: Of the scene in degrees (west, south, east, north).

        Raises:
            SourceError: If it has no part of the scene, or its reference system has no place on Earth.
        """
        try:
            west, south, east, north = transform_bounds(self._crs, WGS84, *self._dataset.bounds)
        except (RasterioError, CPLE_BaseError) as error:
            raise SourceError(
                f"the coordinate reference system of the DEM {self.name} cannot be brought to degrees on "
                "Earth; give it the right one with `gdal_edit.py`"
            ) from error
        if west > bounds[2] or east < bounds[0] or south > bounds[3] or north < bounds[1]:
            raise SourceError(
                f"the DEM {self.name} covers {west:.2f} to {east:.2f}° E, {south:.2f} to {north:.2f}° N, and "
                f"no part of the scene ({bounds[0]:.2f} to {bounds[2]:.2f}° E, {bounds[1]:.2f} to "
                f"{bounds[3]:.2f}° N); give one of the same place"
            )

    def over(self, grid: Grid) -> NDArray[np.float32]:
        """See `Heights`.

        Raises:
            SourceError: If the DEM cannot be read.
        """
        found = np.full((grid.height, grid.width), np.nan, np.float32)
        try:
            with self._lock:  # a dataset is for one thread at a time
                reproject(
                    rasterio.band(self._dataset, 1), found, src_crs=self._crs, dst_crs=grid.crs,
                    dst_transform=grid.transform, dst_nodata=np.nan, resampling=Resampling.bilinear,
                )  # fmt: skip
        except RasterioError as error:
            raise SourceError(f"the DEM {self.name} cannot be read: {str(error)[:200]}") from error
        found *= np.float32(self._factor)
        known = (found > _LIMITS[0]) & (found < _LIMITS[1])
        with self._lock:
            self.pixels += known.size
            self.voids += known.size - int(np.count_nonzero(known))
        surface = sea(grid)
        if self.datum == "ellipsoid":
            return np.where(known, found, surface)
        return surface + np.where(known, found, np.float32(0))

    def _stated_datum(self, vertical: str) -> Datum:
        found = datum_named(vertical) if vertical else datum_named(self.name)
        if found is None:
            what = f"the vertical reference system {vertical!r}" if vertical else "no word on it in the file"
            raise SourceError(
                f"what the heights of {self.name} are measured from is unknown ({what}); say it with "
                f"`--dem-heights`: {', '.join(DATUMS)}"
            )
        return found

    def _unit_factor(self, unit: str) -> float:
        factor = _UNITS.get(unit.strip().lower())
        if factor is None:
            raise SourceError(
                f"heights of {self.name} are in {unit[:40]!r}, which is unknown; convert it to metres, with "
                "`gdal_calc.py`"
            )
        return factor


def sea(grid: Grid) -> NDArray[np.float32]:
    """Heights (y, x) of the sea over WGS 84 at a map's pixels, in metres."""
    rows, row_share = lattice_places(grid.height)
    columns, column_share = lattice_places(grid.width)
    latitudes, longitudes = grid_degrees(grid, *np.meshgrid(rows, columns, indexing="ij"))
    return between_nodes(undulation(latitudes, longitudes).astype(np.float32), row_share, column_share)


def between_nodes(nodes: NDArray[np.float32], rows: Values, columns: Values) -> NDArray[np.float32]:
    """Values between the nodes of a lattice (n, m), bilinear.

    Args:
        nodes: (n, m).
        rows: (y,) places among the rows of nodes, the last row excluded.
        columns: (x,) likewise.

    Returns:
        (y, x) float32.
    """
    row, column = rows.astype(np.intp), columns.astype(np.intp)
    down = (rows - row).astype(np.float32)[:, None]
    right = (columns - column).astype(np.float32)
    along = nodes[:, column] * (1 - right) + nodes[:, column + 1] * right
    return np.asarray(along[row] * (1 - down) + along[row + 1] * down, np.float32)


def lattice_places(size: int) -> tuple[Values, Values]:
    """Nodes along a side of so many pixels, and where its pixels lie among them."""
    nodes = np.arange(0, size + _STEP, _STEP, dtype=np.float64)
    return nodes, np.arange(size) / _STEP


def _reference(name: str, dataset: rasterio.DatasetReader) -> tuple[CRS, str, str]:
    """The horizontal part of a DEM's reference system, the name of the vertical one, and the unit of heights.

    Raises:
        SourceError: If it has none.
    """
    unit = dataset.units[0] or ""
    try:
        whole = pyproj.CRS.from_wkt(dataset.crs.to_wkt()) if dataset.crs else None
    except CRSError:
        whole = None
    if whole is None:
        raise SourceError(
            f"the DEM {name} has no coordinate reference system; give it one with `gdal_edit.py`"
        )
    if whole.is_compound:
        horizontal, vertical = whole.sub_crs_list
        axis = vertical.axis_info[0]
        return CRS.from_wkt(horizontal.to_wkt()), vertical.name, unit or axis.unit_name
    if len(whole.axis_info) == 3:
        return CRS.from_wkt(whole.to_2d().to_wkt()), "ellipsoid", unit or whole.axis_info[2].unit_name
    return dataset.crs, "", unit
