"""What is served of the certificate: the document, the error layer, ± of values, tags and headers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from flask.testing import FlaskClient
from PIL import Image
from rasterio.io import MemoryFile

from comeo.archive import Archive, open_archive
from comeo.compression import compress
from comeo.scene import Window
from tests.scenes import array_classes, array_group, array_scene, landscape
from tests.tileserver.conftest import FINE, SIZE, Server, serving
from tests.tileserver.places import ITEM, position

SCALE = 1e-4


@pytest.fixture(scope="module")
def scene_errors(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray[Any, Any]]:
    """An archive of 2×2 blocks, the first of which is much rougher; and its true errors."""
    values = landscape(4, 512, 512, 3)
    noise = np.random.default_rng(0).normal(0, 300, (4, 256, 256))
    values[:, :256, :256] = np.clip(values[:, :256, :256] + noise, 1, 10_000).astype(np.uint16)
    group = array_group(
        values, np.ones(values.shape, bool), names=["B02", "B03", "B04", "B08"], transform=FINE
    )
    folder = tmp_path_factory.mktemp("rough")
    path = compress(array_scene(group, scene_id="rough"), folder / "rough.zarr.zip", codec="dct", step=400.0)
    with open_archive(path) as archive:
        assert archive.certificate is not None
        assert archive.certificate.by_block
        decoded = archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 512, 512))
    return folder, decoded.astype(float) - values


@pytest.fixture(scope="module")
def rough(
    scene_errors: tuple[Path, np.ndarray[Any, Any]], tmp_path_factory: pytest.TempPathFactory
) -> FlaskClient:
    """A server of it."""
    return serving(scene_errors[0], tmp_path_factory.mktemp("server"))


ROUGH = "/collections/test/items/rough"


def place(col: float, row: float) -> str:
    lon, lat = position(col / SIZE, row / SIZE)
    return f"{lon},{lat}"


def test_the_certificate_is_served(rough: FlaskClient, scene_errors: Any) -> None:
    answer = _get(rough, f"{ROUGH}/certificate")
    group = answer["groups"]["r10m"]
    true = np.sqrt(np.mean(scene_errors[1] ** 2, axis=(1, 2)))
    assert [band["rmse"] for band in group["bands"]] == pytest.approx(list(true), rel=1e-3)
    assert [band["physical_rmse"] for band in group["bands"]] == pytest.approx(list(true * SCALE), rel=1e-3)
    assert group["blocks"] is None
    assert answer["summary"]["expected_error"] == pytest.approx(np.sqrt(np.mean(true**2)) * SCALE, rel=0.01)
    assert answer["summary"]["unit"] == "reflectance"
    blocks = _get(rough, f"{ROUGH}/certificate?blocks=true")["groups"]["r10m"]["blocks"]
    first = np.sqrt(np.mean(scene_errors[1][2, :256, :256] ** 2))
    assert blocks["rmse"][2][0][0] == pytest.approx(first, rel=0.05)
    described = rough.get("/openapi.json").json["paths"]  # type: ignore[index]
    content = described["/collections/{collection}/items/{item}/certificate"]["get"]["responses"]["200"]
    assert "CertificateAnswer" in json.dumps(content)


def test_points_tell_the_error_of_their_block(rough: FlaskClient, scene_errors: Any) -> None:
    for col, row, block in ((100.5, 90.5, np.s_[:, :256, :256]), (400.5, 300.5, np.s_[:, 256:, 256:])):
        bands = _get(rough, f"{ROUGH}/point/{place(col, row)}")["bands"]
        true = np.sqrt(np.mean(scene_errors[1][block] ** 2, axis=(1, 2)))
        assert [band["expected_error"] for band in bands] == pytest.approx(list(true), rel=0.05)
        assert [band["physical_expected_error"] for band in bands] == pytest.approx(
            list(true * SCALE), rel=0.05
        )


def test_the_error_of_an_index_is_propagated_with_correlation(rough: FlaskClient, scene_errors: Any) -> None:
    """Against the covariance of the true errors in the scene and NDVI's derivatives by hand."""
    url = f"{ROUGH}/point/{place(100.5, 90.5)}?expression=(B08-B04)/(B08%2BB04)"
    answer = _get(rough, url)
    near, red = (band["reflectance"] for band in answer["bands"])
    sigma = np.array([band["physical_expected_error"] for band in answer["bands"]])
    slopes = np.array([2 * red, -2 * near]) / (near + red) ** 2
    rho = np.corrcoef(scene_errors[1][3].ravel(), scene_errors[1][2].ravel())
    expected = np.sqrt((slopes * sigma) @ rho @ (slopes * sigma))
    assert answer["results"][0]["expected_error"] == pytest.approx(expected, rel=0.03)


