"""The forms that geocoded Sentinel-1 comes in, each read as decibels or refused with what to do."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import SourceError
from comeo.missions.backscatter import FORMS, form_of, name_properties, quantity_in, scale_in
from comeo.scene import Scene, Window
from comeo.sources import open_source
from comeo.sources.backscatter import _decibels
from tests.comeo.sources.conftest import write_tif

SIZE = 96
RIM = 8
GRD = "S1A_IW_GRDH_1SDV_20230105T050000_20230105T050025_046640_059716"
HYP3 = "S1A_IW_20230105T050000_DVP_RTC20_G_gpuned_1A2B"
OPERA = "OPERA_L2_RTC-S1_T168-359429-IW2_20230105T050000Z_20230106T000000Z_S1A_30_v1.0"
NRB = "S1A_IW_NRB__1SDV_20230105T050000_046640_059716_32UPU_ABCD"
MOSAIC = "Sentinel-1_IW_mosaic_2024_M01_33UXP_0_0"
ASKS = re.compile(r"--(?:scale|quantity|bands)")
Values = NDArray[Any]


@pytest.fixture(scope="module")
def decibels() -> Values:
    """VV and VH in dB, speckled, from nothing but a generator."""
    rng = np.random.default_rng(3)
    power = rng.gamma(4.4, 1 / 4.4, (2, SIZE, SIZE)) * np.array([0.12, 0.02])[:, None, None]
    return np.asarray(10 * np.log10(power), np.float32)


@pytest.fixture(scope="module")
def power(decibels: Values) -> Values:
    """The same in power, with a rim of zeros."""
    values: Values = (10 ** (decibels.astype(np.float64) / 10)).astype(np.float32)
    values[:, :RIM] = 0
    return values


def pair(folder: Path, names: tuple[str, str], values: Values, **profile: Any) -> Path:
    """VV and VH, a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, plane in zip(names, values, strict=True):
        write_tif(folder / name, plane[None], **profile)
    return folder


def check(scene: Scene, expected: Values, rim: int, quantity: str | None, scale: str) -> None:
    """Pixels equal to those in dB, without the rim; and what is recorded of them."""
    (group,) = scene.groups
    assert {band.name for band in group.bands} == {"VV", "VH"}
    assert {(band.unit, band.scale, band.offset) for band in group.bands} == {("dB", 1.0, 0.0)}
    pixels = group.read(Window(0, 0, SIZE, SIZE))
    order = [band.name for band in group.bands]
    for name, plane in zip(("VV", "VH"), expected, strict=True):
        index = order.index(name)
        assert not pixels.valid[index, :rim].any()
        assert pixels.valid[index, rim:].all()
        assert np.abs(pixels.values[index, rim:] - plane[rim:]).max() < 1e-4
    assert scene.properties.get("comeo:quantity") == quantity
    assert scene.properties["comeo:source_scale"] == scale
    scene.close()


def test_planetary_computer(tmp_path: Path, power: Values, decibels: Values) -> None:
    product = tmp_path / f"{GRD}_rtc"
    pair(product / "measurement", ("iw-vv.rtc.tiff", "iw-vh.rtc.tiff"), power, nodata=-32768)
    for given_path in (product, product / "measurement", tmp_path):
        scene = open_source(given_path)
        assert (scene.id, scene.datetime.isoformat()) == (f"{GRD}_rtc", "2023-01-05T05:00:00+00:00")
        assert scene.properties["platform"] == "sentinel-1a"
        check(scene, decibels, RIM, "gamma0-rtc", "power")


@pytest.mark.parametrize("name", [f"{GRD}_rtc", "renamed"])
def test_an_item_of_planetary_computer(tmp_path: Path, power: Values, decibels: Values, name: str) -> None:
    pair(tmp_path, ("vv.tif", "vh.tif"), power, nodata=0)
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-1-rtc",
        "properties": {
            "datetime": "2023-01-05T05:00:12Z", "platform": "SENTINEL-1A", "sar:instrument_mode": "IW",
            "sar:polarizations": ["VV", "VH"], "sat:orbit_state": "descending", "sat:relative_orbit": 22,
        },
        "assets": {key: {"href": f"./{key}.tif", "roles": ["data"]} for key in ("vv", "vh")},
    }  # fmt: skip
    (tmp_path / "item.json").write_text(json.dumps(item))
    scene = open_source(tmp_path / "item.json")
    assert scene.properties["sat:orbit_state"] == "descending"
    check(scene, decibels, RIM, "gamma0-rtc", "power")


