"""GDAL's WMTS driver, as rasterio carries it and as the system has it, against a running server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import transform_bounds
from rasterio.windows import Window, from_bounds

from tests.e2e import gis
from tests.scenes import UTM32

SETS = {"WebMercatorQuad": "EPSG:3857", "WorldCRS84Quad": "OGC:CRS84", "UTM32WGS84Quad": "EPSG:32632"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """GDAL keeps tiles in a folder of its own, by default in the current one."""
    monkeypatch.setenv("GDAL_DEFAULT_WMS_CACHE_PATH", str(tmp_path / "cache"))
    with rasterio.Env(GDAL_DEFAULT_WMS_CACHE_PATH=str(tmp_path / "cache")):
        yield


def name(server: str, tms: str, *, scope: str = "", query: str = "", layer: str = gis.COLLECTION) -> str:
    """Connection string as GDAL's documentation has it."""
    url = f"{server}/wmts{scope}/1.0.0/WMTSCapabilities.xml{query}"
    return f"WMTS:{url},layer={layer},tilematrixset={tms},style=true-color"


def window(dataset: Any) -> Window:
    """The middle of the scene, in whole pixels."""
    left, top = gis.ORIGIN @ (80, 80)
    right, bottom = gis.ORIGIN @ (gis.SIDE - 80, gis.SIDE - 80)
    bounds = transform_bounds(UTM32, dataset.crs, left, bottom, right, top)
    return from_bounds(*bounds, dataset.transform).round_offsets().round_lengths()


def read(connection: str) -> tuple[NDArray[Any], gis.View, NDArray[Any]]:
    """Picture (3, y, x), its grid, and its alpha (y, x)."""
    with rasterio.open(connection) as dataset:
        place = window(dataset)
        pixels = dataset.read(window=place)
        grid = gis.View(dataset.crs, dataset.window_transform(place), *pixels.shape[1:])
    return pixels[:3], grid, pixels[3]


@pytest.mark.parametrize("query", ["", "?crs=epsg"])
@pytest.mark.parametrize("tms", SETS)
def test_pixels_lie_where_the_scene_has_them(gis_server: str, tms: str, query: str) -> None:
    picture, view, alpha = read(name(gis_server, tms, query=query))
    named = "EPSG:4326" if query and tms == "WorldCRS84Quad" else SETS[tms]
    assert view.crs.to_string() == named
    reference = gis.expected(gis.NEWEST, view)
    assert gis.shift(picture, reference) < 0.5
    assert gis.difference(picture, reference) < 6
    assert (alpha == 255).all()


@pytest.mark.parametrize("day", gis.DAYS)
def test_a_day_has_its_own_document(gis_server: str, day: str) -> None:
    scope = f"/collections/{gis.COLLECTION}/dates/{day}"
    picture, view, _ = read(name(gis_server, "WebMercatorQuad", scope=scope))
    assert gis.day_of(picture, view) == day


def test_a_scene_has_its_own_document(gis_server: str) -> None:
    scope = f"/collections/{gis.COLLECTION}/items/day-2020-05-01"
    layer = f"{gis.COLLECTION}/day-2020-05-01"
    picture, view, _ = read(name(gis_server, "UTM32WGS84Quad", scope=scope, layer=layer))
    assert gis.day_of(picture, view) == "2020-05-01"
    assert gis.shift(picture, gis.expected("2020-05-01", view)) < 0.5


def test_the_extent_is_the_scene(gis_server: str) -> None:
    """Tile limits and bounding box lead GDAL to the scene and its pixels, not to the world."""
    with rasterio.open(name(gis_server, "UTM32WGS84Quad")) as dataset:
        left, top = gis.ORIGIN @ (0, 0)
        right, bottom = gis.ORIGIN @ (gis.SIDE, gis.SIDE)
        slack = 60
        assert dataset.bounds.left == pytest.approx(left, abs=slack)
        assert dataset.bounds.top == pytest.approx(top, abs=slack)
        assert dataset.bounds.right == pytest.approx(right, abs=slack)
        assert dataset.bounds.bottom == pytest.approx(bottom, abs=slack)
        assert 5 < dataset.res[0] <= 10
        assert dataset.overviews(1)


def test_coarser_levels_lie_in_the_same_place(gis_server: str) -> None:
    with rasterio.open(name(gis_server, "WebMercatorQuad")) as dataset:
        middle = window(dataset)
        aligned = (value // 4 * 4 for value in (middle.col_off, middle.row_off, middle.width, middle.height))
        place = Window(*aligned)
        shape = (int(place.height) // 4, int(place.width) // 4)
        pixels = dataset.read([1, 2, 3], window=place, out_shape=(3, *shape), resampling=Resampling.average)
        fine = gis.View(dataset.crs, dataset.window_transform(place), int(place.height), int(place.width))
    reference = gis.expected(gis.NEWEST, fine).reshape(3, shape[0], 4, shape[1], 4).mean((2, 4))
    # GDAL cuts its raster out at a pixel of the finest level and takes that for the corner of a coarse pixel,
    # which costs it up to half a pixel each way.
    assert gis.shift(pixels, reference) < 0.75


@pytest.fixture(scope="module")
def gdal() -> str:
    """Folder of GDAL's own programs."""
    found = shutil.which("gdalinfo")
    if found is None:
        pytest.skip("gdalinfo is not installed; on Debian: apt install gdal-bin")
    formats = subprocess.run([found, "--formats"], capture_output=True, text=True, check=True).stdout
    if "WMTS" not in formats:
        pytest.skip("this GDAL has no WMTS driver")
    return str(Path(found).parent)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def test_gdalinfo_lists_every_layer_style_and_set(gdal: str, gis_server: str) -> None:
    listed = run(f"{gdal}/gdalinfo", f"WMTS:{gis_server}/wmts/1.0.0/WMTSCapabilities.xml")
    for tms in SETS:
        assert f"layer=gis,tilematrixset={tms},style=ndvi" in listed
    assert "GoogleMapsCompatible" not in listed


@pytest.mark.parametrize("tms", SETS)
def test_gdal_translate_saves_what_the_scene_shows(
    gdal: str, gis_server: str, tms: str, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.tif"
    run(f"{gdal}/gdal_translate", "-q", name(gis_server, tms), str(saved))
    picture, view, _ = read(str(saved))
    assert view.crs.to_epsg() == {"WorldCRS84Quad": 4326}.get(tms, view.crs.to_epsg())
    assert gis.shift(picture, gis.expected(gis.NEWEST, view)) < 0.5


def test_the_whole_world_but_the_scene_is_transparent(gdal: str, gis_server: str, tmp_path: Path) -> None:
    """Where there is nothing GDAL gets what it takes for nothing, and no error."""
    saved = tmp_path / "around.tif"
    left, top = gis.ORIGIN @ (-300, -300)
    right, bottom = gis.ORIGIN @ (gis.SIDE + 300, gis.SIDE + 300)
    corners = [str(value) for value in (left, top, right, bottom)]
    run(
        f"{gdal}/gdal_translate", "-q", "-projwin", *corners, "-outsize", "300", "300",
        name(gis_server, "UTM32WGS84Quad"), str(saved),
    )  # fmt: skip
    with rasterio.open(saved) as dataset:
        alpha = dataset.read(4)
    assert alpha.max() == 255
    assert np.mean(alpha == 255) == pytest.approx(0.25, abs=0.02)