def test_the_propagated_error_of_an_index_is_near_the_true_one(rough: FlaskClient, scene_errors: Any) -> None:
    """Over points of a block, the first-order error of NDVI is that of the decoded NDVI to the original."""
    with open_archive(scene_errors[0] / "rough.zarr.zip") as archive:
        decoded = archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 512, 512)).astype(float)
    errors = (_ndvi(decoded) - _ndvi(decoded - scene_errors[1]))[:256, :256]
    query = "expression=(B08-B04)/(B08%2BB04)&unscale=false"
    points = np.random.default_rng(0).integers(5, 250, (25, 2)) + 0.5
    answers = [_get(rough, f"{ROUGH}/point/{place(*point)}?{query}")["results"][0] for point in points]
    expected = np.array([answer["expected_error"] for answer in answers])
    assert np.sqrt(np.mean(expected**2)) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.3)


def test_statistics_tell_the_error_of_a_pixel(rough: FlaskClient, scene_errors: Any) -> None:
    found = _get(rough, f"{ROUGH}/statistics?bands=B04")["B04"]["expected_error"]
    assert found == pytest.approx(np.sqrt(np.mean(scene_errors[1][2] ** 2)), rel=0.05)
    index = _get(rough, f"{ROUGH}/statistics?expression=(B08-B04)/(B08%2BB04)")
    assert 0 < next(iter(index.values()))["expected_error"] < 1


def test_statistics_tell_the_uncertainty_of_means(rough: FlaskClient, scene_errors: Any) -> None:
    """By the law, with factors as the archive states them, and NDVI's derivatives by hand."""
    with open_archive(scene_errors[0] / "rough.zarr.zip") as archive:
        factor = beyond_blocks(archive)  # an area of 512 pixels to a side is
        decoded = archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 512, 512))
    both = factor[2:] * 400 / (np.sqrt(12) * 512)
    expected = both[0]
    found = _get(rough, f"{ROUGH}/statistics?bands=B04&max_size=512")["B04"]
    assert found["mean_uncertainty"] == pytest.approx(expected, rel=0.01)
    true = decoded[2].mean() - scene_errors[1][2].mean()
    assert abs(found["mean"] - true) < 3 * found["mean_uncertainty"]
    reduced = _get(rough, f"{ROUGH}/statistics?bands=B04&max_size=256")["B04"]
    assert reduced["mean_uncertainty"] == pytest.approx(expected, rel=0.01)

    red, near = (decoded[band].mean() * SCALE - 0.1 for band in (2, 3))
    slopes = np.array([2 * red, -2 * near]) / (near + red) ** 2
    index = _get(rough, f"{ROUGH}/statistics?expression=(B08-B04)/(B08%2BB04)&max_size=512")
    uncertainty = next(iter(index.values()))["mean_uncertainty"]
    assert uncertainty == pytest.approx(np.hypot(*(slopes * both)) * SCALE, rel=0.05)


def beyond_blocks(archive: Archive) -> np.ndarray[Any, Any]:
    """The law's k of each band for areas of 256 pixels to a side and more."""
    small, large = np.array(archive.means["r10m"]).T
    return np.asarray(large**2 / small)


def test_the_uncertainty_of_means_is_that_of_the_pixels_that_a_mask_keeps(tmp_path: Path) -> None:
    """Land on the left, cloud on the right; brighter, so that NDVI has another slope there."""
    values = landscape(4, 480, 480, 5)
    values[:, :, 240:] = np.minimum(values[:, :, 240:], 3000) * 3
    classes = np.ones((240, 240), np.uint8)
    classes[:, 120:] = 6
    group = array_group(values, names=["B02", "B03", "B04", "B08"], transform=FINE)
    scene = array_scene(
        group, scene_id="half", classes=array_classes(classes, transform=FINE @ Affine.scale(2))
    )
    path = compress(scene, tmp_path / "half.zarr.zip", codec="dct", step=400.0)
    with open_archive(path) as archive:
        factor = beyond_blocks(archive)
        decoded = archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 480, 240))
    client = serving(path, tmp_path)
    url = "/collections/test/items/half/statistics?mask=land&max_size=480"
    both = np.hypot(factor[2:] * 400 / np.sqrt(12 * 480 * 240), 0.05 * 400 * 3 / 240)
    found = _get(client, f"{url}&bands=B04")["B04"]
    assert found["mean_uncertainty"] == pytest.approx(both[0], rel=0.01)
    red, near = (decoded[band].mean() * SCALE - 0.1 for band in (2, 3))
    slopes = np.array([2 * red, -2 * near]) / (near + red) ** 2
    index = next(iter(_get(client, f"{url}&expression=(B08-B04)/(B08%2BB04)").values()))
    assert index["mean_uncertainty"] == pytest.approx(np.hypot(*(slopes * both)) * SCALE, rel=0.05)


