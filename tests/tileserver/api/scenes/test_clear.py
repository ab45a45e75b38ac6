"""Classes and masks over HTTP."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.missions.clear import CLASSES, WORDS
from tests.scenes import array_classes, array_group, array_scene, landscape, patchy
from tests.tileserver.conftest import FINE, SIZE, Server, radar_scene, serving
from tests.tileserver.places import position, tile_path

ITEM = "/collections/optical/items/half"
COLLECTION = "/collections/optical"
SILENT = "/collections/optical/items/silent"


def scene_with(scene_id: str, day: int, classes: NDArray[np.uint8] | None, seed: int) -> Any:
    group = array_group(
        landscape(4, SIZE, SIZE, seed), np.ones((4, SIZE, SIZE), bool), names=["B02", "B03", "B04", "B08"],
        transform=FINE,
    )  # fmt: skip
    source = None if classes is None else array_classes(classes)
    return array_scene(group, scene_id=scene_id, collection="optical", day=day, classes=source)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newest under cloud in its western half, an older one clear land, one between without classes."""
    folder = tmp_path_factory.mktemp("archives")
    half = np.ones((SIZE // 2, SIZE // 2), np.uint8)
    half[:, : SIZE // 4] = 6
    for scene in (
        scene_with("half", 20, half, 0),
        scene_with("silent", 15, None, 1),
        scene_with("land", 10, np.ones((SIZE // 2, SIZE // 2), np.uint8), 2),
        scene_with("patchy", 5, patchy(SIZE // 2, SIZE // 2), 3),
        radar_scene("radar"),
    ):
        step = 0.1 if scene.id == "radar" else 40
        compress(scene, folder / f"{scene.id}.zarr.zip", codec="dct", step=step)
    return folder


@pytest.fixture(scope="module")
def client(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return serving(archives, tmp_path_factory.mktemp("server"))


def picture(client: FlaskClient, url: str) -> NDArray[np.uint8]:
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGBA"))


def refusal(client: FlaskClient, url: str, status: int) -> str:
    answer = client.get(url)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    return str(answer.get_json()["detail"])


def tile(item: str = ITEM, *, zoom: int = 14, query: str = "") -> str:
    return f"{item}/tiles/WebMercatorQuad/{tile_path(0.5, 0.5, zoom)}.png?{query}"


def test_the_style_shows_each_class_in_its_colour(client: FlaskClient, archives: Path) -> None:
    shown = picture(client, "/collections/optical/items/patchy/preview.png?style=clear")
    colours = {(*each.colour, 255): each.number for each in CLASSES} | {(0, 0, 0, 0): 0}
    numbers = np.vectorize(lambda *rgba: colours[rgba if rgba[3] else (0, 0, 0, 0)])(
        *np.moveaxis(shown, 2, 0)
    )
    with open_archive(archives / "patchy.zarr.zip") as archive:
        assert archive.clear is not None
        np.testing.assert_array_equal(numbers, archive.clear.read().repeat(6, 0).repeat(6, 1))


def test_scenes_and_collections_offer_the_style_only_where_they_have_it(client: FlaskClient) -> None:
    def offered(path: str) -> dict[str, Any]:
        return {style["id"]: style for style in client.get(f"{path}/info").get_json()["styles"]}

    legend = offered(ITEM)["clear"]
    assert [each["name"] for each in legend["classes"]] == [each.name for each in CLASSES]
    assert "clear" in offered(COLLECTION)
    assert "clear" not in offered("/collections/optical/items/silent")
    assert "clear" not in offered("/collections/radar")
    assert client.get(f"{ITEM}/styles/clear/legend.png").mimetype == "image/png"


def test_a_mask_hides_what_it_does_not_keep(client: FlaskClient) -> None:
    plain = picture(client, f"{ITEM}/preview.png?style=true-color")
    shown = picture(client, f"{ITEM}/preview.png?style=true-color&mask=clear")
    half = SIZE // 2
    assert (plain[..., 3] == 255).all()
    assert not shown[:, :half, 3].any()
    np.testing.assert_array_equal(shown[:, half:], plain[:, half:])
    assert not picture(client, f"{ITEM}/preview.png?mask=cloud")[:, half:, 3].any()
    assert (picture(client, f"{ITEM}/preview.png?mask=cloud,land")[..., 3] == 255).all()


def test_masked_pixels_of_a_collection_are_the_next_scenes_that_says_they_are_clear(
    client: FlaskClient,
) -> None:
    shown = picture(client, tile(COLLECTION, query="mask=clear"))
    newest, older = (
        picture(client, tile(f"{COLLECTION}/items/{name}", query="mask=clear")) for name in ("half", "land")
    )
    seen = newest[..., 3] == 255
    np.testing.assert_array_equal(shown[seen], newest[seen])
    filled = ~seen & (older[..., 3] == 255)
    assert filled.any()
    np.testing.assert_array_equal(shown[filled], older[filled])


def test_etags_and_masks_go_together(client: FlaskClient) -> None:
    for path in (ITEM, COLLECTION):
        tags = {
            client.get(tile(path, query=query)).headers["ETag"] for query in ("", "mask=clear", "mask=land")
        }
        assert len(tags) == 3


@pytest.mark.parametrize("path", [tile(), tile(COLLECTION), f"{ITEM}/statistics?", f"{ITEM}/preview.png?"])
def test_an_unknown_mask_is_refused_with_the_vocabulary(client: FlaskClient, path: str) -> None:
    detail = refusal(client, f"{path}&mask=clouds", 422)
    assert all(word in detail for word in WORDS)


@pytest.mark.parametrize(
    "path",
    [
        tile(SILENT, query="mask=clear"), tile(SILENT, query="style=clear"), f"{SILENT}/clear",
        tile("/collections/radar/items/radar", query="mask=clear"),
        tile("/collections/radar", query="style=clear"), f"{SILENT}/statistics?mask=land",
        f"{SILENT}/bbox/8,47,9,48.tif?mask=land", f"{SILENT}/tilejson.json?mask=land",
        f"{SILENT}/tilejson.json?style=clear",
    ],
)  # fmt: skip
def test_a_scene_that_does_not_say_what_is_clear_is_refused(client: FlaskClient, path: str) -> None:
    assert "does not say which of its pixels are clear" in refusal(client, path, 404)


def test_points_have_their_class_and_no_value_behind_a_mask(client: FlaskClient) -> None:
    west, east = (position(across, 0.5) for across in (0.25, 0.75))
    answers = [client.get(f"{ITEM}/point/{lon},{lat}?mask=clear").get_json() for lon, lat in (west, east)]
    assert [answer["class"] for answer in answers] == ["cloud", "land"]
    assert [answer["bands"][0]["value"] is None for answer in answers] == [True, False]
    newest = client.get(f"{COLLECTION}/point/{west[0]},{west[1]}").get_json()
    masked = client.get(f"{COLLECTION}/point/{west[0]},{west[1]}?mask=clear").get_json()
    assert (newest["item"], masked["item"]) == ("half", "land")
    nowhere = refusal(client, f"{COLLECTION}/point/{west[0]},{west[1]}?mask=snow&datetime=2020-05-20", 404)
    assert "that the mask keeps" in nowhere


def test_statistics_are_of_the_pixels_that_the_mask_keeps(client: FlaskClient) -> None:
    whole, masked = (
        client.get(f"{ITEM}/statistics?{query}").get_json()["B04"] for query in ("", "mask=clear")
    )
    assert whole["count"] == SIZE**2
    assert masked["count"] == SIZE**2 // 2
    assert masked["expected_error"] > 0
    assert "…/clear" in refusal(client, f"{ITEM}/statistics?style=clear", 422)


def test_files_are_masked(client: FlaskClient) -> None:
    west, south = position(0.1, 0.9)
    east, north = position(0.9, 0.1)
    with client.get(f"{ITEM}/bbox/{west},{south},{east},{north}.tif?mask=clear&bands=B04") as answer:
        content = answer.data
    with rasterio.open(io.BytesIO(content)) as dataset:
        valid = dataset.read_masks(1) > 0
        assert dataset.tags()["COMEO_MASK"] == "land,water,snow"
    assert 0.4 < valid.mean() < 0.6
    assert not valid[:, : valid.shape[1] // 2 - 10].any()
    with client.get(f"{ITEM}/bbox/{west},{south},{east},{north}.kmz?mask=clear") as kmz:
        assert kmz.status_code == 200


def test_shares_of_a_scene_and_of_a_view(client: FlaskClient) -> None:
    whole = client.get(f"{ITEM}/clear").get_json()
    assert (whole["clear"], whole["cloud"], whole["covered"]) == (50, 50, 100)
    assert whole["source"]["source"] == "SCL"
    west, south = position(0.25, 0.75)
    east, north = position(0.5, 0.25)
    view = client.get(f"{ITEM}/clear?bbox={west},{south},{east},{north}").get_json()
    assert view["cloud"] > 95
    far = client.get(f"{ITEM}/clear?bbox=100,10,101,11").get_json()
    assert (far["covered"], far["clear"], far["classes"][0]["share"]) == (0, None, None)


@pytest.mark.parametrize("bbox", ["1,2,3", "1,2,nan,4", "5,5,5,6", "0,50,10,40", "a,b,c,d", "1e999,0,1,1"])
def test_a_view_that_is_no_area_is_refused(client: FlaskClient, bbox: str) -> None:
    assert refusal(client, f"{ITEM}/clear?bbox={bbox}", 422)


def test_items_state_their_shares(client: FlaskClient) -> None:
    item = client.get(f"/stac{ITEM}").get_json()
    assert item["properties"]["comeo:clear_percentage"] == 50
    assert client.get(f"{ITEM}/info").get_json()["clear"]["shares"]["cloud"] == 50


def test_mosaics_show_classes_as_their_scenes_do(client: FlaskClient) -> None:
    """The newest scene covers the tile; its bands have a scale and an offset, which classes have not."""
    for zoom in (11, 14):
        shown = picture(client, tile(COLLECTION, zoom=zoom, query="style=clear"))
        np.testing.assert_array_equal(shown, picture(client, tile(zoom=zoom, query="style=clear")))
        assert (shown[..., 3] > 0).any()
    numbers = client.get(tile(COLLECTION, query="style=clear").replace(".png", ".npy")).data
    assert set(np.unique(np.load(io.BytesIO(numbers))[0])) <= {0, 1, 6}
    far = client.get(f"{COLLECTION}/tiles/WebMercatorQuad/14/0/0.npy?style=clear").data
    assert np.load(io.BytesIO(far)).dtype == np.uint8


@pytest.mark.parametrize("layer", ["items/optical/half", "collections/optical"])
def test_wmts_resources_take_masks_as_its_requests_do(client: FlaskClient, layer: str) -> None:
    z, x, y = tile_path(0.5, 0.5, 14).split("/")
    place = f"/wmts/1.0.0/{layer}/true-color/default/WebMercatorQuad/{z}/{y}/{x}"
    whole = ITEM if "items" in layer else COLLECTION
    expected = picture(client, tile(whole, query="style=true-color&mask=clear"))
    for key in ("mask", "MASK"):
        np.testing.assert_array_equal(picture(client, f"{place}.png?{key}=clear"), expected)
        answer = client.get(f"{place}/9/9.json?{key}=clouds")
        assert 'locator="MASK"' in answer.text
    answer = client.get(f"{place}.png?mask=clouds")
    assert (answer.status_code, answer.mimetype) == (400, "application/xml")


def test_wmts_and_ogc_tiles_take_masks(client: FlaskClient) -> None:
    z, x, y = tile_path(0.5, 0.5, 14).split("/")
    expected = picture(client, tile(query="style=true-color&mask=clear"))
    base = "service=WMTS&request=GetTile&version=1.0.0&format=image/png&tilematrixset=WebMercatorQuad"
    place = f"&layer=optical/half&style=true-color&tilematrix={z}&tilerow={y}&tilecol={x}"
    np.testing.assert_array_equal(picture(client, f"/wmts?{base}{place}&mask=clear"), expected)
    answer = client.get(f"/wmts?{base}{place}&mask=clouds")
    assert answer.status_code == 400
    assert 'locator="MASK"' in answer.text
    ogc = f"/ogc/collections/optical/styles/true-color/map/tiles/WebMercatorQuad/{z}/{y}/{x}?f=png"
    shown = picture(client, f"{ogc}&mask=clear")
    np.testing.assert_array_equal(
        shown, picture(client, tile(COLLECTION, query="style=true-color&mask=clear"))
    )
    assert refusal(client, f"{ogc}&mask=clouds", 422)


def test_damaged_classes_leave_the_scene_on_the_map(archives: Path, tmp_path: Path, server: Server) -> None:
    own = tmp_path / "own"
    own.mkdir()
    content = bytearray((archives / "half.zarr.zip").read_bytes())
    place = content.index(b"clear/data/c/0/0") + len(b"clear/data/c/0/0") + 8
    content[place : place + 8] = bytes(8)
    (own / "half.zarr.zip").write_bytes(content)
    hurt = server(own)
    assert picture(hurt, tile(query="bands=B04&rescale=0,3000")).any()
    assert "of clear is damaged" in refusal(hurt, f"{tile(query='bands=B04&rescale=0,1&mask=land')}", 404)


WMTS = "/wmts?service=WMTS&request=GetTile&version=1.0.0&format=image/png&tilematrixset=WebMercatorQuad"


@pytest.mark.parametrize("value", ["", ",", "%20"])
def test_an_empty_mask_is_none_of_all_pixels_everywhere(client: FlaskClient, value: str) -> None:
    """It would show what a client that has lost its mask believes hidden."""
    z, x, y = tile_path(0.5, 0.5, 14).split("/")
    lon, lat = position(0.25, 0.5)
    rest = f"/wmts/1.0.0/items/optical/half/true-color/default/WebMercatorQuad/{z}/{y}/{x}"
    keys = f"{WMTS}&layer=optical/half&style=true-color&tilematrix={z}&tilerow={y}&tilecol={x}"
    for url in (f"{keys}&MASK={value}", f"{rest}.png?MASK={value}", f"{rest}/9/9.json?mask={value}"):
        answer = client.get(url)
        assert answer.status_code == 400
        assert 'locator="MASK"' in answer.text
        assert "names no class" in answer.text
    ogc = f"/ogc/collections/optical/styles/true-color/map/tiles/WebMercatorQuad/{z}/{y}/{x}?f=png&"
    for path in (
        tile(),
        tile(COLLECTION),
        f"{ITEM}/point/{lon},{lat}?",
        f"{COLLECTION}/point/{lon},{lat}?",
        ogc,
    ):
        detail = refusal(client, f"{path}&mask={value}", 422)
        assert detail == "mask: it is empty: leave it out, or give names with commas between them"


@pytest.mark.parametrize("name", ["bands", "colormap_name", "color_formula", "style", "expression"])
def test_no_empty_parameter_of_pictures_is_ignored(client: FlaskClient, name: str) -> None:
    assert refusal(client, tile(query=f"{name}="), 422).startswith(f"{name}: ")


def test_a_collection_says_why_no_scene_can_answer_behind_a_mask(client: FlaskClient) -> None:
    lon, lat = position(0.5, 0.5)
    detail = refusal(client, f"/collections/radar/point/{lon},{lat}?mask=clear", 404)
    assert "radar does not say which of its pixels are clear" in detail


def test_styles_of_classes_take_no_other_pixels(client: FlaskClient) -> None:
    assert "leave out bands" in refusal(client, tile(query="style=clear&bands=B04"), 422)
    assert "leave out rescale" in refusal(client, tile(query="style=clear&rescale=0,1"), 422)


def test_many_scenes_say_how_clear_they_are_over_a_view(client: FlaskClient) -> None:
    west, south = position(0.25, 0.75)
    east, north = position(0.5, 0.25)
    answer = client.get(f"{COLLECTION}/clear?bbox={west},{south},{east},{north}")
    assert answer.status_code == 200, answer.text
    views = {view["item"]: view for view in answer.get_json()["items"]}
    assert list(views) == ["half", "silent", "land", "patchy"], "newest first"
    assert views["half"]["cloud"] > 95
    assert (views["land"]["cloud"], views["land"]["clear"], views["land"]["covered"]) == (0, 100, 100)
    assert views["silent"]["cloud"] is views["silent"]["covered"] is None
    alone = client.get(f"{COLLECTION}/items/patchy/clear?bbox={west},{south},{east},{north}").get_json()
    assert views["patchy"]["cloud"] == pytest.approx(alone["cloud"], abs=1)


def test_scenes_over_a_view_are_bounded_by_dates_and_number(client: FlaskClient) -> None:
    west, south = position(0.25, 0.75)
    east, north = position(0.5, 0.25)
    box = f"{COLLECTION}/clear?bbox={west},{south},{east},{north}"
    first = client.get(f"{box}&limit=1").get_json()
    assert ([each["item"] for each in first["items"]], first["more"]) == (["half"], True)
    early = client.get(f"{box}&datetime=../2020-05-12").get_json()
    assert ([each["item"] for each in early["items"]], early["more"]) == (["land", "patchy"], False)
    assert client.get(f"{COLLECTION}/clear?bbox=100,10,101,11").get_json()["items"] == []
    assert refusal(client, f"{box}&limit=201", 422)
    assert refusal(client, f"{COLLECTION}/clear", 422)
    assert refusal(client, f"/collections/none/clear?bbox={west},{south},{east},{north}", 404)
