"""GeoTIFFs as processors and people write them: mission, bands, numbers, layers and times come out right.

Names of files and bands and tags are those that the programs named in the comments write; pixels are made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import open_source
from tests.comeo.sources.conftest import write_tif

REFLECTANCE = "reflectance"
SIDE = 80  # more pixels than make few values look like classes


@dataclass(frozen=True)
class Case:
    """A file and what it is: bands, (unit, scale, offset) of the first, constellation; or a refusal."""

    name: str
    descriptions: str
    bands: str = ""
    meaning: tuple[str, float, float] = (REFLECTANCE, 1e-4, 0.0)
    refused: str = ""
    constellation: str | None = "sentinel-2"
    dtype: str = "uint16"
    values: tuple[float, float] = (300, 4000)
    time: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)


HLS_TAGS = {"SENSING_TIME": "2020-05-29T10:30:31.024Z; 2020-05-29T10:30:40Z",
            "SPACECRAFT_NAME": "Sentinel-2A", "scale_factor": "0.0001", "add_offset": "0",
            "PROCESSING_BASELINE": "05.00"}  # fmt: skip
GDAL_TAGS = {"DATATAKE_1_SPACECRAFT_NAME": "Sentinel-2A", "PROCESSING_BASELINE": "05.11",
             "DATATAKE_1_DATATAKE_SENSING_START": "2025-03-01T10:30:31.025Z"}  # fmt: skip
GEE = "20200101T103031_20200101T103552_T32TMT"
UNKNOWN = ("", 1.0, 0.0)
FLOAT: dict[str, Any] = {"dtype": "float32", "values": (0.01, 0.6), "meaning": (REFLECTANCE, 1.0, 0.0)}

CASES = [
    # HLS
    Case("HLS.S30.T32TMT.2020150T103031.v2.0.B04", "", "B04", dtype="int16", time="2020-05-29T10:30:31"),
    Case("HLS.S30.T32TMT.2024366T103031.v2.0.B8A", "", "B8A", dtype="int16", time="2024-12-31T10:30:31"),
    Case("HLS.S30.T32TMT.2022150T103031.v2.0.B02", "", "B02", dtype="int16", tags={"scale_factor": "0.0001"}),
    Case("HLS.S30.T32TMT.2020150T103031.v2.0.Fmask", "", refused="no band of measurements", dtype="uint8"),
    Case("HLS.L30.T32TMT.2020150T103031.v2.0.B05", "", refused="is of Landsat", dtype="int16"),
    Case("renamed", "B04", "B04", dtype="int16", tags=HLS_TAGS, time="2020-05-29T10:30:31"),
    # MAJA
    Case("SENTINEL2A_20200101-105435-123_L2A_T31TCJ_C_V2-2_FRE_B2", "", "B02", dtype="int16",
         time="2020-01-01T10:54:35"),
    Case("SENTINEL2B_20230101-105435-123_L2A_T31TCJ_C_V3-1_FRE_B8A", "", "B8A", dtype="int16"),
    Case("SENTINEL2A_20200101-105435-123_L2A_T31TCJ_C_V2-2_CLM_R1", "", refused="no band of", dtype="uint8"),
    Case("VENUS-XS_20201030-114859-000_L2A_BAMBENW2_C_V3-0_FRE_B2", "", refused="is of VENµS", dtype="int16"),
    # Google Earth Engine
    Case(GEE, "B2,B3,B4,B8A,SCL,MSK_CLDPRB,QA60", "B02 B03 B04 B8A", time="2020-01-01T10:30:31"),
    Case(f"COPERNICUS_S2_SR_HARMONIZED_{GEE.replace('2020', '2023')}",
         "B4,TCI_R,TCI_G,TCI_B,probability", "B04"),
    Case(f"S2_{GEE}_cs", "B4,cs,cs_cdf", "B04"),
    Case("S1A_IW_GRDH_1SDV_20200101T053412_20200101T053437_030600_038185_1234", "VV,VH,angle", "VV VH",
         ("dB", 1.0, 0.0), constellation="sentinel-1", dtype="float64", values=(-25.0, -5.0)),
    Case("LANDSAT_LC08_C02_T1_L2_LC08_190027_20220301", "SR_B4,SR_B5", refused="is of Landsat"),
    # SNAP
    Case("S1A_IW_GRDH_1SDV_20200101T053412_Orb_Cal_TC", "Gamma0_VV,Gamma0_VH", "VV VH", ("dB", 1.0, 0.0),
         constellation="sentinel-1", dtype="float32", values=(0.001, 0.4)),
    Case("S1B_20200101_Spk_TC", "Sigma0_VV_dB,Sigma0_VH_dB", "VV VH", ("dB", 1.0, 0.0),
         constellation="sentinel-1", dtype="float32", values=(-25.0, -5.0)),
    Case("subset_0_of_S1A_20200101", "Beta0_HH", "HH", ("dB", 1.0, 0.0),
         constellation="sentinel-1", dtype="float32", values=(0.001, 0.4)),
    Case("S1A_20200101_uncalibrated", "Amplitude_VV,Intensity_VH",
         refused="calibrate it .* --quantity sigma0 --scale amplitude"),
    Case("S1A_20200101_stretched_dB", "VV", refused="a byte is not dB; .* --scale", dtype="uint8",
         values=(1, 255)),
    Case("S2A_MSIL2A_20190530T103031_N0212_R108_T32TMT_resampled",
         "B4,B8A,quality_scene_classification,quality_cloud_confidence,view_zenith_mean,opaque_clouds_10m",
         "B04 B8A"),
    # ACOLITE
    Case("S2A_MSI_2022_04_25_16_06_07_T17RNJ_L2R", "rhos_443,rhos_665,rhos_865,l2_flags",
         "B01 B04 B8A", **FLOAT, time="2022-04-25T16:06:07"),
    Case("S2B_MSI_2022_04_25_16_06_07_T17RNJ_L2R", "rhos_442,rhos_2186", "B01 B12", **FLOAT),
    Case("S2A_MSI_2022_04_25_16_06_07_T17RNJ_L2W", "Rrs_665", "Rrs_665", UNKNOWN, dtype="float32",
         values=(0.0001, 0.02)),
    Case("L8_OLI_2022_04_25_16_06_07_L2R", "rhos_655", refused="is of Landsat", dtype="float32"),
    # Sentinel Hub, EO Browser
    Case("S2A_FLOAT32", "B02,B04,dataMask", "B02 B04", **FLOAT),
    Case("S2A_UINT16_of_DN", "B02,B04", "B02 B04"),
    Case("S2A_UINT16_of_65535", "B02,B04", "B02 B04", UNKNOWN, values=(22000, 65000)),
    Case("S2A_AUTO", "B02,B04", "B02 B04", UNKNOWN, dtype="uint8", values=(1, 255)),
    Case("2019-05-30-00_00_2019-05-30-23_59_Sentinel-2_L2A_B04_(Raw)", "", "B04", **FLOAT, time="2019-05-30"),
    # rioxarray, xarray
    Case("S2B_20210601_clip", "B04", "B04", (REFLECTANCE, 1e-4, -0.1),
         tags={"scale_factor": "0.0001", "add_offset": "-0.1"}),
    Case("S2B_20210601_masked", "B04", "B04", dtype="float32"),
    Case("S2B_20210601_percent", "B04", "B04", UNKNOWN, dtype="float32", values=(3.0, 60.0),
         options={}),
    # GDAL's driver of SAFE
    Case("subset", "B4, central wavelength 665 nm", "B04", (REFLECTANCE, 1e-4, -0.1), tags=GDAL_TAGS,
         time="2025-03-01T10:30:31"),
    # sen2cor, by the names of its files
    Case("T32TMT_20190530T103031_B04_10m", "", "B04", time="2019-05-30T10:30:31"),
    Case("S2C_MSIL2A_20250301T103031_N0511_R108_T32TMT_20250301T150000", "B04", "B04",
         (REFLECTANCE, 1e-4, -0.1)),
    Case("T32TMT_20190530T103031_SCL_20m", "", refused="no band of", dtype="uint8", values=(0, 12)),
    Case("T32TMT_20190530T103031_TCI_10m", "red,green,blue", "red green blue", UNKNOWN, dtype="uint8",
         values=(20, 250)),
    # Words that any sensor has; other sensors by name or tag
    Case("orthophoto_2019-05-30", "red,green,blue,nir", "red green blue nir", UNKNOWN, constellation=None),
    Case("S2_2020-05-30", "Blue,Red,Red Edge 1,NIR narrow", "B02 B04 B05 B8A"),
    Case("20200101_103031_1034_3B_AnalyticMS_SR", "blue,green,red,nir", refused="is of PlanetScope"),
    Case("IMG_PHR1A_MS_202001011030311", "B1,B2", refused="is of Pléiades"),
    Case("scene_of_a_tag", "B4", refused="is of Landsat", tags={"SPACECRAFT_NAME": "LANDSAT_8"}),
    Case("MCD43A4.A2020001.h18v04", "B1", refused="is of MODIS", dtype="int16"),
    Case("counted", "Band 1,Band 2,Band 3,Band 4", refused="only numbers its bands"),
    Case("landcover_2020", "cover", refused="no band of measurements", dtype="uint8", values=(1, 10)),
    Case("landcover_2020_as_quantity", "cover", "cover", ("cm", 1.0, 0.0), dtype="uint8", values=(1, 10),
         constellation=None, options={"unit": "cm"}),
    Case("S2_2020-05-30_given", "B04", "B04", (REFLECTANCE, 0.004, 0.0), dtype="uint8", values=(1, 250),
         options={"scale": 0.004}),
    Case("S2_2023-05-30_given", "B04", "B04", (REFLECTANCE, 1e-4, -0.1), options={"offset": -0.1}),
    Case("S2_2020-05-30_percent", "B04", "B04", (REFLECTANCE, 0.01, 0.0), dtype="float32", values=(3.0, 60.0),
         options={"scale": 0.01, "unit": "Reflectance"}),
    Case("heights", "height", "height", ("m", 1.0, 0.0), constellation=None, options={"unit": "m"}),
    # FORCE: beside a broad near infrared, NIR is the narrow one
    Case("20200101_LEVEL2_SEN2A_BOA", "BLUE,RED,REDEDGE1,BROADNIR,NIR,SWIR1", "B02 B04 B05 B08 B8A B11",
         dtype="int16", time="2020-01-01"),
    Case("20220601_LEVEL2_SEN2B_BOA", "BLUE,NIR,BROADNIR", "B02 B8A B08", dtype="int16"),
    Case("20200101_LEVEL2_LND08_BOA", "BLUE,NIR", refused="is of Landsat", dtype="int16"),
    Case("L2F_T32TMT_20200101T103031_LS8_R108_B04_10m", "", refused="is of Landsat"),
    # Names that bands of several missions have, and no word of whose they are
    Case("clip_1", "B1,B2,B3,B4,B5,B6,B7", "B1 B2 B3 B4 B5 B6 B7", UNKNOWN, constellation=None),
    Case("clip_2", ",".join(f"B{i}" for i in range(1, 12)), " ".join(f"B{i}" for i in range(1, 12)), UNKNOWN,
         constellation=None),
    Case("clip_3", "Band 4 (red),Band 3", "Band_4_red_ Band_3", UNKNOWN, constellation=None),
    Case("clip_4", "B2,B3,B4,B8", "B02 B03 B04 B08"),
    Case("clip_5", "B2,B8A,B12", "B02 B8A B12"),
    Case("clip_6", "B02,B03,B04", "B02 B03 B04"),
    Case("clip_7", "B1,B2", "B01 B02", options={"bands": ["B01", "B02"]}),
    Case("S2A_20190530_13", ",".join(f"Band {i}" for i in range(1, 14)), refused="only numbers its bands"),
    Case("S2A_20190530_12", ",".join(f"band_{i}" for i in range(1, 13)), refused="only numbers its bands"),
    # Words of people
    Case("S2A_20190530_letters", "R,G,B,NIR", "B04 B03 B02 B08"),
    Case("S2A_20190530_letter", "B,x", "B x", UNKNOWN),
    Case("S2A_20190530_edges", "RE1,RE2,RE3,NIRn,SWIR1", "B05 B06 B07 B8A B11"),
    Case("S2A_20190530_colons", "Band 4: Red,B3 - Green,B02 (B2)", "B04 B03 B02"),
    Case("S2A_20190530_made_of_bands", "B8 - B4,B8_B4_ratio,B04_stdDev,B3 variance,B4_median",
         "B8_B4 B8_B4_ratio B04_stdDev B3_variance B04", UNKNOWN),
    Case("S2A_20190530_by_wavelength", "665 nm,560.5,near-infrared band",
         "b665_nm b560_5 near_infrared_band", UNKNOWN),
    Case("Ghana_S1GRD_2019-05-30", "VV,VH", "VV VH", ("dB", 1.0, 0.0), constellation="sentinel-1",
         dtype="float32", values=(-25.0, -5.0)),
    Case("Ghana_S2L1C_2019-05-30", "red,nir", "B04 B08"),
    # Numbers
    Case("S2A_20220530_N0400_signed", "B04,B08", "B04 B08", dtype="int16", values=(-300, 4000)),
    Case("S2A_MSIL2A_20220530T103031_N0400_R108_T32TMT_masked", "B04", "B04", (REFLECTANCE, 1e-4, -0.1),
         dtype="float32"),
    Case("S2A_20220530_S2_SR_harmonised", "B04", "B04"),
    Case("S2A_20190530_units", "B04", "B04", tags={"units": "DN"}),
    Case("S2A_20190530_unitless", "B04", "B04", tags={"units": "1", "scale_factor": "0.0001"}),
    Case("S2A_20190530_worded", "B04", "B04", **FLOAT, tags={"units": "Surface reflectance"}),
    Case("S1A_20190530_worded", "VV", "VV", ("dB", 1.0, 0.0), constellation="sentinel-1", dtype="float32",
         values=(0.01, 0.3), tags={"units": "linear"}),
    Case("S2A_20190530_reversed", "B04", refused="give it with --scale, as 0.0001",
         tags={"scale_factor": "10000"}),
    Case("S2A_20190530_negative", "B04", refused="states a scale of -0.0001",
         tags={"scale_factor": "-0.0001"}),
    Case("S2A_20190530_reversed_and_given", "B04", "B04", tags={"scale_factor": "10000"},
         options={"scale": 1e-4}),
    Case("S2A_20190530_wide", "B04", refused="convert it with", dtype="int32"),
    Case("OPERA_L3_DSWx-HLS_T32TMT_20230101T000000Z_S2A_30_v1.0_B01_WTR", "",
         refused="no band of measurements", dtype="uint8", values=(0, 4)),
]  # fmt: skip


def written(folder: Path, case: Case) -> Path:
    """The file of a case."""
    names = case.descriptions.split(",") if ", central" not in case.descriptions else [case.descriptions]
    rng = np.random.default_rng(3)
    values = rng.uniform(*case.values, (len(names), SIDE, SIDE)).astype(case.dtype)
    return write_tif(folder / f"{case.name}.tif", values, names, tags=case.tags, **case.profile)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_files(tmp_path: Path, case: Case) -> None:
    path = written(tmp_path, case)
    if case.refused:
        with pytest.raises(SourceError, match=case.refused):
            open_source(path, **case.options)
        return
    with open_source(path, **case.options) as scene:
        bands = [band for group in scene.groups for band in group.bands]
        assert [band.name for band in bands] == case.bands.split()
        assert scene.properties.get("constellation") == case.constellation
        assert (bands[0].unit, bands[0].scale, bands[0].offset) == case.meaning
        assert scene.datetime.isoformat().startswith(case.time)


@pytest.mark.parametrize(
    ("name", "marker", "dtype"),
    [("HLS.S30.T32TMT.2020150T103031.v2.0.B04", -9999, "int16"),
     ("SENTINEL2A_20200101-105435-123_L2A_T31TCJ_C_V2-2_FRE_B2", -10000, "int16"),
     ("ga_s2bm_nbart_3-2-1_56JKT_2021-01-01_final_B04", -999, "int16"),
     ("S2A_MSIL2A_20190530T103031_N0212_R108_T32TMT_B04", 0, "uint16")],
)  # fmt: skip
def test_nodata_of_processors_that_do_not_state_it(
    tmp_path: Path, name: str, marker: int, dtype: str
) -> None:
    values = np.full((1, 16, 16), 500, dtype)
    values[0, 0, :3] = marker
    with open_source(write_tif(tmp_path / f"{name}.tif", values)) as scene:
        valid = scene.groups[0].read(Window(0, 0, 16, 16)).valid[0]
        assert np.array_equal(valid, values[0] != marker)
        assert scene.groups[0].has_nodata


def test_nodata_that_is_given(tmp_path: Path) -> None:
    values = np.full((1, 16, 16), 500, np.uint16)
    values[0, 1] = 65535
    with open_source(write_tif(tmp_path / "S2_2020-01-01.tif", values, ["B04"]), nodata=65535) as scene:
        assert np.array_equal(scene.groups[0].read(Window(0, 0, 16, 16)).valid, values != 65535)


@pytest.mark.parametrize(
    ("dtype", "factor", "options"),
    [("int16", 1.0, {}), ("float32", 1e-4, {}), ("float64", 1.0, {}), ("float32", 1e-4, {"nodata": -999})],
)
def test_numbers_that_no_reflectance_is_mark_no_data(
    tmp_path: Path, dtype: str, factor: float, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="comeo")
    values = (np.random.default_rng(0).integers(300, 4000, (1, 32, 32)) * factor).astype(dtype)
    values[0, :8] = options.get("nodata", -9999)
    path = write_tif(tmp_path / "S2A_20190530.tif", values, ["B04"])
    with open_source(path, **options) as scene:
        (band,) = scene.groups[0].bands
        assert (band.unit, band.scale) == (REFLECTANCE, 1.0 if factor < 1 else 1e-4)
        valid = scene.groups[0].read(Window(0, 0, 32, 32)).valid[0]
        assert not valid[:8].any()
        assert valid[8:].all()
    assert "no data)" in caplog.text


def test_zeros_that_count_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = np.random.default_rng(0).uniform(0.03, 0.4, (1, 32, 32)).astype(np.float32)
    values[0, :8] = 0
    path = write_tif(tmp_path / "S2A_20190530.tif", values, ["B04"])
    open_source(path, nodata=0).close()
    assert "--nodata 0" not in caplog.text
    open_source(path).close()
    assert "give --nodata 0" in caplog.text


@pytest.mark.parametrize("scale", [0.0, float("nan")])
def test_a_scale_that_is_none_is_refused(tmp_path: Path, scale: float) -> None:
    path = write_tif(tmp_path / "S2A_20190530.tif", np.full((1, 8, 8), 500, np.uint16), ["B04"])
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = (scale,)
    with pytest.raises(SourceError, match="give it with --scale"):
        open_source(path)
    with open_source(path, scale=1e-4) as scene:
        assert scene.groups[0].bands[0].scale == 1e-4


def test_a_scale_without_an_offset_is_taken_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = "S2C_MSIL2A_20250301T103031_N0511_R108_T32TMT_20250301T150000.tif"
    path = write_tif(tmp_path / name, np.full((1, 8, 8), 1500, np.uint16), ["B04"])
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = (1e-4,)
    with open_source(path) as scene:
        assert scene.groups[0].bands[0].offset == 0
    said = "an offset of 0 is stated, but products of processing baseline 05.11 carry one of -0.1"
    assert said in caplog.text
    caplog.clear()
    with rasterio.open(path, "r+") as dataset:
        dataset.offsets = (-0.1,)
    open_source(path).close()
    assert "an offset of" not in caplog.text


def test_a_mission_by_names_of_bands_alone_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = np.random.default_rng(0).integers(300, 4000, (2, 8, 8)).astype(np.uint16)
    open_source(write_tif(tmp_path / "S2_clip.tif", values, ["B02", "B03"])).close()
    assert "only the names" not in caplog.text
    open_source(write_tif(tmp_path / "clip.tif", values, ["B02", "B03"])).close()
    assert "only the names of its bands say that it is of Sentinel-2" in caplog.text
    open_source(write_tif(tmp_path / "clip2.tif", values, ["B2", "B3"])).close()
    assert "bands named B2, B3 are Sentinel-2's or Landsat's" in caplog.text


def test_the_unit_of_heights_is_not_that_of_bands(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(300, 4000, (1, 8, 8)).astype(np.uint16)
    path = write_tif(tmp_path / "S2A_20190530.tif", values, ["B04"], crs="EPSG:32632+5773")
    with open_source(path) as scene:
        (band,) = scene.groups[0].bands
        assert (band.unit, band.scale) == (REFLECTANCE, 1e-4)


def test_a_world_file_is_named(tmp_path: Path) -> None:
    with pytest.warns(NotGeoreferencedWarning):
        path = write_tif(
            tmp_path / "S2A_20190530.tif",
            np.full((1, 8, 8), 500, np.uint16),
            ["B04"],
            transform=Affine.identity(),
        )
    path.with_suffix(".tfw").write_text("10\n0\n0\n-10\n399965\n5300035\n")
    with pytest.raises(SourceError, match=r"the world file S2A_20190530\.tfw is not read"):
        open_source(path)


def test_opacity_that_is_called_so_is_opacity(tmp_path: Path) -> None:
    values = np.full((4, 32, 32), 100, np.uint8)
    values[3, :8] = 0
    path = write_tif(tmp_path / "S2A_20200101.tif", values, ["B04", "B03", "B02", "Alpha"], alpha="YES")
    with open_source(path, unit="x") as scene:
        assert [band.name for band in scene.groups[0].bands] == ["B04", "B03", "B02"]
        valid = scene.groups[0].read(Window(0, 0, 32, 32)).valid[0]
        assert np.array_equal(valid, values[3] > 0)


def test_a_fourth_band_of_bytes_is_a_band_where_anything_says_so(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(20, 250, (4, 32, 32)).astype(np.uint8)
    values[3, :8] = 0
    described = write_tif(tmp_path / "S2A_20200101_a.tif", values, ["B04", "B03", "B02", "B08"])
    plain = write_tif(tmp_path / "S2A_20200101_b.tif", values)
    for path, options in ((described, {}), (plain, {"bands": ["B04", "B03", "B02", "B08"]})):
        with open_source(path, **options) as scene:  # type: ignore[arg-type]
            assert [band.name for band in scene.groups[0].bands] == ["B04", "B03", "B02", "B08"]
            assert scene.groups[0].read(Window(0, 0, 32, 32)).valid.all()
    with open_source(plain, bands=["B04", "B03", "B02"]) as scene:
        assert np.array_equal(scene.groups[0].read(Window(0, 0, 32, 32)).valid[0], values[3] > 0)


def test_classes_with_colours_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "S2_2020-01-01_types.tif"
    values = np.random.default_rng(0).integers(0, 200, (1, 32, 32)).astype(np.uint8)
    write_tif(path, values, ["types"], photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (255, 0, 0, 255)})
        dataset.colorinterp = (ColorInterp.palette,)
    with pytest.raises(SourceError, match="no band of measurements"):
        open_source(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"scale": 0.0}, "all pixels alike"), ({"scale": float("nan")}, "not a finite number"),
     ({"offset": float("inf")}, "not a finite number"),
     ({"unit": " "}, "at most 32"), ({"unit": "x" * 33}, "at most 32")],
)  # fmt: skip
def test_what_no_band_can_have_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = write_tif(tmp_path / "S2_2020-01-01.tif", np.full((1, 8, 8), 500, np.uint16), ["B04"])
    with pytest.raises(SourceError, match=message):
        open_source(path, **options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    scale=st.floats(1e-6, 10).filter(bool), offset=st.floats(-1, 1), unit=st.sampled_from(["K", "dB", "m"])
)
def test_what_is_given_counts_first(tmp_path: Path, scale: float, offset: float, unit: str) -> None:
    path = tmp_path / "S2C_MSIL2A_20250301T103031_N0511_R108_T32TMT_20250301T150000.tif"
    if not path.exists():
        write_tif(path, np.full((1, 8, 8), 500, np.uint16), ["B04"], tags={"scale_factor": "7"})
    with open_source(path, scale=scale, offset=offset, unit=unit) as scene:
        (band,) = scene.groups[0].bands
        assert (band.scale, band.offset, band.unit) == (scale, offset, unit)
