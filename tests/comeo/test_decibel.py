"""Means of decibels are means of power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from comeo.decibel import reduce_power, to_decibels, to_power


def test_powers_of_ten_are_what_the_definition_says() -> None:
    decibels = np.array([-30, -20, -10, 0, 3, 10], np.float32)
    np.testing.assert_allclose(to_power(decibels), 10.0 ** (decibels / 10), rtol=1e-6)
    np.testing.assert_allclose(to_decibels(to_power(decibels)), decibels, atol=1e-5)


def test_no_power_has_no_decibels() -> None:
    assert np.isnan(to_decibels(np.array([0.0, -1.0, np.nan], np.float32))).all()


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
