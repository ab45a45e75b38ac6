"""The xarray engine: coordinates, projection, masks and scales, and no block decoded in vain."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rioxarray  # noqa: F401 - registers itself with xarray
import xarray as xr
import zarr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from rasterio.crs import CRS

from comeo.archive import Archive, open_archive
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.scene import Band, BandGroup, Scene
from tests.comeo.archive.ranges import serving
from tests.scenes import UTM32, array_group, array_scene, corner_cut, landscape

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
HEIGHT, WIDTH = 300, 420

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def make(path: Path, *groups: BandGroup, **properties: Any) -> Path:
    scene = array_scene(*groups)
    named = Scene(scene.id, scene.collection, scene.datetime, groups, {**scene.properties, **properties})
    return compress(named, path, step=20.0)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three bands at 10 m with a corner of nodata, and two at 20 m."""
    values = landscape(3, HEIGHT, WIDTH)
    fine = array_group(values, corner_cut(values.shape), names=["B02", "B03", "B04"], transform=FINE)
    coarse = array_group(
        landscape(2, HEIGHT // 2, WIDTH // 2, 1), names=["B11", "B12"], transform=FINE @ Affine.scale(2)
    )
    return make(tmp_path_factory.mktemp("xarray") / "scene.zarr.zip", fine, coarse)


@pytest.fixture(scope="module")
def stored(path: Path) -> np.ndarray[Any, Any]:
    """The pixels as plain Zarr gives them."""
    with zarr.storage.ZipStore(path, mode="r") as store:
        array: Any = zarr.open_group(store, mode="r")["r10m/0/data"]
        return np.asarray(array[:])


@pytest.fixture
def dataset(path: Path) -> Iterator[xr.Dataset]:
    with xr.open_dataset(path, engine="comeo", group="r10m") as opened:
        yield opened


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Blocks as they are decoded."""
    blocks: list[tuple[int, int]] = []
    true = Archive.decode_blocks

    def spy(self: Archive, level: Any, wanted: Any, reduce: int = 0, finer: Any = None) -> Any:
        blocks.extend(wanted)
        return true(self, level, wanted, reduce, finer)

    monkeypatch.setattr(Archive, "decode_blocks", spy)
    return blocks


def test_values_are_reflectance_and_nothing_where_there_is_none(
    dataset: xr.Dataset, stored: np.ndarray[Any, Any]
) -> None:
    values = dataset["data"].values
    np.testing.assert_array_equal(np.isnan(values), stored == 0)
    valid = stored != 0
    np.testing.assert_allclose(values[valid], stored[valid] * 1e-4 - 0.1, atol=1e-6)
    assert dataset["data"].dims == ("band", "y", "x")
    assert dataset["data"].dtype == np.float32


def test_open_zarr_gives_the_same(dataset: xr.Dataset, path: Path) -> None:
    with xr.open_zarr(zarr.storage.ZipStore(path, mode="r"), group="r10m/0", chunks=None) as plain:
        np.testing.assert_allclose(dataset["data"].values, plain["data"].values, atol=1e-6)


def test_coordinates_are_pixel_centres_names_and_the_time(dataset: xr.Dataset) -> None:
    assert list(dataset["band"].values) == ["B02", "B03", "B04"]
    for name, col, row in (("x", 0, 0), ("y", 0, 0), ("x", WIDTH - 1, 0), ("y", 0, HEIGHT - 1)):
        x, y = FINE @ (col + 0.5, row + 0.5)
        assert dataset[name].values[max(col, row)] == (x if name == "x" else y)
    assert dataset["time"].values == np.datetime64("2020-05-01T10:30:00")
    assert dataset["x"].attrs["standard_name"] == "projection_x_coordinate"
    assert dataset.attrs["id"] == "test-scene"


def test_rioxarray_knows_where_it_is(dataset: xr.Dataset) -> None:
    assert CRS.from_user_input(dataset.rio.crs) == UTM32
    assert dataset.rio.transform() == FINE
    x, y = FINE @ (WIDTH, HEIGHT)
    assert dataset.rio.bounds() == (FINE.c, y, x, FINE.f)
    assert dataset["data"].rio.encoded_nodata == 0
    clipped = dataset["data"].rio.clip_box(FINE.c, y, FINE.c + 100, y + 50)
    assert clipped.shape == (3, 5, 10)


def test_stored_numbers_can_be_had(path: Path, stored: np.ndarray[Any, Any]) -> None:
    with xr.open_dataset(path, engine="comeo", group="r10m", mask_and_scale=False) as raw:
        np.testing.assert_array_equal(raw["data"].values, stored)
        assert raw["data"].dtype == np.uint16
        assert raw["data"].attrs["_FillValue"] == 0
        assert raw["data"].attrs["scale_factor"] == np.float32(1e-4)


def test_it_survives_being_written_and_read_again(dataset: xr.Dataset, tmp_path: Path) -> None:
    dataset.isel(x=slice(0, 50), y=slice(0, 50)).to_zarr(tmp_path / "copy.zarr", consolidated=False)
    with xr.open_zarr(tmp_path / "copy.zarr", chunks=None, consolidated=False, decode_coords="all") as copy:
        np.testing.assert_allclose(copy["data"].values, dataset["data"].values[:, :50, :50], atol=1e-6)
        assert CRS.from_user_input(copy.rio.crs) == UTM32


def test_only_blocks_looked_at_are_decoded(path: Path, decoded: list[tuple[int, int]]) -> None:
    with xr.open_dataset(path, engine="comeo") as opened:
        window = opened["data"].isel(x=slice(260, 300), y=slice(10, 20)).sel(band="B03")
        assert decoded == []
        assert window.shape == (10, 40)
        assert np.isfinite(window.values).any()
        assert decoded == [(0, 1)]
        points = opened["data"].isel(x=xr.DataArray([0, 419], dims="p"), y=xr.DataArray([0, 0], dims="p"))
        assert points.values.shape == (3, 2)
        assert (1, 0) not in decoded


def counting(part: slice) -> bool:
    """Whether a slice is one that xarray takes itself: an empty one that runs backwards it does not."""
    return (part.step or 1) > 0 or min(len(range(size)[part]) for size in (3, HEIGHT, WIDTH)) > 0


indexers = st.one_of(
    st.integers(-HEIGHT, HEIGHT - 1),
    st.slices(HEIGHT).filter(counting),
    st_numpy.arrays(np.int64, st.integers(0, 9), elements=st.integers(-HEIGHT, HEIGHT - 1)),
)


@given(
    bands=st.one_of(st.integers(-3, 2), st.slices(3).filter(counting), st.just([2, 0])),
    rows=indexers,
    cols=indexers,
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_any_index_gives_what_numpy_gives(
    path: Path, stored: np.ndarray[Any, Any], bands: Any, rows: Any, cols: Any
) -> None:
    with xr.open_dataset(path, engine="comeo", mask_and_scale=False, cache=False) as raw:
        found = raw["data"].isel(band=bands, y=rows, x=cols)
        expected = xr.DataArray(stored, dims=("band", "y", "x")).isel(band=bands, y=rows, x=cols)
        assert found.dims == expected.dims
        np.testing.assert_array_equal(found.values, expected.values)


def test_groups_and_levels_have_the_paths_of_zarr(path: Path) -> None:
    with xr.open_dataset(path, engine="comeo", group="/r20m/0") as coarse:
        assert coarse["data"].shape == (2, HEIGHT // 2, WIDTH // 2)
        assert coarse.rio.transform() == FINE @ Affine.scale(2)
    with xr.open_datatree(path, engine="comeo") as tree:
        assert set(tree.children) == {"r10m", "r20m"}
        assert list(tree["r20m"].to_dataset()["band"].values) == ["B11", "B12"]
    with pytest.raises(ArchiveError, match=r"has no group r60m; it has r10m/0, r20m/0"):
        xr.open_dataset(path, engine="comeo", group="r60m")


def test_it_can_be_pickled_for_other_processes(path: Path, stored: np.ndarray[Any, Any]) -> None:
    with xr.open_dataset(path, engine="comeo", mask_and_scale=False, cache=False) as opened:
        copied = pickle.loads(pickle.dumps(opened["data"][:, 5:9]))
    np.testing.assert_array_equal(copied.values, stored[:, 5:9])


def test_xarray_guesses_the_engine_for_archives_only(path: Path, tmp_path: Path) -> None:
    with xr.open_dataset(path) as opened:
        assert opened["data"].shape == (3, HEIGHT, WIDTH)
    other = tmp_path / "other.zarr.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("zarr.json", "{}")
    with pytest.raises(ValueError, match="engine"):
        xr.open_dataset(other)


def test_damage_is_one_sentence(path: Path, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    broken = tmp_path / "broken.zarr.zip"
    broken.write_bytes(content)
    with (
        xr.open_dataset(broken, engine="comeo") as opened,
        pytest.raises(ArchiveError, match=r"broken.zarr.zip"),
    ):
        opened["data"].load()
    with pytest.raises(ArchiveError, match=r"missing.zarr.zip cannot be read"):
        xr.open_dataset(tmp_path / "missing.zarr.zip", engine="comeo")
    with path.open("rb") as stream, pytest.raises(ArchiveError, match="name or URL"):
        xr.open_dataset(stream, engine="comeo")


def test_bands_of_different_scales_are_scaled_each_by_its_own(tmp_path: Path) -> None:
    values = landscape(2, 64, 64)
    group = array_group(values, np.ones(values.shape, bool))
    bands = (Band("a", 2.0, 1.0), Band("b", 0.5, -3.0))
    mixed = BandGroup(
        group.name,
        bands,
        group.height,
        group.width,
        group.dtype,
        group.crs,
        group.transform,
        True,
        group.read,
    )
    path = make(tmp_path / "mixed.zarr.zip", mixed)
    with (
        xr.open_dataset(path, engine="comeo") as physical,
        xr.open_dataset(path, engine="comeo", mask_and_scale=False) as raw,
    ):
        numbers = raw["data"].values.astype(np.float32)
        np.testing.assert_allclose(physical["data"].sel(band="a"), numbers[0] * 2 + 1)
        np.testing.assert_allclose(physical["data"].sel(band="b"), numbers[1] * 0.5 - 3)


def test_an_askew_grid_has_its_transform_only(tmp_path: Path) -> None:
    askew = FINE @ Affine.rotation(30)
    path = make(tmp_path / "askew.zarr.zip", array_group(landscape(1, 40, 50), transform=askew))
    with xr.open_dataset(path, engine="comeo") as opened:
        assert "x" not in opened.coords
        assert opened.rio.transform().almost_equals(askew)


def test_a_time_that_nobody_knows_is_left_out(tmp_path: Path) -> None:
    group = array_group(landscape(1, 40, 50))
    path = make(tmp_path / "undated.zarr.zip", group, **{"comeo:datetime_unknown": True})
    with xr.open_dataset(path, engine="comeo") as opened:
        assert "time" not in opened.coords


def test_radar_is_decibels(tmp_path: Path) -> None:
    values = landscape(2, 64, 64, 3, np.float32)
    valid = corner_cut(values.shape)
    path = make(tmp_path / "radar.zarr.zip", array_group(values, valid, names=["VV", "VH"]))
    with xr.open_dataset(path, engine="comeo") as opened:
        assert opened["data"].attrs["units"] == "dB"
        np.testing.assert_array_equal(np.isnan(opened["data"].values), ~valid)


def test_a_window_over_http_takes_few_bytes(tmp_path: Path) -> None:
    values = landscape(3, 1500, 1500)
    path = make(tmp_path / "large.zarr.zip", array_group(values, np.ones(values.shape, bool)))
    content = path.read_bytes()
    with serving(content) as server, xr.open_dataset(server.url, engine="comeo") as far:
        window = far["data"].isel(x=slice(300, 400), y=slice(700, 800)).values
        assert server.sent < len(content) / 6
    with xr.open_dataset(path, engine="comeo") as near:
        np.testing.assert_array_equal(window, near["data"].values[:, 700:800, 300:400])


def test_a_relative_name_outlives_a_change_of_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with xr.open_dataset(path.name, engine="comeo") as opened:
        os.chdir("/")
        assert opened["data"].isel(x=0, y=0).values.shape == (3,)


def test_the_time_is_that_of_the_item(path: Path, dataset: xr.Dataset) -> None:
    with open_archive(path) as archive:
        moment = archive.datetime
    assert moment is not None
    assert dataset["time"].values == np.datetime64(moment.replace(tzinfo=None))
