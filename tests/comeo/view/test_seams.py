"""Steps across the borders of blocks: shared out, the same whatever window is read, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.warp import transform
from scipy.ndimage import convolve1d

from comeo.archive import Level, reduced_size
from comeo.scene import Band, Window
from comeo.view import seams
from tests.comeo.view.exact import archived, reader_of
from tests.comeo.view.radar import radar_scene, speckled
from tests.scenes import array_group, array_scene, landscape

SIDE, BLOCK = 150, 64


def _level(height: int, width: int, block: int = BLOCK, step: float = 8.0) -> Level:
    return Level(
        "r10m", 0, height, width, Affine.identity(), block, (1, 1), 2, np.dtype(np.float32), step
    )  # fmt: skip


def _blocky(height: int, width: int, seed: int = 0, holes: float = 0.02) -> NDArray[np.float32]:
    """Smooth pixels whose blocks are off by up to 2 dB, some missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(-12, 0.5, (2, height, width))
    offsets = rng.uniform(-2, 2, (2, -(-height // BLOCK), -(-width // BLOCK)))
    values += offsets.repeat(BLOCK, 1).repeat(BLOCK, 2)[:, :height, :width]
    values[rng.random(values.shape) < holes] = np.nan
    return np.asarray(values, np.float32)


def _blended(values: NDArray[np.float32], level: Level, window: Window, reduce: int = 0) -> Any:
    """A window, cut out of blended pixels that are read as the reader does."""
    wide = seams.widened(level, window, reduce)
    read = values[:, *wide.slices].copy()
    seams.blend(read, level, wide, reduce)
    inner = Window(window.row - wide.row, window.col - wide.col, window.height, window.width)
    return read[:, *inner.slices]


def _reference(values: NDArray[np.float32], level: Level) -> NDArray[np.float64]:
    """The same by whole arrays in float64: steps less slopes, limited, smoothed along, halves given away."""
    out = values.astype(np.float64)
    kernel = np.exp(-0.5 * np.arange(-3, 4) ** 2)
    for axis in (2, 1):
        lines = np.moveaxis(out, axis, 0)
        for border in range(level.block, len(lines), level.block):
            left, right = lines[border - 1].copy(), lines[border].copy()
            last = np.full_like(left, np.nan) if border + 2 >= len(lines) else lines[border + 2]
            slopes = np.stack([(left - lines[border - 3]) / 2, (last - right) / 2])
            known = np.isfinite(slopes)
            slope = np.where(known, slopes, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            step = np.clip(right - left - slope, -0.4 * level.step, 0.4 * level.step)
            there = np.isfinite(step)
            weights = convolve1d(there.astype(float), kernel, axis=-1, mode="constant")
            total = convolve1d(np.where(there, step, 0), kernel, axis=-1, mode="constant")
            smooth = np.where(weights > 0, total / np.maximum(weights, 1e-12), 0)
            reach = seams.reach_of(level.step)
            for k, share in enumerate(0.5 - (np.arange(reach) + 0.5) / (2 * reach)):
                lines[border - 1 - k] += share * smooth
                if border + k < len(lines):
                    lines[border + k] -= share * smooth
    return out


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (64, 130), (65, 66), (1, 200), (200, 1)])
@pytest.mark.parametrize("step", [3.0, 8.0, 18.0])
def test_steps_are_shared_out_as_by_definition(shape: tuple[int, int], step: float) -> None:
    values, level = _blocky(*shape), _level(*shape, step=step)
    found = _blended(values, level, Window(0, 0, *shape))
    np.testing.assert_allclose(found, _reference(values, level), atol=2e-5)


def test_the_steps_of_blocks_become_as_small_as_those_inside() -> None:
    values = _blocky(512, 512, holes=0)
    found = _blended(values, _level(512, 512, step=16.0), Window(0, 0, 512, 512))
    for before, after in zip(values, found, strict=True):
        means = [plane.reshape(128, 4, 512).mean(axis=1) for plane in (before, after)]
        steps = [np.abs(np.diff(each, axis=1)) for each in means]
        borders = np.arange(1, 512) % BLOCK == 0
        ratios = [each[:, borders].mean() / each[:, ~borders].mean() for each in steps]
        assert ratios[0] > 4
        assert ratios[1] < 1.3


@given(
    st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), st.integers(1, 80), st.integers(1, 80)),
    st.integers(0, 2),
    st.sampled_from([8.0, 30.0]),
)
@settings(max_examples=200)
def test_a_window_holds_what_the_whole_does(
    place: tuple[int, int, int, int], reduce: int, step: float
) -> None:
    level = _level(SIDE, SIDE, step=step)
    height, width = reduced_size(level, reduce)
    row, col = min(place[0], height - 1), min(place[1], width - 1)
    window = Window(row, col, min(place[2], height - row), min(place[3], width - col))
    values = _blocky(height, width, seed=1)
    whole = _blended(values, level, Window(0, 0, height, width), reduce)
    np.testing.assert_array_equal(_blended(values, level, window, reduce), whole[:, *window.slices])


