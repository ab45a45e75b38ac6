"""Differences of an indicator between two dates: values, expected errors, hatching, files, points."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from comeo.compression import compress
from comeo.scene import Scene
from tests.scenes import array_group, array_scene
from tests.tileserver.conftest import serving

BANDS = ("B02", "B03", "B04", "B08")
SIDE = 160
ITEMS = "/collections/fields/items"
NDVI = "(B08-B04)/(B08+B04)"


def fields(seed: int, greener: float) -> NDArray[np.uint16]:
    """Reflectances with noise; from the middle on the east is greener: DN × 0.0001 − 0.1."""
    rng = np.random.default_rng(seed)
    values = np.stack([np.full((SIDE, SIDE), level) for level in (0.05, 0.08, 0.10, 0.30)])
    values[3, :, SIDE // 2 :] += greener
    return np.asarray((values + 0.1 + rng.normal(0, 0.0015, values.shape)) * 10_000, np.uint16)


def scene_of(name: str, day: int, values: NDArray[np.uint16], names: tuple[str, ...] = BANDS) -> Scene:
    valid = np.ones(values.shape, bool)
    valid[:, :20] = name != "cut"
    scene = array_scene(array_group(values, valid, names=names), scene_id=name, collection="fields")
    return replace(scene, datetime=datetime(2021, 5, day, 10, tzinfo=UTC))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("fields")
    for scene in (
        scene_of("first", 1, fields(1, 0.0)),
        scene_of("last", 11, fields(2, 0.2)),
        scene_of("cut", 21, fields(3, 0.2)),
        scene_of("colours", 25, fields(3, 0.2)[:3], BANDS[:3]),
    ):
        compress(scene, folder / f"{scene.id}.zarr.zip", step=40.0, codec="dct")
    return serving(folder, folder.parent)


def array(client: FlaskClient, address: str) -> NDArray[Any]:
    answer = client.get(f"{ITEMS}/{address}")
    assert answer.status_code == 200, answer.text
    return np.asarray(np.load(io.BytesIO(answer.data)))


def picture(client: FlaskClient, address: str) -> NDArray[np.uint8]:
    answer = client.get(f"{ITEMS}/{address}")
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGBA"))


def ndvi_error(client: FlaskClient, scene: str) -> NDArray[np.float64]:
    """Expected error of NDVI by its derivatives, for errors of the two bands that are not correlated."""
    red, near = array(client, f"{scene}/preview.npy?bands=B04,B08&unscale=true&return_mask=false").astype(
        float
    )
    certified = [
        array(client, f"{scene}/preview.npy?style=error&bands={band}&return_mask=false")[0].astype(float)
        for band in ("B04", "B08")
    ]
    total = (red + near) ** 2
    return np.asarray(np.hypot(2 * near / total * certified[0], 2 * red / total * certified[1]))


def hatching(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where lines of the hatching run."""
    return np.asarray(np.indices(shape).sum(axis=0) % 8 < 2)


def test_a_difference_is_that_of_the_two_values(client: FlaskClient) -> None:
    now, before = (
        array(client, f"{name}/preview.npy?style=ndvi&return_mask=false")[0] for name in ("last", "first")
    )
    for what in ("style=ndvi", f"expression={NDVI.replace('+', '%2B')}"):
        found = array(client, f"last/preview.npy?{what}&against=first&return_mask=false")
        assert found.shape == (2, SIDE, SIDE)
        np.testing.assert_allclose(found[0], now - before, atol=1e-6)
    assert np.median(found[0][:, 90:]) == pytest.approx((0.5 - 0.1) / 0.6 - 0.5, abs=0.01)
    plain = array(client, "last/preview.npy?style=ndvi&against=first&significant=false&return_mask=false")
    np.testing.assert_array_equal(plain, found[:1])
    band = array(client, "last/preview.npy?bands=B08&against=first&significant=false&return_mask=false")
    assert np.median(band[0][:, 90:]) == pytest.approx(0.2, abs=0.005)


def test_its_error_is_that_of_both_scenes(client: FlaskClient) -> None:
    found = array(client, "last/preview.npy?style=ndvi&against=first&return_mask=false")[1]
    expected = np.hypot(*[ndvi_error(client, name) for name in ("last", "first")])
    # bands' errors of one scene are correlated by up to a few tenths
    assert np.median(found / expected) == pytest.approx(1, abs=0.25)
    assert found.min() > 0


def test_what_may_be_chance_is_hatched(client: FlaskClient) -> None:
    value, error = array(
        client, "last/preview.npy?style=ndvi&against=first&return_mask=false&resampling=bilinear"
    )
    shown = picture(client, "last/preview.png?style=ndvi&against=first")
    chance = np.abs(value) <= 2 * error
    assert chance[:, :60].mean() > 0.5
    assert not chance[:, 90:].any()
    line = hatching(chance.shape)
    assert (shown[chance & line] == (110, 110, 110, 190)).all()
    assert (shown[chance & ~line][:, 3] == 0).all()
    assert (shown[~chance][:, 3] == 255).all()
    east = shown[:, 90:, :3].reshape(-1, 3).astype(int)
    assert (east[:, 2] > east[:, 0]).all(), "more is blue-green"
    everything = picture(client, "last/preview.png?style=ndvi&against=first&significant=false")
    assert (everything[..., 3] == 255).all()
    reverse = picture(client, "first/preview.png?style=ndvi&against=last")[:, 90:, :3].astype(int)
    assert (reverse[..., 0] > reverse[..., 2]).all(), "less is brown"


