"""Formulas with windows of native pixels, on grids of all sizes of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rio_tiler.models import ImageData

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import BoundError
from comeo.grid import Grid
from comeo.scene import Window
from comeo.view.budget import Budget, Limit, Limits
from comeo.view.pixels import read_pixels
from comeo.view.plan import PixelRequest, plan_pixels
from comeo.view.projection import move_bounds
from comeo.view.reader import ArchiveReader, block_cache
from comeo.view.resampling import ResamplingName
from tests.scenes import UTM32, array_group, array_scene

SIDE = 96
MERCATOR = CRS.from_epsg(3857)
MEAN = "db(focal_mean(lin(VV),2))"
BOTH = f"{MEAN};{MEAN.replace('VV', 'VH')}"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ArchiveReader:
    rng = np.random.default_rng(4)
    values = (10 * np.log10(rng.gamma(4.4, 1 / 4.4, (2, SIDE, SIDE))) - 10).astype(np.float32)
    valid = np.ones(values.shape, bool)
    valid[:, 40:43, 50:54] = False
    values[~valid] = np.nan
    scene = array_scene(array_group(values, valid, names=["VV", "VH"]))
    path = compress(scene, tmp_path_factory.mktemp("radar") / "r.zarr.zip", step=1, codec="dct")
    return ArchiveReader(open_archive(path), block_cache(1 << 26))


def native(reader: ArchiveReader) -> NDArray[np.float64]:
    grid = reader.native_grid()
    return np.asarray(reader.read(grid, ["VV"], "nearest").array.filled(np.nan)[0], np.float64)


def means(
    reader: ArchiveReader, grid: Grid, text: str = MEAN, resampling: ResamplingName = "nearest"
) -> ImageData:
    bands = next(iter(reader.archive.groups.values())).bands
    return read_pixels(reader, grid, plan_pixels(PixelRequest(expression=text, resampling=resampling), bands))


def mean_around(values: NDArray[np.float64], row: int, col: int, reach: int = 2) -> float:
    place = values[max(0, row - reach) : row + reach + 1, max(0, col - reach) : col + reach + 1]
    return float(10 * np.log10(np.nanmean(10 ** (place / 10))))


def test_native_pixels_get_the_mean_power_around_them(reader: ArchiveReader) -> None:
    values = native(reader)
    found = means(reader, reader.native_grid())
    assert found.array.shape == (1, SIDE, SIDE)
    for row, col in ((0, 0), (5, 7), (41, 49), (41, 54), (95, 95), (60, 20)):
        assert found.array[0, row, col] == pytest.approx(mean_around(values, row, col), abs=1e-4)
    missing = np.ma.getmaskarray(found.array)[0]
    np.testing.assert_array_equal(missing, np.isnan(values))


def test_parts_are_as_the_whole(reader: ArchiveReader) -> None:
    grid = reader.native_grid()
    whole = means(reader, grid, BOTH).array
    window = Window(30, 40, 20, 24)
    part = means(reader, grid.part(window), BOTH).array
    np.testing.assert_allclose(part.filled(0), whole.filled(0)[:, 30:50, 40:64], atol=1e-5)


def test_finer_pixels_show_the_means_of_native_ones(reader: ArchiveReader) -> None:
    whole = means(reader, reader.native_grid()).array[0].filled(np.nan)
    grid = reader.native_grid()
    fine = Grid(grid.crs, grid.transform @ Affine.translation(20, 24) @ Affine.scale(1 / 8), 40, 32)
    found = means(reader, fine).array[0].filled(np.nan)
    np.testing.assert_allclose(found, whole[24:29, 20:24].repeat(8, 0).repeat(8, 1), atol=1e-5)


def test_coarser_pixels_are_means_already(reader: ArchiveReader) -> None:
    grid = reader.native_grid()
    coarse = Grid(grid.crs, grid.transform @ Affine.scale(8), 12, 12)
    found = means(reader, coarse, resampling="bilinear").array
    plain = reader.read(coarse, ["VV"], "bilinear").array
    np.testing.assert_allclose(found.filled(0), plain.filled(0), rtol=1e-6)


def test_an_expression_is_given_the_means(reader: ArchiveReader) -> None:
    grid = next(iter(reader.archive.groups.values())).native_grid
    bands = next(iter(reader.archive.groups.values())).bands
    plan = plan_pixels(PixelRequest(expression=f"{MEAN}<-10"), bands)
    found = read_pixels(reader, grid, plan).array
    smooth = means(reader, grid).array
    missing = np.ma.getmaskarray(smooth)[0]
    np.testing.assert_array_equal(found.filled(9)[0], np.where(missing, 9, smooth.data[0] < -10))


def test_the_work_is_charged(reader: ArchiveReader) -> None:
    small = ArchiveReader(reader.archive, reader.blocks, Budget(Limits(computed=Limit(1000, "max_terms"))))
    with pytest.raises(BoundError):
        means(small, small.native_grid())


@pytest.mark.parametrize("size", [0.4, 2.4, 13.0, 31.0])
@pytest.mark.parametrize("text", [MEAN, "focal_std(VV, 1) + focal_median(VH, 2)", "lee(lin(VV), 3)"])
def test_tiles_of_a_map_are_as_one_picture(reader: ArchiveReader, size: float, text: str) -> None:
    """On pixels of any size of a projection other than the scene's there are no seams."""
    bounds = move_bounds(UTM32, MERCATOR, reader.native_grid().bounds)
    assert bounds is not None
    west, south, east, north = bounds
    side = 32
    origin = Affine(size, 0, west + (east - west) / 3, 0, -size, north - (north - south) / 3)
    whole = means(reader, Grid(MERCATOR, origin, 2 * side, 2 * side), text).array.filled(np.nan)[0]
    assert np.isfinite(whole).any()
    for row, col in ((0, 0), (0, side), (side, 0), (side, side)):
        tile = Grid(MERCATOR, origin @ Affine.translation(col, row), side, side)
        found = means(reader, tile, text).array.filled(np.nan)[0]
        np.testing.assert_allclose(found, whole[row : row + side, col : col + side], rtol=2e-3, atol=2e-3)
