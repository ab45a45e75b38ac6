"""Points, statistics, info and TileJSON over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from comeo.archive import open_archive
from comeo.scene import Window
from tests.tileserver.conftest import SIZE
from tests.tileserver.places import CUT_ITEM, ITEM, RADAR_ITEM, position


def test_a_point_gives_numbers_and_reflectance(client: FlaskClient, archives: Path) -> None:
    lon, lat = position(100.5 / SIZE, 40.5 / SIZE)
    answer = _get(client, f"{ITEM}/point/{lon},{lat}")
    with open_archive(archives / "middle.zarr.zip") as archive:
        fine, coarse = (archive.groups[name].levels[0] for name in ("r10m", "r20m"))
        expected = [
            *archive.read(fine, Window(40, 100, 1, 1))[:, 0, 0],
            *archive.read(coarse, Window(20, 50, 1, 1))[:, 0, 0],
        ]
    assert [band["name"] for band in answer["bands"]] == ["B02", "B03", "B04", "B08", "B8A", "B11"]
    assert [band["value"] for band in answer["bands"]] == expected
    reflectance = [band["reflectance"] for band in answer["bands"]]
    np.testing.assert_allclose(reflectance, np.array(expected) * 1e-4 - 0.1, atol=1e-6)
    assert (answer["item"], answer["datetime"]) == ("middle", "2020-05-10T10:30:00Z")


def test_a_point_gives_the_value_of_an_expression(client: FlaskClient) -> None:
    lon, lat = position(0.3, 0.3)
    answer = _get(client, f"{ITEM}/point/{lon},{lat}?expression=(B08-B04)/(B08%2BB04)")
    near, red = (band["reflectance"] for band in answer["bands"])
    assert answer["results"][0]["value"] == pytest.approx((near - red) / (near + red), abs=1e-4)


def test_a_point_without_data_has_no_value(client: FlaskClient) -> None:
    lon, lat = position(0.9, 0.9)
    answer = _get(client, f"{CUT_ITEM}/point/{lon},{lat}")
    assert all(band["value"] is None and band["reflectance"] is None for band in answer["bands"])


def test_a_point_of_a_collection_is_of_the_newest_scene_that_has_it(client: FlaskClient) -> None:
    for place, item in (((0.2, 0.2), "new"), ((0.9, 0.9), "middle")):
        lon, lat = position(*place)
        assert _get(client, f"/collections/optical/point/{lon},{lat}")["item"] == item
    lon, lat = position(0.2, 0.2)
    past = _get(client, f"/collections/optical/point/{lon},{lat}?datetime=../2020-05-05")
    assert past["item"] == "old"


def test_radar_points_have_decibels_and_no_reflectance(client: FlaskClient) -> None:
    lon, lat = position(0.5, 0.5)
    bands = _get(client, f"{RADAR_ITEM}/point/{lon},{lat}")["bands"]
    assert [(band["unit"], band["reflectance"]) for band in bands] == [("dB", None)] * 2
    assert all(-60 < band["value"] < 20 for band in bands)


def test_statistics_of_a_style_have_its_name(client: FlaskClient) -> None:
    """They had the expression that the style happens to be computed by."""
    assert list(_get(client, f"{ITEM}/statistics?style=ndvi")) == ["ndvi"]
    assert list(_get(client, f"{ITEM}/statistics?style=true-color")) == ["B04", "B03", "B02"]
    assert list(_get(client, f"{ITEM}/statistics?expression=B08-B04")) == ["B08-B04"]


def test_statistics_are_those_of_the_pixels(client: FlaskClient, archives: Path) -> None:
    found = _get(client, f"{ITEM}/statistics?bands=B04,B11&p=10,50&histogram_bins=5")
    with open_archive(archives / "middle.zarr.zip") as archive:
        level = archive.groups["r10m"].levels[0]
        red = archive.read(level, Window(0, 0, SIZE, SIZE))[2].astype(float)
    assert found["B04"]["mean"] == pytest.approx(red.mean())
    assert found["B04"]["std"] == pytest.approx(red.std())
    assert found["B04"]["percentile_50"] == pytest.approx(np.median(red), abs=1)
    assert len(found["B04"]["histogram"][0]) == 5
    assert found["B11"]["valid_pixels"] == SIZE * SIZE
    index = _get(client, f"{ITEM}/statistics?style=ndvi")
    assert -1 < next(iter(index.values()))["mean"] < 1


def test_statistics_leave_nodata_out(client: FlaskClient) -> None:
    found = _get(client, f"{CUT_ITEM}/statistics?bands=B04")["B04"]
    assert 0 < found["masked_pixels"] < SIZE * SIZE
    assert found["min"] > 100


def test_info_lists_styles_that_work(client: FlaskClient) -> None:
    facts = _get(client, f"{ITEM}/info")
    assert {"id", "collection", "datetime", "codec", "ratio", "raw_bytes", "archive_bytes"} <= set(facts)
    names = [style["id"] for style in facts["styles"]]
    assert names[0] == "true-color"
    assert {"ndvi", "moisture", "false-color", "b04"} <= set(names)
    assert "burn" not in names
    for style in facts["styles"]:
        assert client.get(f"{ITEM}/preview.png?max_size=32&style={style['id']}").status_code == 200
        legend = style["legend"]
        assert (legend is None) == (len(style["rescale"]) != 1)  # composites, and maps of classes
        if legend:
            assert legend["minimum"] < legend["maximum"]
            assert all(len(colour) == 7 for colour in legend["colors"])
    assert names[-1] == "error"  # told by certificates, which are of single scenes
    assert [style["id"] for style in _get(client, "/collections/optical/info")["styles"]] == names[:-1]


def test_a_band_of_unknown_unit_is_shown_in_a_range_of_its_own(client: FlaskClient) -> None:
    (style,) = _get(client, "/collections/plain/items/plain/info")["styles"]
    ((black, white),) = style["rescale"]
    assert style["id"] == "dn"
    assert 0 < black < white
    for path in ("items/plain/tilejson.json", "items/plain/preview.png?max_size=32", "tilejson.json"):
        assert client.get(f"/collections/plain/{path}").status_code == 200


def test_tilejson_points_to_tiles_that_are_there(client: FlaskClient) -> None:
    for base in (ITEM, "/collections/optical"):
        tiles = _get(client, f"{base}/tilejson.json?style=ndvi")
        assert tiles["tilejson"] == "3.0.0"
        assert tiles["minzoom"] <= tiles["maxzoom"]
        assert tiles["maxzoom"] in {13, 14}
        west, south, east, north = tiles["bounds"]
        lon, lat = position(0.5, 0.5)
        assert west < lon < east
        assert south < lat < north
        assert tiles["tiles"][0].endswith(f"{base}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.webp?style=ndvi")


def _get(client: FlaskClient, url: str) -> Any:
    answer = client.get(url)
    assert answer.status_code == 200, answer.data[:300]
    return answer.json
