"""Radar as it is served: styles, legends, water of means, change of one orbit, mosaics by orbit, grades."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter

from comeo.compression import compress
from comeo.indicators.catalogue import predefined
from comeo.scene import Band, Scene
from tests.scenes import array_group, array_scene
from tests.tileserver.conftest import serving
from tileserver.render.styles import styles_for

SIDE = 160
ITEMS = "/collections/radar/items"
ASCENDING = {"sat:orbit_state": "ascending", "sat:relative_orbit": 15}
DESCENDING = {"sat:orbit_state": "descending", "sat:relative_orbit": 110}
VV_VH = (Band("VV", unit="dB"), Band("VH", unit="dB"))
HH_HV = (Band("HH", unit="dB"), Band("HV", unit="dB"))


def backscatter(level: float, seed: int) -> NDArray[np.float32]:
    """A lake in the west, a town in the north-east: VV and VH in dB, with speckle."""
    rng = np.random.default_rng(seed)
    vv = np.full((SIDE, SIDE), level)
    vv[:, :60] = -21
    vv[:50, 100:] = 0
    ground = np.stack([vv, vv - 7])
    speckle = 10 * np.log10(rng.gamma(4.4, 1 / 4.4, ground.shape))
    return np.asarray(ground + speckle, np.float32)


def scene_of(name: str, day: int, values: NDArray[np.float32], properties: Mapping[str, Any]) -> Scene:
    valid = np.isfinite(values)
    scene = array_scene(array_group(values, valid, names=["VV", "VH"]), scene_id=name, collection="radar")
    moment = datetime(2021, 5, day, 5, tzinfo=UTC)
    return replace(scene, datetime=moment, properties={"platform": "sentinel-1a", **properties})


@pytest.fixture(scope="module")
def radar(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("radar")
    cut = backscatter(-8, 3)
    cut[:, :, 80:] = np.nan
    for scene in (
        scene_of("first", 1, backscatter(-9, 1), ASCENDING),
        scene_of("other", 5, backscatter(-3, 2), DESCENDING),
        scene_of("last", 13, cut, ASCENDING),
        scene_of("nowhere", 3, backscatter(-12, 4), {}),
        scene_of("rough", 1, backscatter(-12, 4), {**ASCENDING, "comeo:terrain_corrected": False}),
        scene_of("gamma", 2, backscatter(-12, 5), {**ASCENDING, "comeo:quantity": "gamma0"}),
        scene_of("sigma", 2, backscatter(-12, 5), {**ASCENDING, "comeo:quantity": "sigma0"}),
    ):
        compress(scene, folder / f"{scene.id}.zarr.zip", step=0.5, codec="dct")
    return serving(folder, folder.parent)


def pixels(client: FlaskClient, address: str) -> NDArray[Any]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return np.asarray(np.load(io.BytesIO(answer.data)))


def smoothed(values: NDArray[Any]) -> NDArray[np.float64]:
    """Means of power over 5 × 5, the border left out."""
    means = uniform_filter(10 ** (values.astype(np.float64) / 10), 5)
    return np.asarray(10 * np.log10(means))[2:-2, 2:-2]


def test_grey_comes_first_and_each_style_has_its_bands() -> None:
    assert list(styles_for(VV_VH)) == ["vv", "vh", "radar", "ratio", "rvi", "water", "urban"]
    assert list(styles_for(HH_HV)) == ["hh", "hv", "radar", "ratio"]
    assert list(styles_for(VV_VH[:1])) == ["vv", "water"]
    assert styles_for(HH_HV)["radar"].expression == "HH;HV;HH - HV"
    radar = {each.id for each in predefined().all() if each.inputs["scene"].constellation == "sentinel-1"}
    assert {"radar", "rvi", "water"} < radar <= set(styles_for(VV_VH))


def test_every_style_has_a_picture_and_a_legend(radar: FlaskClient) -> None:
    styles = radar.get(f"{ITEMS}/first/info").get_json()["styles"]
    names = [style["id"] for style in styles]
    assert names == ["vv", "vh", "radar", "ratio", "rvi", "water", "urban", "error"]
    for name in [*names, "change"]:
        assert radar.get(f"{ITEMS}/first/styles/{name}/legend.png").mimetype == "image/png"
        more = "&against=gamma" if name == "change" else ""
        assert radar.get(f"{ITEMS}/first/preview.png?style={name}{more}").mimetype == "image/png"
    water = next(style for style in styles if style["id"] == "water")
    assert [each["name"] for each in water["classes"]] == ["land", "water"]
    assert water["window"] == 5


@pytest.mark.parametrize("style", ["vv", "radar", "ratio", "rvi", "water", "urban"])
def test_every_style_has_a_geotiff_of_a_part(radar: FlaskClient, style: str) -> None:
    west, south, east, north = radar.get(f"{ITEMS}/first/info").get_json()["bbox"]
    box = f"{west},{south},{(west + east) / 2},{(south + north) / 2}"
    answer = radar.get(f"{ITEMS}/first/bbox/{box}.tif?style={style}")
    assert answer.status_code == 200, answer.text
    assert answer.data[:2] in (b"II", b"MM")


def test_the_vegetation_index_is_of_power(radar: FlaskClient) -> None:
    vv, vh = pixels(radar, f"{ITEMS}/first/preview.npy?bands=VV,VH&return_mask=false").astype(np.float64)
    index = pixels(radar, f"{ITEMS}/first/preview.npy?style=rvi&return_mask=false")[0]
    powers = 10 ** (vv / 10), 10 ** (vh / 10)
    np.testing.assert_allclose(index, 4 * powers[1] / (powers[0] + powers[1]), rtol=1e-4)
    ratio = pixels(radar, f"{ITEMS}/first/preview.npy?style=ratio&return_mask=false")[0]
    np.testing.assert_allclose(ratio, vv - vh, atol=1e-4)


def test_water_and_towns_are_decided_by_means_of_power(radar: FlaskClient) -> None:
    vv, vh = pixels(radar, f"{ITEMS}/first/preview.npy?bands=VV,VH&return_mask=false")
    water = pixels(radar, f"{ITEMS}/first/preview.npy?style=water&return_mask=false")[0][2:-2, 2:-2]
    np.testing.assert_array_equal(water, smoothed(vv) < -15)
    assert water[:, :50].mean() > 0.99  # single pixels of such speckle lie above −15 dB now and then
    assert water[60:, 64:].mean() < 0.01
    urban = pixels(radar, f"{ITEMS}/first/preview.npy?style=urban&return_mask=false")[0][2:-2, 2:-2]
    np.testing.assert_array_equal(urban, (smoothed(vv) > -5) & (smoothed(vh) > -12))
    assert urban[:40, 104:].mean() > 0.99


def test_a_picture_of_water_has_the_colours_of_its_legend(radar: FlaskClient) -> None:
    answer = radar.get(f"{ITEMS}/first/preview.png?style=water")
    colours = np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGBA"))[..., :3]
    marks = {mark.name: mark.colour for mark in styles_for(VV_VH)["water"].marks}
    assert tuple(colours[100, 20].tolist()) == marks["water"]
    assert tuple(colours[100, 130].tolist()) == marks["land"]
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 2


def test_a_point_tells_what_the_map_of_water_shows(radar: FlaskClient) -> None:
    west, south, east, north = radar.get(f"{ITEMS}/first/info").get_json()["bbox"]
    for share, expected in ((0.1, 1), (0.5, 0)):
        lon, lat = west + share * (east - west), (south + north) / 2
        answer = radar.get(f"{ITEMS}/first/point/{lon},{lat}?style=water").get_json()
        assert answer["results"][0]["value"] == expected
    bands = radar.get(f"{ITEMS}/first/point/{lon},{lat}").get_json()["bands"]
    assert all(0 < band["field_expected_error"] < band["physical_expected_error"] for band in bands)


def test_change_is_the_ratio_of_means_of_power(radar: FlaskClient) -> None:
    (now,) = pixels(radar, f"{ITEMS}/gamma/preview.npy?bands=VV&return_mask=false")
    (before,) = pixels(radar, f"{ITEMS}/first/preview.npy?bands=VV&return_mask=false")
    address = f"{ITEMS}/gamma/preview.npy?style=change&return_mask=false&against="
    change = pixels(radar, f"{address}first")[0]
    np.testing.assert_allclose(change[2:-2, 2:-2], smoothed(now) - smoothed(before), atol=2e-3)
    assert np.median(change[60:, 64:]) == pytest.approx(-3, abs=0.3)
    cross = pixels(radar, f"{address}first&bands=VH")[0]
    assert np.median(cross[60:, 64:]) == pytest.approx(-3, abs=0.3)


def test_a_change_is_missing_where_either_scene_is(radar: FlaskClient) -> None:
    change = pixels(radar, f"{ITEMS}/first/preview.npy?style=change&against=last")
    assert change[1][:, :80].all()
    assert not change[1][:, 80:].any()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("style=change", "name the other one of this collection with against="),
        ("style=change&against=first", "not compared with itself"),
        ("style=change&against=other", "first from relative orbit 15 (ascending) and other from relative "
         "orbit 110 (descending) were seen from different sides"),
        ("style=change&against=nowhere", "nowhere does not say from which relative orbit"),
        ("style=change&against=rough", "rough is not terrain-corrected"),
        ("style=radar&against=last", "style=radar has no single value to compare"),
        ("style=water&against=last", "style=water has no single value to compare"),
        ("style=error&against=last", "style=error is not compared"),
        ("against=last", "name what is compared"),
        ("bands=VV,VH&against=last", "a difference is of one band"),
        ("expression=VV-VH&against=last", "give rescale=min,max"),
        ("style=vv&against=other", "were seen from different sides"),
        ("style=change&against=last&bands=VV,VH", "compares one band in dB: VV, VH"),
        ("style=change&against=last&expression=VV", "compares a band, not an expression"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(radar: FlaskClient, query: str, words: str) -> None:
    for address in ("preview.png", "tiles/WebMercatorQuad/12/2145/1440.png"):
        answer = radar.get(f"{ITEMS}/first/{address}?{query}")
        assert answer.status_code == 422
        assert words in answer.get_json()["detail"]
    assert radar.get(f"{ITEMS}/first/tilejson.json?{query}").status_code == 422


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"{ITEMS}/first/statistics?bands=VV&", "against= is for tiles"),
        (f"{ITEMS}/first/point/8.64,47.46?", "name what is compared"),
        (f"{ITEMS}/first/tilejson.json?style=error&", "style=error is not compared"),
        ("/collections/radar/tiles/WebMercatorQuad/12/2145/1440.png?", "against= is for tiles"),
        ("/collections/radar/point/8.64,47.46?bands=VV&", "against= is for tiles"),
    ],
)
def test_against_is_refused_where_nothing_is_compared(radar: FlaskClient, address: str, words: str) -> None:
    answer = radar.get(f"{address}against=last")
    assert answer.status_code == 422, answer.text
    assert words in answer.get_json()["detail"]


def test_other_orbits_are_compared_on_demand_and_other_quantities_never(radar: FlaskClient) -> None:
    wanted = f"{ITEMS}/first/preview.png?style=change&any_orbit=true&against="
    assert radar.get(f"{wanted}other").status_code == 200
    assert radar.get(f"{wanted}nowhere").status_code == 200
    answer = radar.get(f"{ITEMS}/gamma/preview.png?style=change&against=sigma&any_orbit=true")
    assert answer.status_code == 422
    assert "gamma holds gamma0 and sigma sigma0" in answer.get_json()["detail"]
    assert radar.get(f"{ITEMS}/first/preview.png?style=change&against=gone").status_code == 404
    assert (
        radar.get("/collections/radar/tiles/WebMercatorQuad/12/2145/1440.png?style=change").status_code == 422
    )


def test_tiles_of_a_change_depend_on_both_scenes(radar: FlaskClient) -> None:
    tags = {
        other: radar.get(f"{ITEMS}/first/preview.png?style=change&any_orbit=true&against={other}").headers[
            "ETag"
        ]
        for other in ("last", "gamma", "other")
    }
    assert len(set(tags.values())) == 3


def test_a_mosaic_keeps_to_the_orbit_of_the_newest_scene(radar: FlaskClient) -> None:
    """The newest, `last`, lacks the east: the older `first` of its orbit comes before `other` of another."""
    west, south, east, north = radar.get(f"{ITEMS}/first/info").get_json()["bbox"]
    lon, lat = west + 0.8 * (east - west), south + 0.2 * (north - south)
    found = radar.get(f"/collections/radar/point/{lon},{lat}").get_json()
    assert found["item"] in ("gamma", "sigma")  # the newest of orbit 15 there
    everything = radar.get(f"/collections/radar/point/{lon},{lat}?datetime=2021-05-03/2021-05-06").get_json()
    assert everything["item"] == "other"


def test_a_grade_is_by_means_of_areas(radar: FlaskClient) -> None:
    info = radar.get(f"{ITEMS}/first/info").get_json()
    fidelity = info["fidelity"]
    assert (fidelity["unit"], fidelity["grade"]) == ("dB", "Very close")
    assert "fields" in fidelity["meaning"]
    assert 0 < fidelity["field_error"] < fidelity["expected_error"] < 0.5
    assert abs(fidelity["bias"]) < 0.05
    certificate = radar.get(f"{ITEMS}/first/certificate").get_json()
    assert certificate["peak"] == 50
    assert set(certificate["power"]) == {"VV", "VH"}
    assert certificate["power"]["VV"]["rmse_8"] == pytest.approx(fidelity["field_error"], abs=0.05)


def test_no_word_of_vegetation_in_the_optical_sense(radar: FlaskClient) -> None:
    text = radar.get(f"{ITEMS}/first/info").text + radar.get("/collections/radar/info").text
    for word in ("NDVI", "ndvi", "true-color", "reflectance"):
        assert word not in text
