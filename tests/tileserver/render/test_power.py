"""Whatever a server tells of an area of radar is the area's mean power: of scenes of known power."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.warp import transform_bounds

from comeo import extract
from comeo.compression import compress
from comeo.grid import WGS84
from tests.comeo.view.radar import LEVELS, ORIGIN, UTM33, mean_of, radar_scene, speckled
from tests.tileserver.conftest import serving
from tileserver.render.matrixsets import matrix_set
from tileserver.render.series import looks_of_pixel

SIDE = 1100
BOX = transform_bounds(UTM33, WGS84, ORIGIN.c, ORIGIN.f - 10 * SIDE, ORIGIN.c + 10 * SIDE, ORIGIN.f)
ITEM = "/collections/sentinel-1-rtc/items/radar"
TOLERANCE = 0.05  # decibels


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plane of known power, and a later one of which half of the pixels, here and there, are missing."""
    folder = tmp_path_factory.mktemp("radar")
    compress(radar_scene(speckled(SIDE, SIDE)), folder / "radar.zarr.zip", codec="dct", step=3.0)
    rows, cols = np.indices((SIDE, SIDE)) // 37
    valid = np.broadcast_to((rows + cols) % 2 == 0, (2, SIDE, SIDE))
    newer = radar_scene(speckled(SIDE, SIDE, seed=1), valid, day=9, scene_id="newer")
    compress(newer, folder / "newer.zarr.zip", codec="dct", step=3.0)
    return folder


