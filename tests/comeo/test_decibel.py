"""Means of decibels are means of power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from comeo.decibel import mean_decibels, reduce_power, reduction_of, to_decibels, to_power
from comeo.scene import Band


def test_powers_of_ten_are_what_the_definition_says() -> None:
    decibels = np.array([-30, -20, -10, 0, 3, 10], np.float32)
    np.testing.assert_allclose(to_power(decibels), 10.0 ** (decibels / 10), rtol=1e-6)
    np.testing.assert_allclose(to_decibels(to_power(decibels)), decibels, atol=1e-5)


def test_no_power_has_no_decibels() -> None:
    assert np.isnan(to_decibels(np.array([0.0, -1.0, np.nan], np.float32))).all()


@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_means_of_absurd_decibels_stay_finite(reduce: int) -> None:
    bright, dark = (np.full((1, 16, 16), level, np.float32) for level in (1e9, -1e9))
    np.testing.assert_allclose(reduce_power(bright, reduce), 300, atol=1e-3)
    np.testing.assert_allclose(reduce_power(dark, reduce), -300, atol=1e-3)


def test_a_checkerboard_of_bright_and_dark_is_three_decibels_below_the_bright() -> None:
    board = np.where(np.indices((8, 8)).sum(0) % 2, 0.0, -20.0).astype(np.float32)
    np.testing.assert_allclose(reduce_power(board, 1), -2.967, atol=1e-3)
    assert board.mean() == pytest.approx(-10)


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 2), st.integers(1, 19), st.integers(1, 19)),
        elements=st.one_of(st.just(np.float32("nan")), st.floats(-60, 30, width=32)),
    ),
    st.integers(0, 3),
)
def test_cells_are_means_of_power_of_the_pixels_that_are_there(decibels: np.ndarray, reduce: int) -> None:
    size = 1 << reduce
    result = reduce_power(decibels, reduce)
    assert result.shape == (len(decibels), *(-(-side // size) for side in decibels.shape[1:]))
    for place in np.ndindex(result.shape):
        band, row, column = place
        cell = decibels[band, row * size : (row + 1) * size, column * size : (column + 1) * size].astype(
            float
        )
        cell = cell[np.isfinite(cell)]
        if cell.size:
            assert result[place] == pytest.approx(10 * np.log10(np.mean(10 ** (cell / 10))), abs=1e-4)
        else:
            assert np.isnan(result[place])


@given(
    st.lists(st.sampled_from(["dB", "scaled", "reflectance"]), min_size=1, max_size=3), st.integers(0, 2**31)
)
def test_a_reduction_weighs_power_of_decibels_and_numbers_of_others(units: list[str], seed: int) -> None:
    kinds = {"dB": (1.0, 0.0, "dB"), "scaled": (0.01, -5.0, "dB"), "reflectance": (1e-4, -0.1, "reflectance")}
    bands = [Band(f"B{index}", *kinds[unit]) for index, unit in enumerate(units)]
    reduction = reduction_of(bands)
    assert reduction.is_plain == (set(units) == {"reflectance"})
    stored = np.random.default_rng(seed).uniform(-1500, 500, (len(bands), 5, 7)).astype(np.float32)
    for row, unit in enumerate(units):
        stored[row] /= 100 if unit == "dB" else 1
    stored[:, 2, 3] = np.nan
    kept = stored.copy()
    np.testing.assert_allclose(reduction.after(reduction.before(stored)), stored, rtol=1e-4, atol=0.02)
    np.testing.assert_array_equal(stored, kept)
    found = reduction.down(stored, 1)
    assert found.shape == (len(bands), 3, 4)
    for row, band in enumerate(bands):
        own = stored[row, 2:4, 2:4].astype(np.float64)
        physical = own * band.scale + band.offset
        mean = np.nanmean(own)
        if band.unit == "dB":
            mean = (10 * np.log10(np.nanmean(10 ** (physical / 10))) - band.offset) / band.scale
        assert found[row, 1, 1] == pytest.approx(mean, rel=1e-4, abs=0.02)


def test_a_cell_without_a_pixel_has_no_mean() -> None:
    for unit in ("dB", "reflectance"):
        reduction = reduction_of([Band("B", unit=unit)])
        assert np.isnan(reduction.down(np.full((1, 2, 2), np.nan, np.float32), 1)).all()


def test_the_mean_of_decibels_is_that_of_power() -> None:
    assert mean_decibels(np.array([[0.0, -20.0], [np.nan, np.nan]])) == pytest.approx(-2.967, abs=1e-3)
    assert np.isnan(mean_decibels(np.array([np.nan])))