def _ndvi(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    index: np.ndarray[Any, Any] = (values[3] - values[2]) / (values[3] + values[2])
    return index


def test_the_error_layer_shows_blocks(rough: FlaskClient, scene_errors: Any) -> None:
    answer = rough.get(f"{ROUGH}/preview.npy?style=error&bands=B04&max_size=512&return_mask=false")
    layer = np.load(io.BytesIO(answer.data))[0]
    errors = scene_errors[1][2]
    for block in (np.s_[:256, :256], np.s_[:256, 256:], np.s_[256:, :256], np.s_[256:, 256:]):
        assert np.ptp(layer[block]) == 0
        assert layer[block][0, 0] == pytest.approx(np.sqrt(np.mean(errors[block] ** 2)) * SCALE, rel=0.05)
    picture = rough.get(f"{ROUGH}/preview.png?style=error&max_size=64")
    pixels = np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB"))
    assert (pixels[5, 5] != pixels[60, 60]).any()
    styles = {style["id"]: style for style in _get(rough, f"{ROUGH}/info")["styles"]}
    assert styles["error"]["legend"]["unit"] == "reflectance"
    tiles = _get(rough, f"{ROUGH}/tilejson.json?style=error")["tiles"][0]
    assert "style=error" in tiles
    assert rough.get(f"{ROUGH}/styles/error/legend.png").status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("style=error&expression=B04", 422),
        ("style=error&bands=B99", 404),
        ("style=error&rescale=0,1,0,2", 422),
        ("style=error&colormap_name=none-such", 422),
    ],
)
def test_wrong_wishes_for_the_error_layer_are_refused(rough: FlaskClient, query: str, status: int) -> None:
    answer = rough.get(f"{ROUGH}/preview.png?{query}")
    assert answer.status_code in {status, 400}
    assert answer.content_type == "application/problem+json"


def test_the_error_layer_is_for_single_scenes(client: FlaskClient) -> None:
    answer = client.get("/collections/optical/tilejson.json?style=error")
    assert answer.status_code in {400, 422}
    assert "one scene" in answer.json["detail"]  # type: ignore[index]


def test_images_tell_how_they_were_coded(client: FlaskClient, archives: Path) -> None:
    with open_archive(archives / "middle.zarr.zip") as archive:
        assert archive.certificate is not None
        rmse, codec, model = archive.certificate.groups["r10m"].rmse, archive.codec, archive.model
    told = f"B04={rmse[2]:.4g}"
    lon, lat = position(0.4, 0.4)
    url = f"{ITEM}/bbox/{lon},{lat},{lon + 0.005},{lat + 0.005}.tif?bands=B04"
    with MemoryFile(client.get(url).data) as memory, memory.open() as dataset:
        tags = dataset.tags()
    assert (tags["COMEO_CODEC"], tags.get("COMEO_MODEL")) == (codec, model)
    assert float(tags["COMEO_RATIO"]) > 1
    assert told in tags["COMEO_EXPECTED_RMSE"]
    answer = client.get(f"{ITEM}/preview.tif?bands=B04&max_size=64")
    with MemoryFile(answer.data) as memory, memory.open() as dataset:
        assert dataset.tags()["COMEO_EXPECTED_RMSE"] == told
    answer = client.get(f"{ITEM}/tiles/WebMercatorQuad/14/8556/5723.png?bands=B04&rescale=0,3000")
    assert (answer.headers["Comeo-Codec"], answer.headers.get("Comeo-Model")) == (codec, model)
    assert answer.headers["Comeo-Expected-RMSE"] == told


def test_without_a_certificate_errors_are_null_and_the_layer_a_sentence(
    own_archives: Path, server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    group = array_group(landscape(2, 100, 100), names=["B04", "B08"], transform=FINE)
    path = compress(array_scene(group, scene_id="bare"), folder / "bare.zarr", step=50.0)
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["comeo"].pop("certificate", None)
    (path / "zarr.json").write_text(json.dumps(root))
    client, item = server(folder), "/collections/test/items/bare"
    info = _get(client, f"{item}/info")
    assert info["fidelity"] is None
    assert info["certificate"] is None
    assert "error" not in {style["id"] for style in info["styles"]}
    answer = _get(client, f"{item}/point/{place(50, 50)}?expression=B08-B04")
    assert {band["expected_error"] for band in answer["bands"]} == {None}
    assert answer["results"][0]["expected_error"] is None
    assert _get(client, f"{item}/statistics?bands=B04")["B04"]["expected_error"] is None
    assert _get(client, f"{item}/statistics?bands=B04")["B04"]["mean_uncertainty"] > 0  # by the step alone
    for url in ("certificate", "preview.png?style=error", "tilejson.json?style=error"):
        refused = client.get(f"{item}/{url}")
        assert refused.status_code == 404
        assert "carries no quality certificate" in refused.json["detail"]  # type: ignore[index]
    tile = client.get(f"{item}/preview.png?bands=B04&rescale=0,3000")
    assert tile.status_code == 200


def _get(client: FlaskClient, url: str) -> Any:
    answer = client.get(url)
    assert answer.status_code == 200, answer.data[:300]
    return answer.json
