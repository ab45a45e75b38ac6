from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.codecs.learned.layout import FIRST_LAYOUT
from training import pack
from training.crops import CropOptions, CropSampler, options_of, residual, stream


def test_a_seed_fixes_the_crops(small_pack: Path) -> None:
    images = pack.load(small_pack)
    first, again, other = (CropSampler(images, CropOptions(128, 3), seed).batch() for seed in (1, 1, 2))
    assert first.shape == (3, 4, 128, 128)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_components_are_decorrelated_centred_and_sorted(small_pack: Path) -> None:
    sampler = CropSampler(pack.load(small_pack), CropOptions(128, 8, natural=1.0, residual=0.0), 3)
    for crop in sampler.batch():
        flat = crop.reshape(4, -1).astype(float)
        covariance = flat @ flat.T / flat.shape[1]
        power = np.diag(covariance)
        assert np.abs(flat.mean(1)).max() < 0.05 * np.sqrt(power[0]) + 0.05
        assert np.abs(covariance - np.diag(power)).max() < 0.05 * power[0]
        assert power[0] == power.max()


def test_held_out_images_are_never_drawn(small_pack: Path) -> None:
    images = pack.load(small_pack)
    assert all(not image.entry.held_out for image in CropSampler(images, CropOptions(128, 1), 1).fine.images)
    with pytest.raises(ValueError, match="no image of the pack"):
        CropSampler([image for image in images if image.entry.held_out], CropOptions(128, 1), 1)


def test_chips_of_a_sheet_are_not_mixed(small_pack: Path) -> None:
    sheets = [image for image in pack.load(small_pack) if image.entry.chip]
    with pytest.raises(ValueError, match="no image of the pack"):
        CropSampler(sheets, CropOptions(256, 1), 1)
    sampler = CropSampler(sheets, CropOptions(128, 1), 1)
    chips = [np.sort(crop, axis=None) for image in sheets for crop in np.split(image.values[:4], 2, axis=2)]
    for _ in range(5):
        _, crop = sampler._pixels(sampler.fine)
        drawn = np.sort(crop[:4], axis=None)
        assert drawn.size % (128 * 128) == 0
        if drawn.size == chips[0].size:
            candidates = [image.values for image in sheets]
            assert any(np.isin(drawn, values).all() for values in candidates)


def test_the_stream_takes_turns(small_pack: Path) -> None:
    images = pack.load(small_pack)
    samplers = [CropSampler(images, CropOptions(side, 2), 1) for side in (128, 256)]
    batches = stream(samplers)
    assert [next(batches).shape[-1] for _ in range(4)] == [128, 256, 128, 256]


def test_a_residual_is_what_other_bands_do_not_tell(small_pack: Path) -> None:
    values = pack.load(small_pack)[0].values[:, :256, :256].astype(np.float32) / np.float32(200)
    left = residual(values, values[:1] * np.float32(2) + np.float32(5))  # but for what coding loses
    assert left.shape == (1, 128, 128)
    assert abs(left.mean()) < 1e-2
    assert left.std() < 0.2 * (2 * values[0]).std()
    unforeseen = np.random.default_rng(1).normal(0, 50, (1, 256, 256)).astype(np.float32)
    assert residual(values, unforeseen).std() > 0.98 * 50 / 2


def test_crops_of_twice_the_side_are_averaged() -> None:
    chess = np.where(np.indices((128, 128)).sum(0) % 2, 1000, 3000).astype(np.uint16)
    board = pack.Image(pack.Entry("board", first=1, chip=0, weight=1.0, held_out=False), chess[None])
    plain, halved = (
        CropSampler([board], CropOptions(64, 2, shrunk=share, residual=0.0), 5).batch()
        for share in (0.0, 1.0)
    )
    assert halved.shape == plain.shape
    assert np.abs(plain).max() > 0.1
    assert np.abs(halved).max() < 0.01 * np.abs(plain).max()


def _backscatter(hundredths: NDArray[np.uint16]) -> pack.Image:
    entry = pack.Entry("radar", first=len(hundredths), chip=0, weight=1.0, held_out=False, decibels=True)
    return pack.Image(entry, hundredths)


def test_crops_of_backscatter_are_averaged_in_power() -> None:
    left_bright = np.where(np.indices((128, 128))[1] < 64, 9000, 8000)
    chess = np.where(np.indices((128, 128)).sum(0) % 2, 1000, 0)  # 0 and +10 dB: 5.5 on average, +7.4 dB
    board = _backscatter(np.stack([left_bright + chess, left_bright + chess // 2]).astype(np.uint16))
    options = CropOptions(64, 1, lowest_step=100, highest_step=100, shrunk=1.0, stretch=0.0)
    sampler = CropSampler([board], options, 5)
    found = sampler._multilooked(board.values, 100.0)
    mean = 10 * np.log10(0.5 * (1 + 10.0 ** np.array([1.0, 0.5]))) - np.array([5.0, 2.5])
    np.testing.assert_allclose(found[:, :, :32].mean((1, 2)), mean + 5, atol=1e-3)
    np.testing.assert_allclose(found[:, :, 32:].mean((1, 2)), mean - 5, atol=1e-3)
    assert len(np.unique(sampler.batch()[0, 0].round(2))) == 2  # nothing is left of the chess board


def test_backscatter_gets_other_contrasts_and_no_gains_of_its_level() -> None:
    random = np.random.default_rng(3)
    image = _backscatter(np.clip(random.normal(9000, 200, (2, 128, 128)), 1, 20000).astype(np.uint16))
    sampler = CropSampler([image], CropOptions(128, 1), 7)
    spread = [
        sampler._stretched(image.values, 1.0).std((1, 2)) / image.values.std((1, 2)) for _ in range(300)
    ]
    logarithms = np.log(spread)
    np.testing.assert_allclose(logarithms.std(0), CropOptions(128, 1).stretch, rtol=0.15)
    assert abs(np.corrcoef(logarithms.T)[0, 1]) < 0.2  # each band has its own
    higher = _backscatter(image.values + np.uint16(600))
    again = CropSampler([higher], CropOptions(128, 1), 7)
    first = CropSampler([image], CropOptions(128, 1), 7)
    np.testing.assert_allclose(again.batch(), first.batch(), atol=0.02)  # 6 dB more are taken off again


def test_backscatter_has_steps_of_its_own(small_pack: Path) -> None:
    images = pack.load(small_pack)
    radar = [replace(each, entry=replace(each.entry, decibels=True)) for each in images]
    steps = [options_of(each, 128, 1, FIRST_LAYOUT).highest_step for each in (images, radar)]
    assert steps == [3000.0, 2000.0]
