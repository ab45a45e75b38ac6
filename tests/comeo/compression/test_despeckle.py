"""Lee's filter, against one made of SciPy's; that windows don't show; what archives say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from comeo.archive import open_archive
from comeo.archive.info import info
from comeo.compression import compress
from comeo.compression.despeckle import Lee, despeckled, lee, looks_of
from comeo.errors import SourceError
from comeo.scene import Scene, Window
from tests.scenes import array_group, array_scene, landscape
from tileserver.cli.main import cli

LOOKS = 4.4


def speckled(*shape: int, seed: int = 1, looks: float = LOOKS) -> NDArray[np.float64]:
    """Fields of even power, from −20 to −6 dB, under speckle."""
    random = np.random.default_rng(seed)
    fields = np.kron(random.uniform(-20, -6, (shape[-2] // 64 + 1, shape[-1] // 64 + 1)), np.ones((64, 64)))
    power = 10 ** (fields[: shape[-2], : shape[-1]] / 10)
    return np.asarray(power * random.gamma(looks, 1 / looks, shape))


def radar_scene(power: NDArray[np.float64], valid: NDArray[np.bool_] | None = None) -> Scene:
    decibels = (10 * np.log10(power)).astype(np.float32)
    if valid is not None:
        decibels[~valid] = np.nan
    names = ["VV", "VH"][: len(power)]
    return array_scene(array_group(decibels, valid, names=names))


def test_it_is_the_filter_of_scipys_means_away_from_points() -> None:
    power = speckled(120, 140)
    found = lee(power, np.ones(power.shape, bool), LOOKS)
    mean = uniform_filter(power, 7, mode="constant")[8:-8, 8:-8]
    variance = uniform_filter(power**2, 7, mode="constant")[8:-8, 8:-8] - mean**2
    weight = np.maximum(0, 1 - (1 / LOOKS) / (variance / mean**2))
    reference = mean + weight * (power[8:-8, 8:-8] - mean)
    around = 225 * uniform_filter(power, 15) - 9 * uniform_filter(power, 3)
    points = (power > 10**0.8 * around / 216)[8:-8, 8:-8]
    near_points = uniform_filter(points.astype(float), 7) > 0
    factor = found[8:-8, 8:-8][~near_points] / reference[~near_points]
    assert (~near_points).mean() > 0.5
    np.testing.assert_allclose(factor, factor[0], rtol=1e-9)  # one factor, which keeps the mean
    assert abs(10 * np.log10(factor[0])) < 0.1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 99), st.floats(0, 0.9), st.floats(1, 100))
def test_mean_power_stays_what_it_is(height: int, width: int, seed: int, holes: float, looks: float) -> None:
    random = np.random.default_rng(seed)
    power = 10 ** random.uniform(-3, 3, (height, width))
    valid = random.random((height, width)) >= holes
    power[~valid] = 0
    found = lee(power, valid, looks)
    assert np.isfinite(found).all()
    assert (found[valid] > 0).all()
    np.testing.assert_allclose(found[valid].sum(), power[valid].sum(), rtol=1e-9)


def test_points_stay_and_brighten_nobody() -> None:
    power = speckled(96, 96, looks=100)
    power[48, 48] = 5000 * power.max()
    found, without = lee(power, np.ones(power.shape, bool), 100), power.copy()
    assert found[48, 48] == power[48, 48]
    without[48, 48] = power[48, 47]
    plain = lee(without, np.ones(power.shape, bool), 100)
    beside = (slice(44, 53), slice(49, 53))
    assert np.abs(10 * np.log10(found[beside] / plain[beside])).max() < 0.5


def test_speckle_goes_and_edges_stay() -> None:
    looks, steps = 4.0, np.where(np.indices((1, 128, 128))[2] < 64, 0.01, 1.0)
    power = steps * np.random.default_rng(2).gamma(looks, 1 / looks, steps.shape)
    found = lee(power[0], np.ones((128, 128), bool), looks)
    inside = found[8:-8, 70:-8]
    assert inside.mean() ** 2 / inside.var() > 5 * looks
    assert found[8:-8, :61].max() < 0.1  # the bright side does not leak over three pixels


@pytest.mark.parametrize("looks", [1.0, 4.4, 20.0, 80.0])
def test_looks_are_measured_where_ground_is_even(looks: float) -> None:
    random = np.random.default_rng(5)
    even = random.gamma(looks, 1 / looks, (300, 16, 16))
    busy = random.gamma(looks, 1 / looks, (150, 16, 16)) * 10 ** random.normal(0, 0.5, (150, 16, 16))
    assert looks_of([even, busy]) == pytest.approx(looks, rel=0.12)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 299), st.integers(0, 339), st.integers(1, 300), st.integers(1, 340))
def test_pixels_are_the_same_in_every_window(row: int, col: int, height: int, width: int) -> None:
    power = speckled(2, 300, 340)
    valid = np.broadcast_to(np.add(*np.indices((300, 340))) > 150, power.shape)
    group = radar_scene(power, valid).groups[0]
    filter_ = Lee(group, (4.0, 5.0))
    whole = filter_.read(Window(0, 0, 300, 340))
    window = Window(row, col, min(height, 300 - row), min(width, 340 - col))
    part = filter_.read(window)
    np.testing.assert_array_equal(part.values, whole.values[:, *window.slices])
    np.testing.assert_array_equal(part.valid, valid[:, *window.slices])


def test_each_block_keeps_its_mean_power_and_its_invalid_pixels() -> None:
    power = speckled(2, 520, 300)
    valid = np.random.default_rng(1).random(power.shape) > 0.1
    scene = despeckled(radar_scene(power, valid), "lee")
    found = scene.groups[0].read(Window(0, 0, 520, 300))
    np.testing.assert_array_equal(np.isfinite(found.values), valid)
    for row in (0, 256, 512):
        for col in (0, 256):
            place = (slice(None), slice(row, row + 256), slice(col, col + 256))
            before = np.where(valid[place], power[place], 0).sum((1, 2))
            after = np.nansum(10 ** (found.values[place].astype(float) / 10), axis=(1, 2))
            assert np.abs(10 * np.log10(after / before)).max() < 0.01
    assert scene.properties["comeo:despeckle"]["looks"]["VV"] == pytest.approx(LOOKS, rel=0.15)


def test_an_archive_says_that_speckle_was_filtered(tmp_path: Path) -> None:
    scene, sizes = radar_scene(speckled(2, 256, 256)), {}
    for method in (None, "lee"):
        path = compress(scene, tmp_path / f"{method}.zarr.zip", codec="dct", step=1.5, despeckle=method)
        with open_archive(path) as archive:
            assert archive.despeckle == info(archive)["despeckle"] == method
            stated = archive.item["properties"].get("comeo:despeckle")
            assert (stated or {"filter": None})["filter"] == method
            sizes[method] = archive.archive_bytes
    assert sizes["lee"] < 0.7 * sizes[None]
    shown = CliRunner().invoke(cli, ["info", str(tmp_path / "lee.zarr.zip")])
    assert "despeckle     lee" in shown.output


def test_scenes_without_speckle_are_refused(tmp_path: Path) -> None:
    optical = array_scene(array_group(landscape(3, 64, 64)))
    with pytest.raises(SourceError, match=r"no band of radar backscatter in decibels.*leave despeckle"):
        compress(optical, tmp_path / "optical.zarr.zip", despeckle="lee")
    with pytest.raises(SourceError, match="despeckle is lee, or left out, not 'frost'"):
        compress(optical, tmp_path / "optical.zarr.zip", despeckle="frost")
    small = radar_scene(speckled(2, 15, 400))
    with pytest.raises(SourceError, match="nowhere 16 × 16 pixels of VV"):
        despeckled(small, "lee")
    assert list(tmp_path.iterdir()) == []
