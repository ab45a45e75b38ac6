"""A scene of unknown time, such as one of the samples, has no year, no day and no time anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import rasterio
from flask.testing import FlaskClient
from rasterio.io import MemoryFile

from comeo.archive import open_archive
from comeo.export.provenance import provenance
from tests.tileserver.conftest import Server

SAMPLE = Path(__file__).parents[4] / "samples" / "S2_UTM37N_lake.zarr.zip"
CREDIT = "Contains modified Copernicus Sentinel data"


@pytest.fixture
def client(server: Server, tmp_path: Path) -> FlaskClient:
    folder = tmp_path / "samples"
    folder.mkdir()
    shutil.copy(SAMPLE, folder)
    return server(folder)


def _json(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.json


def _item() -> str:
    with open_archive(SAMPLE) as archive:
        return f"/collections/{archive.collection}/items/{archive.id}"


def _centre(client: FlaskClient) -> tuple[float, float]:
    west, south, east, north = _json(client, f"{_item()}/info")["bbox"]
    return (west + east) / 2, (south + north) / 2


def test_the_library_says_none() -> None:
    with open_archive(SAMPLE) as archive:
        assert archive.datetime is None
        tags = provenance(archive, ["B04"])
    assert "TIFFTAG_DATETIME" not in tags
    assert not any("1970" in value for value in tags.values())


def test_the_credit_has_no_year(client: FlaskClient) -> None:
    item = _item()
    collection = item.partition("/items/")[0]
    for path in (f"{item}/tilejson.json", f"{collection}/tilejson.json"):
        assert _json(client, path)["attribution"] == CREDIT
    for path in (f"{item}/overlay.kml", f"{collection}/overlay.kml"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "1970" not in answer.text


def test_a_point_has_no_time(client: FlaskClient) -> None:
    lon, lat = _centre(client)
    for path in (_item(), _item().partition("/items/")[0]):
        assert _json(client, f"{path}/point/{lon},{lat}")["datetime"] is None


@pytest.mark.parametrize("place", ["preview.tif", "bbox"])
def test_a_geotiff_has_no_time(client: FlaskClient, place: str) -> None:
    lon, lat = _centre(client)
    if place == "bbox":
        place = f"bbox/{lon - 0.01},{lat - 0.01},{lon + 0.01},{lat + 0.01}.tif"
    answer = client.get(f"{_item()}/{place}?bands=B02")
    assert answer.status_code == 200
    with MemoryFile(answer.data) as file, rasterio.open(file) as image:
        tags = image.tags()
    assert not any(name.lower().endswith("datetime") for name in tags)
    assert not any("1970" in value for value in tags.values())
