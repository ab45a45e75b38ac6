"""Classes of a scene by its bands: with a detector made up, and with the real one where it is installed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from comeo.compression import cloudless
from comeo.compression.clear import clear_layer
from comeo.errors import SourceError
from comeo.missions.clear import CLOUD, LAND, NODATA, SNOW, THIN, WATER
from comeo.scene import Scene
from tests.scenes import array_group, array_scene

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
SIZES = {
    10: ("B02", "B03", "B04", "B08"), 20: ("B05", "B8A", "B11", "B12"), 60: ("B01", "B09", "B10"),
}  # fmt: skip


class Bright:
    """A detector that calls pixels cloud by their blue light, as probable as it is bright."""

    def __init__(self, threshold: float, *, average_over: int, dilation_size: int | None) -> None:
        self.threshold = threshold
        self.widen = dilation_size

    def get_cloud_probability_maps(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        assert data.shape[-1] == 10
        assert np.isfinite(data).all()
        return data[..., 1]

    def get_mask_from_prob(self, cloud_probs: NDArray[np.float32]) -> NDArray[Any]:
        found = cloud_probs > self.threshold
        if self.widen:
            found[:, :, 1:] |= found[:, :, :-1]
        return found.astype(np.uint8)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("s2cloudless")
    module.S2PixelCloudDetector = Bright  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "s2cloudless", module)
    monkeypatch.setattr(cloudless, "version", lambda _: "1.7.3")


def scene_with(patches: dict[tuple[int, int], dict[str, float]], leave_out: str = "") -> Scene:
    """10 × 12 pixels of 60 m of bare land; patches are single ones with other reflectances."""
    groups = []
    for size, names in SIZES.items():
        factor = 60 // size
        values = np.full((len(names), 10, 12), 0.2)
        for (row, col), other in patches.items():
            for name, reflectance in other.items():
                if name in names:
                    values[names.index(name), row, col] = reflectance
        numbers = np.rint((values + 0.1) / 1e-4).repeat(factor, 1).repeat(factor, 2).astype(np.uint16)
        valid = np.ones(numbers.shape, bool)
        valid[:, :factor, :factor] = False
        kept = [index for index, name in enumerate(names) if name != leave_out]
        groups.append(
            array_group(
                numbers[kept], valid[kept], names=[names[index] for index in kept],
                transform=FINE @ Affine.scale(size / 10),
            )
        )  # fmt: skip
    return array_scene(*groups)


@pytest.mark.usefixtures("detector")
def test_clouds_their_edges_water_and_snow_are_told_apart() -> None:
    cloud = {"B02": 0.7}
    water = {"B03": 0.18, "B04": 0.16, "B08": 0.13, "B11": 0.01, "B12": 0.01}  # of a flood
    snow = {"B03": 0.8, "B04": 0.8, "B08": 0.7, "B11": 0.1}
    layer = clear_layer(scene_with({(3, 4): cloud, (5, 5): water, (6, 6): snow}), "s2cloudless")
    assert layer is not None
    expected = np.full((10, 12), LAND, np.uint8)
    expected[3, 4:6] = CLOUD, THIN
    expected[5, 5], expected[6, 6], expected[0, 0] = WATER, SNOW, NODATA
    np.testing.assert_array_equal(layer.classes, expected)
    assert layer.grid.pixel_size == 60
    assert (layer.facts.source, layer.facts.version, layer.facts.threshold) == ("s2cloudless", "1.7.3", 0.4)
    assert "shadow" not in layer.facts.classes


@pytest.mark.usefixtures("detector")
def test_a_scene_without_its_bands_is_refused_by_their_names() -> None:
    with pytest.raises(SourceError, match="lacks B10; give all bands, or --clear none"):
        clear_layer(scene_with({}, leave_out="B10"), "s2cloudless")


def test_the_real_detector_agrees_with_itself_on_the_whole_scene() -> None:
    """Strips change nothing: probabilities are of single pixels, averages of all of them."""
    s2cloudless = pytest.importorskip("s2cloudless")
    scene = scene_with(
        {(row, col): {"B02": 0.6, "B01": 0.6, "B04": 0.6} for row in range(4) for col in range(5)}
    )
    layer = clear_layer(scene, "s2cloudless")
    assert layer is not None
    grid, places = cloudless._places(scene)
    layers = {name: cloudless._coarse(place, slice(0, 10), grid) for name, place in places.items()}
    stack = np.nan_to_num(np.stack([layers[name] for name in cloudless.DETECTOR_BANDS], axis=-1))
    found = s2cloudless.S2PixelCloudDetector(0.4, average_over=4, dilation_size=None).get_cloud_masks(
        stack[None]
    )
    np.testing.assert_array_equal(layer.classes == CLOUD, (found[0] > 0) & (layer.classes != NODATA))
