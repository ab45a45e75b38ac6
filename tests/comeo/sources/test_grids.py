"""Odd georeferences become the same grid in plain words, or are refused before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import SourceError
from comeo.export.extract import extract
from comeo.meridian import from_greenwich
from comeo.scene import Window
from comeo.sources.grids import checked_grid
from tests.scenes import array_group, array_scene, landscape

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
NORTH_UP = Affine(10, 0, 4e5, 0, -10, 5.3e6)
DEGREES = Affine(0.001, 0, 8, 0, -0.001, 47)


def degrees(west: float, pixel: float = 0.001, north: float = 47.0) -> Affine:
    return Affine(pixel, 0, west, 0, -pixel, north)


@pytest.mark.parametrize(
    ("given", "crs", "transform"),
    [
        ("EPSG:32632+5773", "EPSG:32632", NORTH_UP),
        ("EPSG:7405", "EPSG:27700", NORTH_UP),  # British National Grid with Newlyn heights
        ("EPSG:25832+5783", "EPSG:25832", NORTH_UP),  # ETRS89 / UTM 32N with DHHN92 heights
        ("EPSG:4979", "EPSG:4326", DEGREES),
        ("EPSG:4326+3855", "EPSG:4326", DEGREES),
        ("EPSG:32632", "EPSG:32632", NORTH_UP),
        ("EPSG:2227", "EPSG:2227", NORTH_UP),
    ],
)
def test_heights_are_left_out_of_a_crs(given: str, crs: str, transform: Affine) -> None:
    grid = checked_grid("x.tif", CRS.from_user_input(given), transform, 64, 64)
    assert grid.crs == CRS.from_user_input(crs)
    assert ":".join(grid.crs.to_authority()) == crs
    assert grid.transform == transform


@pytest.mark.parametrize("shear", [1e-12, -1e-9, 1e-6])
def test_a_shear_of_rounding_is_none(shear: float) -> None:
    grid = checked_grid("x.tif", CRS.from_epsg(32632), Affine(10, shear, 4e5, -shear, -10, 5.3e6), 5490, 5490)
    assert grid.transform == NORTH_UP


@pytest.mark.parametrize(
    ("transform", "size", "crs", "words"),
    [
        (Affine(10, 0.01, 4e5, 0, -10, 5.3e6), 5490, "EPSG:32632", "rotated or sheared"),
        (Affine(0, 10, 4e5, -10, 0, 5.3e6), 64, "EPSG:32632", "rotated or sheared"),
        (Affine(10, 0, 4e5, 0, 10, 5.3e6), 64, "EPSG:32632", "run backwards"),
        (Affine(1e-5, 0, 4e5, 0, -1e-5, 5.3e6), 64, "EPSG:32632", "pixels of 1e-05 m"),
        (Affine(1e7, 0, 4e5, 0, -1e7, 5.3e6), 64, "EPSG:32632", r"pixels of 1e\+07 m"),
        (Affine(10, 0, 4e5, 0, -10, 5.3e6), 64, "EPSG:4326", "pixels of"),  # UTM's numbers under degrees
        (degrees(-200, 1), 400, "EPSG:4326", "more than once round the globe"),
        (degrees(8, 0.5, 95), 64, "EPSG:4326", "beyond a pole"),
        (degrees(8, 0.5, -70), 64, "EPSG:4326", "beyond a pole"),
        (degrees(-30, 3, 90), 120, "EPSG:4326", "bring it to -180 to 180"),
        (NORTH_UP, 64, "EPSG:5773", "neither projected nor geographic"),
    ],
)
def test_what_cannot_be_kept_is_refused(transform: Affine, size: int, crs: str, words: str) -> None:
    rows = min(size, 60) if "4326" in crs else size
    with pytest.raises(SourceError, match=words):
        checked_grid("x.tif", CRS.from_user_input(crs), transform, rows, size)


@pytest.mark.parametrize(
    ("west", "pixel", "cols", "frame", "start"),
    [
        (8.0, 0.001, 100, 0, 8.0),
        (200.0, 0.001, 100, 0, -160.0),
        (359.0, 0.01, 100, 0, -1.0),
        (180.0, 0.001, 100, 0, -180.0),
        (-200.0, 0.001, 100, 0, 160.0),
        (179.95, 0.001, 100, 180, -0.05),
        (-180.05, 0.001, 100, 180, -0.05),
        (0.0, 1.0, 360, 180, -180.0),
        (-180.0, 1.0, 360, 0, -180.0),
        (-180.5, 1.0, 360, 0, -180.5),  # a globe on lines, not cells
        (100.0, 0.5, 300, 180, -80.0),
        (-180.5, 1.0, 361, 0, -180.5),
    ],
)
def test_longitudes_come_to_lie_within_180(
    west: float, pixel: float, cols: int, frame: int, start: float
) -> None:
    grid = checked_grid("x.tif", CRS.from_epsg(4326), degrees(west, pixel), 10, cols)
    assert grid.transform.c == pytest.approx(start, abs=1e-9)
    assert grid.transform.a == pixel
    assert ("Antimeridian" in grid.crs.to_wkt()) == (frame == 180)
    assert grid.crs.is_geographic


@given(st.floats(-180, 540), st.floats(1e-5, 0.5), st.integers(1, 300))
def test_every_geographic_grid_keeps_its_place(west: float, pixel: float, cols: int) -> None:
    """The middle of the grid has the same longitude, whatever it is expressed in."""
    grid = checked_grid("x.tif", CRS.from_epsg(4326), degrees(west, pixel), 10, cols)
    shift = 180 if "Antimeridian" in grid.crs.to_wkt() else 0
    middle = grid.transform.c + pixel * cols / 2 + shift
    assert (middle - west - pixel * cols / 2 + 180) % 360 - 180 == pytest.approx(0, abs=1e-8)
    left, _, right, _ = grid.bounds
    assert -180 - 1e-6 <= left < right <= 180 + 1e-6


ARCHIVED = {
    "over 180": ("EPSG:4326", degrees(179.98)),
    "feet": ("EPSG:2227", Affine(32.8, 0, 6e6, 0, -32.8, 2.1e6)),
    "compound": ("EPSG:32632+5773", NORTH_UP),
    "oblong": ("EPSG:32632", Affine(10, 0, 4e5, 0, -25, 5.3e6)),
    "centimetres": ("EPSG:32632", Affine(0.05, 0, 4e5, 0, -0.05, 5.3e6)),
    "kilometres": ("EPSG:3857", Affine(5e4, 0, 0, 0, -5e4, 4e6)),
}


@pytest.mark.parametrize("shape", [(40, 48), (1, 48), (40, 1), (1, 1)])
@pytest.mark.parametrize("name", ARCHIVED)
def test_odd_grids_go_into_archives_and_come_out(tmp_path: Path, name: str, shape: tuple[int, int]) -> None:
    crs, transform = ARCHIVED[name]
    grid = checked_grid("x.tif", CRS.from_user_input(crs), transform, *shape)
    values = landscape(1, 64, 64)[:, : shape[0], : shape[1]]
    scene = array_scene(array_group(values, transform=grid.transform, crs=grid.crs))
    path = compress(scene, tmp_path, step=4.0)
    with open_archive(path) as archive:
        found = archive.groups[scene.groups[0].name]
        assert found.crs == grid.crs
        assert found.levels[0].transform == grid.transform
    with rasterio.open(extract(path, tmp_path / "out.tif")) as file:
        written = from_greenwich(grid)
        assert file.crs == written.crs
        assert file.transform.almost_equals(transform, 1e-12)
        assert np.abs(file.read().astype(int) - values).max() < 40


def test_a_scene_without_a_place_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A full disk: the corners of a geostationary picture look past the earth."""
    crs = CRS.from_proj4("+proj=geos +h=35785831 +lon_0=0 +sweep=y +ellps=GRS80")
    group = array_group(landscape(1, 64, 64), transform=Affine(2e5, 0, -6.4e6, 0, -2e5, 6.4e6), crs=crs)

    def read(_: Window) -> None:
        raise AssertionError("nothing is to be read")

    object.__setattr__(group, "read", read)
    with pytest.raises(SourceError, match="outside its coordinate reference system"):
        compress(array_scene(group), tmp_path, step=20.0)
    assert list(tmp_path.iterdir()) == []
