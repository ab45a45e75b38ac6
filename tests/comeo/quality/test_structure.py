"""SSIM, MS-SSIM, edges and texture against independent implementations, and strip by strip."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import convolve2d
from skimage.filters import sobel
from skimage.metrics import structural_similarity

from comeo.quality.structure import RADIUS, WEIGHTS, Structure, whole_windows
from tests.scenes import landscape


def whole(
    reference: NDArray[Any], decoded: NDArray[Any], valid: NDArray[np.bool_] | None = None
) -> Structure:
    structure = Structure(10_000)
    everywhere = np.ones(reference.shape, bool) if valid is None else valid
    structure.add(reference, decoded, everywhere, slice(0, len(reference)))
    return structure


@pytest.fixture(scope="module")
def pair() -> tuple[NDArray[Any], NDArray[Any]]:
    reference = landscape(1, 320, 208)[0]
    noise = np.random.default_rng(2).normal(0, 150, reference.shape)
    return reference, np.clip(reference + noise, 1, 10_000).astype(np.uint16)


def test_ssim_is_scikit_images(pair: tuple[NDArray[Any], NDArray[Any]]) -> None:
    expected = structural_similarity(  # type: ignore[no-untyped-call]
        pair[0].astype(float), pair[1].astype(float), data_range=10_000, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    assert 0.5 < expected < 0.99
    assert whole(*pair).ssim == pytest.approx(expected, abs=2e-6)


def direct_ms_ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The paper's formulas, by plain convolution in double precision."""
    axis = np.arange(-5, 6)
    line = np.exp(-(axis**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = 100.0**2, 300.0**2
    out = 1.0
    for scale, weight in enumerate(WEIGHTS):
        mx, my = (convolve2d(each, window, "valid") for each in (x, y))
        vx, vy, cov = (convolve2d(a * b, window, "valid") for a, b in ((x, x), (y, y), (x, y)))
        contrast = (2 * (cov - mx * my) + c2) / (vx - mx**2 + vy - my**2 + c2)
        luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
        out *= float(np.mean(contrast * luminance if scale == 4 else contrast)) ** weight
        x, y = (each.reshape(each.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for each in (x, y))
    return out


def test_ms_ssim_follows_the_paper() -> None:
    x = landscape(1, 320, 224)[0].astype(float)
    y = x + np.random.default_rng(2).normal(0, 200, x.shape)
    expected = direct_ms_ssim(x, y)
    assert 0.5 < expected < 0.99
    assert whole(x, y).ms_ssim == pytest.approx(expected, abs=2e-6)


def test_strips_give_what_the_whole_gives(pair: tuple[NDArray[Any], NDArray[Any]]) -> None:
    reference, decoded = (np.tile(each, (2, 1)) for each in pair)
    valid = np.ones(reference.shape, bool)
    valid[300:340, 30:60] = False
    reference[~valid] = decoded[~valid] = 0
    pieces = Structure(10_000)
    for top in range(0, 640, 256):
        above, below = max(0, top - 80), min(640, top + 256 + 80)
        core = slice(top - above, min(top + 256, 640) - above)
        pieces.add(reference[above:below], decoded[above:below], valid[above:below], core)
    at_once = whole(reference, decoded, valid)
    for name in ("ssim", "ms_ssim", "edges", "texture"):
        assert getattr(pieces, name) == pytest.approx(getattr(at_once, name), abs=1e-6), name


def test_masked_pixels_never_count(pair: tuple[NDArray[Any], NDArray[Any]]) -> None:
    reference, decoded = pair
    valid = np.ones(reference.shape, bool)
    valid[100:130, 50:90] = False
    results = []
    for garbage in (0, 9_999):
        spoilt = decoded.copy()
        spoilt[~valid] = garbage
        structure = whole(np.where(valid, reference, 0), np.where(valid, spoilt, 0), valid)
        results.append((structure.ssim, structure.ms_ssim, structure.edges, structure.texture))
    assert results[0] == results[1]
    _, full = structural_similarity(  # type: ignore[no-untyped-call]
        reference.astype(float), decoded.astype(float), data_range=10_000, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    assert results[0][0] == pytest.approx(full[whole_windows(valid, RADIUS)].mean(), abs=2e-6)


def test_edges_are_the_correlation_of_gradients(pair: tuple[NDArray[Any], NDArray[Any]]) -> None:
    inside = (slice(RADIUS, -RADIUS),) * 2
    gradients = [sobel(each.astype(float))[inside].ravel() for each in pair]  # type: ignore[no-untyped-call]
    assert whole(*pair).edges == pytest.approx(np.corrcoef(*gradients)[0, 1], abs=1e-6)


def test_land_is_counted_apart(pair: tuple[NDArray[Any], NDArray[Any]]) -> None:
    reference, decoded = pair
    decoded = decoded.copy()
    decoded[:160] = reference[:160]
    land = np.zeros(reference.shape, bool)
    land[:150] = True
    structure = Structure(10_000)
    structure.add(reference, decoded, np.ones(reference.shape, bool), slice(0, len(reference)), land)
    assert structure.land_edges == pytest.approx(1)
    assert structure.edges < 0.99


def test_equal_is_perfect_and_blur_loses_texture(pair: tuple[NDArray[Any], NDArray[Any]]) -> None:
    reference = pair[0]
    equal = whole(reference, reference)
    for name in ("ssim", "ms_ssim", "edges", "texture"):
        assert getattr(equal, name) == pytest.approx(1, abs=1e-9), name
    blurred = reference.astype(float)
    blurred = (
        blurred + np.roll(blurred, 1, 0) + np.roll(blurred, 1, 1) + np.roll(blurred, (1, 1), (0, 1))
    ) / 4
    assert whole(reference, blurred).texture < 0.95
    assert whole(reference, pair[1]).texture > 1.05


def test_a_shift_changes_luminance_only() -> None:
    flat = np.full((200, 200), 2000.0)
    shifted = whole(flat, flat + 500)
    expected = (2 * 2000 * 2500 + 1e4) / (2000**2 + 2500**2 + 1e4)
    assert shifted.ssim == pytest.approx(expected, abs=1e-6)
    assert shifted.ms_ssim == pytest.approx(expected ** WEIGHTS[-1], abs=1e-6)
    assert math.isnan(shifted.edges)


def test_too_small_an_image_has_no_ms_ssim() -> None:
    small = landscape(1, 100, 100)[0]
    assert math.isnan(whole(small, small).ms_ssim)
    assert whole(small, small).ssim == pytest.approx(1)
