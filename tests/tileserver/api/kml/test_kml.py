"""KML and KMZ: valid against the OGC's schema, whole, in the right place, at the right time."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from flask.testing import FlaskClient
from lxml import etree
from numpy.typing import NDArray
from PIL import Image

from comeo.globe import pieces
from tests.tileserver.conftest import Server
from tests.tileserver.places import CUT_ITEM, ITEM, position
from tileserver.files import kmz
from tileserver.files.pyramid import Node, Pyramid

NAMES = {"k": "http://www.opengis.net/kml/2.2"}
KML = f"{{{NAMES['k']}}}"
WHOLE = "8.6,47.4,8.75,47.5"
Bounds = tuple[float, float, float, float]


@cache
def schema() -> etree.XMLSchema:
    """The OGC's schema of KML 2.2, as MapProxy's wheel carries it."""
    mapproxy = pytest.importorskip("mapproxy", reason="MapProxy, which carries the schemas, is not installed")
    path = Path(mapproxy.__file__).parent / "test" / "schemas" / "kml" / "2.2.0" / "ogckml22.xsd"
    return etree.XMLSchema(etree.parse(path, etree.XMLParser(no_network=True)))


def valid(body: bytes) -> etree._Element:
    """Parse a document and hold it to the schema, and to what the schema cannot say."""
    root = etree.fromstring(body)
    schema().assertValid(root.getroottree())
    for region in root.iter(f"{KML}Region"):
        assert [etree.QName(child).localname for child in region] == ["LatLonAltBox", "Lod"]
    for box in (*root.iter(f"{KML}LatLonBox"), *root.iter(f"{KML}LatLonAltBox")):
        west, south, east, north = bounds_of(box)
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90
    return root


def bounds_of(box: etree._Element) -> Bounds:
    """(west, south, east, north)."""
    values = {etree.QName(child).localname: float(child.text or "nan") for child in box}
    return values["west"], values["south"], values["east"], values["north"]


def find(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path, NAMES)
    assert found is not None, path
    return found


def texts(root: etree._Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path, NAMES)]


@pytest.fixture
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small test scene be too large for one picture."""
    monkeypatch.setattr(kmz, "SINGLE_SIDE", 256)


def test_a_small_area_is_one_picture_exactly_over_it(client: FlaskClient) -> None:
    (west, north), (east, south) = position(0.25, 0.25), position(0.5, 0.5)
    answer = client.get(f"{ITEM}/bbox/{west},{south},{east},{north}.kmz?style=ndvi")
    assert answer.status_code == 200
    assert answer.content_type == "application/vnd.google-earth.kmz"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert sorted(archive.namelist()) == ["doc.kml", "legend.png", "overlay.png"]
        root = valid(archive.read("doc.kml"))
        assert bounds_of(find(root, ".//k:LatLonBox")) == pytest.approx((west, south, east, north))
        assert texts(root, ".//k:GroundOverlay/k:TimeSpan/k:begin") == ["2020-05-10T10:30:00Z"]
        assert texts(root, ".//k:ScreenOverlay/k:Icon/k:href") == ["legend.png"]
        picture = _rgba(archive.read("overlay.png"))
        area = f"{ITEM}/bbox/{west},{south},{east},{north}.png?style=ndvi"
        assert np.array_equal(picture, _rgba(client.get(area).data)), "the styles of the map"


@pytest.mark.usefixtures("small_pictures")
def test_a_large_area_is_a_pyramid_that_is_whole(client: FlaskClient) -> None:
    answer = client.get(f"{CUT_ITEM}/bbox/{WHOLE}.kmz?style=true-color")
    assert answer.status_code == 200, answer.data
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        names = set(archive.namelist())
        assert next(name for name in archive.namelist() if name.endswith(".kml")) == "doc.kml"
        seen = {"legend.png"}
        nodes = dict(walk(archive, "doc.kml", seen))
        assert seen == names, "all leads to all"
        assert {name.split("/")[0] for name in nodes} >= {"12", "13"}
        for name, (root, picture) in nodes.items():
            z, x, y = (int(part) for part in name.removesuffix(".kml").split("/"))
            overlay = find(root, ".//k:GroundOverlay")
            assert bounds_of(find(overlay, "k:LatLonBox")) == pytest.approx(Node(z, x, y).bounds)
            assert texts(overlay, "k:drawOrder") == [str(z)]
            assert picture is not None
            tile = client.get(f"{CUT_ITEM}/tiles/WorldCRS84Quad/{z}/{x}/{y}.png?style=true-color")
            expected = _rgba(tile.data)
            lossy = 12.0 if Image.open(io.BytesIO(tile.data)).mode == "RGB" else 0.0
            assert np.abs(expected - picture).mean() <= lossy


def walk(
    archive: zipfile.ZipFile, name: str, seen: set[str]
) -> Iterator[tuple[str, tuple[etree._Element, NDArray[Any] | None]]]:
    """All documents below one, each with its picture; every one lies inside what leads to it."""
    root = valid(archive.read(name))
    seen.add(name)
    picture = None
    for href in texts(root, ".//k:GroundOverlay/k:Icon/k:href"):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), href))
        seen.add(path)
        picture = _rgba(archive.read(path))
    if name != "doc.kml":
        yield name, (root, picture)
    for link in root.findall(".//k:NetworkLink", NAMES):
        assert texts(link, "k:Link/k:viewRefreshMode") == ["onRegion"]
        (href,) = texts(link, "k:Link/k:href")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), href))
        place = bounds_of(find(link, "k:Region/k:LatLonAltBox"))
        below = valid(archive.read(path))
        assert bounds_of(find(below, "k:Document/k:Region/k:LatLonAltBox")) == pytest.approx(place)
        yield from walk(archive, path, seen)


