"""What geocoding makes of the ground and of options: incidence, layover and shadow, projections, orbits."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS

from comeo.errors import SourceError
from comeo.scene import Scene, Window
from comeo.sources import open_source
from comeo.sources.container import open_container
from comeo.sources.grd.mapgrid import scene_grid
from comeo.sources.grd.orbitfile import read_orbit
from comeo.sources.grd.placing import Placing
from comeo.sources.grd.product import Grd, open_grd
from comeo.sources.grd.rough import OwnHeights, expected_displacement
from tests.comeo.sources.test_grd_source import make, means, options
from tests.grd_generator import NEEDS_PRODUCTS, Geometry, images, middle
from tileserver.cli.main import cli

pytestmark = [
    NEEDS_PRODUCTS,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]
Values = NDArray[np.float64]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("stripmap"), "stripmap of S1C")


@pytest.fixture(scope="module")
def opened(product: Path) -> Grd:
    return open_grd(open_container(product))


def write_ground(path: Path, product: Path, *, ridge: float = 0.0) -> str:
    """Heights around the middle of a product: level, or with a ridge that falls by 70° to both sides."""
    longitude, latitude, *_ = middle(product)
    side, step = 800, 1e-4
    transform = Affine(step, 0, longitude - side * step / 2, 0, -step, latitude + side * step / 2)
    metres = 111_320 * np.cos(np.radians(latitude)) * step * np.abs(np.arange(side) - side / 2)
    profile = np.maximum(ridge - np.tan(np.radians(70)) * metres, 0).astype(np.float32)
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="float32", crs="EPSG:4979",
        transform=transform,
    ) as file:  # fmt: skip
        file.write(np.broadcast_to(profile, (1, side, side)))
    return str(path)


def incidence_of(scene: Scene) -> Values:
    group = scene.groups[-1]
    assert [(band.name, band.unit) for band in group.bands] == [("incidence", "degree")]
    values, valid = group.read(Window(0, 0, group.height, group.width))
    return np.where(valid[0], values[0].astype(float), np.nan)


def ecef(longitude: float, latitude: float, height: float) -> Values:
    """Longitude, latitude and height as a point."""
    return np.array(Transformer.from_crs(4979, 4978, always_xy=True).transform(longitude, latitude, height))


def geometry(product: Path) -> Geometry:
    return Geometry(ET.parse(product / "annotation" / f"{images(product)[0]}.xml").getroot())


def test_incidence_is_a_band_of_its_own_grid(product: Path, tmp_path: Path) -> None:
    dem = write_ground(tmp_path / "level.tif", product)
    with open_source(product, geocoding=options(product, dem=dem, incidence=True)) as scene:
        assert [group.name for group in scene.groups] == ["r10m", "r60m"]
        degrees = incidence_of(scene)
        assert scene.properties["comeo:terrain_corrected"] is True
        assert scene.collection == "sentinel-1"
        assert scene.properties["comeo:dem"] == "level.tif"
        assert scene.properties["comeo:dem_heights"] == "ellipsoid"
    longitude, latitude, *_ = middle(product)
    place = geometry(product)
    seconds, slant_range = place.time_and_range(longitude, latitude, 0.0)
    point = ecef(longitude, latitude, 0.0)
    up = ecef(longitude, latitude, 1.0) - point
    expected = np.degrees(np.arccos((place._position(seconds) - point) @ up / slant_range))
    rows, columns = degrees.shape
    assert np.nanmax(np.abs(degrees - expected)) < 0.2
    assert degrees[rows // 2, columns // 2] == pytest.approx(expected, abs=0.02)


def test_a_ridge_lies_over_its_front_and_hides_its_back(product: Path, tmp_path: Path) -> None:
    dem = write_ground(tmp_path / "ridge.tif", product, ridge=150.0)
    with open_source(product, geocoding=options(product, dem=dem, mask=True)) as scene:
        group = scene.groups[0]
        _, valid = group.read(Window(0, 0, group.height, group.width))
        found = scene.properties
        assert found["comeo:layover_shadow"] == "no data"
        # Where all is known but for the mask, its share is that of the pixels without data.
        assert found["comeo:layover_percentage"] > 5
        assert found["comeo:shadow_percentage"] > 1
        middle_columns = valid[0][:, group.width // 2 - 10 : group.width // 2 + 10]
        assert middle_columns.mean() < 0.2
        assert valid[0][:, :10].mean() > 0.9
    with open_source(product, geocoding=options(product, dem=dem)) as scene:
        _, valid = scene.groups[0].read(Window(0, 0, group.height, group.width))
        assert valid.mean() > 0.95
        assert "comeo:layover_shadow" not in scene.properties


def test_the_command_writes_layers_beside_the_map(product: Path, tmp_path: Path) -> None:
    dem = write_ground(tmp_path / "ridge.tif", product, ridge=150.0)
    output = tmp_path / "scene.tif"
    box = [f"{value:.6f}" for value in options(product).bbox or ()]
    arguments = ["geocode", str(product), "--dem", dem, "--incidence", "--mask", "--output", str(output)]
    result = CliRunner().invoke(cli, [*arguments, "--bbox", *box])
    assert result.exit_code == 0, result.output
    with (
        rasterio.open(output) as scene,
        rasterio.open(tmp_path / "scene_incidence.tif") as incidence,
        rasterio.open(tmp_path / "scene_mask.tif") as mask,
    ):
        assert (incidence.scales, incidence.units) == ((0.01,), ("degree",))
        assert incidence.transform == mask.transform == scene.transform @ Affine.scale(3)
        assert set(np.unique(mask.read(1))) >= {0, 1, 2}
        hidden = np.isin(mask.read(1), (1, 2, 3)).repeat(3, 0).repeat(3, 1)[: scene.height, : scene.width]
        assert (scene.read(1)[hidden] == scene.nodata).all()
        degrees = incidence.read(1, masked=True) * 0.01
        assert degrees.max() > 90  # the back falls away
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    again = CliRunner().invoke(cli, [*arguments, "--bbox", *box])
    assert again.exit_code == 2


def test_maps_of_other_projections(product: Path, opened: Grd) -> None:
    wanted = options(product, crs="EPSG:3857")
    with open_source(product, geocoding=wanted) as scene:
        assert scene.groups[0].crs.to_epsg() == 3857
        np.testing.assert_allclose(means(scene), [-10, -17], atol=0.1)
    for crs, why in (
        ("EPSG:4326", "not a map projection in metres"),
        ("EPSG:2263", "not a map projection in metres"),
        ("nonsense", "no coordinate reference system"),
    ):
        with pytest.raises(SourceError, match=why):
            scene_grid(opened, 10, crs)


def moved(grd: Grd, latitude: float) -> Grd:
    """A product whose grid lies so far north, for what only looks at that."""
    image = grd.first
    points = image.annotation.grid
    north = np.clip(points.latitudes - points.latitudes.mean() + latitude, -89.9, 89.9)
    annotation = replace(image.annotation, grid=replace(points, latitudes=north))
    return replace(grd, images={"HH": replace(image, annotation=annotation)})


@pytest.mark.parametrize(("latitude", "code"), [(85.5, 32661), (-85.5, 32761), (83.0, None)])
def test_beyond_84_degrees_maps_are_polar(opened: Grd, latitude: float, code: int | None) -> None:
    grid = scene_grid(moved(opened, latitude), 40.0)
    assert grid.crs.to_epsg() == code if code else 32601 <= (grid.crs.to_epsg() or 0) <= 32660
    assert scene_grid(moved(opened, abs(latitude)), 40.0, "EPSG:3413").crs == CRS.from_epsg(3413)


def test_a_polar_map_has_its_clutter_where_the_product_says(tmp_path: Path) -> None:
    polar = make(tmp_path, "EW, short names")
    with open_source(polar, geocoding=options(polar, crs="EPSG:3413", pixel=50.0)) as scene:
        assert scene.groups[0].crs == CRS.from_epsg(3413)
        np.testing.assert_allclose(means(scene), [-10, -17], atol=0.1)


def test_heights_of_the_product_are_met_at_its_own_points(opened: Grd) -> None:
    points = opened.first.annotation.grid
    inner = np.flatnonzero((points.lines > 0) & (points.lines < points.lines.max()))[::7]
    heights = OwnHeights(opened)
    grid = scene_grid(opened, 10.0)
    xs, ys = Transformer.from_crs(4326, grid.crs.to_epsg(), always_xy=True).transform(
        points.longitudes[inner], points.latitudes[inner]
    )
    for x, y, height in zip(xs, ys, points.heights[inner], strict=True):
        column, row = ~grid.transform @ (x, y)
        part = grid.part(Window(int(row), int(column), 1, 1))
        assert float(heights.over(part)[0, 0]) == pytest.approx(float(height), abs=1.0)


def test_the_displacement_to_expect_grows_with_the_relief(opened: Grd) -> None:
    off, slope = expected_displacement(opened)
    assert 60 < slope < 250
    image = opened.first
    points = image.annotation.grid
    hilly = points.heights + 1000 * (np.arange(len(points.heights)) % 2)
    rough = replace(image.annotation, grid=replace(points, heights=hilly))
    raised, _ = expected_displacement(replace(opened, images={"HH": replace(image, annotation=rough)}))
    assert raised > off + 3 * slope


def write_orbit(path: Path, product: Path, *, up: float = 0.0, mission: str = "Sentinel-1C") -> Path:
    """An orbit file of a product's own orbit, raised by some metres."""
    root = ET.parse(product / "annotation" / f"{images(product)[0]}.xml").getroot()
    vectors = []
    for one in root.findall("generalAnnotation/orbitList/orbit"):
        place = np.array([float(one.findtext(f"position/{axis}") or 0) for axis in "xyz"])
        place *= 1 + up / np.linalg.norm(place)
        named = zip("XYZ", place, strict=True)
        axes = "".join(f'<{name} unit="m">{value:.6f}</{name}>' for name, value in named)
        vectors.append(f"<OSV><TAI>TAI=2025</TAI><UTC>UTC={one.findtext('time')}</UTC>{axes}</OSV>")
    path.write_text(
        f"<Earth_Explorer_File><Mission>{mission}</Mission><Ref_Frame>EARTH_FIXED</Ref_Frame>"
        f"<List_of_OSVs>{''.join(vectors)}</List_of_OSVs></Earth_Explorer_File>"
    )
    return path


