"""Scenes across the antimeridian and at the poles: all numbers that are derived from them fit each other."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from flask.testing import FlaskClient
from lxml import etree
from PIL import Image
from rasterio.crs import CRS

from comeo import globe
from comeo.compression import compress
from comeo.sources import open_source
from tests.scenes import array_group, array_scene, landscape
from tests.tileserver.conftest import Server, serving
from tileserver.app import scenes_of
from tileserver.catalog import Search
from tileserver.render.layers import Layers, Scope

SIDE = 128
LOOK = "bands=B01&rescale=0,5000"
# CRS, pixel, longitude and latitude of the middle
PLACES: dict[str, tuple[str, float, float, float]] = {
    "fiji": ("EPSG:32701", 10, 180, -17),
    "west-of-it": ("EPSG:32760", 10, 179.996, -17),
    "east-of-it": ("EPSG:32701", 10, -179.9, -17),
    "chukotka": ("EPSG:32660", 60, 180, 68),
    "degrees": ("EPSG:4326", 1e-4, 180, -17),
    "from-0": ("EPSG:4326", 1e-4, 200, -17),
    "nad-83": ("EPSG:4269", 1e-4, 180, 52),
    "antarctica": ("EPSG:3031", 5e3, 0, -90),
    "arctic": ("EPSG:3413", 5e3, 0, 90),
    "ross-sea": ("EPSG:3031", 5e3, 180, -84),
    "greenland": ("EPSG:32624", 60, -39, 83.5),
}
CROSSING = ("fiji", "west-of-it", "chukotka", "degrees", "nad-83", "ross-sea")


def compress_at(folder: Path, name: str, day: int = 1) -> None:
    """A scene of SIDE × SIDE pixels, through a GeoTIFF as people have it."""
    crs, pixel, lon, lat = PLACES[name]
    move = pyproj.Transformer.from_crs(4326, crs, always_xy=True)
    x, y = (lon, lat) if crs in ("EPSG:4326", "EPSG:4269") else move.transform(lon, lat)
    transform = Affine(pixel, 0, x - SIDE / 2 * pixel, 0, -pixel, y + SIDE / 2 * pixel)
    source = folder.parent / f"{name}_202001{day:02}.tif"
    with rasterio.open(
        source, "w", driver="GTiff", count=1, height=SIDE, width=SIDE, dtype="uint16", nodata=0,
        crs=CRS.from_user_input(crs), transform=transform,
    ) as file:  # fmt: skip
        file.write(landscape(1, SIDE, SIDE))
        file.set_band_description(1, "B01")
    with open_source(source, scene_id=name, collection=name) as scene:
        compress(scene, folder / f"{name}.zarr.zip", step=20.0)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    base = tmp_path_factory.mktemp("globe")
    (base / "scenes").mkdir()
    for name in PLACES:
        compress_at(base / "scenes", name)
    return serving(base / "scenes", base)


def item(name: str) -> str:
    return f"/collections/{name}/items/{name}"


def json_of(client: FlaskClient, url: str) -> Any:
    answer = client.get(url)
    assert answer.status_code == 200, (url, answer.data)
    return answer.json


def inside(box: Any, lon: float, lat: float, room: float = 1e-6) -> bool:
    west, south, east, north = globe.unrolled(tuple(box))
    around = any(west - room <= lon + turn <= east + room for turn in (-360, 0, 360))
    return around and south - room <= lat <= north + room


@pytest.mark.parametrize("name", PLACES)
def test_boxes_of_items_and_collections_fit(client: FlaskClient, name: str) -> None:
    document = json_of(client, f"/stac/collections/{name}/items/{name}")
    box = document["bbox"]
    extent = json_of(client, f"/stac/collections/{name}")["extent"]["spatial"]["bbox"][0]
    for west, south, east, north in (box, extent):
        assert -180 <= west <= 180
        assert -180 <= east <= 180
        assert -90 <= south < north <= 90
        assert (west > east) == (name in CROSSING)
    for lon, lat in ((box[0], box[1]), (box[2], box[3])):
        assert inside(extent, lon, lat, 1e-5)
    _, _, lon, lat = PLACES[name]
    assert inside(box, lon, lat)
    kind = document["geometry"]["type"]
    assert kind == ("MultiPolygon" if name in CROSSING else "Polygon")
    polygons = document["geometry"]["coordinates"]
    positions = np.array([p for part in (polygons if name in CROSSING else [polygons]) for p in part[0]])
    assert (np.abs(positions) <= (180, 90)).all()
    if name in ("antarctica", "arctic"):
        assert (box[0], box[2], abs(positions[:, 1]).max()) == (-180, 180, 90)


@pytest.mark.parametrize("name", [name for name in PLACES if name not in ("antarctica", "arctic")])
def test_tilejson_points_at_the_scene(client: FlaskClient, name: str) -> None:
    _, _, lon, lat = PLACES[name]
    for url in (item(name), f"/collections/{name}"):
        found = json_of(client, f"{url}/tilejson.json?{LOOK}")
        west, south, east, north = found["bounds"]
        assert -180 <= west < east <= 180  # TileJSON: bounds must not wrap
        centre = found["center"]
        assert west <= centre[0] <= east
        assert south <= centre[1] <= north
        assert (centre[0] - lon + 180) % 360 - 180 == pytest.approx(0, abs=1)
        assert centre[1] == pytest.approx(lat, abs=1)
        assert (east - west > 300) == (name in CROSSING)
        assert found["minzoom"] <= centre[2] <= found["maxzoom"]


@pytest.mark.parametrize("name", PLACES)
def test_the_scene_s_own_box_can_be_extracted(client: FlaskClient, name: str) -> None:
    box = ",".join(map(str, json_of(client, f"/stac/collections/{name}/items/{name}")["bbox"]))
    answer = client.get(f"{item(name)}/bbox/{box}.tif?bands=B01")
    assert answer.status_code == 200, answer.data
    with rasterio.open(io.BytesIO(answer.data)) as file:
        assert (file.height, file.width) == (SIDE, SIDE)
        assert (file.dataset_mask() > 0).mean() > 0.99
        _, _, lon, lat = PLACES[name]
        back = pyproj.Transformer.from_crs(file.crs.to_wkt(), 4326, always_xy=True)
        middle = back.transform(*(file.transform @ (SIDE / 2, SIDE / 2)))
        assert middle[1] == pytest.approx(lat, abs=1e-4)
        assert (middle[0] - lon + 180) % 360 - 180 == pytest.approx(0, abs=1e-4) or abs(lat) == 90
    estimate = client.post(
        f"{item(name)}/extracts/estimate", json={"bbox": [float(part) for part in box.split(",")]}
    )
    assert estimate.json is not None
    assert (estimate.status_code, estimate.json["width"], estimate.json["height"]) == (200, SIDE, SIDE)
    head = client.head(f"{item(name)}/bbox/{box}.tif?bands=B01")
    assert int(head.headers["Comeo-Estimated-Bytes"]) > 1000


@pytest.mark.parametrize("name", CROSSING)
def test_pictures_over_the_antimeridian_have_both_sides(client: FlaskClient, name: str) -> None:
    box = ",".join(map(str, json_of(client, f"/stac/collections/{name}/items/{name}")["bbox"]))
    answer = client.get(f"{item(name)}/bbox/{box}.png?{LOOK}&max_size=200")
    assert answer.status_code == 200, answer.data
    alpha = np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGBA"))[..., 3] > 0
    half = alpha.shape[1] // 2
    assert min(alpha[:, :half].mean(), alpha[:, half:].mean()) > 0.5
    refused = client.get(f"{item(name)}/bbox/{box}.png?{LOOK}&dst_crs=EPSG:3857")
    assert refused.status_code == 422
    assert refused.json is not None
    assert "across the antimeridian, where EPSG:3857 is cut" in refused.json["detail"]


@pytest.mark.parametrize("name", ["fiji", "west-of-it", "degrees"])
@pytest.mark.parametrize("form", ["cut", "beyond", "before"])
def test_polygons_across_the_antimeridian_are_one_area(client: FlaskClient, name: str, form: str) -> None:
    south, north, out = -17.003, -16.997, 0.003
    west, east = 180 - out, 180 + out
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry: dict[str, Any] = {"type": "Polygon", "coordinates": [ring]}
    if form == "before":
        geometry["coordinates"] = [[[lon - 360, lat] for lon, lat in ring]]
    if form == "cut":
        sides = [(180 - out, 180), (-180, out - 180)]
        geometry = {
            "type": "MultiPolygon",
            "coordinates": [[[[w, south], [e, south], [e, north], [w, north], [w, south]]] for w, e in sides],
        }
    answer = client.post(f"{item(name)}/feature.tif?bands=B01", json=geometry)
    assert answer.status_code == 200, answer.data
    with rasterio.open(io.BytesIO(answer.data)) as file:
        mask = file.dataset_mask() > 0
        assert mask.shape[1] < SIDE
        assert mask.mean() > 0.85
        assert mask[:, mask.shape[1] // 2].mean() > 0.9  # no seam at 180
    picture = client.post(f"{item(name)}/feature.png?{LOOK}", json=geometry)
    assert picture.status_code == 200, picture.data
    alpha = np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGBA"))[..., 3] > 0
    assert alpha.mean() > 0.8  # one scene ends 200 m east of the antimeridian


@pytest.mark.parametrize(
    ("box", "status", "words"),
    [
        ((179.5, -17.5, -179.5, -16.5), 200, ""),
        ((-180, -17.5, 180, -16.5), 200, ""),
        ((179.9, -17.5, 180, -16.5), 200, ""),
        ((-180, -17.5, -179.9, -16.5), 200, ""),
        ((-179.997, -17.5, 179.997, -16.5), 422, "meets the scene in two parts"),
        ((-170, -17.5, -160, -16.5), 404, "outside the scene"),
        ((175, -17.5, 170, -16.5), 422, "swap them"),
        ((180, -17.5, 180, -16.5), 422, "west of east"),
    ],
)
@pytest.mark.parametrize("name", ["fiji", "degrees"])
def test_every_box_is_answered_or_refused_in_a_sentence(
    client: FlaskClient, name: str, box: tuple[float, ...], status: int, words: str
) -> None:
    answer = client.get(f"{item(name)}/bbox/{','.join(map(str, box))}.tif?bands=B01")
    assert answer.status_code == status, answer.data
    if words:
        assert answer.json is not None
        assert words in answer.json["detail"]


def test_an_edge_round_half_the_globe_is_asked_about(client: FlaskClient) -> None:
    ring = [[179.99, -17.01], [-179.99, -17.01], [-179.99, -16.99], [179.99, -16.99], [179.99, -17.01]]
    answer = client.post(
        f"{item('fiji')}/feature.tif?bands=B01", json={"type": "Polygon", "coordinates": [ring]}
    )
    assert answer.status_code == 422
    assert answer.json is not None
    assert "go on beyond 180" in answer.json["detail"]
    world = [[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]
    whole = client.post(
        f"{item('greenland')}/feature.tif?bands=B01", json={"type": "Polygon", "coordinates": [world]}
    )
    assert whole.status_code in (200, 404)


@pytest.mark.parametrize("name", ["fiji", "degrees", "east-of-it"])
def test_kmz_pictures_stay_on_the_globe(client: FlaskClient, name: str) -> None:
    box = ",".join(map(str, json_of(client, f"/stac/collections/{name}/items/{name}")["bbox"]))
    for query in (f"bbox/{box}.kmz?{LOOK}&max_size=100", f"bbox/{box}.kmz?{LOOK}"):
        answer = client.get(f"{item(name)}/{query}")
        assert answer.status_code == 200, answer.data
        with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
            boxes = [
                [float(found.findtext(f"{{*}}{side}") or "nan") for side in ("west", "east")]
                for member in archive.namelist() if member.endswith(".kml")
                for found in etree.fromstring(archive.read(member)).iter("{*}LatLonBox")
            ]  # fmt: skip
        assert boxes
        for west, east in boxes:
            assert -180 <= west < east <= 180
        if "max_size" in query:
            assert len(boxes) == (2 if name in CROSSING else 1)


@pytest.mark.parametrize("name", PLACES)
def test_tile_limits_hold_the_footprint(client: FlaskClient, name: str) -> None:
    """Every tile that shows a corner of the scene is within the limits of WMTS and OGC API – Tiles."""
    document = json_of(client, f"/stac/collections/{name}/items/{name}")
    coordinates = document["geometry"]["coordinates"]
    parts = coordinates if document["geometry"]["type"] == "MultiPolygon" else [coordinates]
    layers = Layers(scenes_of(client.application))
    for scope in (Scope(name), Scope(name, None, name)):
        layer = layers.layer(scope)
        assert layer.links
        for link in layer.links.values():
            reach = link.tms.bbox
            for zoom in range(link.tms.minzoom, min(link.finest, 14) + 1):
                limits = link.limits(zoom)
                for lon, lat in (position for part in parts for position in part[0]):
                    if not (reach.bottom < lat < reach.top) or abs(lon) > 180 - 1e-6:
                        continue
                    tile = link.tms.tile(lon, lat, zoom)
                    assert limits.min_col <= tile.x <= limits.max_col, (link.name, zoom)
                    assert limits.min_row <= tile.y <= limits.max_row, (link.name, zoom)


@pytest.mark.parametrize("name", PLACES)
def test_searches_find_what_lies_there(client: FlaskClient, name: str) -> None:
    catalog = scenes_of(client.application).catalog
    _, _, lon, lat = PLACES[name]
    lon = (lon + 180) % 360 - 180
    for box in ((lon, lat, lon, lat), globe.rolled((lon - 0.01, lat, lon + 0.01, lat))):
        assert name in {record.id for record in catalog.search(Search(bbox=box), 20)}
    values = client.get(f"/collections/{name}/point/{lon},{lat}?bands=B01")
    assert values.status_code == 200 or abs(lat) == 90
    for view in ("preview.webp?max_size=64&", "preview.png?max_size=64&", "statistics?"):
        assert client.get(f"{item(name)}/{view}bands=B01&rescale=0,5000").status_code == 200


def test_a_collection_on_both_sides_has_the_short_box(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    for name in ("fiji", "west-of-it", "east-of-it"):
        crs, pixel, lon, lat = PLACES[name]
        x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
        group = array_group(
            landscape(1, SIDE, SIDE), transform=Affine(pixel, 0, round(x), 0, -pixel, round(y)),
            crs=CRS.from_user_input(crs),
        )  # fmt: skip
        compress(array_scene(group, scene_id=name), folder / f"{name}.zarr.zip", step=40.0)
    client = server(folder)
    (box,) = json_of(client, "/stac/collections/test")["extent"]["spatial"]["bbox"]
    assert box[0] > 179.9
    assert box[2] == pytest.approx(-179.888, abs=0.01)
    centre = json_of(client, f"/collections/test/tilejson.json?{LOOK}")["center"]
    assert abs(abs(centre[0]) - 180) < 0.1
    layer = Layers(scenes_of(client.application)).layer(Scope("test"))
    for zone in ("UTM01SWGS84Quad", "UTM60SWGS84Quad"):
        limits = layer.links[zone].limits(8)
        assert limits.max_col - limits.min_col <= 2  # not round the globe
    series = client.get(f"/collections/test/bbox/179.9,-17.1,-179.9,-16.9.kmz?{LOOK}")
    assert series.status_code == 200, series.data
