"""GeoTIFF from a running server, as GDAL and rio-cogeo see it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from tests.e2e import gis
from tests.scenes import UTM32

ITEM = f"/collections/{gis.COLLECTION}/items/day-{gis.NEWEST}"
WHOLE = "8.6,47.4,8.75,47.5"
MASKED = 5


def test_an_extract_lies_where_the_scene_does(gis_server: str, tmp_path: Path) -> None:
    for query in ("", "&dst_crs=EPSG:3857", "&dst_crs=EPSG:4326&width=900&height=600"):
        style = "expression=B04;B03;B02&rescale=0,0.3&resampling=bilinear"
        path = _fetched(f"{gis_server}{ITEM}/bbox/{gis_area()}.tif?{style}{query}", tmp_path)
        assert cog_validate(path, strict=True) == (True, [], [])
        with rasterio.open(path) as dataset:
            view = gis.View(dataset.crs, dataset.transform, dataset.height, dataset.width)
            reference = gis.expected(gis.NEWEST, view)
            picture = np.where(np.isnan(reference), np.nan, dataset.read().astype(float))
            assert gis.shift(np.nan_to_num(picture, nan=127.0), reference) < 0.5
            assert gis.difference(picture, reference) < MASKED


def gis_area() -> str:
    """The middle of the scene, in degrees."""
    bounds = rasterio.transform.array_bounds(
        gis.SIDE - 100, gis.SIDE - 100, gis.ORIGIN @ gis.ORIGIN.translation(50, 50)
    )
    return ",".join(map(str, rasterio.warp.transform_bounds(UTM32, "EPSG:4326", *bounds)))


def test_gdal_reads_what_the_file_says_of_itself(gis_server: str, tmp_path: Path) -> None:
    gdalinfo = shutil.which("gdalinfo")
    if gdalinfo is None:
        pytest.skip("gdalinfo is not installed; on Debian: apt install gdal-bin")
    path = _fetched(f"{gis_server}{ITEM}/bbox/{WHOLE}.tif", tmp_path)
    run = subprocess.run(
        [gdalinfo, "-json", "-checksum", str(path)], capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout)
    assert found["size"] == [gis.SIDE, gis.SIDE]
    assert found["geoTransform"] == list(gis.ORIGIN.to_gdal())
    assert found["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert found["metadata"][""]["COMEO_ID"] == f"day-{gis.NEWEST}"
    assert [band["description"] for band in found["bands"]] == ["B02", "B03", "B04", "B08"]
    for band in found["bands"]:
        assert (band["scale"], band["offset"], band["unit"]) == pytest.approx((1e-4, -0.1, "reflectance"))
        assert "STATISTICS_STDDEV" in band["metadata"][""]


def test_a_job_is_watched_resumed_and_removed(gis_server: str, tmp_path: Path) -> None:
    answer = _posted(f"{gis_server}{ITEM}/extracts", {"bands": "B04", "width": 3000, "height": 3000,
                                                      "bbox": [8.64, 47.42, 8.7, 47.46]})  # fmt: skip
    address = answer["links"][0]["href"]
    deadline = time.monotonic() + 120
    while answer["status"] in ("accepted", "running"):
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)
        answer = json.load(urlopen(address))
    assert answer["status"] == "successful", answer
    result = f"{address}/result"
    whole = urlopen(result).read()
    assert len(whole) == answer["bytes"]
    half = len(whole) // 2
    rest = urlopen(Request(result, headers={"Range": f"bytes={half}-"}))
    assert rest.status == 206
    assert whole[:half] + rest.read() == whole
    path = tmp_path / "job.tif"
    path.write_bytes(whole)
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(f"/vsicurl/{result}") as dataset:  # without fetching all of it
        assert dataset.shape == (3000, 3000)
        assert len(dataset.overviews(1)) >= 2
    assert json.load(urlopen(Request(address, method="DELETE")))["status"] == "dismissed"


def test_the_server_stops_working_for_a_client_that_has_gone(gis_server: str) -> None:
    path = f"{ITEM}/bbox/{WHOLE}.tif?bands=B02,B03,B04,B08&width=4000&height=4000&resampling=lanczos"
    before = _count(gis_server, "408")
    parts = urlsplit(gis_server)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        time.sleep(0.3)
    gone = time.monotonic()
    while _count(gis_server, "408") == before:
        assert time.monotonic() - gone < 20, "the server works on for nobody"
        time.sleep(0.05)
    print(f"stopped after {time.monotonic() - gone:.2f} s")


def _count(server: str, status: str) -> float:
    text = urlopen(f"{server}/metrics").read().decode()
    return sum(
        float(line.split()[-1])
        for line in re.findall(rf'^comeo_requests\S*{{.*status="{status}".*$', text, re.MULTILINE)
    )


def _fetched(url: str, folder: Path) -> Path:
    path = folder / "extract.tif"
    path.write_bytes(urlopen(url).read())
    return path


def _posted(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    found: dict[str, Any] = json.load(urlopen(request))
    return found