@pytest.mark.parametrize(
    ("stated", "quantity", "scale"),
    [
        ({"card4l:measurement_type": "gamma-0", "card4l:measurement_convention": "linear intensity"},
         "gamma0", "power"),
        ({"ceosard:measurement_type": "Sigma-0", "ceosard:measurement_convention": "linear power"},
         "sigma0", "power"),
    ],
)  # fmt: skip
def test_items_of_analysis_ready_radar(
    tmp_path: Path, power: Values, decibels: Values, stated: dict[str, str], quantity: str, scale: str
) -> None:
    pair(tmp_path, ("vv.tif", "vh.tif"), power, nodata=0)
    assets = {key: {"href": f"./{key}.tif", "roles": ["data"]} for key in ("vv", "vh")}
    properties = {"datetime": "2023-01-05T05:00:12Z", "platform": "sentinel-1a", **stated}
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "S1A_x", "assets": assets, "properties": properties,
    }  # fmt: skip
    (tmp_path / "item.json").write_text(json.dumps(item))
    check(open_source(tmp_path / "item.json"), decibels, RIM, quantity, scale)


def test_hyp3_and_its_layover(tmp_path: Path, power: Values, decibels: Values) -> None:
    folder = pair(tmp_path / HYP3, (f"{HYP3}_VV.tif", f"{HYP3}_VH.tif"), power, nodata=0)
    shadow = np.ones((1, SIZE, SIZE), np.uint8)
    for name, dtype in (("dem", "int16"), ("inc_map", "float32"), ("ls_map", "uint8")):
        write_tif(folder / f"{HYP3}_{name}.tif", shadow.astype(dtype))
    write_tif(folder / f"{HYP3}_rgb.tif", np.full((3, SIZE, SIZE), 90, np.uint8))
    check(open_source(folder), decibels, RIM, "gamma0-rtc", "power")
    shadow[0, 40, 50:53] = 3, 5, 17  # looked at, and in layover or shadow
    write_tif(folder / f"{HYP3}_ls_map.tif", shadow)
    with open_source(folder) as scene:
        valid = scene.groups[0].read(Window(0, 0, SIZE, SIZE)).valid
        assert valid.sum() == 2 * (SIZE * (SIZE - RIM) - 3)
        assert not valid[:, 40, 50:53].any()


def test_opera_and_its_mask(tmp_path: Path, power: Values, decibels: Values) -> None:
    folder = pair(tmp_path / "opera", (f"{OPERA}_VV.tif", f"{OPERA}_VH.tif"), power, nodata=math.nan)
    mask = np.zeros((1, SIZE, SIZE), np.uint8)
    write_tif(folder / f"{OPERA}_mask.tif", mask, nodata=255)
    scene = open_source(folder)
    expected = {
        "sat:relative_orbit": 168, "s1:burst": "T168-359429-IW2", "platform": "sentinel-1a",
        "sar:instrument_mode": "IW", "sar:product_type": "RTC",
    }  # fmt: skip
    assert expected.items() <= scene.properties.items()
    assert scene.datetime.isoformat() == "2023-01-05T05:00:00+00:00"
    check(scene, decibels, RIM, "gamma0-rtc", "power")
    mask[0, 30, 20:24] = 1, 2, 3, 0
    write_tif(folder / f"{OPERA}_mask.tif", mask, nodata=255)
    with open_source(folder) as scene:
        valid = scene.groups[0].read(Window(30, 20, 1, 4)).valid
        assert valid[0, 0].tolist() == [False, False, False, True]


def test_nrb(tmp_path: Path, power: Values, decibels: Values) -> None:
    stem = "s1a-iw-nrb-20230105t050000-046640-059716-32upu-"
    folder = tmp_path / NRB
    pair(folder / "measurement", (f"{stem}vv-g-lin.tif", f"{stem}vh-g-lin.tif"), power, nodata=math.nan)
    (folder / "annotation").mkdir()
    for layer in ("dm", "ei", "np-vv", "gs"):
        write_tif(folder / "annotation" / f"{stem}{layer}.tif", power[:1])
    scene = open_source(folder)
    assert scene.datetime.isoformat() == "2023-01-05T05:00:00+00:00"
    check(scene, decibels, RIM, "gamma0-rtc", "power")


