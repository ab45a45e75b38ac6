"""Which pixels of a collection's scenes its tiles are made of."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from flask.testing import FlaskClient
from numpy.typing import NDArray
from rio_tiler.models import ImageData

from comeo.compression import compress
from comeo.scene import Band
from comeo.view.budget import Budget
from tests.tileserver.api.scenes.test_series import scene
from tests.tileserver.conftest import serving
from tests.tileserver.places import position
from tileserver.render import composite
from tileserver.render.plan import RenderPlan

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
    found: NDArray[Any] = np.load(io.BytesIO(answer.data))
    return found


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


def test_an_area_is_a_file(client: FlaskClient) -> None:
    west, north = position(0.25, 0.25)
    east, south = position(0.75, 0.75)
    place = f"/collections/optical/bbox/{west},{south},{east},{north}"
    day = f"{NDVI}&pixel_selection=median&datetime=2020-05-01"
    tif = client.get(f"{place}.tif?{day}&width=90&height=100")
    assert tif.status_code == 200, tif.text
    with rasterio.open(io.BytesIO(tif.data)) as file:
        assert file.shape == (100, 90)
        assert file.bounds == pytest.approx((west, south, east, north))
        found = file.read(1, masked=True)
    alone = place.replace("/bbox", "/items/day-0/bbox")
    own = client.get(f"{alone}.tif?{NDVI}&dst_crs=EPSG:4326&width=90&height=100")
    with rasterio.open(io.BytesIO(own.data)) as file:
        np.testing.assert_array_equal(found.filled(np.nan), file.read(1, masked=True).filled(np.nan))
    assert found.count() > 0.9 * found.size
    utm = client.get(f"{place}.tif?{NDVI}&dst_crs=EPSG:32632")
    with rasterio.open(io.BytesIO(utm.data)) as file:
        assert file.crs == "EPSG:32632"
    assert client.get(f"{place}.png?style=ndvi&pixel_selection=clear").mimetype == "image/png"
    assert client.get("/collections/optical/bbox/100,10,101,11.png").status_code == 404


WMTS = (
    "service=WMTS&request=GetTile&version=1.0.0&layer=optical&style=ndvi&format=image/png"
    "&tilematrixset=WebMercatorQuad&tilematrix=13&tilerow=2866&tilecol=4293"
)
INFO = WMTS.replace("GetTile", "GetFeatureInfo") + "&i=3&j=3&infoformat=text/plain"
DAYS = "2020-05-01/2020-05-03"
RESOURCE = "/wmts/1.0.0/collections/optical/ndvi/default/WebMercatorQuad/13/2866/4293.png"
OGC = "/ogc/collections/optical/styles/ndvi/map/tiles/WebMercatorQuad/13/2866/4293"
MAP_TILE = f"/collections/optical/{TILE.replace('npy', 'png')}"


@pytest.mark.parametrize(
    ("address", "same"),
    [
        (f"/wmts?{WMTS}&PIXEL_SELECTION=median", ""),
        (f"/wmts?{WMTS}&PIXEL_SELECTION=median&TIME={DAYS}", f"&datetime={DAYS}"),
        (f"{RESOURCE}?pixel_selection=median", ""),
        (f"{OGC}?f=png&pixel_selection=median&datetime={DAYS}", f"&datetime={DAYS}"),
    ],
)
def test_layers_are_composites_as_the_map_is(client: FlaskClient, address: str, same: str) -> None:
    expected = client.get(f"{MAP_TILE}?style=ndvi&pixel_selection=median{same}")
    found = client.get(address)
    assert found.status_code == 200, found.text
    assert found.data == expected.data != client.get(f"{MAP_TILE}?style=ndvi{same}").data


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        (f"/wmts?{WMTS}&PIXEL_SELECTION=mode", 400, "median"),
        (f"/wmts?{WMTS}&TIME={DAYS}", 400, "PIXEL_SELECTION"),
        (f"/wmts?{WMTS}&EXPRESSION=B04", 400, "EXPRESSION"),
        (f"{RESOURCE}?rescale=0,1", 400, "RESCALE"),
        (f"/wmts?{WMTS}&PIXEL_SELECTION=mean".replace("=optical", "=optical/day-0"), 400, "one scene"),
        (f"/wmts?{INFO}&PIXEL_SELECTION=mean", 400, "MASK=clear"),
        (f"{OGC}?pixel_selection=mode", 422, "median"),
        (f"{OGC}?against=day-0", 422, "against"),
        ("/collections/optical/point/8.67,47.3?pixel_selection=clear", 422, "mask=clear"),
        (f"/collections/optical/items/day-0/{TILE}?{NDVI}&pixel_selection=clear", 422, "mask=clear"),
        ("/collections/optical/items/day-0/tilejson.json?pixel_selection=clear", 422, "mask=clear"),
        ("/collections/optical/series?point=8.67,47.3&pixel_selection=clear", 422, "mask=clear"),
    ],
)  # fmt: skip
def test_what_is_of_one_scene_or_style_says_so(
    client: FlaskClient, address: str, status: int, said: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    assert said in answer.text


def test_extracts_of_a_scene_refuse_to_choose_among_scenes(client: FlaskClient) -> None:
    answer = client.post("/collections/optical/items/day-0/extracts", json={"pixel_selection": "median"})
    assert answer.status_code == 422
    assert "mask=clear" in answer.text


def test_google_earth_is_led_to_tiles_of_the_same_selection(client: FlaskClient) -> None:
    found = client.get("/collections/optical/overlay.kml?style=ndvi&pixel_selection=median")
    assert found.status_code == 200
    assert "pixel_selection=median" in found.text


def test_a_median_holds_its_scenes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice 512 MB for each request, and what was freed stayed with the process."""
    monkeypatch.setattr(composite, "_PIECE_BYTES", 5 << 20)
    plan = RenderPlan((Band("B04"),), physical=True)
    rng, made = np.random.default_rng(1), np.empty((43, 1, 2048, 64), np.float32)
    made[:] = rng.normal(size=(43, 1, 1, 64))
    made[5, 0, :, 3] = np.nan
    tracemalloc.start()
    statistic = composite._Statistic("median", plan, Budget())
    for values in made:
        statistic.add(ImageData(np.ma.MaskedArray(values, np.isnan(values))))
    found = statistic.image()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    np.testing.assert_array_equal(found.array.data, np.nanmedian(made, axis=0).astype(np.float32))
    assert most < 1.6 * made.nbytes
