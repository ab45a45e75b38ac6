from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import pack
from training.crops import CropOptions, CropSampler, stream


def test_a_seed_fixes_the_crops(small_pack: Path) -> None:
    images = pack.load(small_pack)
    first, again, other = (CropSampler(images, CropOptions(128, 3), seed).batch() for seed in (1, 1, 2))
    assert first.shape == (3, 4, 128, 128)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_components_are_decorrelated_centred_and_sorted(small_pack: Path) -> None:
    sampler = CropSampler(pack.load(small_pack), CropOptions(128, 8, natural=1.0), 3)
    for crop in sampler.batch():
        flat = crop.reshape(4, -1).astype(float)
        covariance = flat @ flat.T / flat.shape[1]
        power = np.diag(covariance)
        assert np.abs(flat.mean(1)).max() < 0.05 * np.sqrt(power[0]) + 0.05
        assert np.abs(covariance - np.diag(power)).max() < 0.05 * power[0]
        assert power[0] == power.max()


def test_held_out_images_are_never_drawn(small_pack: Path) -> None:
    images = pack.load(small_pack)
    assert all(not image.entry.held_out for image in CropSampler(images, CropOptions(128, 1), 1).images)
    with pytest.raises(ValueError, match="no image of the pack"):
        CropSampler([image for image in images if image.entry.held_out], CropOptions(128, 1), 1)


def test_chips_of_a_sheet_are_not_mixed(small_pack: Path) -> None:
    sheets = [image for image in pack.load(small_pack) if image.entry.chip]
    with pytest.raises(ValueError, match="no image of the pack"):
        CropSampler(sheets, CropOptions(256, 1), 1)
    sampler = CropSampler(sheets, CropOptions(128, 1), 1)
    chips = [np.sort(crop, axis=None) for image in sheets for crop in np.split(image.values[:4], 2, axis=2)]
    for _ in range(5):
        drawn = np.sort(sampler._pixels()[:4], axis=None)
        assert drawn.size % (128 * 128) == 0
        if drawn.size == chips[0].size:
            candidates = [image.values for image in sheets]
            assert any(np.isin(drawn, values).all() for values in candidates)


def test_the_stream_takes_turns(small_pack: Path) -> None:
    images = pack.load(small_pack)
    samplers = [CropSampler(images, CropOptions(side, 2), 1) for side in (128, 256)]
    batches = stream(samplers)
    assert [next(batches).shape[-1] for _ in range(4)] == [128, 256, 128, 256]
