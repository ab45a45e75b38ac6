"""The STAC Item of a scene."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.globe import outline
from comeo.grid import WGS84, Bounds
from comeo.scene import Scene, pixel_size
from comeo.sources.naming import iso
from comeo.view.projection import move_points

STAC_VERSION = "1.1.0"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
EO = "https://stac-extensions.github.io/eo/v2.0.0/schema.json"
PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
SAR = "https://stac-extensions.github.io/sar/v1.0.0/schema.json"
"""Which requires the properties `_SAR_NEEDED`, and is the one that pystac knows."""
SAR_IN_PART = "https://stac-extensions.github.io/sar/v1.3.0/schema.json"
"""Which requires none."""
SAT = "https://stac-extensions.github.io/sat/v1.0.0/schema.json"
_SAR_NEEDED = ("sar:instrument_mode", "sar:frequency_band", "sar:polarizations", "sar:product_type")
_EXTENSIONS = {"eo:": EO, "processing:": PROCESSING, "sat:": SAT}
_EDGE_METRES = 25_000  # a straight side of a grid is a curve on the globe: put a point on it this often


def build_item(scene: Scene, spans: NDArray[np.int64]) -> dict[str, Any]:
    """Describe a scene as a STAC Item, without assets: their addresses depend on the server.

    Args:
        scene: The scene.
        spans: (rows, 2): of each row of the finest grid the first valid column and the one after the last;
            equal where a row has none.

    Returns:
        The item as JSON.
    """
    native = scene.groups[0]
    gsd = pixel_size(native.transform, native.crs)
    geometry, bbox = _on_the_globe(scene, spans)
    code = native.crs.to_authority()
    properties = {**scene.properties, "gsd": round(gsd, 3)}
    if code:
        properties["proj:code"] = ":".join(code)
    extensions = [PROJECTION, *extensions_of(properties)]
    properties["datetime"] = iso(scene.datetime)
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": extensions,
        "id": scene.id,
        "geometry": geometry,
        "bbox": [round(value, 6) for value in bbox],
        "properties": properties,
        "links": [],
        "assets": {},
    }
    return {**item, "collection": scene.collection} if scene.collection else item


def extensions_of(properties: Mapping[str, Any]) -> list[str]:
    """Schemas of the extensions whose properties an Item has, the projection's aside."""
    found = [
        schema for prefix, schema in _EXTENSIONS.items() if any(key.startswith(prefix) for key in properties)
    ]
    if any(key.startswith("sar:") for key in properties):
        found.append(SAR if all(key in properties for key in _SAR_NEEDED) else SAR_IN_PART)
    return found


def check_place(scene: Scene) -> None:
    """Refuse a scene whose raster has no place on the globe, before any work.

    Raises:
        SourceError: If a corner or an edge lies outside its coordinate reference system.
    """
    native = scene.groups[0]
    _on_the_globe(scene, np.tile(np.array([0, native.width], np.int64), (native.height, 1)))


def _on_the_globe(scene: Scene, spans: NDArray[np.int64]) -> tuple[dict[str, Any], Bounds]:
    """GeoJSON and box, in degrees, of the area around all valid pixels: see `build_item`."""
    native = scene.groups[0]
    spacing = _EDGE_METRES / pixel_size(native.transform, native.crs)
    ring = np.array(footprint(spans, native.transform, max(spacing, 1.0))[:-1])
    lons, lats = move_points(native.crs, WGS84, ring[:, 0], ring[:, 1])
    if native.crs.is_geographic:
        lats = np.clip(lats, -90, 90)  # grids on lines rather than cells reach half a pixel beyond
    if not (np.isfinite(lons).all() and (np.abs(lats) <= 90).all()):
        raise SourceError(
            f"{scene.id} lies partly outside its coordinate reference system {native.crs.to_string()[:60]}; "
            "cut it, or bring it to another one with `gdalwarp -t_srs`"
        )
    return outline(lons, lats)


def footprint(spans: NDArray[np.int64], transform: Affine, spacing: float) -> list[tuple[float, float]]:
    """Closed ring around all valid pixels: their convex hull, in the grid's CRS, counter-clockwise.

    Args:
        spans: See `build_item`; at least one row has a valid pixel.
        transform: Of the grid.
        spacing: Greatest distance between two points of the ring, in pixels.
    """
    rows = np.nonzero(spans[:, 0] < spans[:, 1])[0]
    corners = np.concatenate(
        [np.stack([spans[rows, side], rows + below], axis=1) for side in (0, 1) for below in (0, 1)]
    )
    hull = shapely.get_coordinates(shapely.convex_hull(shapely.multipoints(corners)))[:-1]
    points = [transform @ (float(x), float(y)) for x, y in _densify(hull, spacing)]
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True))
    if area < 0:
        points.reverse()
    return [*points, points[0]]


def _densify(ring: NDArray[Any], spacing: float) -> NDArray[np.float64]:
    """Put points on the long sides of a ring, so that they stay on course when projected."""
    out = []
    for start, side in zip(ring, np.roll(ring, -1, axis=0) - ring, strict=True):
        count = max(1, math.ceil(float(np.hypot(*side)) / spacing))
        out += [start + side * (k / count) for k in range(count)]
    return np.array(out, float)
