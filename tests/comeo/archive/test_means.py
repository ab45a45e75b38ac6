"""The law of means: its factors as bytes, its limits, and that it holds what it says."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.archive import Archive, open_archive
from comeo.archive.means import Factors, decode, encode, factors_of, mean_error, measured_factors
from comeo.compression import compress
from comeo.scene import Window
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import array_group, array_scene, corner_cut, landscape

GOLDEN = Path(__file__).parent / "golden"
factors = st.builds(Factors, st.floats(0.004, 200), st.floats(0.004, 200))


@given(st.lists(st.floats(0.0041, 245), min_size=1, max_size=40))
def test_bytes_hold_factors_to_the_nearest(values: list[float]) -> None:
    pairs = [*values, *values]
    np.testing.assert_allclose(decode(encode(pairs), len(values)), pairs, rtol=2 ** (1 / 32) - 1)


@given(st.binary(min_size=2, max_size=80).filter(lambda codes: len(codes) % 2 == 0))
def test_every_byte_is_its_own_factor(codes: bytes) -> None:
    text = base64.b64encode(codes).decode()
    found = decode(text, len(codes) // 2)
    assert encode(found) == text
    assert [math.isnan(value) for value in found] == [code == 0 for code in codes]


def test_factors_beyond_bytes_are_the_last_ones() -> None:
    assert decode(encode([0.0, 1e9]), 1) == pytest.approx([2 ** (-127 / 16), 2 ** (127 / 16)])


@pytest.mark.parametrize("text", ["", "gA==", "gICA", "gICAgA==", "gI A", "ééé="])
def test_what_are_no_factors_of_a_band_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Base64|bytes"):
        decode(text, 1)


def test_what_is_not_known_is_taken_from_the_codec() -> None:
    assert factors_of(math.nan, math.nan, "learned") == (1, 3)
    assert factors_of(0.5, math.nan, "dct") == (0.5, 1)
    assert factors_of(math.nan, 0.25, "of somebody else") == (1, 0.25)


def test_errors_by_the_law_have_factors_of_1() -> None:
    """Uniform errors of single coefficients, as the law supposes them: 64×64 means of 4096 pixels' noise."""
    step, side = 80.0, 64
    errors = np.random.default_rng(0).uniform(-step / 2, step / 2, (2, 500, side * side)).mean(axis=2)
    squares, cells = np.square(errors).sum(axis=1), np.full(2, 500)
    assert measured_factors(squares, cells, side, step) == pytest.approx([1, 1], rel=0.1)
    assert measured_factors(4 * squares, cells, side, step) == pytest.approx([2, 2], rel=0.1)
    assert mean_error(side * side, step, Factors(1, 1)) == pytest.approx(errors.std(), rel=0.1)


def test_few_means_of_a_band_count_with_those_of_the_others() -> None:
    """12·squares/cells: 0 of four means, 16 of four, of the group 8; three means tell nothing."""
    found = measured_factors(np.array([0, 64, 0]) / 12, np.array([4, 4, 0]), 1, 1.0)
    assert found[:2] == pytest.approx([2, math.sqrt(12)])
    assert np.isnan(found[2])
    assert np.isnan(measured_factors(np.ones(2), np.full(2, 3), 1, 1.0)).all()
    assert np.isnan(measured_factors(np.zeros(2), np.zeros(2, int), 1, 1.0)).all()


@pytest.mark.parametrize(("side", "factor"), [(1, 2), (16, 2), (32, 1), (64, 0.5), (128, 0.25), (256, 0.125)])
def test_the_factor_goes_from_small_over_large_up_to_a_block(side: int, factor: float) -> None:
    expected = factor * 80 / math.sqrt(12) / side
    assert mean_error(side * side, 80, Factors(2, 0.5)) == pytest.approx(expected)
    assert mean_error(4096**2, 80, Factors(2, 0.5)) == pytest.approx(0.125 * 80 / math.sqrt(12) / 4096)


@given(
    factors, st.floats(1, 1e8), st.floats(1, 1e4), st.floats(1e-3, 1e4), st.floats(0, 1), st.floats(0, 100)
)
def test_no_mean_of_more_pixels_is_less_certain(
    own: Factors, pixels: float, more: float, step: float, near: float, grain: float
) -> None:
    few = mean_error(pixels, step, own, near, grain=grain)
    assert mean_error(pixels * more, step, own, near, grain=grain) <= few * (1 + 1e-9)
    assert mean_error(pixels, 2 * step, own, near, grain=grain) >= few
    worse = Factors(2 * own.small, 2 * own.large)
    assert mean_error(pixels, step, worse, near, grain=grain) >= few * (1 - 1e-9)
    assert few >= mean_error(pixels, step, own, 0.0, grain=grain)


