"""From a scene's classes to those of its archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.archive import open_archive
from comeo.archive.clear import ClearLayer
from comeo.compression import compress
from comeo.compression.clear import clear_layer
from comeo.compression.coarse import coarse_grid, worst
from comeo.errors import SourceError
from comeo.grid import Grid
from comeo.scene import ClassRaster, ClassSource, Scene
from comeo.sources import open_source
from tests.scenes import UTM32, array_classes, array_group, array_scene, landscape, patchy


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_the_worst_of_the_pixels_that_one_covers_wins(
    height: int, width: int, factor: int, seed: int
) -> None:
    classes = np.random.default_rng(seed).integers(0, 7, (height, width), np.uint8)
    found = worst(classes, factor)
    for row in range(found.shape[0]):
        for col in range(found.shape[1]):
            part = classes[row * factor :, col * factor :][:factor, :factor]
            assert found[row, col] == max(part.ravel())
    assert found.shape == (-(-height // factor), -(-width // factor))


@pytest.mark.parametrize(
    ("pixel", "factor"), [(10.0, 6), (20.0, 3), (60.0, 1), (16.0, 4), (200.0, 1), (0.3, 200)]
)
def test_the_grid_has_pixels_of_about_60_metres(pixel: float, factor: int) -> None:
    grid, found = coarse_grid(Grid(UTM32, Affine(pixel, 0, 4e5, 0, -pixel, 5e6), 100, 130))
    assert found == factor
    assert (grid.height, grid.width) == (-(-100 // factor), -(-130 // factor))


def scene_of(classes: NDArray[np.uint8], **options: Any) -> Scene:
    height, width = classes.shape
    group = array_group(landscape(2, 2 * height, 2 * width))
    return array_scene(group, classes=array_classes(classes, **options))


def test_an_archive_carries_its_scenes_classes_and_their_shares(tmp_path: Path) -> None:
    classes = patchy(140, 111)
    with open_archive(
        compress(scene_of(classes), tmp_path / "scene.zarr.zip", codec="dct", step=40)
    ) as archive:
        assert archive.clear is not None
        np.testing.assert_array_equal(archive.clear.read(), worst(classes, 3))
        assert archive.clear.grid.pixel_size == 60
        shares = archive.info()["clear"]["shares"]
        properties = archive.item["properties"]
    assert properties["comeo:clear_percentage"] == pytest.approx(
        shares["land"] + shares["water"] + shares["snow"], abs=1e-3
    )


def test_none_leaves_the_classes_out(tmp_path: Path) -> None:
    path = compress(scene_of(patchy(60, 60)), tmp_path / "scene.zarr.zip", codec="dct", step=40, clear="none")
    with open_archive(path) as archive:
        assert archive.clear is None
        assert "comeo:clear_percentage" not in archive.item["properties"]


def test_the_ratio_counts_the_classes(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(1, 7, (180, 180), np.uint8)
    scene = scene_of(noise)
    with open_archive(compress(scene, tmp_path / "scene.zarr.zip", ratio=10, codec="dct")) as archive:
        assert archive.ratio == pytest.approx(10, rel=0.015)
        assert archive.clear is not None
        assert archive.clear.size > 500


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"transform": Affine(20, 0, 472_480 + 2000, 0, -20, 5_257_490)}, "does not cover"),
        ({"crs": UTM32.from_epsg(32633)}, "another projection"),
    ],
)
def test_classes_that_lie_elsewhere_are_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=rf"{said}.*--clear none"):
        compress(scene_of(patchy(60, 60), **options), tmp_path / "scene.zarr.zip", codec="dct", step=40)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_had_is_refused_with_what_to_do(tmp_path: Path) -> None:
    plain = replace(scene_of(patchy(30, 30)), classes=None)

    def unreadable() -> ClassRaster:
        raise SourceError("the SCL of plain cannot be read")

    with pytest.raises(SourceError, match=r"cannot be read; give the product its own, .*--clear none"):
        clear_layer(replace(plain, classes=ClassSource("SCL", unreadable)))
    with pytest.raises(SourceError, match=r"carries no scene classification.*--clear none"):
        clear_layer(plain, "scl")
    with pytest.raises(SourceError, match="scl, s2cloudless, none"):
        compress(plain, tmp_path / "a.zarr.zip", clear="fmask")
    assert clear_layer(plain) is None


def test_real_classes_come_back_exactly(shared_data: Path, tmp_path: Path) -> None:
    """The scene classification of a real product, in the archive made of its Item, against its own file."""
    import rasterio

    from comeo.missions.sentinel2 import CLASSES

    folder = shared_data / "scenes" / "S2A_29RKH_20200219_0_L2A"
    path = compress(folder / f"{folder.name}.json", tmp_path, codec="dct", step=150)
    with rasterio.open(folder / "SCL.tif") as dataset, open_archive(path) as archive:
        expected = np.array(CLASSES.clear, np.uint8)[dataset.read(1)]
        assert archive.clear is not None
        np.testing.assert_array_equal(archive.clear.read(), expected)
        assert archive.item["properties"]["eo:cloud_cover"] == 4.051854  # as the product states it
        assert archive.clear.size * 8 / expected.size < 0.08  # bits a pixel


def test_real_classes_of_noisy_forest_take_few_bits(shared_data: Path) -> None:
    """Chips of forest under all skies, each with its own classes, laid beside each other."""
    names = sorted((shared_data / "timeseries" / "romania").glob("*.tif"))[:132]
    chips = []
    for name in names:
        with open_source(name) as scene:
            layer = clear_layer(scene)
            assert layer is not None
            chips.append(layer.classes[:16, :16])
            grid, facts = layer.grid, layer.facts
    rows = [np.hstack(chips[first : first + 12]) for first in range(0, len(chips), 12)]
    whole = ClearLayer(np.vstack(rows), Grid(UTM32, grid.transform, 176, 192), facts)
    assert whole.size * 8 / whole.classes.size < 0.70
