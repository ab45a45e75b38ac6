"""GRD products with real annotation, speckle and targets: read, geocoded, compressed."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.warp import transform

from comeo.errors import SourceError
from comeo.grid import WGS84, Grid
from comeo.scene import Window
from comeo.sources import open_source
from comeo.sources.container import open_container
from comeo.sources.dem import Dem, Heights, sea
from comeo.sources.grd.geocode import geocode
from comeo.sources.grd.mapgrid import scene_grid
from comeo.sources.grd.options import GeocodeOptions
from comeo.sources.grd.product import open_grd
from comeo.sources.grd.tiles import DECIBELS, NODATA, Tiles
from tests.grd_generator import NEEDS_PRODUCTS, Content, Geometry, Target, unpack_rome, write_measurement

pytestmark = [
    NEEDS_PRODUCTS,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]
_BBOX = (12.47, 41.97, 12.53, 42.03)
_PLACES = ((12.48, 41.98), (12.5, 42.0), (12.52, 42.02))


class Flat(NamedTuple):
    """Ground at one height above the sea, in metres."""

    height: float

    def over(self, grid: Grid) -> NDArray[np.float32]:
        return sea(grid) + np.float32(self.height)


class Rome(NamedTuple):
    """A product over Rome, its DEM, and the targets in it."""

    safe: Path
    dem: Path
    targets: tuple[Target, ...]
    stem: str


@pytest.fixture(scope="module")
def rome(tmp_path_factory: pytest.TempPathFactory) -> Rome:
    safe, dem = unpack_rome(tmp_path_factory.mktemp("rome"))
    stem = next((safe / "annotation").glob("*.xml")).stem
    with Dem(str(dem)) as ground:
        targets = tuple(Target(*place, _height(ground, place)) for place in _PLACES)
    geometry = Geometry(ET.parse(safe / "annotation" / f"{stem}.xml").getroot())
    line, pixel = geometry.place(12.5, 42.0, 60)
    window = (int(line) - 500, int(pixel) - 450, 1000, 900)
    write_measurement(safe, stem, Content(window, targets=targets))
    return Rome(safe, dem, targets, stem)


def _height(ground: Heights, place: tuple[float, float]) -> float:
    longitude, latitude = place
    tiny = Grid.over((longitude - 1e-5, latitude - 1e-5, longitude + 1e-5, latitude + 1e-5), WGS84, 1, 1)
    return float(ground.over(tiny)[0, 0])


def _geocode(rome: Rome, output: Path, ground: Heights, **options: object) -> NDArray[np.float64]:
    """Geocode without noise removal, and give power (y, x), NaN without data."""
    container = open_container(rome.safe)
    grd = open_grd(container)
    given = {"dem": "given", "noise": False, "bbox": _BBOX} | options
    geocode(grd, ground, GeocodeOptions(**given), output)  # type: ignore[arg-type]
    grd.close()
    with rasterio.open(output) as file:
        return np.asarray(
            10 ** (file.read(1, masked=True).astype(float).filled(np.nan) * file.scales[0] / 10)
        )


def _misses(path: Path, power: NDArray[np.float64], targets: tuple[Target, ...]) -> NDArray[np.float64]:
    """Centroids of targets less their true places: (n, 2) pixels down and right."""
    with rasterio.open(path) as file:
        to_map = Transformer.from_crs(4326, file.crs.to_epsg(), always_xy=True)
        inverse = ~file.transform
    found = []
    for target in targets:
        column, row = inverse @ to_map.transform(target.longitude, target.latitude)
        top, left = round(row - 0.5) - 6, round(column - 0.5) - 6
        part = np.maximum(power[top : top + 13, left : left + 13] - 1, 0)
        rows, columns = np.mgrid[:13, :13]
        found.append(
            [
                (part * rows).sum() / part.sum() + top - row + 0.5,
                (part * columns).sum() / part.sum() + left - column + 0.5,
            ]
        )
    return np.array(found)


def test_targets_and_clutter_come_out_where_and_as_they_are(rome: Rome, tmp_path: Path) -> None:
    with Dem(str(rome.dem)) as ground:
        power = _geocode(rome, tmp_path / "map.tif", ground)
    assert np.isfinite(power).all()
    assert np.abs(_misses(tmp_path / "map.tif", power, rome.targets)).max() < 0.1
    clutter = power[power < 2]
    assert 10 * np.log10(clutter.mean()) == pytest.approx(-10, abs=0.05)


def test_a_dem_that_is_too_high_moves_places_in_range(rome: Rome, tmp_path: Path) -> None:
    class Lifted:
        def __init__(self, ground: Heights) -> None:
            self._ground = ground

        def over(self, grid: Grid) -> NDArray[np.float32]:
            return self._ground.over(grid) + np.float32(50)

    with Dem(str(rome.dem)) as ground:
        power = _geocode(rome, tmp_path / "map.tif", Lifted(ground))
    misses = 10 * _misses(tmp_path / "map.tif", power, rome.targets)
    expected = 50 / np.tan(np.radians(44.0))  # the incidence there
    np.testing.assert_allclose(np.hypot(*misses.T), expected, rtol=0.1)


def test_coarser_pixels_are_means_of_power(rome: Rome, tmp_path: Path) -> None:
    with Dem(str(rome.dem)) as ground:
        power = _geocode(rome, tmp_path / "map.tif", ground, pixel=40.0)
    clutter = power[np.isfinite(power) & (power < 0.3)]
    assert 10 * np.log10(clutter.mean()) == pytest.approx(-10, abs=0.05)
    assert clutter.mean() ** 2 / clutter.var() > 20  # looks, of 4.4


def test_a_map_is_compressed_like_any_other(rome: Rome, tmp_path: Path) -> None:
    name = tmp_path / "map.tif"
    with Dem(str(rome.dem)) as ground:
        power = _geocode(rome, name, ground)
    with open_source(name) as scene:
        (group,) = scene.groups
        (band,) = group.bands
        assert (band.name, band.unit) == ("VV", "dB")
        assert scene.datetime.isoformat().startswith("2021-12-23T05:11:22")
        pixels = group.read(Window(0, 0, 200, 300))
        found = pixels.values[0].astype(float) * band.scale + band.offset
    np.testing.assert_allclose(found, 10 * np.log10(power[:200, :300]), atol=1e-3)


def test_a_zip_of_the_product_gives_the_same(rome: Rome, tmp_path: Path) -> None:
    packed = tmp_path / "product.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(rome.safe.rglob("*")):
            archive.write(path, path.relative_to(rome.safe.parent))
    container = open_container(packed)
    grd = open_grd(container)
    assert grd.ipf == (3, 40)
    assert grd.properties["sat:relative_orbit"] == 22
    assert grd.name == rome.safe.name.removesuffix(".SAFE")
    assert grd.first.noise is not None
    window = Window(8000, 22000, 5, 7)
    own = open_grd(open_container(rome.safe))
    np.testing.assert_array_equal(grd.first.read(window), own.first.read(window))
    own.close()
    grd.close()
    container.close()


def test_incomplete_products_are_refused(rome: Rome, tmp_path: Path) -> None:
    copy = tmp_path / rome.safe.name
    shutil.copytree(rome.safe, copy)
    noise = copy / "annotation" / "calibration" / f"noise-{rome.stem}.xml"
    kept = noise.read_bytes()
    noise.unlink()
    _refused(copy, "has no .*noise-")
    noise.write_bytes(kept)
    (copy / "measurement" / f"{rome.stem}.tiff").rename(copy / "other.tiff")
    _refused(copy, r"has no measurement/.*\.tiff")
    annotation = copy / "annotation" / f"{rome.stem}.xml"
    text = annotation.read_text()
    annotation.write_text(text.replace("<productType>GRD", "<productType>SLC"))
    _refused(copy, "SLC product; take the GRD")
    annotation.write_text(text.replace("<numberOfLines>16705", "<numberOfLines>16000"))
    _refused(copy, "last line")
    slc = tmp_path / "S1A_IW_SLC__1SDV_20210101T000000"
    slc.mkdir()
    _refused(slc, "Sentinel-1 SLC product")


def _refused(path: Path, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        open_grd(open_container(path))


def test_an_area_elsewhere_and_pixels_too_fine_are_refused(rome: Rome, tmp_path: Path) -> None:
    with Dem(str(rome.dem)) as ground:
        with pytest.raises(SourceError, match="outside the scene"):
            _geocode(rome, tmp_path / "map.tif", ground, bbox=(0, 10, 1, 11))
        with pytest.raises(SourceError, match="cannot be made"):
            _geocode(rome, tmp_path / "map.tif", ground, pixel=2.0)
    assert list(tmp_path.iterdir()) == []


def test_level_ground_has_the_same_gamma_flattened_or_by_the_table(rome: Rome, tmp_path: Path) -> None:
    flat = Flat(20)
    table = _geocode(rome, tmp_path / "gamma.tif", flat, radiometry="gamma0")
    flattened = _geocode(rome, tmp_path / "rtc.tif", flat, radiometry="rtc")
    both = np.isfinite(table) & np.isfinite(flattened)
    assert both.mean() > 0.9
    difference = 10 * np.log10(flattened[both] / table[both])
    assert np.abs(difference).max() < 0.1


def test_terrain_is_flattened_alike_whatever_area_is_asked_for(rome: Rome, tmp_path: Path) -> None:
    west, south, east, north = _BBOX
    part = (west + 0.02, south + 0.02, east - 0.02, north - 0.02)
    with Dem(str(rome.dem)) as ground:
        _geocode(rome, tmp_path / "whole.tif", ground, radiometry="rtc")
        _geocode(rome, tmp_path / "part.tif", ground, radiometry="rtc", bbox=part)
    with rasterio.open(tmp_path / "whole.tif") as whole, rasterio.open(tmp_path / "part.tif") as inner:
        column, row = ~whole.transform @ (inner.transform.c, inner.transform.f)
        expected = whole.read(1)[round(row) :, round(column) :][: inner.height, : inner.width]
        # GDAL interpolates its own transformation, so heights differ by 5 cm: 0.2 dB on a target's flank.
        differences = np.abs(inner.read(1).astype(int) - expected) * DECIBELS
        assert np.quantile(differences, 0.999) < 0.1
        assert differences.max() < 0.5
        assert inner.tags()["QUANTITY"] == "gamma0-rtc"
        assert np.count_nonzero(expected != inner.nodata) > 0.99 * expected.size


def test_the_dark_rim_of_an_old_product_is_no_data(rome: Rome, tmp_path: Path) -> None:
    safe = tmp_path / rome.safe.name
    shutil.copytree(rome.safe, safe, ignore=shutil.ignore_patterns("*.tiff"))
    manifest = safe / "manifest.safe"
    manifest.write_text(re.sub('version="003.40"', 'version="002.82"', manifest.read_text()))
    lines, width, rim = (8000, 300), 500, 80
    write_measurement(safe, rome.stem, Content((lines[0], 0, lines[1], width), looks=None))
    with rasterio.open(safe / "measurement" / f"{rome.stem}.tiff", "r+") as file:
        file.write(np.full((1, lines[1], rim), 7, np.uint16), window=((lines[0], sum(lines)), (0, rim)))
    grd = open_grd(open_container(safe))
    tiles = Tiles(grd, Flat(0), radiometry="sigma0", noise=False, finer=1)
    grid = scene_grid(grd, 10.0)
    points = grd.first.annotation.grid
    near = np.argmin(np.hypot(points.lines - 8150, points.pixels))
    xs, ys = transform(WGS84, grid.crs, [points.longitudes[near]], [points.latitudes[near]])
    part = grid.within((xs[0] - 12_000, ys[0] - 12_000, xs[0] + 8_000, ys[0] + 12_000))
    assert part is not None
    numbers = tiles.make(part)[0].numbers
    known = 10 ** (numbers[numbers != NODATA] * DECIBELS / 10)
    grd.close()
    # Lines at the ends of what has data are a rim of zeros, which hold no more than their own resampling.
    assert known.size == pytest.approx((lines[1] - 1) * (width - rim - 1), rel=0.03)
    np.testing.assert_allclose(known, 0.1, rtol=0.02)