@given(factors, st.floats(1, 1e8), st.floats(1e-6, 1e4), st.floats(0, 1e4))
def test_no_mean_of_integers_is_surer_than_their_rounding_lets_it_be(
    own: Factors, pixels: float, step: float, rmse: float
) -> None:
    found = mean_error(pixels, step, own, rmse=rmse, grain=1.0)
    assert min(1 / math.sqrt(12 * pixels), rmse) * (1 - 1e-9) <= found <= rmse


def test_masked_neighbours_add_an_error_that_no_number_of_pixels_averages_out() -> None:
    assert mean_error(1e12, 80, Factors(1, 1), near_mask=0.5) == pytest.approx(0.05 * 80 * 0.5)
    assert mean_error(64, 80, Factors(1, 1), near_mask=0.5) > mean_error(64, 80, Factors(1, 1))
    assert math.isnan(mean_error(0, 80, Factors(1, 1)))


@pytest.mark.parametrize("codec", ["dct", "jpeg2000"])
def test_a_writer_measures_factors(tmp_path: Path, codec: str) -> None:
    values = landscape(3, 300, 520, seed=4)
    valid = corner_cut(values.shape)
    scene = array_scene(array_group(values, valid))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec=codec, step=200.0)) as archive:
        decoded = archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 300, 520))
        stated = np.array(archive.means["r10m"])
    for place, side in enumerate((16, 64)):
        squares, cells = np.zeros(3), np.zeros(3)
        for row in [*range(0, 256, side), *range(256, 301 - side, side)]:
            for col in range(0, 512, side):
                cell = slice(None), slice(row, row + side), slice(col, col + side)
                whole = valid[cell].all(axis=(1, 2))
                means = (decoded[cell].astype(float) - values[cell]).mean(axis=(1, 2))
                squares += np.where(whole, means**2, 0)
                cells += whole
        squares, cells = squares + 4 * squares.sum() / cells.sum(), cells + 4
        np.testing.assert_allclose(stated[:, place], np.sqrt(squares / cells * 12) * side / 200, rtol=0.022)


def coverage(
    archive: Archive, original: np.ndarray[tuple[int, int, int], np.dtype[np.uint16]]
) -> list[float]:
    """Shares of means of 8, 16, 32 and 64 pixels to a side within 2u of the original's."""
    level = archive.groups["r10m"].levels[0]
    bands, height, width = original.shape
    errors = archive.read(level, Window(0, 0, height, width)).astype(float) - original
    out = []
    for side in (8, 16, 32, 64):
        rows, cols = height // side, width // side
        cells = (
            errors[:, : rows * side, : cols * side].reshape(bands, rows, side, cols, side).mean(axis=(2, 4))
        )
        u = [mean_error(side**2, level.step, own, grain=1.0) for own in archive.means["r10m"]]
        out.append(float(np.mean(np.abs(cells) <= 2 * np.array(u)[:, None, None])))
    return out


@pytest.mark.parametrize("codec", ["dct", "jpeg2000", "learned"])
def test_means_of_a_real_scene_lie_within_what_is_stated(tmp_path: Path, codec: str) -> None:
    """A decoded sample is the scene here: compressed again, its means are within 2u in 90 to 99 %."""
    sample = Path(__file__).parents[3] / "samples" / "S2A_T32TMT_20190530_L2A.zarr.zip"
    with open_archive(sample) as archive:
        level = archive.groups["r10m"].levels[0]
        values = archive.read(level, Window(0, 0, min(level.height, 640), min(level.width, 512)))
    scene = array_scene(array_group(values, None, names=["B02", "B03", "B04", "B08"]))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec=codec, step=900.0)) as archive:
        shares = coverage(archive, values)
    assert all(0.9 <= share <= 0.99 for share in shares), shares


@pytest.mark.parametrize(
    ("codec", "typical"), [("dct", (0.9, 1)), ("jpeg2000", (1.2, 1.5)), ("learned", (1, 3))]
)
def test_archives_of_version_1_have_the_factors_of_their_codec(codec: str, typical: Factors) -> None:
    with open_archive(GOLDEN / f"{codec}_uint16_masked.zarr.zip") as archive:
        assert {factors for bands in archive.means.values() for factors in bands} == {typical}


@pytest.mark.parametrize("wrong", ["", "AQ==", "?", "x" * 5000, 7, ["gIA="]])
def test_what_are_no_factors_counts_as_unknown(tmp_path: Path, wrong: object) -> None:
    scene = array_scene(array_group(landscape(1, 64, 64)))
    path = compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=200.0)
    change_document(path, "zarr.json", put("attributes", "comeo", "means", value=wrong))
    with open_archive(path) as archive:
        assert np.isnan(archive.means["r10m"]).all()
        assert archive.info()["groups"]["r10m"]["means"] == {"B01": [None, None]}
        assert "damaged factors of means" in archive.damaged["means"]
