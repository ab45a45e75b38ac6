"""Which pixels of a collection's scenes its tiles are made of."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from comeo.compression import compress
from tests.tileserver.api.scenes.test_series import scene
from tests.tileserver.conftest import serving

CLOUDY = (0.0, 0.0, 0.5, 1.0)  # western part of each day that is under cloud
NDVI = "expression=(B08-B04)/(B08%2BB04)"
TILE = "tiles/WebMercatorQuad/13/4293/2866.npy"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("archives")
    for number, cloudy in enumerate(CLOUDY):
        one = scene(f"day-{number}", 1 + number, number, cloudy)
        compress(one, folder / f"{one.id}.zarr.zip", codec="dct", step=20.0)
    return serving(folder, tmp_path_factory.mktemp("server"))


def values(client: FlaskClient, place: str, query: str = "") -> NDArray[Any]:
    """Values and mask of a tile: (results + 1, y, x)."""
    answer = client.get(f"/collections/optical/{place}?{NDVI}{query}")
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.data))


@pytest.fixture(scope="module")
def dates(client: FlaskClient) -> NDArray[Any]:
    """NDVI of each day, NaN where it is not clear or has no data: (dates, y, x)."""
    found = []
    for number in range(len(CLOUDY)):
        own = values(client, f"items/day-{number}/{TILE}", "&mask=clear")
        found.append(np.where(own[-1] > 0, own[0], np.nan))
    assert np.isfinite(found[0]).sum() > 1000
    return np.array(found)


def test_clear_pixels_come_first(client: FlaskClient, dates: NDArray[Any]) -> None:
    own = values(client, TILE, "&pixel_selection=clear")
    expected = np.where(np.isnan(dates[2]), dates[1], dates[2])
    there = np.isfinite(expected)
    np.testing.assert_array_equal(own[0][there], expected[there])
    assert np.isnan(dates[2][there]).any()


def test_by_default_the_newest_is_shown_cloudy_or_not(client: FlaskClient) -> None:
    newest = values(client, f"items/day-3/{TILE}")
    own = values(client, TILE)
    there = newest[-1] > 0
    np.testing.assert_array_equal(own[0][there], newest[0][there])


def test_where_nothing_is_clear_the_newest_of_any_is_shown(client: FlaskClient) -> None:
    own = values(client, TILE, "&pixel_selection=clear&datetime=2020-05-04")
    np.testing.assert_array_equal(own, values(client, f"items/day-3/{TILE}"))
    empty = values(client, TILE, "&pixel_selection=median&datetime=2020-05-04")
    assert not empty[-1].any()


@pytest.mark.parametrize(
    ("name", "combined"),
    [("mean", np.nanmean), ("median", np.nanmedian), ("lowest", np.nanmin), ("highest", np.nanmax)],
)
def test_statistics_are_of_clear_pixels(
    client: FlaskClient, dates: NDArray[Any], name: str, combined: Any
) -> None:
    own = values(client, TILE, f"&pixel_selection={name}")
    there = np.isfinite(dates).any(axis=0) & (own[-1] > 0)
    assert there.sum() > 1000
    np.testing.assert_allclose(own[0][there], combined(dates[:, there], axis=0), atol=1e-6)


def test_etags_tell_selections_apart(client: FlaskClient) -> None:
    tags = {
        client.get(f"/collections/optical/{TILE}?{NDVI}&pixel_selection={name}").headers["ETag"]
        for name in ("first", "clear", "mean", "median")
    }
    assert len(tags) == 4


def test_tilejson_carries_the_selection(client: FlaskClient) -> None:
    found = client.get("/collections/optical/tilejson.json?style=ndvi&pixel_selection=median").get_json()
    assert "pixel_selection=median" in found["tiles"][0]


@pytest.mark.parametrize(
    ("query", "said"),
    [("style=clear&pixel_selection=median", "pixel_selection=clear"), ("pixel_selection=mode", "median")],
)
def test_what_is_refused(client: FlaskClient, query: str, said: str) -> None:
    for place in (TILE.replace("npy", "png"), "tilejson.json"):
        answer = client.get(f"/collections/optical/{place}?{query}")
        assert answer.status_code == 422
        assert said in answer.text


def test_a_median_of_too_many_is_refused(client: FlaskClient, tmp_path: Path) -> None:
    paths = client.application.extensions["comeo"].scenes.settings.paths
    other = serving(paths[0], tmp_path, max_made_bytes=4 * 256 * 256 * 4)
    answer = other.get(f"/collections/optical/{TILE}?{NDVI}&pixel_selection=median")
    assert answer.status_code == 413