def test_a_grd_is_still_refused(tmp_path: Path, power: Values) -> None:
    pair(tmp_path / GRD / "measurement", ("iw-vv.tiff", "iw-vh.tiff"), power)
    with pytest.raises(SourceError, match="radar geometry"):
        open_source(tmp_path / GRD)


def test_a_mosaic(tmp_path: Path, power: Values, decibels: Values) -> None:
    folder = pair(tmp_path / MOSAIC, ("VV.tif", "VH.tif"), power, nodata=0)
    check(open_source(folder), decibels, RIM, None, "power")
    check(open_source(folder, quantity="gamma0"), decibels, RIM, "gamma0", "power")


TWO = ("VV", "VH")
FILES: list[tuple[str, tuple[str, ...], str, dict[str, Any], str | None, str]] = [
    # name, descriptions, what is written, profile and tags, quantity, scale
    (f"{GRD}_1A2B", ("VV", "VH", "angle"), "dB", {}, None, "dB"),
    ("snap", ("Sigma0_VV_db", "Sigma0_VH_db"), "dB", {}, "sigma0", "dB"),
    ("SNAP", ("SIGMA0_VV_DB", "SIGMA0_VH_DB"), "dB", {}, "sigma0", "dB"),
    ("snap_lin", ("Gamma0_VV", "Gamma0_VH"), "power", {"nodata": 0}, "gamma0", "power"),
    ("snap_in_dB_by_its_values", ("Gamma0_VV", "Gamma0_VH"), "dB", {}, "gamma0", "dB"),
    ("snap_beta", ("Beta0_VV", "Beta0_VH"), "power", {}, "beta0", "power"),
    ("S1_zero_nodata_dB", TWO, "dB rim", {"nodata": 0}, None, "dB"),
    ("S1_inf_dB", TWO, "dB inf", {}, None, "dB"),
    ("S1_nan_rim", TWO, "dB nan", {}, None, "dB"),
    ("S1_float64_dB", TWO, "dB", {"dtype": "float64"}, None, "dB"),
    ("nameless", TWO, "dB", {}, None, "dB"),
    ("S1_tags", TWO, "power", {"tags": {"QUANTITY": "sigma nought", "UNITS": "linear power"}}, "sigma0",
     "power"),
    ("S1_tags_rtc", TWO, "power",
     {"tags": {"RADIOMETRY": "gamma0, terrain flattened", "SCALE": "power"}}, "gamma0-rtc", "power"),
    ("S1_tags_amplitude", TWO, "amplitude", {"tags": {"backscatter": "sigma0 amplitude"}}, "sigma0",
     "amplitude"),
    ("COPERNICUS_S1_GRD_FLOAT_x", TWO, "power", {}, "sigma0", "power"),
]  # fmt: skip


@pytest.mark.parametrize("case", FILES, ids=[case[0] for case in FILES])
def test_files(tmp_path: Path, power: Values, decibels: Values, case: tuple[Any, ...]) -> None:
    name, descriptions, form, profile, quantity, scale = case
    values = {"power": power, "amplitude": np.sqrt(power)}.get(form, decibels.copy())
    rim = RIM if form != "dB" else 0
    if form.startswith("dB "):
        values[:, :RIM] = {"rim": 0, "inf": -np.inf, "nan": np.nan}[form[3:]]
    if len(descriptions) == 3:
        values = np.concatenate([values, np.full_like(values[:1], 38.5)])
    dtype = profile.pop("dtype", "float32") if "dtype" in profile else "float32"
    path = write_tif(tmp_path / f"{name}.tif", values.astype(dtype), descriptions, **profile)
    check(open_source(path), decibels, rim, quantity, scale)


