"""Where the test scenes are."""

from __future__ import annotations

from rasterio.crs import CRS
from rasterio.warp import transform

from tests.tileserver.conftest import FINE, SIZE
from tileserver.render.matrixsets import matrix_set

UTM32 = CRS.from_epsg(32632)
ITEM = "/collections/optical/items/middle"
CUT_ITEM = "/collections/optical/items/new"
RADAR_ITEM = "/collections/radar/items/radar"


def position(across: float, down: float) -> tuple[float, float]:
    """Longitude and latitude of a place in the scenes, from 0 to 1."""
    x, y = FINE @ (across * SIZE, down * SIZE)
    lons, lats = transform(UTM32, CRS.from_epsg(4326), [x], [y])
    return lons[0], lats[0]


def tile_path(across: float, down: float, zoom: int, tms: str = "WebMercatorQuad") -> str:
    """`z/x/y` of the tile with a place in the scenes."""
    tile = matrix_set(tms).tile(*position(across, down), zoom)
    return f"{tile.z}/{tile.x}/{tile.y}"


def tile_url(
    item: str = ITEM, *, across: float = 0.5, down: float = 0.5, zoom: int = 14, suffix: str = ".png"
) -> str:
    """URL of a Web Mercator tile."""
    return f"{item}/tiles/WebMercatorQuad/{tile_path(across, down, zoom)}{suffix}"