def test_an_orbit_file_replaces_the_products_own(product: Path, opened: Grd, tmp_path: Path) -> None:
    image = opened.first.annotation
    same = read_orbit(write_orbit(tmp_path / "same.EOF", product), image)
    seconds = np.linspace(0, image.lines * image.interval, 5)
    np.testing.assert_allclose(same.position(seconds), image.orbit().position(seconds), atol=2e-3)
    raised = write_orbit(tmp_path / "raised.EOF", product, up=25.0)
    off = read_orbit(raised, image).position(seconds) - image.orbit().position(seconds)
    np.testing.assert_allclose(np.linalg.norm(off, axis=1), 25, atol=0.01)
    # Seen from so much higher, the ground is farther off by the cosine of the look.
    longitude, latitude, height, *_ = middle(product)
    place = np.array([latitude]), np.array([longitude]), np.array([height])
    before, pixel = Placing.of(opened).locator.places(*place)
    precise = replace(opened, precise=read_orbit(raised, image))
    after, farther = Placing.of(precise).locator.places(*place)
    moment, slant_range = geometry(product).time_and_range(longitude, latitude, height)
    satellite = image.orbit().position(np.array([moment]))[0]
    ground = ecef(longitude, latitude, height)
    look = np.arccos((satellite - ground) @ satellite / np.linalg.norm(satellite) / slant_range)
    incidence = np.arccos((satellite - ground) @ ground / np.linalg.norm(ground) / slant_range)
    expected = 25 * np.cos(look) / np.sin(incidence) / image.range_spacing
    assert abs(after - before) < 0.1
    assert float(farther[0] - pixel[0]) == pytest.approx(expected, rel=0.01)
    with open_source(product, geocoding=options(product, orbit=raised)) as scene:
        assert scene.properties["comeo:orbit"] == "as given"
    with open_source(product, geocoding=options(product)) as scene:
        assert scene.properties["comeo:orbit"] == "of the product"


def test_orbit_files_of_others_are_refused(product: Path, opened: Grd, tmp_path: Path) -> None:
    image = opened.first.annotation
    good = write_orbit(tmp_path / "good.EOF", product)
    text = good.read_text()
    wrong = tmp_path / "wrong.EOF"
    for content, why in (
        (text.replace("Sentinel-1C", "Sentinel-1A"), "is of Sentinel-1A, and the product of S1C"),
        (text.replace("UTC=2025", "UTC=2024"), "does not cover the product"),
        (text.replace("Earth_Explorer_File", "Other"), "is no orbit file"),
        (text.replace("EARTH_FIXED", "TRUE_OF_DATE"), "give one in EARTH_FIXED"),
        (text.replace("<Y ", "<W ").replace("</Y>", "</W>"), "has no Y"),
        (text[: len(text) // 2], "not readable XML"),
    ):
        wrong.write_text(content)
        with pytest.raises(SourceError, match=why):
            read_orbit(wrong, image)
    with pytest.raises(SourceError, match="cannot be read"):
        read_orbit(tmp_path, image)
    with pytest.raises(SourceError, match="lies 50 km off the product's own orbit"):
        read_orbit(write_orbit(wrong, product, up=50_000.0), image)
