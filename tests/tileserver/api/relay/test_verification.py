"""An origin hands out what an original shows around a place, and a relay's alerts are looked up there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from flask.testing import FlaskClient
from numpy.typing import NDArray

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import open_source
from tests.badline import Weather, bad_line
from tests.scenes import UTM32, landscape
from tests.tileserver.conftest import serving
from tests.tileserver.listening import listening
from tileserver.watch.observing import asked
from tileserver.watch.observing.asked import AskedServer
from tileserver.watch.observing.originals import Source

pytestmark = pytest.mark.filterwarnings("ignore:.*no scale is stated")
FINE = rasterio.Affine(10, 0, 472_480, 0, -10, 5_257_490)
BOX = (8.6450, 47.4640, 8.6480, 47.4655)
PLACE = {"collection": "optical", "id": "field", "bbox": list(BOX)}


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint16]:
    return landscape(4, 160, 160, 3)


@pytest.fixture(scope="module")
def origin(pixels: NDArray[np.uint16], tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("origin")
    original, archives = folder / "field.tif", folder / "archives"
    archives.mkdir()
    profile = {"driver": "GTiff", "width": 160, "height": 160, "count": 4, "dtype": "uint16", "crs": UTM32}
    with rasterio.open(original, "w", transform=FINE, **profile) as out:
        out.write(pixels)
        out.descriptions = ("B02", "B03", "B04", "B08")
    with open_source(
        original, collection="optical", datetime=datetime(2020, 5, 1, tzinfo=UTC), scale=1e-4, offset=-0.1,
        unit="reflectance",
    ) as scene:  # fmt: skip
        compress(scene, archives, codec="dct", step=800.0)
    return serving(archives, folder, relay=True, relay_folder=folder / "feed", originals=(folder,))


def source(name: str = "field") -> Source:
    return Source(name, "optical", "field.tif", "", ())


def test_the_window_is_that_of_the_original(
    origin: FlaskClient, pixels: NDArray[np.uint16], tmp_path: Path
) -> None:
    answer = origin.post("/relay/v1/verify", json=PLACE)
    assert answer.status_code == 200, answer.text
    path = tmp_path / "window.zarr.zip"
    path.write_bytes(answer.data)
    with open_archive(path) as archive:
        level = archive.groups["r10m"].levels[0]
        col, row = (round(each) for each in ~FINE @ (level.transform.c, level.transform.f))
        decoded = archive.read(level, Window(0, 0, level.height, level.width))
    part = pixels[:, row : row + level.height, col : col + level.width]
    assert part.shape == decoded.shape
    assert np.abs(decoded.astype(int) - part).max() <= 3, "coded almost without loss"
    assert decoded.shape[1] < 100, "no more than the place"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"id": "none"}, 404), ({"bbox": [9.0, 50.0, 9.1, 50.1]}, 404), ({"more": 1}, 422),
        ({"bbox": [8.6, 47.5, 8.5, 47.4]}, 422),
        ({"bbox": [8.6, 47.4]}, 422), ({"bbox": [8.6, 47.4, 8.7, float("1e9")]}, 422), ({"id": "../x"}, 422),
    ],
)  # fmt: skip
def test_what_is_refused(origin: FlaskClient, changes: dict[str, object], status: int) -> None:
    assert origin.post("/relay/v1/verify", json={**PLACE, **changes}).status_code == status


def test_a_server_without_originals_says_so(archives: Path, tmp_path: Path) -> None:
    client = serving(archives, tmp_path, relay=True, relay_folder=tmp_path / "feed")
    scene = client.get("/stac/search").get_json()["features"][0]
    body = {"collection": scene["collection"], "id": scene["id"], "bbox": scene["bbox"][:4]}
    answer = client.post("/relay/v1/verify", json=body)
    assert answer.status_code == 404
    assert "not at hand" in answer.get_json()["detail"]


def test_a_relay_asks_again_when_its_line_is_cut(
    origin: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    path = tmp_path / "window.zarr.zip"
    with listening(origin.application) as port, bad_line(port, Weather(half_close_after=1)) as line:

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            line.weather = Weather()

        monkeypatch.setattr("tileserver.watch.observing.asked.time.sleep", pause)
        assert AskedServer(line.address).window(source(), BOX, path)
    assert pauses == [asked.PAUSES[0]]
    with open_archive(path) as archive:
        assert archive.groups


def test_what_cannot_be_asked_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tileserver.watch.observing.asked.time.sleep", lambda _: None)
    with pytest.raises(SourceError, match="cannot be asked"):
        AskedServer("http://127.0.0.1:9").window(source(), BOX, tmp_path / "w.zarr.zip")


def test_what_is_missing_there_is_missing_here(origin: FlaskClient, tmp_path: Path) -> None:
    with listening(origin.application) as port:
        server = AskedServer(f"http://127.0.0.1:{port}")
        assert not server.window(source("none"), BOX, tmp_path / "w.zarr.zip")


def test_an_origin_that_sends_without_end_is_stopped(
    origin: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST_BYTES", 1000)
    with listening(origin.application) as port, pytest.raises(SourceError, match="more than"):
        AskedServer(f"http://127.0.0.1:{port}").window(source(), BOX, tmp_path / "w.zarr.zip")
