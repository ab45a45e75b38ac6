"""Calibration by look-up tables: by hand in decimals on real annotation, by loops on any table."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.radar.calibration import LEAST_POWER, calibrate
from comeo.radar.noise import Noise
from comeo.radar.vectors import Lut
from comeo.scene import Window
from tests.comeo.radar.products import NEEDS_PRODUCTS, products

QUANTITIES = ("sigmaNought", "betaNought", "gamma")


def table(root: ET.Element, quantity: str) -> Lut:
    """A calibration table of a product."""
    vectors = list(root.iter("calibrationVector"))
    return Lut(
        np.array([int(vector.findtext("line", "")) for vector in vectors]),
        tuple(np.array(vector.findtext("pixel", "").split(), np.int64) for vector in vectors),
        tuple(np.array(vector.findtext(quantity, "").split(), float) for vector in vectors),
    )


def by_hand(root: ET.Element, quantity: str, line: int, sample: int) -> Decimal:
    """A at one pixel, from the text of the annotation."""

    def along(vector: ET.Element) -> Decimal:
        samples = [int(text) for text in vector.findtext("pixel", "").split()]
        texts = vector.findtext(quantity, "").split()
        for k, (left, right) in enumerate(pairwise(samples)):
            if left <= sample <= right:
                share = Decimal(sample - left) / Decimal(right - left)
                return Decimal(texts[k]) * (1 - share) + Decimal(texts[k + 1]) * share
        raise AssertionError(sample)

    for before, after in pairwise(root.iter("calibrationVector")):
        first, last = int(before.findtext("line", "")), int(after.findtext("line", ""))
        if first <= line <= last:
            share = Decimal(line - first) / Decimal(last - first)
            return along(before) * (1 - share) + along(after) * share
    raise AssertionError(line)


@NEEDS_PRODUCTS
def test_backscatter_is_that_by_hand_on_all_products() -> None:
    rng = np.random.default_rng(1)
    seen = 0
    for product in products().values():
        for polarisation, root in product.calibration.items():
            image = product.annotation[polarisation]
            height = int(image.findtext(".//numberOfLines", ""))
            width = int(image.findtext(".//numberOfSamples", ""))
            for quantity in QUANTITIES:
                lut = table(root, quantity)
                for line, sample in rng.integers(0, (height, width), (20, 2)).tolist():
                    digital = int(rng.integers(1, 5_000))
                    got = calibrate(
                        np.array([[digital]], np.uint16), lut, None, Window(line, sample, 1, 1)
                    ).values[0, 0]
                    expected = Decimal(digital) ** 2 / by_hand(root, quantity, line, sample) ** 2
                    assert abs(10 * np.log10(float(got) / float(expected))) < 1e-5
                    seen += 1
    assert seen == 660


@NEEDS_PRODUCTS
def test_gamma_is_sigma_over_the_cosine_of_an_angle_and_sigma_beta_by_its_sine() -> None:
    """Two tables give the same incidence angle: none is taken for another."""
    for product in products().values():
        for root in product.calibration.values():
            window = Window(1_000, 0, 1, 8_000)
            sigma, beta, gamma = (table(root, quantity).over(window) for quantity in QUANTITIES)
            sine, cosine = np.square(beta / sigma), np.square(gamma / sigma)
            np.testing.assert_allclose(sine**2 + cosine**2, 1, atol=2e-3)


def slow(lut: Lut, line: float, sample: float) -> float:
    """The table at one place by NumPy's interpolation, twice."""
    column = [
        np.interp(sample, pixels, values) for pixels, values in zip(lut.pixels, lut.values, strict=True)
    ]
    return float(np.interp(line, lut.lines, column))


@st.composite
def tables(draw: st.DrawFn) -> Lut:
    """Any table: vectors of different lengths, also of one value."""
    places = st.lists(st.integers(-20, 80), min_size=1, max_size=5, unique=True).map(sorted)
    lines = draw(places)
    pixels = [draw(places) for _ in lines]
    values = [[draw(st.floats(1, 1_000)) for _ in row] for row in pixels]
    return Lut(
        np.array(lines), tuple(map(np.array, pixels)), tuple(np.array(row, np.float64) for row in values)
    )


@settings(max_examples=60, deadline=None)
@given(lut=tables(), row=st.integers(0, 60), col=st.integers(0, 60), size=st.integers(1, 9))
def test_a_table_is_linear_between_and_held_beyond(lut: Lut, row: int, col: int, size: int) -> None:
    got = lut.over(Window(row, col, size, size + 1))
    expected = [[slow(lut, row + y, col + x) for x in range(size + 1)] for y in range(size)]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def flat(value: float) -> Lut:
    return Lut(np.array([0]), (np.array([0]),), (np.array([value]),))


def test_noise_comes_off_and_the_floor_is_a_tenth_of_it() -> None:
    power = calibrate(
        np.array([[0, 10, 65_535]], np.uint16), flat(100), Noise(flat(400), ()), Window(0, 0, 1, 3)
    )
    np.testing.assert_allclose(power.values, [[-0.04, -0.03, (65_535**2 - 400) / 10_000]], rtol=1e-6)
    np.testing.assert_allclose(power.floor, 0.004, rtol=1e-6)


def test_without_noise_the_floor_is_fixed() -> None:
    power = calibrate(np.array([[3]], np.uint16), flat(100), None, Window(0, 0, 1, 1))
    assert power.floor == np.float32(LEAST_POWER)


def arrays(*rows: list[float]) -> tuple[NDArray[np.float64], ...]:
    return tuple(np.array(row, np.float64) for row in rows)


@pytest.mark.parametrize(
    ("lines", "pixels", "values", "words"),
    [
        ([], (), (), "no vectors"),
        ([0, 1], ([0],), ([1.0],), "one for each line"),
        ([0], ([0, 1],), ([1.0],), "value for each"),
        ([0], ([],), ([],), "value for each"),
        ([1, 1], ([0], [0]), ([1.0], [1.0]), "do not rise"),
        ([0], ([5, 3],), ([1.0, 1.0],), "do not rise"),
        ([0], ([0, 1],), ([1.0, float("nan")],), "not finite"),
    ],
)
def test_a_table_that_is_none_is_refused(
    lines: list[int], pixels: tuple[list[int], ...], values: tuple[list[float], ...], words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        Lut(np.array(lines, np.int64), tuple(np.array(row, np.int64) for row in pixels), arrays(*values))


def test_a_calibration_of_zero_is_refused() -> None:
    with pytest.raises(SourceError, match="not positive"):
        calibrate(np.ones((1, 1), np.uint16), flat(0), None, Window(0, 0, 1, 1))
