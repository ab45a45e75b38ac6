"""GeoTIFFs with named bands: what they hold arrives whole, what they lack is said."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import open_source
from tests.comeo.sources.conftest import UTM32, north_up, write_tif


def bands_of(count: int, dtype: str = "uint16", shape: tuple[int, int] = (50, 70)) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.integers(1, 120, (count, *shape)).astype(dtype)


def test_bands_georeference_and_nodata_arrive_whole(tmp_path: Path) -> None:
    values = bands_of(3)
    values[1, 5:9, 7] = 0
    path = write_tif(tmp_path / "S2A_20200102_T32TMT_L2A.tif", values, ["B02", "B03", "B04"], nodata=0)
    scene = open_source(path)
    (group,) = scene.groups
    pixels = group.read(Window(0, 0, 50, 70))
    assert np.array_equal(pixels.values, values)
    assert np.array_equal(pixels.valid, values != 0)
    assert (group.name, group.height, group.width) == ("r10m", 50, 70)
    assert group.transform == north_up()
    assert group.crs == rasterio.CRS.from_epsg(32632)
    assert group.has_nodata
    assert scene.id == "S2A_20200102_T32TMT_L2A"
    assert scene.collection == "sentinel-2-l2a"
    assert scene.datetime == datetime(2020, 1, 2, tzinfo=UTC)
    assert scene.properties["start_datetime"] == "2020-01-02T00:00:00Z"
    assert scene.properties["end_datetime"] == "2020-01-02T23:59:59Z"
    assert scene.properties["platform"] == "sentinel-2a"
    assert scene.properties["grid:code"] == "MGRS-32TMT"
    assert scene.raw_bytes == 3 * 50 * 70 * 2
    assert len(scene.source_checksum) == 64
    scene.close()


def test_any_window_equals_the_part_of_the_whole(tmp_path: Path) -> None:
    values = bands_of(2, shape=(300, 400))
    path = write_tif(tmp_path / "x.tif", values, ["B02", "B03"], tiled=True, blockxsize=64, blockysize=64)
    (group,) = open_source(path).groups
    rng = np.random.default_rng(0)
    for _ in range(30):
        row, col = int(rng.integers(0, 299)), int(rng.integers(0, 399))
        window = Window(row, col, int(rng.integers(1, 300 - row + 1)), int(rng.integers(1, 400 - col + 1)))
        assert np.array_equal(group.read(window).values, values[:, *window.slices])


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, 51, 5), (0, 69, 1, 2), (0, 0, 0, 1)])
def test_a_window_outside_the_grid_is_refused(tmp_path: Path, window: tuple[int, int, int, int]) -> None:
    (group,) = open_source(write_tif(tmp_path / "x.tif", bands_of(1), ["B02"])).groups
    with pytest.raises(ValueError, match="does not lie inside"):
        group.read(Window(*window))


def test_many_threads_read_alike(tmp_path: Path) -> None:
    values = bands_of(4, shape=(512, 512))
    path = write_tif(tmp_path / "x.tif", values, ["B02", "B03", "B04", "B08"], tiled=True, compress="deflate")
    scene = open_source(path)
    (group,) = scene.groups
    windows = [Window(row, col, 64, 64) for row in range(0, 512, 64) for col in range(0, 512, 64)]
    with ThreadPoolExecutor(8) as pool:
        for window, pixels in zip(windows, pool.map(group.read, windows), strict=True):
            assert np.array_equal(pixels.values, values[:, *window.slices])
    scene.close()
    with pytest.raises(SourceError, match="has been closed"):
        group.read(windows[0])


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("B2", "B02"),
        ("b8a", "B8A"),
        ("Band 4", "B04"),
        ("B12, central wavelength 2190 nm", "B12"),
        ("nir", "B08"),
    ],
)
def test_descriptions_are_understood_as_people_write_them(
    tmp_path: Path, description: str, name: str
) -> None:
    scene = open_source(write_tif(tmp_path / "S2_2020-01-01.tif", bands_of(1), [description]))
    (band,) = scene.groups[0].bands
    assert band.name == name
    assert band.unit == "reflectance"
    assert band.center_wavelength is not None


def test_bands_that_are_not_sentinel2_s_stay_what_they_are(tmp_path: Path) -> None:
    scene = open_source(
        write_tif(tmp_path / "heights.tif", bands_of(2), ["height", "slope"]), datetime="2020-01-01"
    )
    assert [(band.name, band.scale, band.unit) for band in scene.groups[0].bands] == [
        ("height", 1.0, ""),
        ("slope", 1.0, ""),
    ]
    assert scene.collection == "scenes"
    assert "constellation" not in scene.properties


def test_an_assumed_scale_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = open_source(write_tif(tmp_path / "S2_2023-01-01.tif", bands_of(1), ["B02"]))
    band = scene.groups[0].bands[0]
    assert (band.scale, band.offset, band.unit) == (1e-4, 0.0, "reflectance")
    assert scene.properties["comeo:scale_assumed"] is True
    assert "is assumed" in caplog.text
    assert "give --offset -0.1 or --offset 0" in caplog.text


def test_a_stated_scale_is_kept(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "S2_2023-01-01.tif", bands_of(1), ["B02"])
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (2e-4,), (-0.1,)
    scene = open_source(path)
    assert (scene.groups[0].bands[0].scale, scene.groups[0].bands[0].offset) == (2e-4, -0.1)
    assert "comeo:scale_assumed" not in scene.properties


def test_an_unknown_date_is_marked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = open_source(write_tif(tmp_path / "scene.tif", bands_of(1), ["B02"]))
    assert scene.datetime == datetime(1970, 1, 1, tzinfo=UTC)
    assert scene.properties["comeo:datetime_unknown"] is True
    assert "--datetime" in caplog.text


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("T32TMT_20190530T103031_all", datetime(2019, 5, 30, 10, 30, 31, tzinfo=UTC)),
        ("S2_romania_2019-05-30", datetime(2019, 5, 30, tzinfo=UTC)),
        ("S2_20190530_x", datetime(2019, 5, 30, tzinfo=UTC)),
        ("S2_20191330_x", datetime(1970, 1, 1, tzinfo=UTC)),
        ("S2_2019-0530_x", datetime(1970, 1, 1, tzinfo=UTC)),
        ("S2_120190530_x", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_dates_in_names(tmp_path: Path, stem: str, expected: datetime) -> None:
    assert open_source(write_tif(tmp_path / f"{stem}.tif", bands_of(1), ["B02"])).datetime == expected


def test_time_in_tags_and_from_the_caller(tmp_path: Path) -> None:
    path = write_tif(
        tmp_path / "S2_2019-05-30.tif", bands_of(1), ["B02"], tags={"datetime": "2018-01-01T12:00:00+02:00"}
    )
    assert open_source(path).datetime == datetime(2018, 1, 1, 10, tzinfo=UTC)
    assert open_source(path, datetime="2017-01-01").datetime == datetime(2017, 1, 1, tzinfo=UTC)
    with pytest.raises(SourceError, match="not a time"):
        open_source(path, datetime="yesterday")
    bad = write_tif(tmp_path / "bad.tif", bands_of(1), ["B02"], tags={"datetime": "noon"})
    assert open_source(bad).properties["comeo:datetime_unknown"] is True
    assert open_source(bad, datetime="2017-01-01").datetime == datetime(2017, 1, 1, tzinfo=UTC)


def test_scene_classes_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = np.full((2, 10, 10), 500, np.uint16)
    values[1] = 4
    values[1, :2] = 0
    values[1, 2:4] = 9
    values[1, 4] = 10
    path = write_tif(tmp_path / "S2_2020-01-01.tif", values, ["B02", "SCL"])
    scene = open_source(path)
    assert [band.name for band in scene.groups[0].bands] == ["B02"]
    assert scene.properties["eo:cloud_cover"] == pytest.approx(100 * 30 / 80)
    assert scene.properties["s2:vegetation_percentage"] == pytest.approx(100 * 50 / 80)
    assert "layer SCL (SCL) is not a band and is left out" in caplog.text


def test_masks_and_alpha_are_validity(tmp_path: Path) -> None:
    values = bands_of(3)
    values[2] = 255
    values[2, 10:20] = 0
    path = write_tif(tmp_path / "a.tif", values, ["B02", "B03", None])
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = (ColorInterp.gray, ColorInterp.undefined, ColorInterp.alpha)
    (group,) = open_source(path).groups
    assert len(group.bands) == 2
    assert group.has_nodata
    pixels = group.read(Window(0, 0, 50, 70))
    assert np.array_equal(pixels.valid[1], values[2] > 0)
    assert np.array_equal(pixels.values, values[:2])

    mask = np.ones((50, 70), bool)
    mask[:, :3] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write_tif(tmp_path / "m.tif", values[:1], ["B02"])
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(mask)
    (group,) = open_source(path).groups
    assert np.array_equal(group.read(Window(0, 0, 50, 70)).valid[0], mask)


@pytest.mark.parametrize(
    ("dtype", "kept"), [("uint8", "uint16"), ("int16", "float32"), ("float64", "float32")]
)
def test_number_types_are_kept_without_loss(tmp_path: Path, dtype: str, kept: str) -> None:
    values = bands_of(1, dtype)
    if dtype == "int16":
        values = -values
    (group,) = open_source(write_tif(tmp_path / "x.tif", values, ["height"])).groups
    assert group.dtype == np.dtype(kept)
    pixels = group.read(Window(0, 0, 50, 70))
    assert pixels.values.dtype == np.dtype(kept)
    assert np.array_equal(pixels.values, values.astype(kept))


@pytest.mark.parametrize("dtype", ["int32", "uint32", "complex64"])
def test_number_types_that_would_lose_are_refused(tmp_path: Path, dtype: str) -> None:
    path = write_tif(tmp_path / "x.tif", bands_of(1, dtype), ["VV"])
    with pytest.raises(SourceError, match="numbers; only"):
        open_source(path)


@pytest.mark.parametrize("nodata", [None, -9999.0, float("nan")])
def test_floats_that_are_not_finite_are_never_valid(tmp_path: Path, nodata: float | None) -> None:
    values = -1 - bands_of(1, "float32") % 20
    values[0, 0, :3] = np.nan, np.inf, -np.inf
    values[0, 1, 0] = -9999
    (group,) = open_source(write_tif(tmp_path / "x_dB.tif", values, ["VV"], nodata=nodata)).groups
    assert group.has_nodata
    expected = np.isfinite(values) & (values != -9999 if nodata == -9999 else True)
    assert np.array_equal(group.read(Window(0, 0, 50, 70)).valid, expected)
    assert group.bands[0].unit == "dB"


def test_integer_nodata_other_than_zero(tmp_path: Path) -> None:
    values = bands_of(1)
    values[0, 3] = 65535
    values[0, 4] = 0
    (group,) = open_source(write_tif(tmp_path / "x.tif", values, ["B02"], nodata=65535)).groups
    assert np.array_equal(group.read(Window(0, 0, 50, 70)).valid, values != 65535)


@pytest.mark.parametrize(
    ("transform", "crs", "message"),
    [
        (Affine(10, 1, 0, 0, -10, 0), UTM32, "rotated or sheared"),
        (Affine(10, 0, 0, 1, -10, 0), UTM32, "rotated or sheared"),
        (Affine(10, 0, 0, 0, 10, 0), UTM32, "run backwards"),
        (Affine(-10, 0, 0, 0, -10, 0), UTM32, "run backwards"),
        (north_up(), None, "no coordinate reference system"),
    ],
)
def test_georeferences_that_can_t_be_kept_are_refused(
    tmp_path: Path, transform: Affine, crs: str | None, message: str
) -> None:
    path = write_tif(tmp_path / "x.tif", bands_of(1), ["B02"], transform=transform, crs=crs)
    with pytest.raises(SourceError, match=message):
        open_source(path)


def test_missing_names_are_asked_for_and_can_be_given(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "x_20200101.tif", bands_of(2), ["B02", None])
    with pytest.raises(SourceError, match="its band 2; name all its bands with `--bands`"):
        open_source(path)
    scene = open_source(path, bands=["B04", "B8A"])
    assert [band.name for band in scene.groups[0].bands] == ["B04", "B8A"]
    with pytest.raises(SourceError, match="has 2 bands, but 3 names"):
        open_source(path, bands=["B02", "B03", "B04"])
    with pytest.raises(SourceError, match="more than one band named B02"):
        open_source(path, bands=["B02", "b2"])


@pytest.mark.parametrize("given", ["", "a/b", "../x", ".hidden", "x" * 129, "a b"])
def test_ids_that_can_t_be_file_names_are_refused(tmp_path: Path, given: str) -> None:
    path = write_tif(tmp_path / "x.tif", bands_of(1), ["B02"])
    with pytest.raises(SourceError, match="is not usable"):
        open_source(path, scene_id=given)
    with pytest.raises(SourceError, match="is not usable"):
        open_source(path, collection=given)


def test_ids_follow_the_caller_or_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_tif(tmp_path / "my scene (1).tif", bands_of(1), ["B02"])
    assert open_source(path).id == "my_scene_1_"
    assert "is written as" in caplog.text
    scene = open_source(path, scene_id="other", collection="mine")
    assert (scene.id, scene.collection) == ("other", "mine")


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    target = write_tif(tmp_path / "real.tif", bands_of(1), ["B02"])
    virtual = tmp_path / "vrt.tif"
    virtual.write_text(
        f"""<VRTDataset rasterXSize="70" rasterYSize="50"><VRTRasterBand dataType="UInt16" band="1">
        <SimpleSource><SourceFilename>{target}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""
    )
    (tmp_path / "text.tif").write_text("no image")
    (tmp_path / "empty.tif").touch()
    for name in ("vrt.tif", "text.tif", "empty.tif"):
        with pytest.raises(SourceError, match="cannot be opened"):
            open_source(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError, match="is none of what can be opened"):
        open_source(tmp_path / "notes.txt")
    with pytest.raises(SourceError, match="does not exist; check its name"):
        open_source(tmp_path / "missing.tif")


