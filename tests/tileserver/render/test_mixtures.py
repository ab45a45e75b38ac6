"""Collections of unlike scenes: one odd scene, halves, other units, types and bands, and none at all."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from comeo.compression import compress
from comeo.scene import Band, Scene
from tests.scenes import array_group, array_scene
from tests.tileserver.conftest import FINE, Server
from tests.tileserver.places import position
from tileserver import metrics
from tileserver.cli.gunicorn import greeting
from tileserver.render.matrixsets import matrix_set

SIDE = 96
OPTICAL = ("B02", "B03", "B04", "B08")
MIXED = "/collections/test"
Kind = Callable[[str, int], Scene]


def scene_of(
    name: str, day: int, names: Sequence[str], value: float, unit: str, scale: tuple[float, float],
    dtype: Any = np.uint16,
) -> Scene:  # fmt: skip
    """A scene of one value, slightly textured so that it can be coded."""
    values = np.full((len(names), SIDE, SIDE), value, dtype)
    group = array_group(values, names=names, transform=FINE)
    group = replace(group, bands=tuple(Band(name, *scale, unit) for name in names))
    return array_scene(group, scene_id=name, day=day)


def optical(name: str, day: int) -> Scene:
    """Reflectance 0.1 in uint16, with the offset of today's baselines."""
    return scene_of(name, day, OPTICAL, 2000, "reflectance", (1e-4, -0.1))


def without_offset(name: str, day: int) -> Scene:
    """Reflectance 0.15 in uint16, as before 2022."""
    return scene_of(name, day, OPTICAL, 1500, "reflectance", (1e-4, 0.0))


def floating(name: str, day: int) -> Scene:
    """Reflectance 0.2 in float32."""
    return scene_of(name, day, OPTICAL, 0.2, "reflectance", (1.0, 0.0), np.float32)


def unitless(name: str, day: int) -> Scene:
    """The same bands, of which nobody knows the unit."""
    return scene_of(name, day, OPTICAL, 700, "", (1.0, 0.0))


def decibels(name: str, day: int) -> Scene:
    """The same names in decibels."""
    return scene_of(name, day, OPTICAL, -12.0, "dB", (1.0, 0.0), np.float32)


def radar(name: str, day: int) -> Scene:
    """Another sensor."""
    return scene_of(name, day, ("VV", "VH"), -12.0, "dB", (1.0, 0.0), np.float32)


def partial(name: str, day: int) -> Scene:
    """Two of the bands."""
    return scene_of(name, day, ("B04", "B08"), 2000, "reflectance", (1e-4, -0.1))


@pytest.fixture
def mixture(server: Server, tmp_path: Path) -> Callable[..., FlaskClient]:
    """Makes a client of a collection of scenes, the last ones the newest."""

    def make(*kinds: Kind) -> FlaskClient:
        folder = tmp_path / "scenes"
        folder.mkdir()
        for day, kind in enumerate(kinds, 1):
            scene = kind(f"{kind.__name__}-{day:02}", day)
            step = 20.0 if scene.groups[0].dtype == np.uint16 else 0.001
            compress(scene, folder / f"{scene.id}.zarr.zip", step=step)
        return server(folder)

    return make


def tile(client: FlaskClient, query: str, zoom: int = 15) -> NDArray[Any]:
    """Numbers of a tile (bands, y, x), NaN where invalid."""
    found = matrix_set("WebMercatorQuad").tile(*position(0.13, 0.13), zoom)
    url = f"{MIXED}/tiles/WebMercatorQuad/{found.z}/{found.x}/{found.y}.npy?{query}"
    answer = client.get(url)
    assert answer.status_code == 200, answer.data
    values = np.load(io.BytesIO(answer.data))
    numbers = values[:-1].astype(float)
    return np.where(values[-1:] > 0, numbers, np.nan)


def point_of(client: FlaskClient, query: str) -> Any:
    """Values at a place that all scenes hold."""
    lon, lat = position(0.1, 0.1)
    answer = client.get(f"{MIXED}/point/{lon},{lat}?{query}")
    assert answer.status_code == 200, answer.data
    return answer.json


def info(client: FlaskClient) -> Any:
    return client.get(f"{MIXED}/info").json


def wmts_styles(client: FlaskClient) -> str:
    return client.get("/wmts?service=WMTS&request=GetCapabilities").text