def test_a_coast_on_a_border_stays() -> None:
    """A step of 15 dB is no seam: at a step of quantisation of 1 dB, 0.4 dB of it count."""
    values = np.full((2, 64, 128), -5, np.float32)
    values[:, :, 64:] = -20
    found = _blended(values, _level(64, 128, step=1.0), Window(0, 0, 64, 128))
    assert np.abs(found - values).max() == pytest.approx(0.375 * 0.4, abs=1e-6)


def test_pixels_away_from_borders_and_missing_ones_are_as_decoded() -> None:
    values = _blocky(SIDE, SIDE)
    found = _blended(values, _level(SIDE, SIDE), Window(0, 0, SIDE, SIDE))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    place = np.arange(SIDE) % BLOCK
    away = (place >= 2) & (place < BLOCK - 2) | (np.arange(SIDE) < 2)
    np.testing.assert_array_equal(found[:, away][:, :, away], values[:, away][:, :, away])


def test_only_decibels_have_seams_and_only_as_far_as_they_reach() -> None:
    decibels, others = [Band("VV", unit="dB")], [Band("B04", unit="reflectance")]
    fine, coarse = _level(SIDE, SIDE), _level(SIDE, SIDE, step=18.0)
    assert [seams.reach_of(step) for step in (0.1, 8, 11, 14, 18, 24, 100)] == [2, 2, 3, 4, 5, 6, 6]
    assert [seams.has_seams(decibels, fine, reduce) for reduce in range(4)] == [True, True, False, False]
    assert [seams.has_seams(decibels, coarse, reduce) for reduce in range(4)] == [True, True, True, False]
    assert not seams.has_seams(others, coarse, 0)


def test_points_and_pictures_tell_one_truth() -> None:
    """At the corner of four blocks, of a scene read whole, pixel by pixel and as a single point."""
    reader = reader_of(archived(radar_scene(speckled(300, 300))))
    grid = reader.native_grid()
    whole = reader.read(grid, resampling="nearest").data
    for row, col in ((255, 255), (256, 254), (257, 256), (253, 258), (0, 256)):
        part = grid.part(Window(row, col, 1, 1))
        np.testing.assert_array_equal(reader.read(part).data[:, 0, 0], whole[:, row, col])
        lon, lat = _degrees(grid, row, col)
        np.testing.assert_array_equal(reader.point(lon, lat).data, whole[:, row, col])


def _degrees(grid: Any, row: int, col: int) -> tuple[float, float]:

    (lon,), (lat,) = transform(
        grid.crs, "EPSG:4326", *([each] for each in grid.transform @ (col + 0.5, row + 0.5))
    )
    return lon, lat


def test_a_budget_counts_the_blocks_behind_borders() -> None:
    archive = archived(radar_scene(speckled(512, 512)))
    grid = reader_of(archive).native_grid()
    for window, blocks in (
        (Window(100, 100, 9, 9), 1),
        (Window(100, 256, 9, 9), 2),
        (Window(250, 250, 2, 2), 4),
    ):
        reader = reader_of(archive)
        counted = reader.decoding(grid.part(window), ["VV"])
        archive.decoded.clear()
        reader.read(grid.part(window), ["VV"])
        assert len(counted) == len(archive.decoded) == blocks


def test_optical_pixels_are_as_decoded() -> None:
    values = landscape(2, 300, 300)
    reader = reader_of(archived(array_scene(array_group(values))))
    np.testing.assert_array_equal(reader.read(reader.native_grid()).data, values)
