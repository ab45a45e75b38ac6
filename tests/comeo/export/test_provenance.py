"""Tags of GeoTIFFs, and GeoTIFFs in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.io import MemoryFile

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.export.cog import Raster, RasterBand, encode_geotiff
from comeo.export.extract import extract
from comeo.export.provenance import provenance
from comeo.scene import Scene
from tests.scenes import UTM32, array_group, array_scene, landscape

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)


def two_groups() -> Scene:
    """B04 at 10 m, B11 at 20 m."""
    fine = array_group(landscape(1, 200, 200), names=["B04"], transform=FINE)
    coarse = array_group(landscape(1, 100, 100, 1), names=["B11"], transform=FINE @ Affine.scale(2))
    return array_scene(fine, coarse)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compress(two_groups(), tmp_path_factory.mktemp("two") / "two.zarr.zip", codec="dct", step=20.0)


def test_an_extract_takes_all_bands_the_coarser_ones_repeated(path: Path, tmp_path: Path) -> None:
    with open_archive(path) as archive:
        extract(archive, tmp_path / "a.tif")
        coarse = archive.groups["r20m"].levels[0]
        (block,) = archive.decode_blocks(coarse, [(0, 0)])
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.descriptions == ("B04", "B11")
        assert dataset.tags()["COMEO_RESAMPLING"] == "nearest"
        np.testing.assert_array_equal(dataset.read(2), block[0].repeat(2, axis=0).repeat(2, axis=1))


def test_only_bands_of_the_file_are_certified_in_it(path: Path, tmp_path: Path) -> None:
    with open_archive(path) as archive:
        extract(archive, tmp_path / "a.tif", bands=["B11"])
        extract(archive, tmp_path / "b.tif", expression="B04/2")
    with rasterio.open(tmp_path / "a.tif") as coarse, rasterio.open(tmp_path / "b.tif") as fine:
        assert coarse.tags()["COMEO_EXPECTED_RMSE"].startswith("B11=")
        assert fine.tags()["COMEO_EXPECTED_RMSE"].startswith("B04=")
        assert fine.tags()["COMEO_EXPRESSION"] == "B04/2"
        assert not {"COMEO_RESAMPLING"} & {*coarse.tags(), *fine.tags()}


def test_a_time_that_is_unknown_is_not_written(path: Path, tmp_path: Path) -> None:
    """It was written as 1970."""
    scene = two_groups()
    undated = Scene(
        scene.id, scene.collection, scene.datetime, scene.groups, {"comeo:datetime_unknown": True}, "made-up"
    )
    unknown = compress(undated, tmp_path / "undated.zarr.zip", codec="dct", step=20.0)
    with open_archive(path) as archive:
        assert {"TIFFTAG_DATETIME", "COMEO_DATETIME"} <= set(provenance(archive, ["B04"]))
    with open_archive(unknown) as archive:
        assert not {"TIFFTAG_DATETIME", "COMEO_DATETIME"} & set(provenance(archive, ["B04"]))


@pytest.mark.parametrize("side", [3, 600])
@pytest.mark.parametrize("nodata", [0.0, None])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_an_image_in_memory_is_read_back(side: int, nodata: float | None, dtype: str) -> None:
    values = np.random.default_rng(0).integers(1, 200, (2, side, side)).astype(dtype)
    valid = np.ones((side, side), bool)
    valid[0, 0] = False
    values[:, ~valid] = 0
    raster = Raster(
        UTM32, FINE, side, side, np.dtype(dtype), nodata,
        (RasterBand("B04", 2.0, -1.0, "reflectance"), RasterBand("B08")), {"COMEO_ID": "a"}, masked=True,
    )  # fmt: skip
    with MemoryFile(encode_geotiff(raster, values, valid)) as memory, memory.open() as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, valid)
        assert (dataset.nodata, dataset.crs, dataset.transform) == (nodata, UTM32, FINE)
        assert dataset.descriptions == ("B04", "B08")
        assert (dataset.scales, dataset.offsets) == ((2.0, 1.0), (-1.0, 0.0))
        assert dataset.units[0] == "reflectance"
        assert dataset.tags()["COMEO_ID"] == "a"
