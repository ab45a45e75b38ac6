"""KML and KMZ as GDAL sees them: its driver of superoverlays, and LIBKML."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.windows import Window, from_bounds

from tests.e2e import gis
from tests.e2e.test_extracts import ITEM, WHOLE, gis_area
from tileserver import Settings, create_app
from tileserver.files import kmz

DEGREES = CRS.from_epsg(4326)


def compare(dataset: Any) -> None:
    """Hold what GDAL makes of a KML to the scene."""
    west, south, east, north = map(float, gis_area().split(","))
    area = from_bounds(west, south, east, north, dataset.transform)
    window = Window(round(area.col_off), round(area.row_off), round(area.width), round(area.height))
    affine = dataset.transform @ dataset.transform.translation(window.col_off, window.row_off)
    picture: NDArray[Any] = dataset.read((1, 2, 3), window=window)
    view = gis.View(DEGREES, affine, int(window.height), int(window.width))
    reference = gis.expected(gis.NEWEST, view)
    assert gis.shift(picture, reference) < 0.5
    assert gis.difference(picture, reference) < 8, "it is the scene, but for JPEG"


def test_one_picture(gis_server: str, tmp_path: Path) -> None:
    path = tmp_path / "one.kmz"
    path.write_bytes(urlopen(f"{gis_server}{ITEM}/bbox/{WHOLE}.kmz?style=true-color").read())
    with rasterio.open(path) as dataset:
        compare(dataset)


def test_a_pyramid_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gis.write_archives(tmp_path)
    monkeypatch.setattr(kmz, "SINGLE_SIDE", 256)  # or the small test scene would be one picture
    settings = Settings(paths=(tmp_path,), catalog=tmp_path / "catalog.sqlite", workers=1)
    answer = create_app(settings).test_client().get(f"{ITEM}/bbox/{WHOLE}.kmz?style=true-color")
    assert answer.status_code == 200, answer.data
    path = tmp_path / "pyramid.kmz"
    path.write_bytes(answer.data)
    with rasterio.open(path) as dataset:
        assert dataset.driver == "KMLSUPEROVERLAY"
        assert len(dataset.overviews(1)) >= 2
        compare(dataset)


def test_a_pyramid_on_the_server(gis_server: str, tmp_path: Path) -> None:
    """In its default style: GDAL opens no address that ends in parameters."""
    address = f"{gis_server}{ITEM}/overlay.kml"
    saved = tmp_path / "overlay.kml"
    saved.write_bytes(urlopen(address).read())
    for name in (f"/vsicurl/{address}", saved):
        with rasterio.open(name) as dataset:
            assert dataset.driver == "KMLSUPEROVERLAY"
            compare(dataset)


def test_a_series_in_libkml(gis_server: str, tmp_path: Path) -> None:
    ogrinfo = shutil.which("ogrinfo")
    if ogrinfo is None:
        pytest.skip("ogrinfo is not installed; on Debian: apt install gdal-bin")
    drivers = subprocess.run([ogrinfo, "--formats"], capture_output=True, text=True, check=True).stdout
    if "LIBKML" not in drivers:
        pytest.skip("this GDAL has no LIBKML")
    path = tmp_path / "series.kmz"
    path.write_bytes(urlopen(f"{gis_server}/collections/{gis.COLLECTION}/bbox/{WHOLE}.kmz").read())
    command = [ogrinfo, "-ro", "-al", "-so", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "using driver `LIBKML' successful" in run.stdout
    for day in gis.DAYS:
        assert f"Layer name: {day}, day-{day}" in run.stdout
