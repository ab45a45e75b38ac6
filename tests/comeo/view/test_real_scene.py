"""The bundled scene at a hundredth of its size lies where the original does, with the original's mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform

from comeo.archive import open_archive
from comeo.grid import Grid
from comeo.view.reader import ArchiveReader, block_cache
from tests.comeo.view.test_georeferencing import shift_between
from tileserver.render.matrixsets import matrix_set, tile_grid

ARCHIVE = Path(__file__).parents[2] / "data" / "format1" / "S2A_T32TMT_20190530_L2A.zarr.zip"
ORIGINAL = "scenes/S2A_20190530_T32TMT_L2A_10bands.tif"
PLACES = {"middle": (0.5, 0.5), "corner": (0.04, 0.05), "edge": (0.97, 0.5)}


@pytest.fixture
def original(shared_data: Path) -> Any:
    with rasterio.open(shared_data / ORIGINAL) as dataset:
        yield dataset


# The bands' mean: clouds stand at different places in each band, since the bands look from different angles,
# and strong compression, which codes what bands have in common, brings them together.
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["WebMercatorQuad", "WorldCRS84Quad", "UTM31WGS84Quad"])
def test_the_scene_is_where_it_was(original: Any, name: str, place: str) -> None:
    tms = matrix_set(name)
    across, down = PLACES[place]
    x, y = original.transform @ (across * original.width, down * original.height)
    lons, lats = transform(original.crs, "EPSG:4326", [x], [y])
    finest = tms.zoom_for_res(10.0 / (111_320 if tms.rasterio_crs.is_geographic else 1))
    with open_archive(ARCHIVE) as archive:
        reader = ArchiveReader(archive, blocks=block_cache(1 << 28))
        for zoom in range(finest, finest - 5, -1):
            tile = tms.tile(lons[0], lats[0], zoom)
            grid = tile_grid(tms, tile.x, tile.y, zoom)
            assert grid is not None
            found = reader.read(grid, ["B02", "B03", "B04", "B08"]).array.filled(0).mean(axis=0)
            wanted = _warped(original, grid, [1, 2, 3, 7]).mean(axis=0)
            assert shift_between(found, wanted) < 0.25, (name, zoom)


def test_the_mask_is_what_it_was(original: Any) -> None:
    with open_archive(ARCHIVE) as archive:
        reader = ArchiveReader(archive, blocks=block_cache(1 << 28))
        grid = Grid(original.crs, original.transform, original.height, original.width)
        image = reader.read(grid, ["B02", "B03", "B04", "B08"])
    valid = original.read([1, 2, 3, 7]) != 0
    np.testing.assert_array_equal(~np.ma.getmaskarray(image.array), valid)


def _warped(original: Any, grid: Grid, bands: list[int]) -> NDArray[Any]:
    values = original.read(bands).astype(np.float32)
    out = np.zeros((len(bands), grid.height, grid.width), np.float32)
    reproject(
        values, out, src_transform=original.transform, src_crs=original.crs,
        dst_transform=grid.transform, dst_crs=grid.crs, resampling=Resampling.bilinear,
    )  # fmt: skip
    return out
