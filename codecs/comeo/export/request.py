"""Part of a scene that a user requests as a file, and its pixel grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rasterio.crs import CRS

from comeo.errors import NotFoundError, ParameterError
from comeo.globe import checked, intersections, rolled, unrolled
from comeo.grid import WGS84, Bounds, Grid
from comeo.view.plan import PixelRequest
from comeo.view.polygon import geometry_bounds
from comeo.view.projection import move_bounds
from comeo.view.reader import TWO_PARTS, ArchiveReader

# Margin in degrees around a scene beyond which an area is cut off. On the scene's own pixels whatever lies
# outside costs nothing; on other grids it would become empty pixels.
OWN_MARGIN, MOVED_MARGIN = 0.1, 0.001

Pixels_co = TypeVar("Pixels_co", bound=PixelRequest, covariant=True)


@dataclass(frozen=True, slots=True)
class ExtractRequest(Generic[Pixels_co]):
    """Pixels, area and grid of a file to be extracted from a scene.

    Attributes:
        pixels: Values to read and compute; a server's request for colours is one, too.
        bbox: West, south, east, north in degrees. None: the whole scene.
        geometry: GeoJSON polygon (WGS 84) instead of `bbox`; pixels outside it are masked.
        dst_crs: Of the file. None: the scene's own, with the scene's own pixels.
        height: Rows, if given.
        width: Columns, if given.
        max_size: Longest side in pixels, if given.
    """

    pixels: Pixels_co
    bbox: Bounds | None = None
    geometry: Mapping[str, Any] | None = None
    dst_crs: CRS | None = None
    height: int | None = None
    width: int | None = None
    max_size: int | None = None


def grid_of(reader: ArchiveReader, request: ExtractRequest[PixelRequest], bands: tuple[str, ...]) -> Grid:
    """Return the grid of a request: the scene's own pixels unless it says otherwise.

    Args:
        reader: Of the scene.
        request: Area, projection and size.
        bands: Names of the bands to read; the finest of them sets the resolution.

    Raises:
        NotFoundError: If the area lies outside the scene.
        ParameterError: If the area is not valid, or is in two parts in the projection.
    """
    bbox = geometry_bounds(request.geometry) if request.geometry else request.bbox
    sized = request.height or request.width
    native = reader.native_grid(bands)
    if bbox is None:
        if request.dst_crs is None and not sized:
            return native.fitted(request.max_size) if request.max_size else native
        area, crs = native.bounds, native.crs
    else:
        bbox = checked(bbox)
        margin = MOVED_MARGIN if request.dst_crs else OWN_MARGIN
        area, crs = (bbox if sized else _near(reader, bbox, margin)), WGS84
    grid = reader.part_grid(
        area, crs, request.dst_crs, height=request.height, width=request.width, bands=bands
    )
    return grid.fitted(request.max_size) if request.max_size else grid


def _near(reader: ArchiveReader, bbox: Bounds, margin: float) -> Bounds:
    """Cut an area to the surroundings of the scene: far away, its projection may have no numbers."""
    finest = reader.native_grid()
    scene = move_bounds(finest.crs, WGS84, finest.bounds)
    if scene is None:
        raise NotFoundError("the scene lies outside its coordinate reference system")
    west, south, east, north = unrolled(scene)
    around = rolled((west - margin, max(south - margin, -90.0), east + margin, min(north + margin, 90.0)))
    found = intersections(around, bbox)
    if not found:
        raise NotFoundError("the area lies outside the scene")
    if len(found) > 1:
        raise ParameterError(TWO_PARTS)
    return found[0]
