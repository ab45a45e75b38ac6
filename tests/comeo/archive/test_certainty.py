"""The law of means: its byte, its limits, and κ as a writer measures it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.archive import open_archive
from comeo.archive.certainty import decode_kappa, encode_kappa, kappa_of, mean_error
from comeo.compression import compress
from comeo.scene import Window
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import array_group, array_scene, corner_cut, landscape

GOLDEN = Path(__file__).parent / "golden"


@given(st.floats(1, 200))
def test_a_byte_holds_kappa_rounded_up(kappa: float) -> None:
    stated = decode_kappa(encode_kappa(kappa), "dct")
    assert kappa * 0.9999 <= stated <= kappa * 1.0219


@given(st.integers(1, 255))
def test_every_byte_is_its_own_kappa(code: int) -> None:
    assert encode_kappa(decode_kappa(code, "dct")) == code


def test_what_is_not_known_is_taken_from_the_codec() -> None:
    assert encode_kappa(math.nan) == encode_kappa(kappa_of(0, 0, 80)) == 0
    assert [decode_kappa(0, codec) for codec in ("dct", "jpeg2000", "learned")] == [1, 1.5, 3]
    assert encode_kappa(1e9) == 255


def test_kappa_of_errors_by_the_law_is_1() -> None:
    """Uniform errors of single coefficients, as the law supposes them: 64×64 means of 4096 pixels' noise."""
    step, side = 80.0, 64
    errors = np.random.default_rng(0).uniform(-step / 2, step / 2, (500, side * side)).mean(axis=1)
    assert kappa_of(float(np.square(errors).sum()), 500, step) == pytest.approx(1, rel=0.1)
    assert kappa_of(4 * float(np.square(errors).sum()), 500, step) == pytest.approx(2, rel=0.1)
    assert mean_error(side * side, step, 1) == pytest.approx(errors.std(), rel=0.1)


@pytest.mark.parametrize(
    ("side", "factor"), [(1, 1), (16, 1), (64, 3), (256, 9), (4096, 9), (32, math.sqrt(3))]
)
def test_kappa_has_a_part_in_means_of_more_than_16_pixels(side: int, factor: float) -> None:
    expected = factor * 80 / math.sqrt(12) / side
    assert mean_error(side * side, 80, 3) == pytest.approx(expected)


def test_masked_neighbours_add_an_error_that_no_number_of_pixels_averages_out() -> None:
    assert mean_error(1e12, 80, 1, near_mask=0.5) == pytest.approx(0.05 * 80 * 0.5)
    assert mean_error(64, 80, 1, near_mask=0.5) > mean_error(64, 80, 1)


def test_no_mean_is_less_certain_than_a_pixel() -> None:
    assert mean_error(1, 80, 1, rmse=5) == 5
    assert mean_error(1, 80, 1, 1, rmse=0) == 0
    assert math.isnan(mean_error(0, 80, 1))


@pytest.mark.parametrize("codec", ["dct", "jpeg2000"])
def test_a_writer_measures_kappa(tmp_path: Path, codec: str) -> None:
    values = landscape(3, 300, 520, seed=4)
    valid = corner_cut(values.shape)
    scene = array_scene(array_group(values, valid))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec=codec, step=200.0)) as archive:
        decoded = archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 300, 520))
        stated = archive.certainty["r10m"]
    squares = np.zeros(3)
    cells = np.zeros(3, int)
    for row in range(0, 256, 64):  # the lower row of blocks has no whole cell
        for col in range(0, 512, 64):
            cell = slice(None), slice(row, row + 64), slice(col, col + 64)
            whole = valid[cell].all(axis=(1, 2))
            means = (decoded[cell].astype(float) - values[cell]).mean(axis=(1, 2))
            squares += np.where(whole, means**2, 0)
            cells += whole
    worst = max(1, float(np.sqrt(squares / cells * 12).max()) * 64 / 200)
    assert worst * 0.9999 <= stated <= worst * 1.0219


@pytest.mark.parametrize(("codec", "expected"), [("dct", 1), ("jpeg2000", 1.5), ("learned", 3)])
def test_archives_of_version_1_have_that_of_their_codec(codec: str, expected: float) -> None:
    with open_archive(GOLDEN / f"{codec}_uint16_masked.zarr.zip") as archive:
        assert archive.certainty == {"r10m": expected, "r20m": expected}


@pytest.mark.parametrize("wrong", [[], [1, 2], [256], [-1], [1.5], [True], "AQ==", {"r10m": 1}])
def test_a_certainty_that_is_none_counts_as_unknown(tmp_path: Path, wrong: object) -> None:
    scene = array_scene(array_group(landscape(1, 64, 64)))
    path = compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=200.0)
    change_document(path, "zarr.json", put("attributes", "comeo", "certainty", value=wrong))
    with open_archive(path) as archive:
        assert np.isnan(archive.certainty["r10m"])
        assert archive.info()["groups"]["r10m"]["certainty"] is None
        assert "damaged certainty of means" in archive.damaged["certainty"]