def test_what_geocode_writes(tmp_path: Path, decibels: Values) -> None:
    steps = np.rint(decibels / 0.005).astype(np.int16)
    tags = {"DATETIME": "2021-12-23T05:10:00.000Z", "PLATFORM": "sentinel-1b", "QUANTITY": "rtc",
            "ORBIT_STATE": "descending", "RELATIVE_ORBIT": "22"}  # fmt: skip
    path = write_tif(tmp_path / "scene.tif", steps, TWO, nodata=-32768, tags=tags)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.units = (0.005, 0.005), ("dB", "dB")
    scene = open_source(path)
    expected = {"sat:orbit_state": "descending", "sat:relative_orbit": 22, "platform": "sentinel-1b"}
    assert expected.items() <= scene.properties.items()
    check(scene, steps * 0.005, 0, "gamma0-rtc", "dB")


def test_other_polarisations(tmp_path: Path, decibels: Values) -> None:
    for names in (("HH", "HV"), ("VV",)):
        path = write_tif(tmp_path / "S1_dB.tif", decibels[: len(names)], names)
        with open_source(path) as scene:
            assert scene.properties["sar:polarizations"] == list(names)
            pixels = scene.groups[0].read(Window(0, 0, SIZE, SIZE))
            assert np.array_equal(pixels.values, decibels[: len(names)])


REFUSED: list[tuple[str, str, str, tuple[str, str]]] = [
    ("S1_uint16_amplitude", "uint16", "calibrate it", TWO),
    ("S1_uint8_db", "uint8", "a byte is not dB", TWO),
    ("S1_int16_centidB", "int16", "--scale 0.01 --unit dB", TWO),
    ("S1_centi_dB", "int16", "--scale 0.01 --unit dB", TWO),
    ("S1_unknown", "amplitude", "power or amplitude", TWO),
    ("S1_dB", "amplitude", "no backscatter has", TWO),
    ("S1_far_off", "far", "power or amplitude", TWO),
    ("S1_power_far_off", "far", "no backscatter has", TWO),
    ("snap", "amplitude", "not calibrated", ("Amplitude_VV", "Intensity_VH")),
    ("S1_reflectance", "amplitude", "none of B04, B08 is VV", ("B04", "B08")),
    ("S1_mixed_dB", "dB", "mixes quantities", ("Sigma0_VV_dB", "Gamma0_VH_dB")),
]


@pytest.mark.parametrize(("name", "form", "match", "descriptions"), REFUSED)
def test_what_cannot_be_known_is_asked_for(
    tmp_path: Path, power: Values, decibels: Values, name: str, form: str, match: str,
    descriptions: tuple[str, str],
) -> None:  # fmt: skip
    values = {
        "uint16": np.clip(np.sqrt(power) * 1000, 0, 65535).astype(np.uint16),
        "uint8": np.clip((decibels + 30) / 30 * 254 + 1, 1, 255).astype(np.uint8),
        "int16": np.rint(decibels * 100).astype(np.int16),
        "amplitude": np.sqrt(power),
        "far": power * 1e6,
        "dB": decibels,
    }[form]
    with pytest.raises(SourceError, match=match) as raised:
        open_source(write_tif(tmp_path / f"{name}.tif", values, descriptions))
    assert ASKS.search(str(raised.value))