@pytest.fixture(scope="module")
def client(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return serving(archives, tmp_path_factory.mktemp("server"))


def _tile(zoom: int) -> str:
    tile = matrix_set("WebMercatorQuad").tile((BOX[0] + BOX[2]) / 2, (BOX[1] + BOX[3]) / 2, zoom)
    return f"tiles/WebMercatorQuad/{zoom}/{tile.x}/{tile.y}"


def _masked(body: bytes) -> Any:
    values = np.load(io.BytesIO(body))
    return np.ma.MaskedArray(values[:-1], np.broadcast_to(values[-1:] == 0, values[:-1].shape))


def _check(bands: Any, tolerance: float = TOLERANCE) -> None:
    for band, level in zip(bands, LEVELS, strict=True):
        assert mean_of(band) == pytest.approx(level, abs=tolerance)


@pytest.mark.parametrize("zoom", [10, 11, 12, 13])
@pytest.mark.parametrize(
    "where", [ITEM, "/collections/sentinel-1-rtc/items/newer", "/collections/sentinel-1-rtc"]
)
def test_tiles_of_scenes_and_mosaics(client: FlaskClient, where: str, zoom: int) -> None:
    answer = client.get(f"{where}/{_tile(zoom)}.npy?bands=VV,VH&resampling=bilinear")
    assert answer.status_code == 200, answer.data
    _check(_masked(answer.data), 0.1 if zoom == 10 else TOLERANCE)  # of some 100² pixels


@pytest.mark.parametrize("size", [64, 300, 1100])
@pytest.mark.parametrize("item", ["radar", "newer"])
def test_statistics(client: FlaskClient, item: str, size: int) -> None:
    path = f"/collections/sentinel-1-rtc/items/{item}/statistics?bands=VV,VH&max_size={size}"
    found = client.get(path).get_json()
    for band, level in zip(("VV", "VH"), LEVELS, strict=True):
        assert found[band]["mean"] == pytest.approx(level, abs=TOLERANCE)
        count = found[band]["valid_pixels"]
        assert found[band]["sum"] == pytest.approx(found[band]["mean"] + 10 * np.log10(count), abs=1e-3)
        assert 0 < found[band]["mean_uncertainty"] < found[band]["expected_error"]


def test_previews_and_kmz_show_power(client: FlaskClient) -> None:
    """Pictures of 8 bits, read back through their range: one grey is 0.08 dB."""
    shown = "bands=VV&rescale=-20,0"
    grey = np.asarray(Image.open(io.BytesIO(client.get(f"{ITEM}/preview.png?{shown}&max_size=137").data)))
    assert mean_of(grey[..., 0] / 255 * 20 - 20) == pytest.approx(LEVELS[0], abs=TOLERANCE)
    west, south, east, north = BOX
    file = client.get(f"{ITEM}/bbox/{west},{south},{east},{north}.kmz?{shown}&max_size=150")
    assert file.status_code == 200, file.data
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        name = next(
            name for name in archive.namelist() if name.endswith((".png", ".jpg")) and "legend" not in name
        )
        picture = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGBA"), np.float64)
    seen = picture[..., 0][picture[..., 3] > 0]
    assert seen.size > 5_000
    assert mean_of(seen / 255 * 20 - 20) == pytest.approx(LEVELS[0], abs=TOLERANCE)


def test_extracts_of_another_resolution(client: FlaskClient, archives: Path, tmp_path: Path) -> None:
    west, south, east, north = BOX
    for size in (1100, 150):
        file = client.get(f"{ITEM}/bbox/{west},{south},{east},{north}.tif?max_size={size}&dst_crs=EPSG:3857")
        assert file.status_code == 200, file.data
        with MemoryFile(file.data) as memory, memory.open() as dataset:
            _check(dataset.read(masked=True))
    extract(archives / "newer.zarr.zip", tmp_path / "coarse.tif", max_size=100)
    with rasterio.open(tmp_path / "coarse.tif") as dataset:
        _check(dataset.read(masked=True), 0.1)


@pytest.mark.parametrize("item", ["radar", "newer"])
def test_overviews_and_statistics_of_geotiffs(archives: Path, tmp_path: Path, item: str) -> None:
    extract(archives / f"{item}.zarr.zip", tmp_path / "whole.tif")
    with rasterio.open(tmp_path / "whole.tif") as dataset:
        own = dataset.read(masked=True)
        assert dataset.overviews(1) == [2, 4]
        for band, stated in enumerate(own, 1):
            tags = dataset.tags(band)
            assert float(tags["STATISTICS_MEAN"]) == pytest.approx(mean_of(stated), abs=1e-3)
            assert float(tags["STATISTICS_MINIMUM"]) == pytest.approx(stated.min())
            assert float(tags["STATISTICS_STDDEV"]) == pytest.approx(stated.std(), rel=1e-4)
            share = 100 * stated.count() / stated.size
            assert float(tags["STATISTICS_VALID_PERCENT"]) == pytest.approx(share, abs=0.01)
    with rasterio.open(tmp_path / "whole.tif", overview_level=0) as dataset:
        found = dataset.read(masked=True)
    np.testing.assert_allclose(found.filled(np.nan), _halved(own.filled(np.nan)), atol=1e-4)
    with rasterio.open(tmp_path / "whole.tif", overview_level=1) as dataset:
        # beside holes, where coding errs more, a cell of few pixels counts as much as a whole one
        _check(dataset.read(masked=True), 0.1 if item == "newer" else TOLERANCE)


def _halved(decibels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Means of power of 2×2 pixels that there are, by NumPy."""
    power = 10 ** (decibels.astype(np.float64) / 10)
    cells = power.reshape(2, SIDE // 2, 2, SIDE // 2, 2)
    known = np.isfinite(cells).sum(axis=(2, 4))
    sums = np.nansum(cells, axis=(2, 4))
    means: NDArray[np.float64] = 10 * np.log10(np.where(known, sums, np.nan) / np.maximum(known, 1))
    return means


def test_a_polygon_cut_out(client: FlaskClient) -> None:
    answer = client.post(f"{ITEM}/feature.tif?max_size=500", json=_triangle())
    assert answer.status_code == 200, answer.data
    with MemoryFile(answer.data) as memory, memory.open() as dataset:
        _check(dataset.read(masked=True))


def test_power_in_expressions(client: FlaskClient) -> None:
    ratio = "4*pow(VH)/(pow(VV)+pow(VH))"
    answer = client.get(
        f"{ITEM}/{_tile(11)}.npy", query_string={"expression": ratio, "resampling": "bilinear"}
    )
    assert answer.status_code == 200, answer.data
    powers = [10 ** (level / 10) for level in LEVELS]
    assert np.ma.mean(_masked(answer.data)) == pytest.approx(4 * powers[1] / sum(powers), rel=0.02)
    found = client.get(
        f"{ITEM}/statistics", query_string={"expression": "pow(VV)", "max_size": 400}
    ).get_json()
    assert found["pow(VV)"]["mean"] == pytest.approx(powers[0], rel=0.015)
    # an uncertainty of δ decibels is one of 0.23 δ of the power
    decibels = client.get(f"{ITEM}/statistics?bands=VV&max_size=400").get_json()["VV"]["mean_uncertainty"]
    assert found["pow(VV)"]["mean_uncertainty"] == pytest.approx(
        decibels * np.log(10) / 10 * powers[0], rel=0.3
    )


def test_who_averages_decibels_is_told_what_to_write(client: FlaskClient) -> None:
    answer = client.get(f"{ITEM}/statistics", query_string={"expression": "(VV+VH)/2"})
    assert answer.status_code in (400, 422)
    assert "lin(VV)+lin(VH)" in answer.get_json()["detail"]


def _triangle(inset: float = 0.02) -> dict[str, Any]:
    west, south, east, north = BOX
    ring = [
        [west + inset, south + inset], [east - inset, south + inset], [(west + east) / 2, north - inset / 2]
    ]  # fmt: skip
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def test_statistics_of_a_polygon_are_those_of_its_pixels(client: FlaskClient) -> None:
    found = client.post(f"{ITEM}/statistics?bands=VV,VH&max_size=2000", json=_triangle()).get_json()
    cut = client.post(f"{ITEM}/feature.tif?bands=VV,VH", json=_triangle())
    with MemoryFile(cut.data) as memory, memory.open() as dataset:
        pixels = dataset.read(masked=True)
    for name, band in zip(("VV", "VH"), pixels, strict=True):
        assert found[name]["mean"] == pytest.approx(mean_of(band), abs=1e-4)
        assert found[name]["native_pixels"] == found[name]["valid_pixels"] == band.count()
        assert found[name]["min"] == pytest.approx(band.min(), abs=1e-4)
    coarse = client.post(f"{ITEM}/statistics?bands=VV&max_size=200", json=_triangle()).get_json()["VV"]
    assert coarse["native_pixels"] == pytest.approx(found["VV"]["native_pixels"], rel=0.01)
    assert coarse["mean"] == pytest.approx(found["VV"]["mean"], abs=TOLERANCE)


def test_a_series_has_the_mean_power_of_every_date(client: FlaskClient) -> None:
    for name, level in zip(("VV", "VH"), LEVELS, strict=True):
        answer = client.post(f"/collections/sentinel-1-rtc/series?bands={name}", json=_triangle())
        assert answer.status_code == 200, answer.data
        first, second = answer.get_json()["features"][0]["observations"]
        assert [first["item"], second["item"]] == ["radar", "newer"]
        assert first["datetime"] < second["datetime"]
        for each, share in ((first, 1.0), (second, 0.5)):
            assert each["value"] == pytest.approx(level, abs=TOLERANCE)
            assert 0 < each["uncertainty"] < 0.2
            assert each["pixels"] == pytest.approx(share * first["pixels"], rel=0.05)
            assert each["looks"] is None  # these Items do not say how many a pixel has
    one = client.post("/collections/sentinel-1-rtc/series?bands=VV&datetime=2020-05-09", json=_triangle())
    assert [each["item"] for each in one.get_json()["features"][0]["observations"]] == ["newer"]


def test_a_series_of_nothing_says_why(client: FlaskClient) -> None:
    west, south, *_ = BOX
    far = [[west - 2, south], [west - 1, south], [west - 1, south + 1], [west - 2, south]]
    nowhere = {"type": "Polygon", "coordinates": [far]}
    answer = client.post("/collections/sentinel-1-rtc/series?bands=VV", json=nowhere)
    assert answer.status_code == 404
    assert "no scene has a valid pixel" in answer.get_json()["detail"]
    unnamed = client.post("/collections/sentinel-1-rtc/series", json=_triangle())
    assert "bands, expression or style" in unnamed.get_json()["detail"]
    masked = client.post("/collections/sentinel-1-rtc/series?bands=VV&mask=clear", json=_triangle())
    assert masked.status_code == 404
    assert "does not say which of its pixels are clear" in masked.get_json()["detail"]


def test_looks_count_what_the_instrument_tells_apart() -> None:
    """IW GRDH: 4.4 looks a pixel of 10 × 10 m, of cells of 20 × 22 m."""
    stated = {
        "sar:looks_equivalent_number": 4.4, "sar:resolution_range": 20, "sar:resolution_azimuth": 22,
        "sar:pixel_spacing_range": 10, "sar:pixel_spacing_azimuth": 10,
    }  # fmt: skip
    assert looks_of_pixel(stated) == pytest.approx(1.0)
    assert looks_of_pixel({**stated, "sar:pixel_spacing_range": 100}) == pytest.approx(4.4)
    for name in stated:
        for absurd in ("many", 1e-320, 1e308, 10**400, float("nan")):
            assert looks_of_pixel({**stated, name: absurd}) is None
        assert looks_of_pixel({key: value for key, value in stated.items() if key != name}) is None
