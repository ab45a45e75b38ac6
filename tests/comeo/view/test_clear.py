"""Classes and masks on any grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from comeo.archive import Archive, open_archive
from comeo.compression import compress
from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.export.extract import extract
from comeo.grid import WGS84, Grid
from comeo.missions.clear import ClearMask
from comeo.scene import Window
from comeo.view.budget import Budget, Limit, Limits
from comeo.view.clear import check_mask, class_at, classes_on, kept_at, kept_on, mask_image
from comeo.view.pixels import mask_of, read_pixels
from comeo.view.plan import PixelRequest, plan_pixels
from comeo.view.projection import move_bounds, move_points
from comeo.view.reader import ArchiveReader, block_cache
from tests.scenes import UTM32, array_classes, array_group, array_scene, landscape, patchy

MERCATOR = CRS.from_epsg(3857)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    fine = array_group(landscape(2, 600, 480), np.ones((2, 600, 480), bool))
    path = tmp_path_factory.mktemp("view") / "scene.zarr.zip"
    scene = array_scene(fine, classes=array_classes(patchy(300, 240)))
    with open_archive(compress(scene, path, codec="dct", step=40)) as opened:
        yield opened


def reader_of(archive: Archive, budget: Budget | None = None) -> ArchiveReader:
    return ArchiveReader(archive, block_cache(1 << 24), budget or Budget())


def by_points(archive: Archive, grid: Grid) -> NDArray[np.uint8]:
    """Classes by the exact place of each pixel's centre."""
    assert archive.clear is not None
    layer, classes = archive.clear.grid, archive.clear.read()
    cols, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    a = grid.transform
    x, y = a.a * cols + a.b * rows + a.c, a.d * cols + a.e * rows + a.f
    xs, ys = move_points(grid.crs, layer.crs, x.ravel(), y.ravel())
    inverse = ~layer.transform
    col = np.floor(inverse.a * xs + inverse.b * ys + inverse.c).astype(int).reshape(grid.height, grid.width)
    row = np.floor(inverse.d * xs + inverse.e * ys + inverse.f).astype(int).reshape(grid.height, grid.width)
    inside = (row >= 0) & (row < layer.height) & (col >= 0) & (col < layer.width)
    out = np.zeros(inside.shape, np.uint8)
    out[inside] = classes[row[inside], col[inside]]
    return out


def test_the_scenes_own_pixels_have_the_class_of_the_one_that_covers_them(archive: Archive) -> None:
    reader = reader_of(archive)
    found = classes_on(reader, reader.native_grid())
    assert archive.clear is not None
    whole = archive.clear.read().repeat(6, 0).repeat(6, 1)
    np.testing.assert_array_equal(found, whole[:600, :480])


@pytest.mark.parametrize("zoom_out", [0.3, 1.0, 40.0, 1000.0])
@pytest.mark.parametrize("crs", [MERCATOR, WGS84, CRS.from_epsg(3035)])
def test_on_other_grids_pixels_have_the_class_at_their_centre(
    archive: Archive, crs: CRS, zoom_out: float
) -> None:
    native = reader_of(archive).native_grid()
    bounds = move_bounds(native.crs, crs, native.bounds)
    assert bounds is not None
    half = [(bounds[index + 2] - bounds[index]) * zoom_out / 2 for index in (0, 1)]
    middle = [(bounds[index + 2] + bounds[index]) / 2 for index in (0, 1)]
    area = (middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])
    grid = Grid.over(area, crs, 233, 251)
    found, expected = classes_on(reader_of(archive), grid), by_points(archive, grid)
    assert (found != expected).mean() < 0.001  # centres within a metre of an edge


def test_a_mask_hides_pixels_of_all_other_classes(archive: Archive) -> None:
    reader = reader_of(archive)
    grid = reader.native_grid()
    mask = ClearMask.of(["land", "snow"])
    plain = reader.read(grid, resampling="nearest")
    masked = mask_image(plain, reader, grid, mask)
    kept = np.isin(classes_on(reader, grid), (1, 3))
    np.testing.assert_array_equal(mask_of(masked), mask_of(plain) | ~kept)
    np.testing.assert_array_equal(masked.data[:, kept], plain.data[:, kept])
    assert not masked.data[:, ~kept].any()  # nothing of them is left below the mask


def test_an_expression_is_masked_as_bands_are(archive: Archive) -> None:
    reader = reader_of(archive)
    grid = reader.native_grid()
    bands = [band for group in archive.groups.values() for band in group.bands]
    request = PixelRequest(expression="(B01-B02)/(B01+B02)", mask=ClearMask.of(["clear"]))
    image = read_pixels(reader, grid, plan_pixels(request, bands))
    np.testing.assert_array_equal(mask_of(image)[0], ~np.isin(classes_on(reader, grid), (1, 2, 3)))