def test_what_was_asked_for_can_be_given(tmp_path: Path, power: Values, decibels: Values) -> None:
    whole = write_tif(tmp_path / "a.tif", np.rint(decibels * 100).astype(np.int16), TWO, nodata=-32768)
    rounded = np.rint(decibels * 100) / 100
    check(open_source(whole, scale=0.01, unit="dB"), rounded, 0, None, "dB")
    check(open_source(whole, scale=0.01, quantity="sigma0"), rounded, 0, "sigma0", "dB")
    with rasterio.open(whole, "r+") as dataset:
        dataset.scales = (0.01, 0.01)
    check(open_source(whole), rounded, 0, None, "dB")

    counts = np.rint(np.sqrt(power) * 1e4).astype(np.uint16)
    path = write_tif(tmp_path / "S1_b.tif", counts, TWO, nodata=0)
    with np.errstate(divide="ignore"):
        expected = 20 * np.log10(counts / 1e4)
    calibrated = open_source(path, scale=1e-4, unit="amplitude", quantity="sigma0")
    check(calibrated, expected, RIM, "sigma0", "amplitude")
    with pytest.raises(SourceError, match="no backscatter has; give --scale"):
        open_source(path, scale="amplitude", quantity="sigma0")
    path = write_tif(tmp_path / "S1_c.tif", power, TWO)
    check(open_source(path, scale="power"), decibels, RIM, None, "power")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"scale": "decibel", "unit": "power"}, "give one of them"),
        ({"scale": "logarithm"}, "power, amplitude, dB"),
        ({"quantity": "sigma"}, "sigma0, gamma0, gamma0-rtc, beta0"),
        ({"unit": "reflectance"}, "--scale power"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    tmp_path: Path, decibels: Values, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(SourceError, match=match):
        open_source(write_tif(tmp_path / "S1_dB.tif", decibels, TWO), **options)


def test_quantities_are_of_radar_alone(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "S2A_20190530.tif", np.full((1, 8, 8), 500, np.uint16), ["B04"])
    with pytest.raises(SourceError, match="leave --quantity out"):
        open_source(path, quantity="sigma0")


def test_negative_power_is_floored_and_counted(
    tmp_path: Path, power: Values, caplog: pytest.LogCaptureFixture
) -> None:
    values = power.copy()
    values[1, RIM:60] -= 0.02
    values[0, 70, 3] = 5e-5
    path = write_tif(tmp_path / "S1_noise_removed.tif", values, TWO)
    low = [int(np.count_nonzero((plane != 0) & (plane < 1e-4))) for plane in values]
    assert low[0] == 1 < low[1]
    with open_source(path) as scene:
        assert scene.properties["comeo:floored_pixels"] == dict(zip(TWO, low, strict=True))
        assert f"VH {low[1]:,} pixels" in caplog.text
        pixels = scene.groups[0].read(Window(0, 0, SIZE, SIZE))
        assert np.array_equal(pixels.valid, values != 0)
        assert abs(pixels.values[pixels.valid].min() + 40) < 1e-4
        compress(scene, tmp_path / "a.zarr.zip", step=1.0, codec="dct")
    with open_archive(tmp_path / "a.zarr.zip") as opened:
        item = opened.item
        assert item["properties"]["comeo:floored_pixels"]["VH"] == low[1]
        assert any("/sar/" in schema for schema in item["stac_extensions"])


def test_zeros_among_decibels_are_told(
    tmp_path: Path, decibels: Values, caplog: pytest.LogCaptureFixture
) -> None:
    values = decibels.copy()
    values[0, 50, 50] = 0
    open_source(write_tif(tmp_path / "S1_dB.tif", values, TWO, nodata=0)).close()
    assert "measured 0 dB is lost" in caplog.text
    caplog.clear()
    values[:, :RIM] = 0
    open_source(write_tif(tmp_path / "S1_dB.tif", values, TWO)).close()
    assert "give --nodata 0" in caplog.text


@given(st.lists(st.floats(-39.75, 30, width=32), min_size=1, max_size=40))
def test_decibels_survive_every_scale(levels: list[float]) -> None:
    expected = np.array(levels, np.float64)
    for scale, numbers in (("power", 10 ** (expected / 10)), ("amplitude", 10 ** (expected / 20))):
        found, measured, low = _decibels(scale, numbers)
        assert measured.all()
        assert not low.any()
        assert np.abs(found - expected).max() < 2e-5 * 40
    assert np.array_equal(_decibels("dB", expected)[0], expected.astype(np.float32))


@given(st.lists(st.floats(width=32), min_size=1, max_size=40))
def test_no_power_gives_what_is_not_finite(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32)
    for scale in ("power", "amplitude", "dB"):
        found, measured, _ = _decibels(scale, values)
        assert np.isfinite(found[measured]).all()
        assert not measured[~np.isfinite(values)].any()


def test_words() -> None:
    assert quantity_in(["VV", "γ0 RTC"]) == "gamma0-rtc"
    assert quantity_in(["sigma_nought", "rtc"]) == "sigma0"
    assert quantity_in(["Gamma0_VV"]) == "gamma0"
    assert scale_in(["logarithmic intensity"]) == "dB"
    assert scale_in(["VV_centidB"]) == ""
    assert scale_in(["Landing"]) == ""
    assert {form.quantity for form in FORMS} <= {"", "sigma0", "gamma0-rtc"}
    assert form_of(["S2A_x", HYP3.replace("gpuned", "sduned")]) == FORMS[4]
    assert name_properties("S1C_S4_GRDH_1SDV_20250101T000000")["sar:instrument_mode"] == "SM"
