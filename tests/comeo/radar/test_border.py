"""The dark rim of old images, simulated: no real one was at hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.radar.border import Border, find_border
from comeo.radar.noise import Noise
from comeo.scene import Window
from tests.comeo.radar.test_calibration import flat

LINES, SAMPLES = 700, 900
WHOLE = Window(0, 0, LINES, SAMPLES)
Image = NDArray[np.uint16]


def image(rim: int = 40) -> tuple[Image, NDArray[np.bool_]]:
    """Land in speckle within a rim of border noise and zeros; the land's mask."""
    rng = np.random.default_rng(4)
    land = (np.sqrt(rng.gamma(4.4, 1 / 4.4, (LINES, SAMPLES))) * 300 + 30).astype(np.uint16)
    inside = np.zeros(land.shape, bool)
    inside[rim : LINES - 2 * rim, 2 * rim : SAMPLES - rim] = True
    inside[: 2 * rim, SAMPLES // 2 :] = False  # a sub-swath that begins later
    noise = rng.integers(0, 20, land.shape).astype(np.uint16)
    return np.where(inside, land, noise), inside


def border_of(digital: Image, noise: Noise | None = None) -> Border:
    return find_border(lambda window: digital[window.slices], noise, *digital.shape)


def test_the_rim_is_found_and_the_land_kept() -> None:
    digital, inside = image()
    valid = border_of(digital).valid(digital, None, WHOLE)
    assert valid[inside].all()
    assert not valid[~inside].any()


def test_spikes_in_the_rim_leave_single_pixels_and_no_streaks() -> None:
    digital, inside = image()
    spikes = np.random.default_rng(5).random(digital.shape) < 0.001
    digital[spikes & ~inside] = 60
    valid = border_of(digital).valid(digital, None, WHOLE)
    left = valid & ~inside
    assert (left & ~spikes).sum() < 30  # at the step between sub-swaths, whose corner the median rounds
    assert valid[inside].all()


def test_a_creek_is_kept_and_a_ship_in_the_rim_too() -> None:
    digital, _ = image()
    digital[300:320, 80:500] = 10  # calm water up to the rim, over fewer lines than half of the median's
    digital[500:504, 20:24] = 5_000
    valid = border_of(digital).valid(digital, None, WHOLE)
    assert valid[300:320, 80:500].all()
    assert valid[500:504, 20:24].all()


def test_noise_decides_where_it_is_told() -> None:
    digital, inside = image()
    digital[~inside] = 50
    noise = Noise(flat(50.0**2), ())
    assert border_of(digital).valid(digital, None, WHOLE).all()
    valid = border_of(digital, noise).valid(digital, noise, WHOLE)
    assert not valid[~inside].any()


def test_nothing_is_border_beyond_the_reach() -> None:
    digital = np.full((50, 5_000), 10, np.uint16)
    border = find_border(lambda window: digital[window.slices], None, *digital.shape)
    assert border.left.max() == border.right.max() == 2_000
    assert border.top.max() == 50


def test_a_new_image_loses_zeros_alone() -> None:
    digital = np.full((300, 300), 400, np.uint16)
    digital[:, :7] = 0
    valid = border_of(digital).valid(digital, None, Window(0, 0, 300, 300))
    assert (valid == (digital != 0)).all()


@settings(max_examples=20, deadline=None)
@given(row=st.integers(0, 690), col=st.integers(0, 890), height=st.integers(1, 10), width=st.integers(1, 10))
def test_any_window_is_a_part_of_the_whole(row: int, col: int, height: int, width: int) -> None:
    digital, _ = IMAGE
    part = Window(row, col, height, width)
    valid = BORDER.valid(digital[part.slices], None, part)
    assert (valid == VALID[part.slices]).all()


IMAGE = image()
BORDER = border_of(IMAGE[0])
VALID = BORDER.valid(IMAGE[0], None, WHOLE)
