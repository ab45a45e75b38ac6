"""Thermal noise: against slow loops over the text of real annotation, and the forms before IPF 2.90."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from bisect import bisect_right

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.radar.noise import AzimuthNoise, Noise, is_plausible, legacy_factor, range_noise
from comeo.radar.vectors import Lut
from comeo.scene import Window
from tests.comeo.radar.products import NEEDS_PRODUCTS, products
from tests.comeo.radar.test_calibration import flat, table

OLD = "S1A_IW_GRDH_1SDV_20150203T043109"
EW = "S1A_EW_GRDM_1SDH_20221130T014342"


def integers(vector: ET.Element, name: str) -> NDArray[np.int64]:
    return np.array(vector.findtext(name, "").split(), np.int64)


def numbers(vector: ET.Element, name: str) -> NDArray[np.float64]:
    return np.array(vector.findtext(name, "").split(), np.float64)


def along_range(root: ET.Element) -> Lut | None:
    new = list(root.iter("noiseRangeVector"))
    vectors, name = (new, "noiseRangeLut") if new else (list(root.iter("noiseVector")), "noiseLut")
    return range_noise(
        np.array([int(vector.findtext("line", "")) for vector in vectors]),
        [integers(vector, "pixel") for vector in vectors],
        [numbers(vector, name) for vector in vectors],
    )


def along_azimuth(root: ET.Element) -> tuple[AzimuthNoise, ...]:
    return tuple(
        AzimuthNoise(
            int(vector.findtext("firstAzimuthLine", "")),
            int(vector.findtext("lastAzimuthLine", "")),
            int(vector.findtext("firstRangeSample", "")),
            int(vector.findtext("lastRangeSample", "")),
            integers(vector, "line"),
            numbers(vector, "noiseAzimuthLut"),
        )
        for vector in root.iter("noiseAzimuthVector")
    )


def noise_of(root: ET.Element) -> Noise:
    range_ = along_range(root)
    assert range_ is not None
    return Noise(range_, along_azimuth(root))


def linear(places: list[int], values: list[float], place: int) -> float:
    """Linear between places, held beyond, in plain Python."""
    if place <= places[0]:
        return values[0]
    if place >= places[-1]:
        return values[-1]
    k = bisect_right(places, place)
    share = (place - places[k - 1]) / (places[k] - places[k - 1])
    return values[k - 1] * (1 - share) + values[k] * share


def told(vector: ET.Element, name: str, sample: int) -> float:
    """Noise of one range vector at a sample; zeros at its end take the value before them."""
    values = [float(text) for text in vector.findtext(name, "").split()]
    samples = [int(text) for text in vector.findtext("pixel", "").split()]
    for k in range(1, len(values)):
        values[k] = values[k] or values[k - 1]
    return linear(samples, values, sample)


def by_hand(root: ET.Element, line: int, sample: int) -> float:
    """The noise at one pixel, from the text of the annotation."""
    vectors = list(root.iter("noiseRangeVector"))
    lines = [int(vector.findtext("line", "")) for vector in vectors]
    noise = linear(lines, [told(vector, "noiseRangeLut", sample) for vector in vectors], line)
    for block in root.iter("noiseAzimuthVector"):
        first, last = (int(block.findtext(f"{end}AzimuthLine", "")) for end in ("first", "last"))
        left, right = (int(block.findtext(f"{end}RangeSample", "")) for end in ("first", "last"))
        if first <= line <= last and left <= sample <= right:
            places = [int(text) for text in block.findtext("line", "").split()]
            factors = [float(text) for text in block.findtext("noiseAzimuthLut", "").split()]
            return noise * linear(places, factors, line)
    assert root.find(".//noiseAzimuthVector") is None, (line, sample)
    return noise


@NEEDS_PRODUCTS
def test_noise_is_that_by_hand_on_all_products() -> None:
    rng = np.random.default_rng(2)
    seen = 0
    for name, product in products().items():
        for polarisation, root in product.noise.items() if name != OLD else ():
            noise = noise_of(root)
            image = product.annotation[polarisation]
            height = int(image.findtext(".//numberOfLines", ""))
            width = int(image.findtext(".//numberOfSamples", ""))
            places = rng.integers((422, 0), (height, width), (20, 2)).tolist()
            for line, sample in [*places, [height - 1, width - 1], [70, 100], [75, 100]]:
                got = float(noise.over(Window(line, sample, 1, 1))[0, 0])
                assert abs(10 * np.log10(got / by_hand(root, line, sample))) < 1e-5, (name, line, sample)
                seen += 1
    assert seen == 9 * 23


@NEEDS_PRODUCTS
def test_the_noise_of_all_products_is_that_of_sentinel_1() -> None:
    for name, product in products().items():
        for polarisation, root in product.noise.items() if name != OLD else ():
            sigma = table(product.calibration[polarisation], "sigmaNought")
            assert is_plausible(noise_of(root), sigma, 8_000, 8_000), (name, polarisation)


@NEEDS_PRODUCTS
def test_a_product_that_tells_of_no_noise_has_none() -> None:
    for root in products()[OLD].noise.values():
        assert along_range(root) is None


@NEEDS_PRODUCTS
def test_any_window_is_a_part_of_the_whole() -> None:
    """Extra wide, where five sub-swaths begin one after another and their limits move."""
    noise = noise_of(products()[EW].noise["HH"])
    whole = noise.over(Window(0, 3_000, 1_500, 300))
    for row, col, height, width in ((0, 3_000, 1, 300), (60, 3_110, 80, 20), (1_340, 3_111, 10, 7)):
        part = noise.over(Window(row, col, height, width))
        np.testing.assert_allclose(part, whole[row : row + height, col - 3_000 :][:, :width], rtol=1e-6)


def block(rectangle: tuple[int, int, int, int], value: float) -> AzimuthNoise:
    return AzimuthNoise(*rectangle, np.array([rectangle[0]]), np.array([value]))


def test_a_gap_takes_the_nearest_block_of_its_line_in_any_window() -> None:
    blocks = (block((0, 9, 0, 9), 2), block((0, 9, 20, 29), 3), block((12, 20, 0, 29), 5))
    noise = Noise(flat(1), blocks)
    whole = noise.over(Window(0, 0, 30, 40))
    assert whole[3, [0, 9, 13, 16, 25, 39]].tolist() == [2, 2, 2, 3, 3, 3]
    assert whole[15, [0, 39]].tolist() == [5, 5]
    assert whole[25, 5] == 5  # beyond the last block
    for row in range(30):
        assert (noise.over(Window(row, 0, 1, 40)) == whole[row]).all()


def test_zeros_at_the_end_are_held_and_vectors_of_zeros_left_out() -> None:
    lut = range_noise(
        np.array([0, 10, 20]),
        [np.array([0, 40, 80])] * 3,
        [np.array([4.0, 2.0, 0.0]), np.zeros(3), np.array([6.0, 0.0, 0.0])],
    )
    assert lut is not None
    assert lut.lines.tolist() == [0, 20]
    assert [values.tolist() for values in lut.values] == [[4, 2, 2], [6, 6, 6]]


def test_old_noise_is_scaled_by_mode_and_processor() -> None:
    assert legacy_factor((2, 33), "IW", 474) == 75_088.7 * 474
    assert legacy_factor((2, 36), "IW", 474) == 75_088.7 * 474**2
    assert legacy_factor((2, 49), "EW", 2) == 56_065.87 * 4
    assert legacy_factor((2, 36), "S4", 474) is None
    assert legacy_factor((2, 50), "S4", 474) == 1
    noise = Noise(flat(2), (), factor=3)
    assert noise.over(Window(0, 0, 1, 1)) == 6


@pytest.mark.parametrize(("decibels", "plausible"), [(-14, False), (-16, True), (-34, True), (-36, False)])
def test_noise_is_guarded_by_what_sentinel_1_has(decibels: float, plausible: bool) -> None:
    noise = Noise(flat(10 ** (decibels / 10) * 100), ())
    assert is_plausible(noise, flat(10), 4, 4) is plausible


@pytest.mark.parametrize(
    ("rectangle", "lines", "values", "words"),
    [
        ((5, 4, 0, 9), [0], [1.0], "no lines"),
        ((0, 4, 9, 8), [0], [1.0], "no lines or no samples"),
        ((0, 4, 0, 9), [0], [-1.0], "below zero"),
        ((0, 4, 0, 9), [], [], "value for each"),
        ((0, 4, 0, 9), [1, 0], [1.0, 1.0], "do not rise"),
    ],
)
def test_an_azimuth_vector_that_is_none_is_refused(
    rectangle: tuple[int, int, int, int], lines: list[int], values: list[float], words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        AzimuthNoise(*rectangle, np.array(lines, np.int64), np.array(values, np.float64))


def test_noise_below_zero_is_refused() -> None:
    with pytest.raises(SourceError, match="below zero"):
        range_noise(np.array([0]), [np.array([0])], [np.array([-1.0])])
