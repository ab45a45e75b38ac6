"""What a preset codes more finely, and what an archive says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from comeo.archive import open_archive
from comeo.archive.info import info
from comeo.compression import compress
from comeo.compression.presets import weights_of
from comeo.errors import SourceError
from comeo.scene import Band, Scene, Window
from tests.scenes import array_group, array_scene, landscape


def bands(*names: str) -> tuple[Band, ...]:
    return tuple(Band(f"X{number}", 1.0, 0.0, "", name) for number, name in enumerate(names))


def test_red_and_near_infrared_are_weighed_where_both_are() -> None:
    assert weights_of(bands("blue", "red", "nir"), "vegetation") == (16, 32, 21)
    assert weights_of(bands("red", "nir08", "swir16"), "vegetation") == (32, 21, 16)
    assert weights_of(bands("nir08", "nir", "red"), "vegetation") == (16, 21, 32)
    assert weights_of(bands("blue", "red"), "vegetation") is None
    assert weights_of(bands("nir", "nir08"), "vegetation") is None
    assert weights_of(bands("red", "nir"), None) is None


def scene_of(*names: str) -> Scene:
    group = array_group(landscape(len(names), 300, 280))
    return array_scene(replace(group, bands=bands(*names)))


def test_an_archive_says_its_preset_and_keeps_red_better(tmp_path: Path) -> None:
    scene = scene_of("blue", "green", "red", "nir")
    original = scene.groups[0].read(Window(0, 0, 256, 256)).values
    errors = {}
    for preset in (None, "vegetation"):
        path = compress(scene, tmp_path / f"{preset}.zarr.zip", codec="dct", step=60, preset=preset)
        with open_archive(path) as archive:
            assert archive.preset == preset
            assert info(archive)["preset"] == preset
            level = archive.groups["r10m"].levels[0]
            block = archive.decode_blocks(level, [(0, 0)])[0]
            assert block is not None
            errors[preset] = np.sqrt(np.square(block.astype(float) - original).mean((1, 2)))
            certified = archive.certificate
            assert certified is not None
            stated = certified.groups["r10m"].block_rmse
            assert stated is not None
            np.testing.assert_allclose(stated[:, 0, 0], errors[preset], rtol=0.05)
    assert errors["vegetation"][2] < 0.75 * errors[None][2]


def test_a_preset_that_says_nothing_of_the_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no red and near infrared bands of one pixel size"):
        compress(scene_of("blue", "red"), tmp_path / "a.zarr.zip", step=50, preset="vegetation")
    with pytest.raises(SourceError, match="a preset is one of vegetation, not 'water'"):
        compress(scene_of("red", "nir"), tmp_path / "a.zarr.zip", step=50, preset="water")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("codec", ["dct", "learned"])
def test_ndvi_of_real_ground_is_nearer_the_truth(shared_data: Path, codec: str) -> None:
    from comeo.codecs import get_codec

    with rasterio.open(shared_data / "scenes/S2A_20190530_T32TMT_L2A_10bands.tif") as file:
        block = file.read([1, 2, 3, 7])[:, 512:768, 512:768]
    coder = get_codec(codec)

    def ndvi(values: np.ndarray) -> np.ndarray:
        red, infrared = values[2].astype(float), values[3].astype(float)
        return np.asarray((infrared - red) / np.maximum(infrared + red, 1))

    def error_at(size: int, weights: tuple[int, ...] | None) -> float:
        low, high = 100.0, 6000.0
        for _ in range(9):
            step = (low * high) ** 0.5
            payload = coder.encode(block, step=step, weights=weights)
            low, high = (step, high) if len(payload) > size else (low, step)
        return float(np.abs(ndvi(coder.decode(payload)) - ndvi(block)).mean())

    assert error_at(5243, (16, 16, 32, 21)) < 0.97 * error_at(5243, None)
