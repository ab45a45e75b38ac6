"""pystac-client, xarray and rioxarray over HTTP against a running server: from a search to pixels."""

from __future__ import annotations

import io
import json
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pystac
import pystac_client
import pytest
import rioxarray  # noqa: F401 - registers itself with xarray
import xarray as xr
from PIL import Image
from pystac_client.exceptions import APIError
from rasterio.warp import transform

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.scene import Window
from tests.e2e.conftest import Server
from tests.scenes import array_group, array_scene, landscape

LARGE = 1300
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def catalogue(server: str) -> pystac_client.Client:
    return pystac_client.Client.open(f"{server}/stac")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address of a server of one scene of a megabyte or more, and its archive."""
    folder = tmp_path_factory.mktemp("large")
    values = landscape(3, LARGE, LARGE)
    scene = array_scene(array_group(values, np.ones(values.shape, bool)), scene_id="large")
    path = compress(scene, folder / "large.zarr.zip", step=20.0)
    with Server(folder, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield f"{running.address}/collections/test/items/large/archive", path


class Meter:
    """A proxy that counts what the server sends, and in how many answers."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.received = 0
        self.requests = 0

    def __enter__(self) -> Meter:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with source, target:
            try:
                while data := source.recv(1 << 16):
                    self.received += len(data) if counted else 0
                    self.requests += 0 if counted else data.count(b"GET ")
                    target.sendall(data)
                target.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_the_catalogue_says_what_it_can(catalogue: pystac_client.Client) -> None:
    for name in ("CORE", "COLLECTIONS", "FEATURES", "ITEM_SEARCH", "SORT", "FIELDS", "FILTER", "QUERY"):
        assert catalogue.conforms_to(name), name
    assert not catalogue.conforms_to("TRANSACTION")
    assert {one.id for one in catalogue.get_collections()} == {"fields", "series"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_searches_by_both_methods(catalogue: pystac_client.Client, method: Any) -> None:
    def ids(**wanted: Any) -> list[str]:
        return [item.id for item in catalogue.search(method=method, **wanted).items()]

    assert ids(collections=["series"]) == ["day-21", "day-11", "day-1"]
    assert ids(collections=["series"], limit=1) == ["day-21", "day-11", "day-1"]
    assert ids(collections=["series"], limit=1, sortby="+datetime") == ["day-1", "day-11", "day-21"]
    assert ids(collections=["series"], max_items=2) == ["day-21", "day-11"]
    assert ids(datetime="2020-05-11") == ["day-11"]
    assert ids(datetime="2020-05-02/..", collections=["series"]) == ["day-21", "day-11"]
    assert ids(ids=["day-1", "colours"], sortby=[{"field": "id", "direction": "asc"}]) == ["colours", "day-1"]
    assert ids(bbox=[-10, -10, -9, -9]) == []
    colours = next(catalogue.search(ids=["colours"]).items())
    assert set(ids(intersects=colours.geometry)) == {"colours", "day-1", "day-11", "day-21"}
    assert catalogue.search(method=method, collections=["series"]).matched() == 3
    few = next(catalogue.search(method=method, ids=["day-1"], fields=["id", "bbox"]).items_as_dicts())
    assert set(few) == {"id", "collection", "bbox"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_filters_in_all_forms(catalogue: pystac_client.Client, method: Any) -> None:
    def ids(**wanted: Any) -> list[str]:
        return [item.id for item in catalogue.search(method=method, **wanted).items()]

    series = {"op": "=", "args": [{"property": "collection"}, "series"]}
    late = {"op": "t_after", "args": [{"property": "datetime"}, {"timestamp": "2020-05-02T00:00:00Z"}]}
    both = {"op": "and", "args": [series, late]}
    text = "collection = 'series' AND datetime > DATE('2020-05-01')"
    for wanted in (
        {"filter": both, "filter_lang": "cql2-json"},
        {"filter": text, "filter_lang": "cql2-text"},
        {"filter": text, "filter_lang": "cql2-text", "limit": 1},
        {"query": {"collection": {"eq": "series"}, "datetime": {"gte": "2020-05-02"}}},
        {"query": ["collection=series", "datetime>2020-05-02"], "limit": 1},
        {"query": ["gsd<11", "id>day-1"], "collections": ["series"]},
    ):
        assert ids(**wanted) == ["day-21", "day-11"], wanted
    few = catalogue.search(
        method=method, filter=text, filter_lang="cql2-text", sortby="+datetime", fields=["id", "bbox"]
    )
    assert [item["id"] for item in few.items_as_dicts()] == ["day-11", "day-21"]
    assert few.matched() == 2
    assert "eo:cloud_cover" in catalogue.get_merged_queryables(["series"])["properties"]
    assert "datetime" in catalogue.get_queryables()["properties"]


def test_the_forms_of_other_clients(server: str, catalogue: pystac_client.Client) -> None:
    """QGIS 3.44 sends local times without a zone, and all collections; stac-browser filters in CQL2 text."""
    for query in (
        "collections=fields,series&bbox=8,47,9,48&datetime=2020-05-02T00:00:00.000/2020-06-01T00:00:00.000",
        "collections=series&datetime=2020-05-02T00:00:00.000/..",
        "limit=12&filter-lang=cql2-text&filter=collection%3D%27series%27%20AND%20%22datetime%22%3E%3D"
        "TIMESTAMP%28%272020-05-02T00%3A00%3A00.000Z%27%29",
    ):
        with urllib.request.urlopen(f"{server}/stac/search/?{query}") as answer:
            found = {item["id"] for item in json.load(answer)["features"]}
        assert found - {"colours"} == {"day-11", "day-21"}, query
    with pytest.raises(APIError, match="cloudiness"):
        next(catalogue.search(query={"cloudiness": {"lt": 5}}).items())


def test_collections_lead_to_items_and_back(catalogue: pystac_client.Client) -> None:
    collection = catalogue.get_collection("series")
    assert collection is not None
    item = collection.get_item("day-11")
    assert isinstance(item, pystac.Item)
    assert item.get_single_link("collection").href == collection.self_href  # type: ignore[union-attr]
    assert item.datetime is not None
    assert (item.datetime.day, item.datetime.month) == (11, 5)
    assert [moment and moment.day for moment in collection.extent.temporal.intervals[0]] == [1, 21]


def test_every_asset_and_link_can_be_had(catalogue: pystac_client.Client) -> None:
    item = next(catalogue.search(ids=["colours"]).items())
    for asset in item.assets.values():
        with urllib.request.urlopen(asset.href) as answer:
            assert answer.headers["Content-Type"] == asset.media_type
    with urllib.request.urlopen(item.assets["thumbnail"].href) as answer:
        picture = np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"), float)
    height, width = picture.shape[:2]
    red, green = picture[height // 4, width // 4], picture[height // 4, 3 * width // 4]
    assert red.argmax() == 0
    assert green.argmax() == 1
    for link in item.links:
        if link.rel not in ("xyz", "wmts", "root", "self") and link.href:
            with urllib.request.urlopen(link.href) as answer:
                assert answer.status == 200


def test_from_a_search_to_pixels(catalogue: pystac_client.Client) -> None:
    item = next(catalogue.search(ids=["colours"]).items())
    with xr.open_dataset(item.assets["archive"].href, engine="comeo") as scene:
        assert scene.rio.crs.to_epsg() == int(item.properties["proj:code"].removeprefix("EPSG:"))
        assert list(scene.rio.transform())[:6] == item.properties["proj:transform"]
        west, south, east, north = item.bbox or (0, 0, 0, 0)
        lon, lat = west + 0.25 * (east - west), south + 0.75 * (north - south)
        xs, ys = transform("EPSG:4326", scene.rio.crs, [lon], [lat])
        there = scene["data"].sel(x=xs[0], y=ys[0], method="nearest")
        assert there.sel(band="B04").item() == pytest.approx(0.25, abs=0.02)  # the red quarter
        assert there.sel(band="B03").item() == pytest.approx(0.01, abs=0.02)


def test_a_window_over_http_is_that_of_the_file_from_few_bytes(large: tuple[str, Path]) -> None:
    address, path = large
    size = path.stat().st_size
    with Meter(address) as meter:
        far_address = meter.address + urlsplit(address).path
        with xr.open_dataset(far_address, engine="comeo") as far:
            window = far["data"].isel(x=slice(600, 700), y=slice(800, 900)).values
    with xr.open_dataset(path, engine="comeo") as near:
        np.testing.assert_array_equal(window, near["data"].values[:, 800:900, 600:700])
    print(f"{meter.received} bytes of {size} in {meter.requests} requests")
    assert size > 2_000_000
    assert meter.received < size / 6
    assert 3 <= meter.requests <= 5


def test_gunicorn_sends_ranges_of_the_very_file(large: tuple[str, Path]) -> None:
    address, path = large
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(50):
        start, stop = sorted(int(x) for x in rng.integers(0, len(content), 2))
        request = urllib.request.Request(address, headers={"Range": f"bytes={start}-{stop}"})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 206
            assert answer.read() == content[start : stop + 1]
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == content


def test_open_archive_takes_the_address(large: tuple[str, Path]) -> None:
    address, path = large
    with open_archive(address) as far, open_archive(path) as near:
        assert far.info() == near.info()


def test_the_documented_steps_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "clients" / "python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 5
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with Server(ROOT / "samples", tmp_path / "server.log") as running:
        for block in blocks:
            exec(block.replace("http://127.0.0.1:8080", running.address), names)
        np.testing.assert_allclose(names["plain"]["data"].values, names["scene"]["data"].values, atol=1e-6)
        names["scene"].close()
    assert names["item"].id == "S2A_T32TMT_20190530_L2A"
    with open_archive(ROOT / "samples" / "S2A_T32TMT_20190530_L2A.zarr.zip") as archive:
        level = archive.groups["r10m"].levels[0]
        np.testing.assert_array_equal(names["numbers"], archive.read(level, Window(300, 200, 200, 200)))
    assert (tmp_path / "ndvi.tif").is_file()
    assert names["greenness"].shape == (65,)