def test_truncated_files_are_named(tmp_path: Path) -> None:
    path = write_tif(
        tmp_path / "x.tif", bands_of(4, shape=(256, 256)), ["B02", "B03", "B04", "B08"], tiled=True
    )
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(SourceError, match=r"x\.tif cannot be"):
            open_source(path).groups[0].read(Window(0, 0, 256, 256))


def test_pieces_too_large_for_memory_are_refused(tmp_path: Path) -> None:
    side = 20000 // 16 * 16
    layout = {"tiled": True, "blockxsize": side, "blockysize": side, "SPARSE_OK": True, "compress": "deflate"}
    shape = {"count": 1, "height": 20000, "width": 20000, "dtype": "uint16"}
    where = {"crs": UTM32, "transform": north_up()}
    with rasterio.open(tmp_path / "huge.tif", "w", driver="GTiff", **shape, **where, **layout) as dataset:
        dataset.set_band_description(1, "B02")
    with pytest.raises(SourceError, match="too large for reading in windows"):
        open_source(tmp_path / "huge.tif")


def test_the_real_scenes(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scenes = shared_data / "scenes"
    for name, bands, shape, dtype in (
        ("S2_20220728_T32TMT_L2A_B02.tif", 1, (2142, 2152), "uint16"),
        ("S2_spain_flood_L1C_13bands.tif", 13, (512, 512), "uint16"),
        ("S2_UTM37N_12bands_30m.tif", 12, (333, 333), "uint16"),
        ("S1_spain_flood_VVVH_dB.tif", 2, (512, 512), "float32"),
    ):
        scene = open_source(scenes / name)
        (group,) = scene.groups
        with rasterio.open(scenes / name) as dataset:
            expected = dataset.read()
            assert group.transform == dataset.transform
            assert group.crs == dataset.crs
        assert (len(group.bands), (group.height, group.width), group.dtype.name) == (bands, shape, dtype)
        pixels = group.read(Window(0, 0, *shape))
        assert np.array_equal(pixels.values, expected)
        scene.close()


def test_radar_geometry_is_refused(shared_data: Path) -> None:
    (measurement,) = (shared_data / "scenes" / "S1_GRD_IW_DV").glob("*/measurement/iw-vv.tiff")
    with pytest.raises(SourceError, match="ground control points only"):
        open_source(measurement)
    with pytest.raises(SourceError, match="Sentinel-1 product in radar geometry"):
        open_source(shared_data / "scenes" / "S1_GRD_IW_DV")


@pytest.mark.parametrize("crs", ['LOCAL_CS["here",UNIT["metre",1]]', "EPSG:4978", "EPSG:3855"])
def test_a_crs_of_no_map_is_refused(tmp_path: Path, crs: str) -> None:
    path = write_tif(tmp_path / "x.tif", bands_of(1), ["B02"], crs=crs)
    with pytest.raises(SourceError, match="neither projected nor geographic"):
        open_source(path)
