"""Archives of backscatter keep its mean power, and state what they lost of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from comeo.archive import Archive, open_archive
from comeo.codecs import get_codec
from comeo.codecs.correction import CORNERS
from comeo.codecs.payload import parse
from comeo.compression import compress
from comeo.compression.choice import codec_for
from comeo.compression.plan import plan
from comeo.compression.pool import executor_of
from comeo.compression.pyramid import Overview
from comeo.compression.rate import RateModel
from comeo.progress import Silent
from comeo.scene import Band, BandGroup, Pixels, Scene, Window
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import array_group, array_scene, corner_cut, landscape
from tools.format_vectors import speckled

STEP = 9.0
HALF = Affine(20, 0, 472_480, 0, -20, 5_257_490)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    """Three rows of two blocks, of which a corner is cut off."""
    values = speckled(2, 600, 400, seed=21)
    values[:, 300:330, 100:130] += 15
    return Pixels(values, corner_cut(values.shape))


@pytest.fixture(scope="module")
def archive(pixels: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    scene = array_scene(array_group(*pixels, names=["VV", "VH"]))
    path = compress(scene, tmp_path_factory.mktemp("power") / "a.zarr.zip", codec="dct", step=STEP)
    with open_archive(path) as opened:
        yield opened


def whole(archive: Archive, group: str = "r10m") -> NDArray[np.float64]:
    level = archive.groups[group].levels[0]
    return archive.read(level, Window(0, 0, level.height, level.width)).astype(float)


def power(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(valid, 10 ** (np.where(valid, values, 0).astype(float) / 10), 0)


def cell_errors(found: NDArray[np.float64], pixels: Pixels, side: int) -> list[NDArray[np.float64]]:
    """Of each band the errors in dB of all whole cells, block by block."""
    errors: list[list[float]] = [[], []]
    both = power(found, pixels.valid), power(pixels.values, pixels.valid)
    for band, top, left in np.ndindex(2, 3, 2):
        height, width = min(256, 600 - 256 * top), min(256, 400 - 256 * left)
        for row, col in np.ndindex(height // side, width // side):
            start = 256 * top + side * row, 256 * left + side * col
            place = band, *(slice(first, first + side) for first in start)
            if pixels.valid[place].all():
                errors[band].append(10 * np.log10(both[0][place].sum() / both[1][place].sum()))
    return [np.array(own) for own in errors]


def test_mean_power_is_kept_and_stated(archive: Archive, pixels: Pixels) -> None:
    found = whole(archive)
    np.testing.assert_array_equal(np.isnan(found), ~pixels.valid)
    sums = [power(values, pixels.valid).sum(axis=(1, 2)) for values in (found, pixels.values)]
    bias = 10 * np.log10(sums[0] / sums[1])
    assert (np.abs(bias) < 0.01).all()
    assert archive.power is not None
    eights = cell_errors(found, pixels, 8)
    for band, name in enumerate(("VV", "VH")):
        stated = archive.power[name]
        assert stated.bias == pytest.approx(bias[band], abs=1e-5)
        assert stated.rmse_8 == pytest.approx(np.sqrt(np.mean(eights[band] ** 2)), rel=1e-3)
    assert archive.info()["power"]["VH"] == archive.power["VH"].model_dump()


def test_factors_of_means_are_of_mean_power(archive: Archive, pixels: Pixels) -> None:
    found = whole(archive)
    for size, side in enumerate((16, 64)):
        squares = [own**2 for own in cell_errors(found, pixels, side)]
        shared = np.concatenate(squares).mean()
        for band, own in enumerate(squares):
            mean = (own.sum() + 4 * shared) / (len(own) + 4)
            factor = np.sqrt(mean * 12) * side / STEP
            assert archive.means["r10m"][band][size] == pytest.approx(factor, rel=0.025)


def test_errors_are_those_of_corrected_pixels(archive: Archive, pixels: Pixels) -> None:
    error = np.where(pixels.valid, whole(archive) - pixels.values, 0)
    count = pixels.valid.sum(axis=(1, 2))
    assert archive.certificate is not None
    stated = archive.certificate.groups["r10m"]
    np.testing.assert_allclose(stated.rmse, np.sqrt((error**2).sum(axis=(1, 2)) / count), rtol=1e-3)
    np.testing.assert_allclose(stated.bias, error.sum(axis=(1, 2)) / count, rtol=1e-2)


def test_blocks_that_meet_share_their_corners(archive: Archive) -> None:
    level = archive.groups["r10m"].levels[0]
    corners = {}
    for place in np.ndindex(*level.grid):
        payload = archive.payload(level, *place)
        if payload is not None:
            correction = parse(payload, get_codec("dct").number).correction
            assert correction is not None
            corners[place] = correction[:, :CORNERS].reshape(2, 2, 2)
    assert len(corners) > 4
    seen = set()
    for (row, col), own in corners.items():
        seen.add(own.tobytes())
        if (row, col + 1) in corners:
            np.testing.assert_array_equal(own[:, :, 1], corners[row, col + 1][:, :, 0])
        if (row + 1, col) in corners:
            np.testing.assert_array_equal(own[:, 1], corners[row + 1, col][:, 0])
    assert len(seen) == len(corners)


def test_overviews_are_means_of_power(tmp_path: Path) -> None:
    values = speckled(1, 2100, 70, seed=22)
    scene = array_scene(array_group(values, np.ones(values.shape, bool), names=["VV"]))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=2.0)) as opened:
        level = opened.groups["r10m"].levels[1]
        assert level.number == 3
        found = opened.read(level, Window(0, 0, level.height, level.width)).astype(float)
    cells = (
        power(values, np.ones(values.shape, bool))[:, :2096, :64].reshape(1, 262, 8, 8, 8).mean(axis=(2, 4))
    )
    error = found[:, :262, :8] - 10 * np.log10(cells)
    assert np.sqrt(np.mean(error**2)) < 0.8  # of a step of 2
    assert abs(10 * np.log10(np.mean(10 ** (found[:, :262, :8] / 10)) / cells.mean())) < 0.05


def test_overviews_of_a_checkerboard_are_three_decibels_below_the_bright() -> None:
    board = np.where(np.indices((64, 64)).sum(0) % 2, 0, -20).astype(np.float32)[None]
    valid = np.ones(board.shape, bool)
    valid[0, :8, :8] = False
    valid[0, 8:16, :5] = False
    scene = array_scene(array_group(board, valid, names=["VV"]))
    level = replace(plan(scene, 1.0)[0].levels[0], number=3, height=8, width=8)
    overview = Overview(level, power=True)
    overview.add(Pixels(np.where(valid, board, np.nan), valid), 0, 0)
    assert not overview.valid[0, :2, 0].any()
    assert np.isfinite(overview.values).all()
    np.testing.assert_allclose(overview.values[overview.valid], -2.967, atol=1e-3)


@pytest.mark.parametrize("codec", ["dct", "jpeg2000", "learned"])
def test_rate_control_knows_of_corrections(codec: str, tmp_path: Path) -> None:
    scene = array_scene(array_group(speckled(2, 300, 300, seed=23), names=["VV", "VH"]))
    with executor_of(None) as executor:
        model = RateModel(scene, plan(scene, 1.0), codec_for(scene, codec), Silent(), executor)
        predicted = model.payload_bytes(STEP)
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec=codec, step=STEP)) as opened:
        level = opened.groups["r10m"].levels[0]
        payloads = [opened.payload(level, *place) for place in np.ndindex(*level.grid)]
    assert predicted == sum(len(payload) + 4 for payload in payloads if payload is not None)


def mixed() -> BandGroup:
    """Reflectance, and backscatter in hundredths of a decibel above −100."""
    values = landscape(3, 90, 80, seed=24)
    values[1:] = np.rint((np.clip(speckled(2, 90, 80, seed=24), -60, 20) + 100) * 100)
    group = array_group(values, corner_cut(values.shape), names=["B04", "VV", "VH"])
    radar = (Band(name, 0.01, -100.0, "dB") for name in ("VV", "VH"))
    return replace(group, bands=(group.bands[0], *radar))


def test_decibels_beside_other_bands_make_a_group_of_their_own(tmp_path: Path) -> None:
    group = mixed()
    given = group.read(Window(0, 0, 90, 80))
    with open_archive(compress(array_scene(group), tmp_path / "a.zarr.zip", codec="dct", step=1.0)) as opened:
        assert {name: [band.name for band in own.bands] for name, own in opened.groups.items()} == {
            "r10m": ["B04"],
            "r10m_db": ["VV", "VH"],
        }
        own = opened.groups["r10m_db"]
        assert own.dtype == np.float32
        assert {(band.scale, band.offset, band.unit) for band in own.bands} == {(1.0, 0.0, "dB")}
        found = whole(opened, "r10m_db")
        np.testing.assert_array_equal(np.isnan(found), ~given.valid[1:])
        error = (found - (given.values[1:] / 100 - 100))[given.valid[1:]]
        assert np.sqrt(np.mean(error**2)) < 0.4
        assert opened.power is not None
        assert set(opened.power) == {"VV", "VH"}
        assert opened.groups["r10m"].dtype == np.uint16


def test_decibels_are_not_predicted_nor_predicted_from() -> None:
    fine, coarse = speckled(1, 80, 80, seed=25), speckled(1, 40, 40, seed=25)
    for units in (("dB", "dB"), ("dB", ""), ("", "dB"), ("", "")):
        scene = array_scene(
            array_group(fine, names=["VV"], unit=units[0]),
            array_group(coarse, names=["VH"], transform=HALF, unit=units[1]),
        )
        predicted = plan(scene, 1.0)[1].levels[0].reference is not None
        assert predicted == (units == ("", ""))


def test_damaged_figures_of_power_are_told_and_pixels_read(archive: Archive, tmp_path: Path) -> None:
    cases = {
        "less": {"VV": {"bias": 0.0, "rmse_8": 0.1}},
        "negative": {name: {"bias": 0.0, "rmse_8": -0.1} for name in ("VV", "VH")},
        "text": "no figures",
    }
    assert archive.path is not None
    for name, figures in cases.items():
        place = tmp_path / f"{name}.zarr.zip"
        place.write_bytes(archive.path.read_bytes())
        change_document(place, "zarr.json", put("attributes", "comeo", "power", value=figures))
        with open_archive(place) as opened:
            assert opened.power is None
            assert "mean power" in opened.damaged["power"]
            np.testing.assert_array_equal(whole(opened), whole(archive))


def test_scenes_without_decibels_state_nothing_of_power(tmp_path: Path) -> None:
    scene: Scene = array_scene(array_group(landscape(1, 40, 40)))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=50)) as opened:
        assert opened.power is None
        assert opened.info()["power"] is None
        assert "power" not in opened.damaged