def test_an_archive_that_does_not_say_what_is_clear_refuses_a_mask(tmp_path: Path) -> None:
    scene = array_scene(array_group(landscape(1, 40, 40)))
    with open_archive(compress(scene, tmp_path / "plain.zarr.zip", codec="dct", step=40)) as opened:
        reader, mask = reader_of(opened), ClearMask.of(["clear"])
        masked = plan_pixels(PixelRequest(mask=mask), scene.groups[0].bands)
        for ask in (
            lambda: read_pixels(reader, reader.native_grid(), masked),
            lambda: mask_image(reader.read(reader.native_grid()), reader, reader.native_grid(), mask),
            lambda: classes_on(reader, reader.native_grid()),
            lambda: extract(opened, tmp_path / "out.tif", mask="clear"),
        ):
            with pytest.raises(NotFoundError, match="test-scene does not say which of its pixels are clear"):
                ask()
    assert not (tmp_path / "out.tif").exists()


def test_a_class_that_the_source_does_not_tell_cannot_be_asked_for(archive: Archive) -> None:
    class Other:
        id = "other"
        clear = type(
            "Layer", (), {"facts": type("F", (), {"source": "s2cloudless", "classes": ("land", "cloud")})}
        )

    check_mask(Other(), ClearMask.of(["clear"]))  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="from s2cloudless, do not tell shadow apart"):
        check_mask(Other(), ClearMask.of(["clear", "shadow"]))  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="do not tell water apart"):
        check_mask(Other(), ClearMask.of(["land", "water"]))  # type: ignore[arg-type]


def test_reading_classes_is_within_the_budget(archive: Archive) -> None:
    reader = reader_of(archive, Budget(Limits(decoded=Limit(1000, "max_decoded_samples"))))
    with pytest.raises(BoundError, match="more than 1000"):
        classes_on(reader, reader.native_grid())


def test_a_position_has_the_class_of_its_pixel(archive: Archive) -> None:
    assert archive.clear is not None
    reader, classes = reader_of(archive), archive.clear.read()
    for row, col in ((0, 0), (20, 13), (49, 39)):
        x, y = archive.clear.grid.transform @ (col + 0.5, row + 0.5)
        lons, lats = move_points(UTM32, WGS84, np.array([x]), np.array([y]))
        assert class_at(reader, lons[0], lats[0]) == classes[row, col]
    assert class_at(reader, 120.0, -40.0) == 0


def test_extracts_are_masked_and_say_so(archive: Archive, tmp_path: Path) -> None:
    path = extract(archive, tmp_path / "out.tif", mask="land,water")
    with rasterio.open(path) as dataset:
        assert dataset.tags()["COMEO_MASK"] == "land,water"
        hidden = dataset.read_masks(1) == 0
    reader = reader_of(archive)
    np.testing.assert_array_equal(hidden, ~np.isin(classes_on(reader, reader.native_grid()), (1, 2)))
    with pytest.raises(ParameterError, match="'clouds' is unknown"):
        extract(archive, tmp_path / "other.tif", mask=["clouds"])
    with pytest.raises(ParameterError, match="mask is what pixels have to show"):
        extract(archive, tmp_path / "other.tif", mask=5)  # type: ignore[arg-type]


def test_a_scene_beside_the_antimeridian_has_its_classes_from_either_side(tmp_path: Path) -> None:
    crs = CRS.from_epsg(32601)
    place = Affine(10, 0, 173_000, 0, -10, 1_000_000)
    group = array_group(landscape(1, 200, 200), transform=place, crs=crs)
    classes = array_classes(patchy(100, 100), transform=place @ Affine.scale(2), crs=crs)
    scene = array_scene(group, classes=classes)
    with open_archive(compress(scene, tmp_path / "edge.zarr.zip", codec="dct", step=40)) as opened:
        native = reader_of(opened).native_grid()
        bounds = move_bounds(crs, WGS84, native.bounds)
        assert bounds is not None
        west, south, east, north = bounds
        here = Grid.over(bounds, WGS84, 150, 150)
        beyond = Grid.over((west + 360, south, east + 360, north), WGS84, 150, 150)
        found = classes_on(reader_of(opened), here)
        assert (found > 0).mean() > 0.9
        assert (classes_on(reader_of(opened), beyond) != found).mean() < 0.001


def test_a_mask_that_looks_around_is_the_same_on_every_part_and_grid(archive: Archive) -> None:
    reader = ArchiveReader(archive, block_cache(1 << 26))
    grid = reader.native_grid()
    mask = ClearMask((1, 2, 3), 150.0, 0.5)
    whole = kept_on(reader, grid, mask)
    plain = kept_on(reader, grid, ClearMask((1, 2, 3)))
    assert whole.any()
    assert (plain & ~whole).any()
    assert not (whole & ~plain).any()
    for window in (Window(0, 0, 100, 90), Window(201, 77, 130, 60), Window(560, 440, 40, 40)):
        np.testing.assert_array_equal(kept_on(reader, grid.part(window), mask), whole[window.slices])
    (lon, lat) = (each[0] for each in move_points(grid.crs, WGS84, *_centre(grid, 300, 200)))
    assert kept_at(reader, lon, lat, mask) == whole[300, 200]


def _centre(grid: Grid, row: int, col: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = grid.transform @ (col + 0.5, row + 0.5)
    return np.array([x]), np.array([y])
