"""Point targets keep more of their peaks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from comeo.codecs import get_codec
from comeo.compression.encode import BlockEncoder
from comeo.compression.points import raised, window_sums
from comeo.quality.sar.points import peak_lost
from comeo.scene import Pixels
from tests.comeo.codecs.blocks import backscatter


def with_points(count: int) -> np.ndarray:
    """VV and VH of backscatter with points 15 dB above what is around them."""
    image = backscatter(2, 128, 128)
    places = np.random.default_rng(3).integers(8, 120, (2, count))
    image[:, places[0], places[1]] += 15
    return image


def test_points_lose_less_than_when_they_are_coded_plainly() -> None:
    image, codec = with_points(25), get_codec("dct")
    pixels = Pixels(image, np.ones(image.shape, bool))
    plain, kept = (
        codec.decode(BlockEncoder(codec, 12.0, False, decibels=each)(pixels) or b"") for each in (False, True)
    )
    lost = peak_lost(image[0], plain[0])
    assert lost > 1
    assert abs(peak_lost(image[0], kept[0])) < 0.9 * lost


def test_only_points_that_lost_are_raised() -> None:
    image = np.full((1, 31, 31), -12, np.float32)
    image[0, 15, 15] = image[0, 5, 25] = 3
    decoded = image.copy()
    decoded[0, 15, 15] -= 2
    decoded[0, 1, 1] -= 2  # no point
    found = raised(image, decoded, None)
    assert found is not None
    assert found[0, 15, 15] == pytest.approx(6)
    assert np.argwhere(found != image).tolist() == [[0, 15, 15]]
    assert raised(image, image + 1, None) is None
    valid = image < 0
    assert raised(image, decoded, valid) is None


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (33, 20)])
@pytest.mark.parametrize("radius", [0, 1, 3, 7])
def test_sums_over_windows_are_those_of_scipy(shape: tuple[int, int], radius: int) -> None:
    values, side = np.random.default_rng(radius).random(shape), 2 * radius + 1
    expected = side**2 * uniform_filter(values, side, mode="constant")
    np.testing.assert_allclose(window_sums(values, radius), expected, rtol=1e-9, atol=1e-9)
