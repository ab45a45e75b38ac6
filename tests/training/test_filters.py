"""Fitting the classified filter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from comeo.codecs.learned import Model
from comeo.codecs.learned.features import UNIT
from comeo.codecs.learned.filter import Filter
from comeo.codecs.learned.model import DEFAULT, models
from training import filters
from training.crops import CropOptions, CropSampler
from training.pack import Image, load

STEP = 300.0


@pytest.fixture(scope="module")
def images(small_pack: Path) -> list[Image]:
    return load(small_pack)


@pytest.fixture(scope="module")
def fitted(images: list[Image]) -> Filter:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filters, "_SIDES", ((64, 24),))
        return filters.fit(models()[DEFAULT], images, batches=3)


@pytest.fixture(scope="module")
def decoded(images: list[Image]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Other crops, and what decoding loses of them, in steps."""
    options = CropOptions(64, 24, lowest_step=STEP, highest_step=STEP)
    return [
        (crop, filters._lost(models()[DEFAULT], crop))
        for crop in CropSampler(images, options, seed=99).batch()
    ]


def filtered(chosen: Filter, crop: np.ndarray, lost: np.ndarray) -> np.ndarray:
    components = np.asarray(UNIT * (crop - lost), np.float32)
    chosen.apply(components)
    return np.asarray(components / UNIT)


def test_a_fitted_filter_takes_error_off_other_crops(
    fitted: Filter, decoded: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    before = sum(float(np.square(lost).sum()) for _, lost in decoded)
    after = sum(float(np.square(crop - filtered(fitted, crop, lost)).sum()) for crop, lost in decoded)
    assert after < 0.985 * before
    assert np.abs(fitted.taps).max() < 127, "taps are cut off"


@pytest.mark.parametrize("side", [2, 4, 8, 16])
def test_means_stay_within_a_quarter_of_their_error(
    fitted: Filter, decoded: list[tuple[np.ndarray, np.ndarray]], side: int
) -> None:
    """A reduced read isn't filtered: it may differ from the means of a full one by no more than that."""
    moved = np.concatenate([filtered(fitted, crop, lost) - (crop - lost) for crop, lost in decoded])
    means = moved.reshape(len(moved), 64 // side, side, 64 // side, side).mean((2, 4))
    stated = 1 / (np.sqrt(12) * side)  # of a step
    assert np.sqrt(np.square(means).mean()) < stated / 4


def test_a_model_file_gets_a_filter(fitted: Filter) -> None:
    shipped = models()[DEFAULT]
    written = filters.with_filter(shipped.content, fitted)
    read = Model("filtered", written)
    assert read.filter is not None
    assert read.filter.facts == fitted.facts
    np.testing.assert_array_equal(read.filter.taps, fitted.taps)
    assert read.graphs() == shipped.graphs()
    assert filters.with_filter(written, fitted) == written, "its bytes depend on its contents alone"


def test_the_command_replaces_a_model_file(
    small_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(models()[DEFAULT].content)
    monkeypatch.setattr(filters, "_SIDES", ((64, 1),))
    monkeypatch.setattr("sys.argv", ["filters", str(path), "--pack", str(small_pack), "--batches", "1"])
    filters.main()
    model = Model("filtered", path.read_bytes())
    assert model.filter is not None
    assert model.digest in capsys.readouterr().out
    assert [each.name for each in tmp_path.iterdir()] == ["model.zip"]
