"""Replicated bands come back to their native grid, without losing or moving a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.grid import Grid
from comeo.scene import Band, BandGroup, Scene, Window
from comeo.sources import open_source
from comeo.sources.raster import Plane, RasterBand
from comeo.sources.replica import candidates, find_axes, native_band
from tests.comeo.sources.conftest import north_up, write_tif


def array_band(values: np.ndarray, name: str = "B05", crs: str = "EPSG:3035") -> RasterBand:
    grid = Grid(rasterio.CRS.from_string(crs), north_up(origin=(5.0, 5.0)), *values.shape)

    def read(window: Window) -> Plane:
        part = values[window.slices]
        return Plane(part, part != 0)

    return RasterBand(Band(name), grid, values.dtype, True, read, Path("x.tif"))


def stretched(native: np.ndarray, factor: int, lead: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Native pixels repeated on a finer grid that begins within the first of them."""
    fine = native.repeat(factor, 0).repeat(factor, 1)
    return fine[lead[0] : lead[0] + shape[0], lead[1] : lead[1] + shape[1]]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_phase_and_size_comes_back_exactly(data: st.DataObject) -> None:
    factor = data.draw(st.sampled_from([2, 3, 6]))
    lead = data.draw(st.tuples(st.integers(0, factor - 1), st.integers(0, factor - 1)))
    shape = data.draw(st.tuples(st.integers(3 * factor, 40), st.integers(3 * factor, 40)))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    native = rng.permutation(60 * 60).reshape(60, 60).astype(np.uint16)  # no two alike
    fine = stretched(native, factor, lead, shape)
    band = array_band(fine)
    axes = find_axes(band, factor)
    assert axes is not None
    assert (axes[0].lead, axes[1].lead) == lead
    coarse = native_band(band, factor, *axes)
    height, width = coarse.grid.height, coarse.grid.width
    assert (height, width) == tuple(-(-(size + off) // factor) for size, off in zip(shape, lead, strict=True))
    back = coarse.read(Window(0, 0, height, width))
    assert np.array_equal(back.values, native[:height, :width])
    assert coarse.grid.transform.a == 10 * factor
    # A fine pixel's centre falls into the native pixel that it repeats.
    own, new = band.grid.transform, coarse.grid.transform
    row = ((np.arange(shape[0]) + 0.5) * own.e + own.f - new.f) / new.e
    col = ((np.arange(shape[1]) + 0.5) * own.a + own.c - new.c) / new.a
    assert np.array_equal(back.values[np.ix_(row.astype(int), col.astype(int))], fine)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_one_differing_pixel_is_enough_to_leave_a_band_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fine = stretched(rng.integers(1, 5000, (20, 20), dtype=np.uint16), 2, (0, 1), (37, 38))
    fine = fine.copy()
    fine[rng.integers(37), rng.integers(38)] ^= 8192
    axes = find_axes(array_band(fine), 2)
    if axes is not None:  # a lone row or column at the edge is a native one that is hidden in part
        coarse = native_band(array_band(fine), 2, *axes)
        back = coarse.read(Window(0, 0, coarse.grid.height, coarse.grid.width)).values
        assert np.array_equal(back[np.ix_(axes[0].cells, axes[1].cells)], fine)


def test_validity_counts_as_well() -> None:
    values = np.full((8, 8), 7, np.uint16)
    valid = np.ones((8, 8), bool)
    valid[3, 3] = False
    band = array_band(values)
    masked = RasterBand(
        band.band, band.grid, band.dtype, True, lambda w: Plane(values[w.slices], valid[w.slices]), band.path
    )
    assert find_axes(band, 2) is not None
    assert find_axes(masked, 2) is None


def test_floats_compare_by_their_bits() -> None:
    native = np.arange(1, 26, dtype=np.float32).reshape(5, 5) / 7
    native[2, 2] = np.nan
    axes = find_axes(array_band(stretched(native, 2, (1, 0), (9, 10))), 2)
    assert axes is not None
    assert (axes[0].lead, axes[1].lead) == (1, 0)


def test_a_band_without_detail_follows_the_known_grid() -> None:
    constant = np.full((11, 11), 3, np.uint16)
    band = array_band(constant, crs="EPSG:32632")
    moved = RasterBand(
        band.band,
        Grid(band.grid.crs, north_up(origin=(30.0, 5010.0)), 11, 11),
        band.dtype,
        True,
        band.read,
        band.path,
    )
    axes = find_axes(moved, 2)
    assert axes is not None
    assert (axes[0].lead, axes[1].lead) == (1, 1)


@given(size=st.integers(2, 200), factor=st.sampled_from([2, 3, 6]), aligned=st.none() | st.integers(0, 1))
def test_candidates_cover_every_pixel_in_order(size: int, factor: int, aligned: int | None) -> None:
    for axis in candidates(size, factor, aligned):
        assert axis.cells[0] == 0
        assert set(np.diff(axis.cells)) <= {0, 1}
        assert np.bincount(axis.cells).max() <= factor
        assert np.array_equal(axis.cells[axis.first], np.arange(axis.cells[-1] + 1))


def opened(path: Path, **options: bool) -> tuple[Scene, dict[str, BandGroup]]:
    scene = open_source(path, **options)  # type: ignore[arg-type]
    return scene, {group.name: group for group in scene.groups}


def test_a_mixed_file_becomes_groups_by_native_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    blue = rng.integers(1, 9000, (43, 31), dtype=np.uint16)
    edge = rng.integers(1, 9000, (22, 17), dtype=np.uint16)
    coast = rng.integers(1, 9000, (9, 7), dtype=np.uint16)
    values = np.stack(
        [
            blue,
            stretched(edge, 2, (1, 1), (43, 31)),
            stretched(coast, 6, (5, 3), (43, 31)),
            stretched(edge, 2, (1, 1), (43, 31))[::-1],  # phase 0: unlike B05's
        ]
    )
    path = write_tif(tmp_path / "S2_2020-01-01.tif", values, ["B02", "B05", "B01", "B11"], crs="EPSG:3035")
    scene, groups = opened(path)
    assert list(groups) == ["r10m", "r20m", "r60m"]
    assert [band.name for band in groups["r10m"].bands] == ["B02", "B11"]
    assert np.array_equal(groups["r20m"].read(Window(0, 0, 22, 16)).values[0], edge[:22, :16])
    assert np.array_equal(groups["r60m"].read(Window(0, 0, 8, 6)).values[0], coast[:8, :6])
    assert scene.raw_bytes == 2 * (2 * 43 * 31 + 22 * 16 + 8 * 6)
    left, top = groups["r10m"].transform.c, groups["r10m"].transform.f
    assert (groups["r20m"].transform.c, groups["r20m"].transform.f) == (left - 10, top + 10)
    assert (groups["r60m"].transform.c, groups["r60m"].transform.f) == (left - 30, top + 50)
    scene.close()
    _, groups = opened(path, native=False)
    assert list(groups) == ["r10m"]


def test_the_real_scene_comes_back_to_twenty_metres(
    shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = shared_data / "scenes" / "S2A_20190530_T32TMT_L2A_10bands.tif"
    scene, groups = opened(path)
    fine, coarse = groups["r10m"], groups["r20m"]
    assert [band.name for band in fine.bands] == ["B02", "B03", "B04", "B08"]
    assert [band.name for band in coarse.bands] == ["B05", "B06", "B07", "B8A", "B11", "B12"]
    assert (fine.height, fine.width) == (1100, 1103)
    assert (coarse.height, coarse.width) == (551, 552)
    assert (coarse.transform.c, coarse.transform.f) == (472480.0, 5257500.0)
    assert "had been stretched" in caplog.text
    with rasterio.open(path) as dataset:
        assert fine.transform == dataset.transform
        original = {name: dataset.read(index) for index, name in enumerate(dataset.descriptions, 1)}
    back = coarse.read(Window(0, 0, 551, 552)).values
    rows, cols = np.arange(1100) * 551 // 1100, np.arange(1103) // 2
    for index, band in enumerate(coarse.bands):
        assert np.array_equal(back[index][np.ix_(rows, cols)], original[band.name])
    # The file's own 10 m near infrared tells where the 20 m one belongs: nowhere else do they agree better.
    near = fine.read(Window(0, 0, 1100, 1103)).values[3].astype(float)
    narrow = back[3, 1:549, 1:549].astype(float)
    agreement = {}
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            part = near[1 + down : 1 + down + 1096, 2 + right : 2 + right + 1096]
            means = part.reshape(548, 2, 548, 2).mean(axis=(1, 3))
            agreement[down, right] = np.corrcoef(means.ravel(), narrow.ravel())[0, 1]
    assert max(agreement, key=lambda shift: agreement[shift]) == (0, 0)
    scene.close()
