from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from comeo.metrics import band_mse, mse, psnr, psnr_of, rmse


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    reference = rng.integers(0, 10_000, (3, 20, 30), dtype=np.uint16)
    decoded = np.clip(reference + rng.normal(0, 50, reference.shape), 0, 65535).astype(np.uint16)
    return reference, decoded


def test_agrees_with_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    reference, decoded = pair
    assert mse(reference, decoded) == pytest.approx(mean_squared_error(reference, decoded))
    assert psnr(reference, decoded) == pytest.approx(
        peak_signal_noise_ratio(reference, decoded, data_range=10_000)  # type: ignore[no-untyped-call]
    )
    assert rmse(reference, decoded) ** 2 == pytest.approx(mse(reference, decoded))


def test_psnr_is_of_the_mean_mse_of_bands_however_many_pixels_each_has(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    reference, decoded = pair
    valid = np.ones(reference.shape, bool)
    valid[0, :, :25] = False
    each = [mean_squared_error(reference[b][valid[b]], decoded[b][valid[b]]) for b in range(3)]
    np.testing.assert_allclose(band_mse(reference, decoded, valid), each)
    assert psnr(reference, decoded, valid) == pytest.approx(psnr_of(float(np.mean(each))))


def test_unsigned_numbers_do_not_wrap() -> None:
    reference = np.full((1, 2, 2), 5, np.uint16)
    assert mse(reference, np.zeros_like(reference)) == 25


def test_invalid_pixels_count_for_nothing_even_as_nan() -> None:
    reference = np.array([[[1.0, np.nan]], [[np.nan, np.nan]]], np.float32)
    decoded = np.array([[[2.0, 7.0]], [[np.nan, 3.0]]], np.float32)
    valid = np.isfinite(reference)
    bands = band_mse(reference, decoded, valid)
    assert bands[0] == 1
    assert math.isnan(bands[1])
    assert mse(reference, decoded, valid) == 1
    assert math.isnan(mse(reference, decoded, np.zeros((1, 2), bool)))


def test_perfect_is_infinite_and_shapes_must_match(pair: tuple[np.ndarray, np.ndarray]) -> None:
    reference, _ = pair
    assert psnr(reference, reference) == math.inf
    with pytest.raises(ValueError, match="two arrays"):
        mse(reference, reference[:2])