@pytest.mark.parametrize("extension", ["webp", "jpg"])
def test_every_kind_of_picture_shows_it(client: FlaskClient, extension: str) -> None:
    shown = picture(client, f"last/preview.{extension}?style=ndvi&against=first").astype(int)
    assert (shown[:, 95:, 2] > shown[:, 95:, 0]).mean() > 0.99


def test_hatching_has_no_seams_between_tiles(client: FlaskClient) -> None:
    address = "last/tiles/WebMercatorQuad/{}/{}/{}.png?style=ndvi&against=first"
    info = client.get(f"{ITEMS}/last/info").get_json()
    import mercantile

    west, south, _, north = info["bbox"]
    tile = mercantile.tile(west + 1e-4, (south + north) / 2, 15)
    two = [picture(client, address.format(15, tile.x + step, tile.y)) for step in (0, 1)]
    both = np.concatenate(two, axis=1)
    grey = (both == (110, 110, 110, 190)).all(axis=-1)
    assert grey[:, :256].any()
    assert grey[:, 256:].any()
    assert hatching(grey.shape)[grey].all()


def test_a_difference_is_missing_where_either_scene_is(client: FlaskClient) -> None:
    found = array(client, "first/preview.npy?style=ndvi&against=cut")
    assert not found[-1][:20].any()
    assert found[-1][20:].all()


def test_a_geotiff_has_the_difference_and_its_error(client: FlaskClient, tmp_path: Path) -> None:
    west, south, east, north = client.get(f"{ITEMS}/last/info").get_json()["bbox"]
    box = f"{west},{south},{(west + east) / 2},{north}"
    path = tmp_path / "difference.tif"
    answer = client.get(f"{ITEMS}/last/bbox/{box}.tif?style=ndvi&against=first")
    assert answer.status_code == 200, answer.text
    path.write_bytes(answer.data)
    with rasterio.open(path) as dataset:
        assert dataset.descriptions == ("difference of ndvi", "expected error of the difference")
        assert dataset.tags()["COMEO_AGAINST"] == "first"
        values = dataset.read()
    whole = array(client, "last/preview.npy?style=ndvi&against=first&return_mask=false")
    np.testing.assert_allclose(values[:, 40:80, 20:60], whole[:, 40:80, 20:60], atol=1e-6)
    body = {"bbox": [west, south, east, north], "style": "ndvi", "against": "first"}
    estimate = client.post(f"{ITEMS}/last/extracts/estimate", json=body)
    assert estimate.get_json()["bands"] == 2


def test_a_point_says_whether_it_changed(client: FlaskClient) -> None:
    west, south, east, north = client.get(f"{ITEMS}/last/info").get_json()["bbox"]
    lat = (south + north) / 2
    for share, changed in ((0.8, True), (0.2, False)):
        lon = west + share * (east - west)
        both = [
            client.get(f"{ITEMS}/{name}/point/{lon},{lat}?style=ndvi").get_json()["results"][0]
            for name in ("last", "first")
        ]
        answer = client.get(f"{ITEMS}/last/point/{lon},{lat}?style=ndvi&against=first").get_json()
        value, difference = answer["results"]
        assert value == both[0]
        assert difference["expression"] == "difference of ndvi"
        assert difference["value"] == pytest.approx(both[0]["value"] - both[1]["value"], abs=1e-5)
        joint = np.hypot(both[0]["expected_error"], both[1]["expected_error"])
        assert difference["expected_error"] == pytest.approx(joint, rel=0.01)
        assert answer["against"]["item"] == "first"
        assert difference["significant"] is (abs(difference["value"]) > 2 * difference["expected_error"])
        if changed:
            assert difference["significant"]


def test_etags_tell_comparisons_apart(client: FlaskClient) -> None:
    queries = ("", "&against=first", "&against=cut", "&against=first&significant=false")
    etags = {client.get(f"{ITEMS}/last/preview.png?style=ndvi{query}").headers["ETag"] for query in queries}
    assert len(etags) == len(queries)


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("style=ndvi&against=nobody", 404, "nobody"),
        ("style=ndvi&against=last", 422, "not compared with itself"),
        ("style=ndvi&against=colours", 404, "colours has nothing to compare with"),
        ("style=true-color&against=first", 422, "no single value to compare"),
        ("style=clear&against=first", 422, "style=clear is not compared"),
        ("style=ndvi&against=first&color_formula=gamma+R+2", 422, "a difference is one value"),
        ("style=ndvi&against=first&rescale=0,1&rescale=0,2", 422, "give one"),
        ("bands=B99&against=first", 404, "no band B99"),
    ],
)
def test_what_cannot_be_compared_is_refused(client: FlaskClient, query: str, status: int, words: str) -> None:
    for address in (f"preview.png?{query}", f"tilejson.json?{query}"):
        answer = client.get(f"{ITEMS}/last/{address}")
        assert answer.status_code == status, answer.text
        assert words in answer.get_json()["detail"]
