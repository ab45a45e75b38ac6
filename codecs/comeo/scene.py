"""A scene as acquired: groups of bands at native resolution, read in windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

METRES_PER_DEGREE = 111_320.0
# Item property that marks the acquisition time as unknown; `datetime`, which STAC requires, is then 1970.
DATETIME_UNKNOWN: Final = "comeo:datetime_unknown"
# Item property of scenes that come from radar geometry: without a DEM they lie where they do but roughly, are
# shown, and never mixed with others.
TERRAIN_CORRECTED: Final = "comeo:terrain_corrected"


class Window(NamedTuple):
    """A rectangle of a grid, in pixels: top-left corner and size."""

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices into an array of the whole grid."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)


class Pixels(NamedTuple):
    """The pixels of a window: values (bands, y, x) and where they are valid (same shape, bool)."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Band:
    """One spectral band or polarisation.

    Attributes:
        name: The sensor's own name: `B04`, `B8A`, `VV`.
        scale: Physical value = stored number × scale + offset.
        offset: See `scale`. From Sentinel-2 baseline 04.00 on it is −0.1.
        unit: Unit of the physical value: `reflectance`, `dB`, or empty when unknown.
        common_name: STAC `eo:common_name`, or empty.
        center_wavelength: In micrometres, or None.
        mission: Id of the mission whose band it is: `sentinel-2`; empty where it is unknown.
        display: (black, white) physical values to show it in where its unit doesn't say; None if unknown.
        colormap: Palette to show it in, or empty for grey.
    """

    name: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    common_name: str = ""
    center_wavelength: float | None = None
    mission: str = ""
    display: tuple[float, float] | None = None
    colormap: str = ""


@dataclass(frozen=True, slots=True)
class BandGroup:
    """The bands of a scene that share one native grid.

    Attributes:
        name: `r` + pixel size in metres + `m`, as `r10m`.
        bands: In the order of the first axis of the arrays that `read` returns.
        height: Rows of the grid.
        width: Columns of the grid.
        dtype: `uint16` or `float32`.
        crs: Coordinate reference system of the grid.
        transform: Pixel corner (column, row) to CRS coordinates.
        has_nodata: Whether pixels can be invalid. Then 0 (integers) or NaN (floats) marks them once
            archived, and no valid pixel is ever stored as that value.
        read: Returns the pixels of a window that lies inside the grid.
    """

    name: str
    bands: tuple[Band, ...]
    height: int
    width: int
    dtype: np.dtype[Any]
    crs: CRS
    transform: Affine
    has_nodata: bool
    read: Callable[[Window], Pixels]

    @property
    def raw_bytes(self) -> int:
        """Size of the bands as 16-bit integers at native resolution: the ratio's numerator."""
        return len(self.bands) * self.height * self.width * 2


@dataclass(frozen=True, slots=True)
class ClassRaster:
    """A raster of classes that lies beside a scene's bands, on a grid of its own.

    Attributes:
        height: Rows of the grid.
        width: Columns of the grid.
        crs: Coordinate reference system of the grid.
        transform: Pixel corner (column, row) to CRS coordinates.
        read: Returns the classes of a window that lies inside the grid, by their numbers in
            `comeo.missions.clear`: (y, x) uint8.
        labels: Returns the layer's own numbers of such a window: (y, x) int64, −1 where there is none, or one
            that says nothing about the ground.
        properties: STAC Item properties that its classes give: shares of clouds and the like, in percent.
        close: Releases its file.
    """

    height: int
    width: int
    crs: CRS
    transform: Affine
    read: Callable[[Window], NDArray[np.uint8]]
    labels: Callable[[Window], NDArray[np.int64]]
    properties: Callable[[], Mapping[str, float]] = dict
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class ClassSource:
    """Classes that a product carries: which of a scene's pixels are clear.

    Attributes:
        name: Of the layer in the product: `SCL`.
        open: Opens it; raises `SourceError` where it cannot be read.
    """

    name: str
    open: Callable[[], ClassRaster]


@dataclass(frozen=True, slots=True)
class Scene:
    """One product as acquired, whatever form it came in.

    Attributes:
        id: STAC Item id, also the archive's file name.
        collection: STAC Collection id.
        datetime: Acquisition, with a time zone.
        groups: Finest resolution first.
        properties: Further STAC Item properties: platform, cloud cover, processing baseline.
        source_name: File or folder name of the source, without its path.
        source_checksum: SHA-256 (hex) over the source's band files, or empty if unknown.
        classes: What its pixels show, where the product says so.
        close: Releases the files that the source holds open; leaving a `with` block calls it.
    """

    id: str
    collection: str
    datetime: datetime
    groups: tuple[BandGroup, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    source_name: str = ""
    source_checksum: str = ""
    classes: ClassSource | None = None
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def raw_bytes(self) -> int:
        """Size of all bands as 16-bit integers at their native resolution."""
        return sum(group.raw_bytes for group in self.groups)


def pixel_size(transform: Affine, crs: CRS) -> float:
    """Size of a pixel along a row in metres, whatever the unit of the grid.

    Geographic grids are measured by the length of a degree of latitude.
    """
    size = math.hypot(transform.a, transform.d)
    unit = float(crs.units_factor[1])  # metres, or radians
    return size * (math.degrees(unit) * METRES_PER_DEGREE if crs.is_geographic else unit)


def group_name(transform: Affine, crs: CRS) -> str:
    """Name a grid by its pixel size: `r10m`."""
    return f"r{max(1, round(pixel_size(transform, crs)))}m"
