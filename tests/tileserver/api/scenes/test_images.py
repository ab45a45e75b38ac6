"""Images of scenes and collections over HTTP."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import rasterio
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image
from rasterio.io import MemoryFile

from comeo.archive import open_archive
from comeo.scene import Window
from tests.tileserver.conftest import FINE, SIZE, Server
from tests.tileserver.places import CUT_ITEM, ITEM, RADAR_ITEM, position, tile_path, tile_url
from tileserver.render.matrixsets import matrix_sets

SIGNATURES = {"png": b"\x89PNG", "webp": b"RIFF", "jpg": b"\xff\xd8", "tif": b"II*\0", "npy": b"\x93NUMPY"}


@pytest.mark.parametrize("extension", SIGNATURES)
def test_a_tile_has_the_format_of_its_name(client: FlaskClient, extension: str) -> None:
    answer = client.get(tile_url(suffix=f".{extension}"))
    assert answer.status_code == 200
    assert answer.data.startswith(SIGNATURES[extension])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_tile_is_as_large_as_asked(client: FlaskClient) -> None:
    for suffix, side in ((".png", 256), ("@1x.png", 256), ("@2x.png", 512), ("@2x.webp", 512)):
        assert _picture(client, tile_url(suffix=suffix)).size == (side, side)


def test_a_style_shows_what_its_expression_says(client: FlaskClient) -> None:
    styled = client.get(tile_url(suffix=".png?style=ndvi")).data
    for expression in (
        "(max(B08,0)-max(B04,0))/max(max(B08,0)%2Bmax(B04,0),0.0001)",
        "(B08-B04)/(B08%2BB04)",  # the same where no reflectance is negative
    ):
        query = f"expression={expression}&rescale=-0.2,0.9&colormap_name=ylgn"
        assert client.get(tile_url(suffix=f".png?{query}")).data == styled


def test_bands_are_stretched_from_black_to_white(client: FlaskClient) -> None:
    numbers = _array(client, tile_url(suffix=".npy?bands=B04&resampling=bilinear&return_mask=false"))[0]
    picture = np.asarray(_picture(client, tile_url(suffix=".png?bands=B04&rescale=1500,2500")))
    expected = np.clip((numbers.astype(float) - 1500) / 1000 * 255, 0, 255)
    assert np.abs(picture.astype(float) - expected).max() <= 1


def test_expressions_are_computed_on_reflectance_and_bands_are_stored_numbers(client: FlaskClient) -> None:
    stored = _array(client, tile_url(suffix=".npy?bands=B04&return_mask=false"))
    physical = _array(client, tile_url(suffix=".npy?bands=B04&unscale=true&return_mask=false"))
    computed = _array(client, tile_url(suffix=".npy?expression=B04&return_mask=false"))
    assert stored.dtype == np.uint16
    np.testing.assert_allclose(physical, stored * 1e-4 - 0.1, atol=1e-6)
    np.testing.assert_array_equal(computed, physical)


def test_bands_of_two_resolutions_go_together(client: FlaskClient) -> None:
    answer = _picture(client, tile_url(suffix=".png?style=moisture"))
    assert answer.mode == "P"
    values = _array(client, tile_url(suffix=".npy?bands=B11,B04"))
    assert values.shape == (3, 256, 256)


def test_what_lies_outside_the_scene_is_transparent(client: FlaskClient) -> None:
    empty = client.get(f"{ITEM}/tiles/WebMercatorQuad/14/1/1.png")
    assert empty.status_code == 200
    assert len(empty.data) < 200
    assert np.asarray(Image.open(io.BytesIO(empty.data)).convert("RGBA"))[..., 3].max() == 0
    partly = np.asarray(_picture(client, tile_url(CUT_ITEM, zoom=12)).convert("RGBA"))
    assert set(np.unique(partly[..., 3])) == {0, 255}
    without = _picture(client, tile_url(CUT_ITEM, zoom=12, suffix=".png?return_mask=false"))
    assert without.mode == "RGB"


def test_the_alpha_channel_is_the_mask(client: FlaskClient) -> None:
    for suffix in (".png?style=true-color", ".webp?style=true-color", ".png?style=ndvi", ".webp?style=ndvi"):
        alpha = np.asarray(_picture(client, tile_url(CUT_ITEM, suffix=suffix)).convert("RGBA"))[..., 3]
        mask = _array(client, tile_url(CUT_ITEM, suffix=".npy?bands=B02,B03,B04,B08&resampling=bilinear"))[-1]
        np.testing.assert_array_equal(alpha == 255, mask > 0)


def test_a_colour_formula_changes_the_colours(client: FlaskClient) -> None:
    plain = np.asarray(_picture(client, tile_url()))
    brighter = np.asarray(_picture(client, tile_url(suffix=".png?color_formula=gamma RGB 1.6")))
    assert brighter.mean() > plain.mean() + 5


@pytest.mark.parametrize("tms", matrix_sets())
def test_every_matrix_set_has_tiles(client: FlaskClient, tms: str) -> None:
    zoom = 12 if tms != "CDB1GlobalGrid" else 5
    answer = client.get(f"{ITEM}/tiles/{tms}/{zoom}/0/0.png")
    assert answer.status_code == 200, answer.json
    if tms not in ("LINZAntarticaMapTilegrid", "NZTM2000Quad", "UPSAntarcticWGS84Quad", "CanadianNAD83_LCC"):
        answer = client.get(f"{ITEM}/tiles/{tms}/{tile_path(0.5, 0.5, zoom, tms)}.png")
        assert answer.status_code == 200
        assert len(answer.data) > 200


def test_radar_has_its_own_styles(client: FlaskClient) -> None:
    assert (
        client.get(tile_url(RADAR_ITEM)).data == client.get(tile_url(RADAR_ITEM, suffix=".png?style=vv")).data
    )
    values = _array(client, tile_url(RADAR_ITEM, suffix=".npy?bands=VV,VH&return_mask=false"))
    assert values.dtype == np.float32


def test_a_preview_is_the_whole_scene(client: FlaskClient) -> None:
    assert _picture(client, f"{ITEM}/preview.png").size == (SIZE, SIZE)
    assert _picture(client, f"{ITEM}/preview.webp?max_size=100").size == (100, 100)


def test_an_area_as_geotiff_is_the_scenes_own_pixels(client: FlaskClient, archives: Any) -> None:
    west, north = position(0.25, 0.25)
    east, south = position(0.5, 0.5)
    answer = client.get(f"{ITEM}/bbox/{west},{south},{east},{north}.tif?bands=B04,B08")
    assert answer.status_code == 200
    with open_archive(archives / "middle.zarr.zip") as archive, _opened(answer.data) as dataset:
        assert dataset.crs.to_epsg() == 32632
        assert dataset.descriptions == ("B04", "B08")
        assert dataset.scales == pytest.approx((1e-4, 1e-4))
        assert dataset.offsets == pytest.approx((-0.1, -0.1))
        assert dataset.nodata == 0
        assert dataset.tags()["COMEO_ID"] == "middle"
        col, row = (round(value) for value in ~FINE @ (dataset.transform.c, dataset.transform.f))
        level = archive.groups["r10m"].levels[0]
        expected = archive.read(level, Window(row, col, dataset.height, dataset.width))
        np.testing.assert_array_equal(dataset.read(), expected[[2, 3]])
        assert dataset.width == pytest.approx(SIZE / 4, abs=3)


def test_an_area_as_picture_covers_just_the_area(client: FlaskClient) -> None:
    west, north = position(0.25, 0.25)
    east, south = position(0.5, 0.5)
    area = f"{ITEM}/bbox/{west},{south},{east},{north}"
    assert _picture(client, f"{area}.png?width=120&height=80").size == (120, 80)
    with _opened(client.get(f"{area}.tif?dst_crs=EPSG:3857&max_size=50").data) as dataset:
        assert dataset.crs.to_epsg() == 3857
        assert max(dataset.shape) == 50


def test_a_feature_masks_what_lies_outside(client: FlaskClient) -> None:
    corners = [position(0.2, 0.2), position(0.6, 0.2), position(0.2, 0.6), position(0.2, 0.2)]
    polygon = {"type": "Polygon", "coordinates": [corners]}
    answer = client.post(f"{ITEM}/feature.tif?bands=B04", json=polygon)
    assert answer.status_code == 200
    with _opened(answer.data) as dataset:
        share = (dataset.read_masks(1) > 0).mean()
        assert share == pytest.approx(0.5, abs=0.05)
    feature = {"type": "Feature", "properties": {}, "geometry": polygon}
    assert client.post(f"{ITEM}/feature.tif?bands=B04", json=feature).data == answer.data
    assert client.post(f"{ITEM}/feature.png", json=polygon).data.startswith(SIGNATURES["png"])


def test_a_collection_shows_the_newest_valid_pixel(client: FlaskClient) -> None:
    url = tile_url("/collections/optical", zoom=13, suffix=".npy?bands=B04")
    mosaic, newest, older = (
        _array(client, tile_url(item, zoom=13, suffix=".npy?bands=B04"))
        for item in ("/collections/optical", CUT_ITEM, ITEM)
    )
    valid = newest[-1] > 0
    assert valid.any()
    assert not valid.all()
    np.testing.assert_array_equal(mosaic[0][valid], newest[0][valid])
    np.testing.assert_array_equal(mosaic[0][~valid], older[0][~valid])
    until = _array(client, f"{url}&datetime=../2020-05-15")
    np.testing.assert_array_equal(until[0], older[0])
    before = client.get(f"{url}&datetime=../2019-01-01")
    assert before.status_code == 200
    assert not _loaded(before.data).any()


def test_a_mosaic_reads_no_scene_that_adds_nothing(server: Server, archives: Any) -> None:
    client = server(archives, max_opened_scenes=1)
    inside = tile_url("/collections/optical", zoom=16, suffix=".png?datetime=2020-05-10/2020-05-12")
    assert client.get(inside).status_code == 200
    # Older scenes lie on the same pixels as `middle`, which has all, though the tile is larger.
    assert (
        client.get(
            tile_url("/collections/optical", zoom=12, suffix=".png?datetime=../2020-05-12")
        ).status_code
        == 200
    )
    refused = client.get(tile_url("/collections/optical", zoom=12))
    assert refused.status_code == 413
    assert refused.json is not None
    assert refused.json["bound"] == "max_opened_scenes"


def test_the_bound_on_decoding_holds_for_all_scenes_of_a_tile(server: Server, archives: Any) -> None:
    """It held for each of them."""
    one_scene = 4 * 2 * 2 * 128 * 128  # at half its size
    url = tile_url("/collections/optical", zoom=12, suffix=".npy?bands=B04")
    assert server(archives, max_decoded_samples=2 * one_scene).get(url).status_code == 200
    client = server(archives, max_decoded_samples=one_scene)
    assert client.get(tile_url(CUT_ITEM, zoom=12, suffix=".npy?bands=B04")).status_code == 200
    refused = client.get(url)
    assert refused.status_code == 413
    assert refused.json is not None
    assert refused.json["bound"] == "max_decoded_samples"


def test_the_bound_on_decoding_holds_for_all_groups_of_an_image(server: Server, archives: Any) -> None:
    """It held for each of them."""
    client = server(archives, max_decoded_samples=4 * 2 * 2 * 256 * 256)
    url = f"{ITEM}/preview.npy?max_size=360&bands="
    assert client.get(f"{url}B04").status_code == 200
    assert client.get(f"{url}B11").status_code == 200
    assert client.get(f"{url}B04,B11").status_code == 413


def test_every_geotiff_has_the_same_tags(client: FlaskClient) -> None:
    west, south = position(0.2, 0.6)
    east, north = position(0.6, 0.2)
    urls = {
        "preview": f"{ITEM}/preview.tif?bands=B04,B11", "tile": tile_url(suffix=".tif?bands=B04,B11"),
        "bbox": f"{ITEM}/bbox/{west},{south},{east},{north}.tif?bands=B04,B11",
    }  # fmt: skip
    tags = {}
    for name, url in urls.items():
        with _opened(client.get(url).data) as dataset:
            ours = ("COMEO_", "TIFFTAG_")
            tags[name] = {key: value for key, value in dataset.tags().items() if key.startswith(ours)}
            assert dataset.units == ("reflectance",) * 2
    assert tags["preview"] == tags["tile"] == tags["bbox"]
    assert {"COMEO_ID", "COMEO_ARCHIVE", "COMEO_RESAMPLING", "TIFFTAG_COPYRIGHT"} <= set(tags["tile"])
    mosaic = client.get(tile_url("/collections/optical", suffix=".tif?expression=B04/B08"))
    with _opened(mosaic.data) as dataset:
        assert dataset.tags()["COMEO_COLLECTION"] == "optical"
        assert dataset.tags()["COMEO_EXPRESSION"] == "B04/B08"
        assert "COMEO_ID" not in dataset.tags()


def test_a_collection_is_shown_by_those_of_its_scenes_that_can(client: FlaskClient) -> None:
    assert client.get(tile_url("/collections/radar", suffix=".png?style=radar")).status_code == 200
    refused = client.get(tile_url("/collections/radar", suffix=".png?style=ndvi"))
    assert refused.status_code == 422
    assert refused.json is not None
    assert "B08" in refused.json["detail"]


def _picture(client: FlaskClient, url: str) -> Image.Image:
    answer = client.get(url)
    assert answer.status_code == 200, answer.json
    return Image.open(io.BytesIO(answer.data))


def _array(client: FlaskClient, url: str) -> NDArray[Any]:
    answer = client.get(url)
    assert answer.status_code == 200, answer.json
    return _loaded(answer.data)


def _loaded(data: bytes) -> NDArray[Any]:
    values: NDArray[Any] = np.load(io.BytesIO(data))
    return values


def _opened(data: bytes) -> Any:
    assert rasterio.__version__
    return MemoryFile(data).open()
