"""Zoom levels of scenes."""

from __future__ import annotations

import morecantile
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform

from comeo.grid import Grid
from tileserver.render.describe import zoom_range


@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad"])
def test_zooms_across_the_antimeridian_are_those_of_elsewhere(tms: str) -> None:
    def zooms(lon: float, epsg: int) -> tuple[int, int]:
        crs = CRS.from_epsg(epsg)
        (x,), (y,) = transform("EPSG:4326", crs, [lon], [-17.0])
        grid = Grid(crs, Affine(10, 0, x - 5000, 0, -10, y), 1000, 1000)
        return zoom_range(grid, morecantile.tms.get(tms))

    low, high = zooms(177.0, 32760)
    assert zooms(180.0, 32760)[1] == high
    assert abs(zooms(180.0, 32760)[0] - low) <= 1
