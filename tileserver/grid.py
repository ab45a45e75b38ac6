"""Pixel grids: what a request asks for, before any pixel is read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import morecantile
from affine import Affine
from morecantile import Tile, TileMatrixSet
from rasterio.crs import CRS
from rasterio.transform import array_bounds, from_bounds

Bounds = tuple[float, float, float, float]
UTM_SET = re.compile(r"UTM(0[1-9]|[1-5]\d|60)(S?)WGS84Quad")
UTM_TEMPLATE = "UTM31WGS84Quad"
SOUTHERN_FALSE_NORTHING = 10_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """A raster without its pixels.

    Attributes:
        crs: Coordinate reference system.
        transform: Pixel corner (column, row) to CRS coordinates.
        height: Rows.
        width: Columns.
    """

    crs: CRS
    transform: Affine
    height: int
    width: int

    @classmethod
    def over(cls, bounds: Bounds, crs: CRS, height: int, width: int) -> Grid:
        """Spread height × width pixels over bounds (left, bottom, right, top)."""
        return cls(crs, from_bounds(*bounds, width, height), height, width)

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top)."""
        left, bottom, right, top = array_bounds(self.height, self.width, self.transform)
        return left, bottom, right, top

    def within(self, bounds: Bounds) -> Grid | None:
        """Pixels of this grid that bounds (left, bottom, right, top in its CRS) touch, or None."""
        inverse = ~self.transform
        corners = [inverse @ (bounds[x], bounds[y]) for x in (0, 2) for y in (1, 3)]
        first_col = max(0, _floor(min(col for col, _ in corners)))
        first_row = max(0, _floor(min(row for _, row in corners)))
        last_col = min(self.width, _ceil(max(col for col, _ in corners)))
        last_row = min(self.height, _ceil(max(row for _, row in corners)))
        if first_col >= last_col or first_row >= last_row:
            return None
        transform = self.transform @ Affine.translation(first_col, first_row)
        return Grid(self.crs, transform, last_row - first_row, last_col - first_col)

    def fitted(self, max_side: int) -> Grid:
        """Cover the same area with pixels coarse enough that no side has more than `max_side`."""
        longest = max(self.height, self.width)
        if longest <= max_side:
            return self
        height = max(1, round(self.height * max_side / longest))
        width = max(1, round(self.width * max_side / longest))
        scale = Affine.scale(self.width / width, self.height / height)
        return Grid(self.crs, self.transform @ scale, height, width)


def matrix_sets() -> list[str]:
    """Names of all tile matrix sets."""
    return sorted(morecantile.tms.list())


@lru_cache(maxsize=256)
def matrix_set(identifier: str) -> TileMatrixSet:
    """Return one of morecantile's tile matrix sets, or that of a UTM zone: see `utm_set_name`.

    Raises:
        KeyError: If there is none of that name.
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


def _floor(value: float) -> int:
    """Round down, save for what floating point adds to whole numbers."""
    return math.floor(value + 1e-6)


def _ceil(value: float) -> int:
    return math.ceil(value - 1e-6)
