"""Heights: the geoid against known figures, and DEMs of all kinds brought to the ellipsoid."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.sources.dem import Dem
from comeo.sources.geoid import datum_named, undulation

_TABLE = Path("/usr/share/proj/egm96_15.gtx")
_GRID = Grid(CRS.from_epsg(32633), Affine(10, 0, 290_000, 0, -10, 4_656_000), 30, 40)
_SEA = 48.4  # metres at Rome, over WGS 84


def _write(path: Path, crs: object, values: NDArray[np.float32] | float = 100.0, unit: str = "") -> str:
    transform = Affine(0.001, 0, 12.4, 0, -0.001, 42.1)
    if crs == "EPSG:3857":
        transform = Affine(100, 0, 1_380_000, 0, -100, 5_180_000)
    pixels = np.broadcast_to(np.float32(values), (200, 200))
    with rasterio.open(
        path, "w", driver="GTiff", height=200, width=200, count=1, dtype="float32", crs=crs,
        transform=transform, nodata=-9999,
    ) as file:  # fmt: skip
        file.write(pixels, 1)
        if unit:
            file.units = (unit,)
    return str(path)


def test_the_geoid_at_known_places() -> None:
    # F477/NGA's own test values of EGM96.
    places = np.array([[38.6281550, 269.7791550], [-14.6212170, 305.0211140], [46.8743190, 102.4487290]])
    found = undulation(places[:, 0], places[:, 1])
    np.testing.assert_allclose(found, [-31.628, -2.969, -43.575], atol=0.5)
    assert undulation(np.array([41.9]), np.array([12.5]))[0] == pytest.approx(48.48, abs=0.15)


@pytest.mark.skipif(not _TABLE.exists(), reason="PROJ's table of EGM96 is not installed")
def test_the_geoid_against_the_table_in_full() -> None:
    content = _TABLE.read_bytes()
    south, west, *_ = struct.unpack(">ddddii", content[:40])
    table = np.frombuffer(content[40:], ">f4").reshape(721, 1440)
    rows, columns = np.mgrid[0:721:7, 0:1440:7]
    found = undulation(south + rows * 0.25, west + columns * 0.25)
    assert np.abs(found - table[rows, columns]).max() <= 0.126


def test_the_geoid_does_not_break_at_the_poles_or_at_180_degrees() -> None:
    found = undulation(np.array([10.0, 10, 10]), np.array([179.999, -179.999, 180.001]))
    assert np.ptp(found) < 0.01
    assert np.isfinite(undulation(np.array([90.0, -90]), np.array([0.0, 360]))).all()


@pytest.mark.parametrize(
    ("crs", "unit", "expected"),
    [
        ("EPSG:9518", "", 100 + _SEA),  # WGS 84 + EGM2008
        ("EPSG:9707", "", 100 + _SEA),  # WGS 84 + EGM96
        ("EPSG:4979", "", 100.0),
        ("EPSG:9518", "ft", 30.48 + _SEA),
    ],
)
def test_heights_are_brought_to_the_ellipsoid(tmp_path: Path, crs: str, unit: str, expected: float) -> None:
    with Dem(_write(tmp_path / "ground.tif", crs, unit=unit)) as dem:
        np.testing.assert_allclose(dem.over(_GRID), expected, atol=0.5)


def test_a_dem_on_another_map_and_what_its_heights_are_given_as(tmp_path: Path) -> None:
    path = _write(tmp_path / "ground.tif", "EPSG:3857")
    with pytest.raises(SourceError, match="--dem-heights"):
        Dem(path)
    with Dem(path, "egm2008") as dem:
        np.testing.assert_allclose(dem.over(_GRID), 100 + _SEA, atol=0.5)
    with Dem(path, "ellipsoid") as dem:
        np.testing.assert_allclose(dem.over(_GRID), 100, atol=1e-3)


def test_the_name_says_what_heights_are_where_the_file_does_not(tmp_path: Path) -> None:
    assert datum_named("Copernicus_DSM_COG_10_N41_00_E012_00_DEM") == "egm2008"
    with Dem(_write(tmp_path / "srtm_39_04.tif", "EPSG:4326")) as dem:
        assert dem.datum == "egm96"


def test_holes_are_sea_and_counted(tmp_path: Path) -> None:
    values = np.full((200, 200), 100, np.float32)
    values[:, 60:] = -9999
    with Dem(_write(tmp_path / "ground.tif", "EPSG:9518", values)) as dem:
        found = dem.over(_GRID)
        assert dem.voids > 0
        assert dem.pixels == found.size
        assert np.count_nonzero(np.abs(found - _SEA) < 0.5) == dem.voids
        assert np.count_nonzero(np.abs(found - _SEA - 100) < 0.5) == found.size - dem.voids


def test_what_is_no_dem_of_the_scene_is_refused(tmp_path: Path) -> None:
    with (
        Dem(_write(tmp_path / "ground.tif", "EPSG:9518")) as dem,
        pytest.raises(SourceError, match="no part of the scene"),
    ):
        dem.check_covers((20, 40, 22, 42))
    with pytest.raises(SourceError, match="cannot be opened"):
        Dem(str(tmp_path / "missing.tif"))
    with pytest.raises(SourceError, match="is unknown"):
        Dem(_write(tmp_path / "furlongs.tif", "EPSG:9518", unit="furlong"))


@pytest.mark.parametrize(
    "wkt",
    [
        'LOCAL_CS["site",UNIT["metre",1]]',
        'GEOGCS["Mars",DATUM["Mars",SPHEROID["Mars",3396190,169.8]],PRIMEM["Airy",0],'
        'UNIT["degree",0.0174532925199433]]',
    ],
)
def test_a_dem_that_is_nowhere_on_earth_is_refused(tmp_path: Path, wkt: str) -> None:
    with (
        Dem(_write(tmp_path / "ground.tif", CRS.from_wkt(wkt)), "ellipsoid") as dem,
        pytest.raises(SourceError, match="cannot be brought to degrees on Earth"),
    ):
        dem.check_covers((12.4, 41.9, 12.6, 42.1))
