"""What is written is what is read, by our reader and by zarr-python alike."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr
import zarr
import zarr_cm
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS

from comeo.archive import Archive, Level, open_archive
from comeo.archive.shard import MAX_BLOCKS_PER_SIDE, shard_sides
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.scene import Scene, Window
from tests.scenes import array_group, array_scene, corner_cut, landscape


def whole(archive: Archive, level: Level) -> NDArray[Any]:
    return archive.read(level, Window(0, 0, level.height, level.width))


def two_group_scene() -> Scene:
    fine = landscape(4, 600, 520)
    coarse = landscape(6, 300, 260, seed=1)
    wide = Affine(20, 0, 472_480, 0, -20, 5_257_490)
    return array_scene(
        array_group(fine, corner_cut(fine.shape)),
        array_group(coarse, corner_cut(coarse.shape), names=[f"C{k}" for k in range(6)], transform=wide),
    )


@pytest.fixture(scope="module", params=["dct", "jpeg2000"])
def archive_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "scene.zarr.zip"
    return compress(two_group_scene(), path, codec=request.param, step=120.0)


def test_georeference_bands_and_masks_survive(archive_path: Path) -> None:
    scene = two_group_scene()
    with open_archive(archive_path) as archive:
        assert list(archive.groups) == ["r10m", "r20m"]
        for source, group in zip(scene.groups, archive.groups.values(), strict=True):
            native = group.levels[0]
            bands = tuple(replace(band, mission="") for band in group.bands)
            assert (bands, group.crs, native.transform) == (source.bands, source.crs, source.transform)
            pixels = source.read(Window(0, 0, source.height, source.width))
            decoded = whole(archive, native)
            np.testing.assert_array_equal(decoded != 0, pixels.valid)
            error = decoded.astype(float) - pixels.values
            assert np.sqrt(np.mean(error[pixels.valid] ** 2)) < 120


@pytest.mark.parametrize("suffix", [".zarr.zip", ".zarr"])
def test_zarr_python_reads_the_same_pixels(archive_path: Path, tmp_path: Path, suffix: str) -> None:
    path = archive_path
    if suffix == ".zarr":
        path = tmp_path / "scene.zarr"
        with zipfile.ZipFile(archive_path) as archive_zip:
            archive_zip.extractall(path)
    store: Any = zarr.storage.ZipStore(path, mode="r") if suffix == ".zarr.zip" else path
    with open_archive(path) as archive:
        for group in archive.groups.values():
            for level in group.levels:
                with xr.open_zarr(
                    store, group=f"{group.name}/{level.number}", mask_and_scale=False
                ) as dataset:
                    np.testing.assert_array_equal(dataset["data"].values, whole(archive, level))


def test_xarray_gives_reflectance_with_nan_where_there_is_none(archive_path: Path) -> None:
    with (
        open_archive(archive_path) as archive,
        xr.open_zarr(zarr.storage.ZipStore(archive_path, mode="r"), group="r20m/0") as dataset,
    ):
        numbers = whole(archive, archive.groups["r20m"].levels[0])
        expected = np.where(numbers == 0, np.nan, numbers * 1e-4 - 0.1)
        np.testing.assert_allclose(dataset["data"].values, expected, rtol=1e-6)
        assert dataset["data"].dims == ("band", "y", "x")


def test_floats_keep_nan_as_nodata(tmp_path: Path) -> None:
    values = landscape(2, 300, 300, dtype=np.float32)
    valid = corner_cut(values.shape)
    scene = array_scene(array_group(np.where(valid, values, np.nan), valid))
    path = compress(scene, tmp_path / "sar.zarr.zip", step=0.5)
    with open_archive(path) as archive:
        group = archive.groups["r10m"]
        np.testing.assert_array_equal(~np.isnan(whole(archive, group.levels[0])), valid)
    with xr.open_zarr(zarr.storage.ZipStore(path, mode="r"), group="r10m/0") as dataset:
        np.testing.assert_array_equal(~np.isnan(dataset["data"].values), valid)


def test_zeros_are_values_where_there_is_no_nodata(tmp_path: Path) -> None:
    values = np.zeros((1, 64, 64), np.uint16)
    path = compress(array_scene(array_group(values)), tmp_path / "dark.zarr.zip", step=10.0)
    with open_archive(path) as archive:
        group = archive.groups["r10m"]
        assert group.nodata is None
        assert (whole(archive, group.levels[0]) == 0).all()


def test_overviews_are_block_means_on_the_right_grid(tmp_path: Path) -> None:
    values = landscape(1, 2100, 300)
    valid = corner_cut(values.shape)
    path = compress(array_scene(array_group(values, valid)), tmp_path / "tall.zarr.zip", step=2.0)
    with open_archive(path) as archive:
        native, overview = archive.groups["r10m"].levels
        assert overview.number == 3
        assert overview.transform == native.transform @ Affine.scale(8)
        decoded = whole(archive, overview)
    rows, cols = 2100 // 8, 300 // 8
    full = valid[0, : rows * 8, : cols * 8].reshape(rows, 8, cols, 8).all(axis=(1, 3))
    means = values[0, : rows * 8, : cols * 8].reshape(rows, 8, cols, 8).mean(axis=(1, 3))
    np.testing.assert_allclose(decoded[0, :rows, :cols][full], means[full], atol=8)


@settings(max_examples=15, deadline=None)
@given(
    bands=st.integers(1, 5), height=st.integers(1, 600), width=st.integers(1, 600), nodata=st.booleans(),
    kind=st.sampled_from(["uint16", "float32"]), codec=st.sampled_from(["dct", "jpeg2000"]),
)  # fmt: skip
def test_any_shape_survives(
    tmp_path_factory: pytest.TempPathFactory,
    bands: int,
    height: int,
    width: int,
    nodata: bool,
    kind: str,
    codec: str,
) -> None:
    values = landscape(bands, height, width, dtype=kind)
    valid = np.random.default_rng(0).random(values.shape) < 0.9 if nodata else None
    if valid is not None:
        valid[:, 0, 0] = True
    path = tmp_path_factory.mktemp("any") / "any.zarr.zip"
    compress(
        array_scene(array_group(values, valid)), path, codec=codec, step=50.0 if kind == "uint16" else 0.5
    )
    with open_archive(path) as archive:
        group = archive.groups["r10m"]
        decoded = whole(archive, group.levels[0])
        assert decoded.shape == values.shape
        assert decoded.dtype == values.dtype
        if valid is not None:
            np.testing.assert_array_equal(~np.isnan(decoded) if kind == "float32" else decoded != 0, valid)
    dataset = xr.open_zarr(zarr.storage.ZipStore(path, mode="r"), group="r10m/0", mask_and_scale=False)
    np.testing.assert_array_equal(dataset["data"].values, decoded)


def test_same_scene_gives_same_bytes(tmp_path: Path) -> None:
    paths = [compress(two_group_scene(), tmp_path / str(k) / "a.zarr.zip", step=300.0) for k in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_entries_are_stored_and_folder_has_the_same_objects(tmp_path: Path) -> None:
    packed = compress(two_group_scene(), tmp_path / "a.zarr.zip", step=300.0)
    folder = compress(two_group_scene(), tmp_path / "a.zarr", step=300.0)
    with zipfile.ZipFile(packed) as archive:
        infos = archive.infolist()
        assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
        for info in infos:
            if info.filename != "zarr.json":  # the ratio in it counts the container
                assert (folder / info.filename).read_bytes() == archive.read(info)
        assert (
            sum(len(files) for _, _, files in folder.walk()) == len(infos)
            if hasattr(folder, "walk")
            else True
        )


def test_metadata_follow_their_conventions(archive_path: Path) -> None:
    with zipfile.ZipFile(archive_path) as archive:
        root = json.loads(archive.read("zarr.json"))
        group = json.loads(archive.read("r10m/zarr.json"))["attributes"]
        level = json.loads(archive.read("r10m/0/zarr.json"))["attributes"]
    for node in (group, level):
        found = zarr_cm.validate_all(node)
        assert found is not None
    item = pystac.Item.from_dict(root["attributes"]["stac_discovery"])
    assert item.id == "test-scene"
    assert item.collection_id == "test"
    comeo = root["attributes"]["comeo"]
    assert comeo["ratio"] == pytest.approx(comeo["raw_bytes"] / archive_path.stat().st_size, rel=1e-4)


def test_crs_without_a_code_survives(tmp_path: Path) -> None:
    crs = CRS.from_proj4("+proj=laea +lat_0=12 +lon_0=34 +datum=WGS84 +units=m")
    scene = array_scene(array_group(landscape(1, 64, 64), crs=crs))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", step=50.0)) as archive:
        assert archive.groups["r10m"].crs == crs


def test_footprint_follows_valid_pixels(archive_path: Path) -> None:
    with open_archive(archive_path) as archive:
        ring = archive.item["geometry"]["coordinates"][0]
        west, south, east, north = archive.item["bbox"]
    assert ring[0] == ring[-1]
    lower_right = [point for point in ring if point[0] > west + 0.9 * (east - west)]
    assert min(y for _, y in lower_right) > south + 0.3 * (north - south)


@pytest.mark.parametrize("blocks", [1, 5, 16, 17, 43, 1000])
def test_shards_waste_few_slots(blocks: int) -> None:
    side, _ = shard_sides(blocks, blocks)
    shards = -(-blocks // side)
    assert side <= MAX_BLOCKS_PER_SIDE
    assert shards * side - blocks < shards


def test_an_existing_archive_is_kept(archive_path: Path) -> None:
    before = archive_path.read_bytes()
    with pytest.raises(ArchiveError, match="--force"):
        compress(two_group_scene(), archive_path, step=500.0)
    assert archive_path.read_bytes() == before