ODD = (unitless, decibels, radar, partial)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [0, 9])
def test_one_odd_scene_of_ten_takes_nothing_away(
    mixture: Callable[..., FlaskClient], odd: Kind, place: int
) -> None:
    kinds: list[Kind] = [optical] * 9
    client = mixture(*kinds[:place], odd, *kinds[place:])
    document = info(client)
    names = [style["id"] for style in document["styles"]]
    assert names[:1] == ["true-color"]
    assert {"ndvi", "b04", "false-color"} <= set(names)
    assert not {"vv", "vh", "radar"} & set(names)
    assert [band["unit"] for band in document["bands"]] == ["reflectance"] * 4
    assert document["odd"]["items"] == 1
    assert document["odd"]["named"][0]["id"] == f"{odd.__name__}-{place + 1:02}"
    text = wmts_styles(client)
    assert ">true-color<" in text
    assert ">vv<" not in text
    links = str(client.get("/stac/collections/test").json)
    assert "style=true-color" in links
    listed: Any = client.get("/ogc/collections/test").json
    assert listed["styles"][0]["id"] == "true-color"
    assert np.nanmedian(tile(client, "bands=B04&unscale=true")) == pytest.approx(0.1, abs=0.004)
    answer = client.get(f"{MIXED}/styles/true-color/legend.png")
    assert answer.status_code == 200