@pytest.mark.usefixtures("small_pictures")
def test_a_polygon_cuts_the_pictures(client: FlaskClient) -> None:
    ring = [position(*place) for place in ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.1, 0.1))]
    answer = client.post(f"{ITEM}/feature.kmz?style=ndvi", json={"type": "Polygon", "coordinates": [ring]})
    assert answer.status_code == 200, answer.data
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        nodes = dict(walk(archive, "doc.kml", set()))
        deepest = max(int(name.split("/")[0]) for name in nodes)
        pixel = 180 / 2**deepest / 256
        shown = sum(
            (picture[..., 3] > 0).sum()
            for name, (_, picture) in nodes.items()
            if picture is not None and name.startswith(f"{deepest}/")
        )
        (west, north), (east, _), (_, south) = ring[:3]
        assert shown * pixel**2 == pytest.approx((east - west) * (north - south) / 2, rel=0.03)


def test_a_document_of_the_server_leads_to_all_its_tiles(client: FlaskClient) -> None:
    for start in (
        f"{ITEM}/overlay.kml?style=ndvi",
        "/collections/optical/overlay.kml?datetime=../2020-05-15",
    ):
        pending, documents, pictures = [start], 0, set()
        while pending:
            url = pending.pop()
            answer = client.get(url)
            assert answer.status_code == 200, url
            assert answer.content_type == "application/vnd.google-earth.kml+xml"
            root = valid(answer.data)
            documents += 1
            pending += [local(href) for href in texts(root, ".//k:NetworkLink/k:Link/k:href")]
            pictures |= {local(href) for href in texts(root, ".//k:GroundOverlay/k:Icon/k:href")}
            for legend in texts(root, ".//k:ScreenOverlay/k:Icon/k:href"):
                assert client.get(local(legend)).content_type == "image/png"
        assert documents == len(pictures) + 1 > 4
        carried = start.partition("?")[2].split("=")[0]
        for picture in pictures:
            assert carried in picture
            assert client.get(picture).status_code == 200


def test_a_series_shows_one_day_at_a_time(client: FlaskClient, server: Server, archives: Path) -> None:
    answer = client.get("/collections/optical/series.kml?style=true-color")
    root = valid(answer.data)
    spans = list(zip(texts(root, ".//k:begin"), texts(root, ".//k:end"), strict=True))
    days = ["2020-05-01", "2020-05-10", "2020-05-20"]
    assert [begin[:10] for begin, _ in spans] == days
    assert [end[:10] for _, end in spans] == [*days[1:], days[-1]]
    (first, *_) = texts(root, ".//k:NetworkLink/k:Link/k:href")
    member = valid(client.get(local(first)).data)
    assert texts(member, "k:Document/k:TimeSpan/k:end") == ["2020-05-10T00:00:00Z"]
    file = client.get(f"/collections/optical/bbox/{WHOLE}.kmz?datetime=2020-05-05/..&style=ndvi")
    assert file.status_code == 200, file.data
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        document = valid(archive.read("doc.kml"))
        assert [text[:10] for text in texts(document, ".//k:GroundOverlay/k:TimeSpan/k:begin")] == days[1:]
        for href in texts(document, ".//k:Icon/k:href"):
            assert archive.read(href)
    few = server(archives, max_kmz_tiles=64).get(f"/collections/optical/bbox/{WHOLE}.kmz")
    assert few.status_code == 413


@pytest.mark.usefixtures("small_pictures")
def test_too_many_pictures_are_refused_before_any_is_drawn(server: Server, archives: Path) -> None:
    client = server(archives, max_kmz_tiles=64)
    answer = client.get(f"{ITEM}/bbox/{WHOLE}.kmz")
    assert answer.status_code == 413
    assert answer.json is not None
    assert "/extracts" in answer.json["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{ITEM}/overlay.kml?style=nothing", 422),
        (f"{ITEM}/overlay/30/0/0.kml", 404),
        (f"{ITEM}/overlay/13/0/0.kml", 404),
        (f"{ITEM}/overlay/-1/0/0.kml", 422),
        (f"{ITEM}/overlay.kml?until=yesterday", 422),
        ("/collections/nothing/overlay.kml", 404),
        ("/collections/optical/series.kml?bbox=1,2,3", 422),
        ("/collections/optical/series.kml?bbox=100,10,101,11", 404),
        ("/collections/optical/bbox/9,47,8,48.kmz", 422),
        (f"{ITEM}/bbox/100,10,101,11.kmz", 404),
        (f"{ITEM}/bbox/{WHOLE}.kmz?width=100000&height=100000", 413),
    ],
)
def test_what_makes_no_sense_is_refused(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.data
    assert answer.content_type == "application/problem+json"


def test_pyramids_begin_with_one_tile_and_cross_the_antimeridian() -> None:
    pyramid = Pyramid.over([(8.6, 47.4, 8.75, 47.5)], 13)
    assert len(pyramid.roots()) == 1
    assert pyramid.count == sum(1 for _ in descend(pyramid))
    boxes = pieces((179.9, -17.0, -179.9, -16.0))
    assert boxes == [(179.9, -17.0, 180.0, -16.0), (-180.0, -17.0, -179.9, -16.0)]
    across = Pyramid.over(boxes, 10)
    assert across.lowest == 0
    assert across.count == sum(1 for _ in descend(across))
    assert {node.x for node in descend(across) if node.z == 10} >= {0, 2047}


def descend(pyramid: Pyramid) -> Iterator[Node]:
    pending = pyramid.roots()
    while pending:
        node = pending.pop()
        assert node.exists
        yield node
        pending += pyramid.children(node)


def local(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _rgba(body: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"), float)
