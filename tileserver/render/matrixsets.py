"""Tile matrix sets: morecantile's, one for each UTM zone, and the grids of their tiles."""

from __future__ import annotations

import re
from functools import lru_cache

import morecantile
from morecantile import Tile, TileMatrixSet
from rasterio.crs import CRS

from comeo.grid import Grid

UTM_SET = re.compile(r"UTM(0[1-9]|[1-5]\d|60)(S?)WGS84Quad")
UTM_TEMPLATE = "UTM31WGS84Quad"
SOUTHERN_FALSE_NORTHING = 10_000_000


def matrix_sets() -> list[str]:
    """Names of all tile matrix sets."""
    return sorted(morecantile.tms.list())


@lru_cache(maxsize=256)
def matrix_set(identifier: str) -> TileMatrixSet:
    """Return one of morecantile's tile matrix sets, or that of a UTM zone: see `utm_set_name`.

    Raises:
        KeyError: If the name is unknown.
    """
    if identifier in morecantile.tms.list():
        return morecantile.tms.get(identifier)
    zone = UTM_SET.fullmatch(identifier)
    if zone is None:
        raise KeyError(identifier)
    return _utm_set(identifier, int(zone[1]), southern=bool(zone[2]))


def utm_set_name(crs: CRS) -> str | None:
    """Name of the tile matrix set of a UTM zone (WGS 84), or None for another projection.

    OGC 17-083r4, annex D, has `UTM31WGS84Quad` as its example of one set a zone. For the southern hemisphere
    `UTM31SWGS84Quad` is the same with EPSG:327zz and the origin moved by the false northing.
    """
    code = crs.to_epsg() or 0
    hemisphere, zone = divmod(code, 100)
    if hemisphere not in (326, 327) or not 1 <= zone <= 60:
        return None
    return f"UTM{zone:02}{'S' if hemisphere == 327 else ''}WGS84Quad"


def _utm_set(identifier: str, zone: int, *, southern: bool) -> TileMatrixSet:
    """Set of a UTM zone: the one of zone 31 in another projection, as the standard means it."""
    document = morecantile.tms.get(UTM_TEMPLATE).model_dump(mode="json", exclude_none=True)
    document["id"] = identifier
    document["title"] = f"Universal Transverse Mercator Zone {zone}{'S' if southern else ''} WGS84 Quad"
    document["crs"] = f"http://www.opengis.net/def/crs/EPSG/0/{327 if southern else 326}{zone:02}"
    document["uri"] = None if southern else document["uri"].replace(UTM_TEMPLATE, identifier)
    for matrix in document["tileMatrices"]:
        x, y = matrix["pointOfOrigin"]
        matrix["pointOfOrigin"] = (x, y + SOUTHERN_FALSE_NORTHING * southern)
    return TileMatrixSet.model_validate(document)


def tile_grid(tms: TileMatrixSet, x: int, y: int, z: int, scale: int = 1) -> Grid | None:
    """Return the grid of a tile, `scale` times as dense as the matrix set says.

    None if there is no such tile.
    """
    tile = Tile(x, y, z)
    if not tms.is_valid(tile, strict=True):
        return None
    matrix = tms.matrix(z)
    bounds = tms.xy_bounds(tile)
    return Grid.over(
        (bounds.left, bounds.bottom, bounds.right, bounds.top),
        tms.rasterio_crs, matrix.tileHeight * scale, matrix.tileWidth * scale,
    )  # fmt: skip