def test_the_odd_scene_is_named_to_the_operator(
    mixture: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    client = mixture(optical, optical, optical, decibels, partial)
    said = [str(record.fields) for record in caplog.records if record.message == "scenes differ"]  # type: ignore[attr-defined]
    assert len(said) == 1
    assert "2 of 5 scenes of test differ from the others" in said[0]
    assert "decibels-04: B02, B03, B04, B08 in dB, not reflectance" in said[0]
    assert "partial-05: it has no B02, B03" in said[0]
    assert "comeo_odd_scenes 2.0" in metrics.exposition().decode()
    client.get(f"{MIXED}/info")
    assert len([record for record in caplog.records if record.message == "scenes differ"]) == 1
    sentence = said[0].split("'differing': '")[1].split("'}")[0]
    assert sentence in greeting("http://x", 5, {}, [sentence])


def test_halves_are_both_offered_and_never_mixed(mixture: Callable[..., FlaskClient]) -> None:
    client = mixture(optical, radar, optical, radar)
    names = [style["id"] for style in info(client)["styles"]]
    assert {"true-color", "ndvi", "radar", "vv", "vh"} <= set(names)
    for query, value in (("bands=B04&unscale=true", 0.1), ("bands=VV&unscale=true", -12.0)):
        assert np.nanmedian(tile(client, query)) == pytest.approx(value, abs=0.01)
    point = point_of(client, "expression=B08/B04")
    assert point["item"] == "optical-03"
    point = point_of(client, "style=vv")
    assert point["item"] == "radar-04"


@pytest.mark.parametrize("query", ["bands=B04", "bands=B04&unscale=true", "expression=B04"])
def test_units_of_one_name_are_never_mixed(mixture: Callable[..., FlaskClient], query: str) -> None:
    client = mixture(optical, decibels, optical, decibels, decibels)
    values = tile(client, query)
    assert np.nanmedian(values) == pytest.approx(-12.0, abs=0.01)
    first_days = tile(client, f"{query}&datetime=../2020-05-03T23:59:59Z")
    assert np.nanmedian(first_days) == pytest.approx(2000 if query == "bands=B04" else 0.1, abs=8)
    point = point_of(client, f"{query}")
    assert point["item"] == "decibels-05"


@pytest.mark.parametrize(
    ("kinds", "number"),
    [
        ((optical, optical, floating), 3000),
        ((floating, optical, optical), 2000),
        ((floating, floating, optical), 0.1),
        ((optical, optical, without_offset), 2500),
        ((without_offset, without_offset, optical), 1000),
    ],
)
def test_numbers_are_those_of_most_scenes(
    mixture: Callable[..., FlaskClient], kinds: tuple[Kind, ...], number: float
) -> None:
    """Floats beside integers, baselines with and without offset: one scale for all tiles, the majority's."""
    client = mixture(*kinds)
    assert np.nanmedian(tile(client, "bands=B04")) == pytest.approx(number, rel=0.02)
    physical = {"optical": 0.1, "floating": 0.2, "without_offset": 0.15}[kinds[-1].__name__]
    assert np.nanmedian(tile(client, "bands=B04&unscale=true")) == pytest.approx(physical, abs=0.004)
    assert info(client)["odd"]["items"] == 0  # they can answer everything


def test_missing_bands_are_answered_by_those_that_have_them(mixture: Callable[..., FlaskClient]) -> None:
    client = mixture(optical, optical, partial, partial, partial)
    names = {style["id"] for style in info(client)["styles"]}
    assert "ndvi" in names
    assert "true-color" not in names  # two of five
    assert np.nanmedian(tile(client, "bands=B02")) == pytest.approx(2000, abs=40)
    assert client.get(f"{MIXED}/tilejson.json?style=true-color").status_code == 200
    assert client.get(f"{MIXED}/styles/true-color/legend.png").status_code == 200
    assert client.get(f"{MIXED}/tilejson.json?bands=B12&rescale=0,1").status_code == 404


def test_a_pixel_of_a_layer_is_of_the_scene_that_is_seen(mixture: Callable[..., FlaskClient]) -> None:
    client = mixture(optical, optical, optical, radar)
    found = matrix_set("WebMercatorQuad").tile(*position(0.13, 0.13), 15)
    base = "service=WMTS&version=1.0.0&layer=test&style=true-color&tilematrixset=WebMercatorQuad"
    where = f"tilematrix={found.z}&tilerow={found.y}&tilecol={found.x}&i=128&j=128"
    answer = client.get(
        f"/wmts?{base}&request=GetFeatureInfo&{where}&format=image/png&infoformat=application/json"
    )
    assert answer.status_code == 200, answer.data
    (feature,) = answer.get_json(force=True)["features"]
    assert feature["properties"]["item"] == "optical-03"


def test_series_leave_out_what_cannot_be_shown(mixture: Callable[..., FlaskClient]) -> None:
    client = mixture(optical, optical, radar)
    text = client.get(f"{MIXED}/series.kml").text
    assert "optical-02" in text
    assert "radar-03" not in text
    assert "style=true-color" in text


def test_a_tile_is_another_once_the_majority_is(server: Server, tmp_path: Path) -> None:
    """The ETag names the numbers that a tile is in, which scenes elsewhere decide, too."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    compress(optical("one", 1), folder / "one.zarr.zip", step=20.0)
    client = server(folder)
    found = matrix_set("WebMercatorQuad").tile(*position(0.13, 0.13), 15)
    url = f"{MIXED}/tiles/WebMercatorQuad/{found.z}/{found.x}/{found.y}.npy?bands=B04"
    before = client.get(url).headers["ETag"]
    for day in (2, 3):
        scene = floating(f"far-{day}", day)
        group = replace(scene.groups[0], transform=FINE @ FINE.translation(5000, 0))
        compress(replace(scene, groups=(group,)), folder / f"far-{day}.zarr.zip", step=0.001)
    after = client.get(url)
    assert after.headers["ETag"] != before
    assert np.nanmedian(np.load(io.BytesIO(after.data))[0]) == pytest.approx(0.1, abs=0.004)


def test_an_empty_catalogue_has_documents(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    client = server(folder)
    for url in (
        "/stac/collections",
        "/stac",
        "/ogc/collections",
        "/wmts?service=WMTS&request=GetCapabilities",
    ):
        assert client.get(url).status_code == 200
    for url in ("info", "tilejson.json", "overlay.kml", "series.kml", "tiles/WebMercatorQuad/0/0/0.png"):
        assert client.get(f"{MIXED}/{url}").status_code == 404, url


def test_a_collection_that_has_lost_all_scenes_is_not_found(
    mixture: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    client = mixture(optical)
    assert client.get(f"{MIXED}/info").status_code == 200
    assert client.get(f"{MIXED}/tilejson.json?datetime=2019-01-01").status_code == 404
    (tmp_path / "scenes" / "optical-01.zarr.zip").unlink()
    for url in ("info", "tilejson.json", "overlay.kml", "tiles/WebMercatorQuad/0/0/0.png"):
        assert client.get(f"{MIXED}/{url}").status_code == 404, url
    assert ">true-color<" not in wmts_styles(client)
