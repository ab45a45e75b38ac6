"""Pictures stretched to a scene's own percentiles, against percentiles of its original pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from comeo.archive import Archive
from comeo.compression import compress
from tests.scenes import array_classes, array_group, array_scene
from tests.tileserver.conftest import FINE, radar_scene, serving

SIDE = 256
CLOUD_ROWS = 64
BRIGHT, DARK = "bright", "dark"


def land(low: float, high: float, seed: int) -> NDArray[np.uint16]:
    """Four bands of smooth ground between two reflectances; DN = (reflectance + 0.1) × 10 000."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(low, high, SIDE)[None, None] + rng.normal(0, 0.002, (4, SIDE, SIDE))
    return np.round((ramp + 0.1) * 10_000).clip(1, 65_000).astype(np.uint16)


def scene(scene_id: str, values: NDArray[np.uint16], day: int, classes: NDArray[np.uint8] | None) -> Any:
    group = array_group(values, names=["B02", "B03", "B04", "B08"], transform=FINE)
    source = None if classes is None else array_classes(classes)
    return array_scene(group, scene_id=scene_id, collection="optical", day=day, classes=source)


@pytest.fixture(scope="module")
def originals() -> dict[str, NDArray[np.uint16]]:
    """A desert, and a forest whose upper quarter lies under cloud."""
    forest = land(0.01, 0.06, 2)
    forest[:, :CLOUD_ROWS] = 9_000
    return {BRIGHT: land(0.25, 0.55, 1), DARK: forest}


@pytest.fixture(scope="module")
def client(originals: dict[str, NDArray[np.uint16]], tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("archives")
    classes = np.ones((SIDE // 2, SIDE // 2), np.uint8)
    classes[: CLOUD_ROWS // 2] = 6
    compress(scene(BRIGHT, originals[BRIGHT], 10, None), folder / "bright.zarr.zip", codec="dct", step=20)
    compress(scene(DARK, originals[DARK], 20, classes), folder / "dark.zarr.zip", codec="dct", step=20)
    compress(radar_scene("radar"), folder / "radar.zarr.zip", codec="dct", step=0.1)
    return serving(folder, tmp_path_factory.mktemp("server"))


def picture(client: FlaskClient, item: str, query: str, collection: str = "optical") -> NDArray[np.float64]:
    answer = client.get(f"/collections/{collection}/items/{item}/preview.png?{query}")
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGB"), np.float64)


def expected(values: NDArray[np.uint16]) -> tuple[float, float]:
    """Least 2nd and greatest 98th percentile of the visible bands of (bands, …), in reflectance."""
    bands = [values[row].ravel() * 1e-4 - 0.1 for row in range(3)]
    return min(np.percentile(each, 2) for each in bands), max(np.percentile(each, 98) for each in bands)


def auto_of(client: FlaskClient, item: str, style: str, collection: str = "optical") -> Any:
    info = client.get(f"/collections/{collection}/items/{item}/info").get_json()
    return next(each for each in info["styles"] if each["id"] == style).get("auto")


def test_a_desert_is_not_blown_out_and_a_forest_under_cloud_not_black(client: FlaskClient) -> None:
    for item, rows in ((BRIGHT, slice(None)), (DARK, slice(CLOUD_ROWS, None))):
        fixed, auto = (
            picture(client, item, f"style=true-color{query}")[rows] for query in ("", "&rescale=auto")
        )
        assert 100 < auto.mean() < 155
        assert not 60 < fixed.mean() < 200, "what it is for"
        assert (auto >= 254).mean() < 0.03


def test_ranges_are_percentiles_of_the_original_pixels_with_clouds_left_aside(
    client: FlaskClient, originals: dict[str, NDArray[np.uint16]]
) -> None:
    for item, ground in ((BRIGHT, originals[BRIGHT]), (DARK, originals[DARK][:, CLOUD_ROWS:])):
        auto = auto_of(client, item, "true-color")
        assert auto[0] == auto[1] == auto[2], "colours stay comparable"
        assert auto[0] == pytest.approx(expected(ground), abs=0.006), "between those kept"


def test_the_numbers_of_info_give_the_same_picture(client: FlaskClient) -> None:
    ((low, high), *_) = auto_of(client, DARK, "true-color")
    given = picture(client, DARK, f"style=true-color&rescale={low},{high}")
    assert np.abs(given - picture(client, DARK, "style=true-color&rescale=auto")).max() <= 1


def test_bands_as_stored_numbers_and_decibels_are_stretched_too(client: FlaskClient) -> None:
    assert 100 < picture(client, BRIGHT, "bands=B04&rescale=auto").mean() < 155
    radar = picture(client, "radar", "style=vv&rescale=auto", "radar")
    assert (radar < 3).mean() < 0.06
    assert (radar > 252).mean() < 0.06


def test_an_index_keeps_its_range(client: FlaskClient) -> None:
    plain, auto = (picture(client, DARK, f"style=ndvi{query}") for query in ("", "&rescale=auto"))
    np.testing.assert_array_equal(plain, auto)
    assert auto_of(client, DARK, "ndvi") is None


def test_tiles_have_an_etag_of_their_own(client: FlaskClient) -> None:
    tile = "/collections/optical/items/dark/tiles/WebMercatorQuad/8/134/90.png?style=true-color"
    assert len({client.get(f"{tile}{query}").headers["ETag"] for query in ("", "&rescale=auto")}) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/collections/optical/tiles/WebMercatorQuad/8/134/90.png?rescale=auto",
        "/collections/optical/items/dark/tiles/WebMercatorQuad/8/134/90.tif?rescale=auto&bands=B04",
        "/collections/optical/items/dark/statistics?rescale=auto&bands=B04",
        "/collections/optical/items/dark/bbox/8,47,9,48.tif?rescale=auto&bands=B04",
    ],
)
def test_it_is_refused_where_no_single_scene_is_shown(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert "rescale=min,max" in answer.get_json()["detail"]


def test_an_archive_without_histograms_is_stretched_by_its_decoded_pixels(
    client: FlaskClient, originals: dict[str, NDArray[np.uint16]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = auto_of(client, BRIGHT, "true-color")[0]
    monkeypatch.setattr(Archive, "histogram", lambda *_: None)
    sampled = auto_of(client, BRIGHT, "true-color")[0]
    assert sampled == pytest.approx(kept, abs=0.01)
    assert 100 < picture(client, BRIGHT, "style=true-color&rescale=auto&max_size=200").mean() < 155
