"""QGIS adds the layers and renders what the scene has. Its own step, as QGIS is large: `make test-qgis`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.warp import transform

from tests.e2e import gis
from tests.scenes import UTM32

pytestmark = pytest.mark.qgis
PYTHON = Path("/usr/bin/python3")  # which Debian's QGIS is built for
CLIENT = Path(__file__).with_name("qgis_client.py")
SETS = {"WebMercatorQuad": "EPSG:3857", "WorldCRS84Quad": "EPSG:4326", "UTM32WGS84Quad": "EPSG:32632"}
ZOOMS = {"WebMercatorQuad": 14, "WorldCRS84Quad": 13, "UTM32WGS84Quad": 14}
SIDE = 1000
DENSITY = 4
"""Screen pixels a tile's pixel: QGIS draws each tile at a whole screen pixel, which is its own shift."""
Client = Callable[..., tuple[dict[str, Any], NDArray[Any], gis.View]]


@pytest.fixture(scope="module")
def qgis(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Adds a layer and renders the middle of the scene: what QGIS says, the picture, and where it is."""
    home = tmp_path_factory.mktemp("qgis")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home),
        "QT_QPA_PLATFORM": "offscreen", "LANG": "C.UTF-8",
    }  # fmt: skip
    probe = [str(PYTHON), "-c", "import qgis.core"]
    if not PYTHON.exists() or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.fail("QGIS is not installed; on Debian: apt install python3-qgis qgis-providers")

    def show(
        capabilities: str, tms: str, *, elsewhere: gis.View | None = None, options: str = "", **more: Any
    ) -> tuple[dict[str, Any], NDArray[Any], gis.View]:
        view = elsewhere or gis.View.of_matrix(tms, ZOOMS[tms], SIDE, DENSITY)
        picture = home / "picture.png"
        layer = more.pop("layer", gis.COLLECTION)
        style = more.pop("style", "true-color")
        uri = (
            f"crs={SETS[tms]}&dpiMode=7&format=image/png&layers={layer}&styles={style}"
            f"&tileMatrixSet={tms}{options}&url={quote(capabilities, safe=':/')}"
        )
        wanted = {
            "uri": uri, "crs": view.crs.to_string(), "extent": list(view.bounds),
            "size": [view.width, view.height], "picture": str(picture), **more,
        }  # fmt: skip
        done = subprocess.run(
            [str(PYTHON), str(CLIENT), json.dumps(wanted)], env=environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["valid"], "QGIS does not take the layer"
        assert answer["errors"] == []
        pixels = np.moveaxis(np.asarray(Image.open(picture).convert("RGB")), -1, 0)
        return answer, pixels, view

    return show


@pytest.mark.parametrize("tms", SETS)
def test_a_layer_lies_where_the_scene_is(gis_server: str, qgis: Client, tms: str) -> None:
    said, picture, view = qgis(f"{gis_server}/wmts/1.0.0/WMTSCapabilities.xml", tms)
    assert said["crs"] == SETS[tms]
    assert gis.day_of(picture, view) == gis.NEWEST
    assert gis.shift(picture, gis.expected(gis.NEWEST, view)) / DENSITY < 0.5


def test_by_the_address_of_key_value_pairs_too(gis_server: str, qgis: Client) -> None:
    address = f"{gis_server}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"
    _, picture, view = qgis(address, "WebMercatorQuad")
    assert gis.shift(picture, gis.expected(gis.NEWEST, view)) / DENSITY < 0.5


@pytest.mark.parametrize("day", gis.DAYS)
def test_a_day_can_be_chosen(gis_server: str, qgis: Client, day: str) -> None:
    options = f"&tileDimensions=Time%3D{day}"
    address = f"{gis_server}/wmts/1.0.0/WMTSCapabilities.xml"
    _, picture, view = qgis(address, "UTM32WGS84Quad", options=options)
    assert gis.day_of(picture, view) == day
    assert gis.shift(picture, gis.expected(day, view)) / DENSITY < 0.5


def test_a_day_has_its_own_document(gis_server: str, qgis: Client) -> None:
    address = f"{gis_server}/wmts/collections/{gis.COLLECTION}/dates/2020-05-01/1.0.0/WMTSCapabilities.xml"
    _, picture, view = qgis(address, "WebMercatorQuad")
    assert gis.day_of(picture, view) == "2020-05-01"


def test_the_project_may_have_another_projection(gis_server: str, qgis: Client) -> None:
    address = f"{gis_server}/wmts/1.0.0/WMTSCapabilities.xml"
    elsewhere = gis.View.of_matrix("UTM32WGS84Quad", 14, SIDE, DENSITY)
    _, picture, view = qgis(address, "WebMercatorQuad", elsewhere=elsewhere)
    assert gis.shift(picture, gis.expected(gis.NEWEST, view)) / DENSITY < 0.5


def test_identify_says_the_values_of_the_pixel(gis_server: str, qgis: Client) -> None:
    address = f"{gis_server}/wmts/1.0.0/WMTSCapabilities.xml"
    col, row = 300, 280
    x, y = gis.ORIGIN @ (col + 0.5, row + 0.5)
    xs, ys = transform(UTM32, CRS.from_epsg(3857), [x], [y])
    said, _, _ = qgis(address, "WebMercatorQuad", point=[xs[0], ys[0]])
    text = " ".join(said["identified"].values())
    stored = round((gis.reflectance(gis.NEWEST, 2)[row, col] + 0.1) * 10_000)
    assert f"day-{gis.NEWEST}" in text
    found = int(text.split("B04")[1].split("stored ")[1].split(")")[0])
    assert found == pytest.approx(stored, abs=25)
