"""The benchmark of radar: what it measures at a ratio, and the peers that are its own."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("imageio_ffmpeg", reason="benchmarks need the extra `bench`")

from benchmarks import radar_rate
from benchmarks.radar_rate import Coded, Coder, Figures, Image, Method, Row, cell_means, multilook, ours
from comeo.quality.sar.figures import power_bias, window_rmse
from tests.comeo.codecs.blocks import backscatter


def test_cells_hold_the_mean_power_of_their_pixels() -> None:
    image = backscatter(2, 50, 70)
    found = cell_means(image, 8)
    assert found.shape == (2, 7, 9)
    power = 10 ** (image.astype(float) / 10)
    assert found[1, 2, 3] == pytest.approx(10 * math.log10(power[1, 16:24, 24:32].mean()), abs=1e-4)
    assert found[0, 6, 8] == pytest.approx(10 * math.log10(power[0, 48:, 64:].mean()), abs=1e-4)


def test_multilooked_pixels_keep_mean_power_and_cost_fewer_bytes_the_larger_they_are() -> None:
    image = backscatter(2, 128, 128)
    fine, coarse = multilook(image, -4), multilook(image, -8)
    assert coarse.size < fine.size / 2
    assert fine.decoded.shape == image.shape
    assert abs(power_bias(image[0], fine.corrected[0])) < 0.02
    own_cells = np.abs(cell_means(image, 8) - cell_means(coarse.decoded, 8)).max()
    assert own_cells <= 0.126  # an eighth of a decibel
    assert window_rmse(image[0], coarse.decoded[0]) > 2 * own_cells  # cells at other places fare worse


def test_ours_are_corrected_as_archives_are() -> None:
    image = backscatter(2, 512, 256)
    coded = ours("dct").run(image, -3.0)
    assert min(abs(power_bias(*pair)) for pair in zip(image, coded.decoded, strict=True)) > 0.1
    assert max(abs(power_bias(*pair)) for pair in zip(image, coded.corrected, strict=True)) < 0.08


@pytest.mark.parametrize("integer", [False, True])
def test_figures_are_those_at_just_the_ratio(integer: bool) -> None:
    image, tried = backscatter(2, 64, 64), []

    def run(image: Image, quality: float) -> Coded:
        tried.append(quality)
        noise = np.random.default_rng(1).normal(0, 1, image.shape).astype(np.float32)
        decoded = image + noise * np.float32(2.0 ** (-quality / 2))
        return Coded(round(100 * 2 ** (quality / 3)), decoded, decoded)

    coder = Coder(Method("made up", run, -10, 20, integer), image)
    for ratio in (40, 90):
        found = coder.at_ratio(ratio)
        assert found is not None
        quality = 3 * math.log2(2 * image.size / ratio / 100)
        assert found.rmse_vv == pytest.approx(2 ** (-quality / 2), rel=0.1)
    assert len(tried) == len(set(tried)) <= 22
    assert coder.at_ratio(100_000) is None


def test_tables_hold_means_and_the_greatest_bias(tmp_path: Path) -> None:
    rows = [
        Row("scenes", name, "learned", 100, Figures(*[30 + sign, *[sign * 0.25] * 11, math.nan]))
        for name, sign in (("one", 1.0), ("two", -1.0))
    ]
    text = radar_rate.table(rows, "scenes", 100)
    assert "| learned | 30.00 | 0.00/0.00 | +0.250/+0.250 |" in text
    assert text.endswith("| – |")
    radar_rate.write(rows, tmp_path)
    found = radar_rate.read_rows(tmp_path / "radar_rate.csv")
    assert [row[:4] for row in found] == [row[:4] for row in rows]
    assert found[1].figures.bias_vv == -0.25
