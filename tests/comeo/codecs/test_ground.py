"""Blocks of which only the ground matters: what is weighed, and what that does to ground and clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from comeo.codecs import get_codec
from comeo.codecs.ground import CLOUD_WEIGHT, fitted_to, tile_shares
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import textured

WEIGHING = ("dct", "learned")


def cloudy(seed: int = 3, side: int = 192) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """A block with a bright cloud of another colour over some of it, and its ground, 3 pixels off it."""
    block = textured(4, side, side, seed, contrast=150)
    rows, cols = np.mgrid[:side, :side]
    distance = np.hypot(rows - 60, cols - 70)
    cloud = textured(1, side, side, seed + 1, contrast=500)[0].astype(float) * 1.5 + 3000
    gains = np.array([1.2, 1.1, 1.0, 0.9])[:, None, None]
    return np.where(distance > 50, block, np.clip(gains * cloud, 1, 60000)).astype(np.uint16), distance > 53


def rmse(decoded: NDArray[Any], block: NDArray[Any], where: NDArray[np.bool_]) -> float:
    return float(np.sqrt(np.square(decoded[:, where].astype(float) - block[:, where]).mean()))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1), st.floats(0, 0.02))
def test_a_tile_counts_in_full_if_any_of_it_is_ground(
    height: int, width: int, seed: int, share: float
) -> None:
    ground = np.random.default_rng(seed).random((height, width)) < share
    found = tile_shares(ground)
    assert found.shape == (-(-height // 16), -(-width // 16))
    for row in range(found.shape[0]):
        for col in range(found.shape[1]):
            any_of_it = ground[16 * row :, 16 * col :][:16, :16].any()
            assert found[row, col] == (1 if any_of_it else CLOUD_WEIGHT)


def test_transforms_may_be_fitted_to_ground_unless_there_is_too_little() -> None:
    ground = np.zeros((64, 64), bool)
    usable = np.ones((1, 64, 64), bool)
    usable[:, :8] = False
    assert fitted_to(ground, None) is None
    assert fitted_to(ground, usable) is usable
    ground[:16, :20] = True
    np.testing.assert_array_equal(fitted_to(ground, None), ground[None])
    assert fitted_to(ground, usable) is usable  # 160 pixels are both
    ground[:16] = True
    np.testing.assert_array_equal(fitted_to(ground, usable), usable & ground)


@pytest.mark.parametrize("name", WEIGHING)
@pytest.mark.parametrize("step", [40.0, 160.0])
def test_the_ground_is_kept_as_well_in_fewer_bytes(name: str, step: float) -> None:
    codec = get_codec(name)
    block, ground = cloudy()
    plain, weighed = (codec.encode(block, step=step, ground=given) for given in (None, ground))
    before, after = codec.decode_many([plain, weighed])
    assert len(weighed) < 0.99 * len(plain)
    assert rmse(after, block, ground) < 1.02 * rmse(before, block, ground)
    distance = distance_transform_edt(ground)
    for nearest, furthest, most in ((0, 2, 1.4), (2, 8, 1.05), (8, 300, 1.01)):
        ring = ground & (distance > nearest) & (distance <= furthest)
        assert rmse(after, block, ring) < most * rmse(before, block, ring)
    # clouds lose, and still are clouds
    assert 1.1 * rmse(before, block, ~ground) < rmse(after, block, ~ground) < 4 * step


@pytest.mark.parametrize("name", WEIGHING)
def test_means_of_ground_beside_a_cloud_are_as_near_the_truth(name: str) -> None:
    """No error of a cloud's mean is passed on to the ground beside it."""
    codec = get_codec(name)
    errors = {True: [], False: []}  # type: dict[bool, list[float]]
    for seed in range(4):
        block, ground = cloudy(seed)
        near = distance_transform_edt(ground)
        for weighed in errors:
            payload = codec.encode(block, step=100, ground=ground if weighed else None)
            off = (codec.decode(payload).astype(float) - block).reshape(4, 12, 16, 12, 16).mean(axis=(2, 4))
            cells = ground.reshape(12, 16, 12, 16).all(axis=(1, 3))
            cells &= near.reshape(12, 16, 12, 16).min(axis=(1, 3)) < 16
            errors[weighed] += np.square(off[:, cells]).ravel().tolist()
    assert np.sqrt(np.mean(errors[True])) < 1.1 * np.sqrt(np.mean(errors[False]))


@pytest.mark.parametrize("name", WEIGHING)
def test_a_block_that_is_all_ground_has_the_same_payload(name: str) -> None:
    codec = get_codec(name)
    block = textured(3, 70, 50)
    ground = np.ones((70, 50), bool)
    assert codec.encode(block, step=50, ground=ground) == codec.encode(block, step=50)


@pytest.mark.parametrize("name", WEIGHING)
@pytest.mark.parametrize("kind", ["all cloud", "masked", "predicted"])
def test_every_kind_of_block_round_trips(name: str, kind: str) -> None:
    codec = get_codec(name)
    block, ground = cloudy(side=128)
    mask = reference = None
    if kind == "all cloud":
        ground = np.zeros_like(ground)
    if kind == "masked":
        mask = np.ones_like(ground)
        mask[:, 90:] = False
    if kind == "predicted":
        reference = (block[:2] * np.float32(1.1) + 30).astype(np.float32)
    payload = codec.encode(block, step=60, mask=mask, reference=reference, ground=ground)
    decoded = codec.decode(payload, reference=reference)
    if mask is not None:
        assert not decoded[:, ~mask].any()
        assert decoded[:, mask].all()
    counted = ground if mask is None else ground & mask
    if counted.any():
        assert rmse(decoded, block, counted) < 60
    assert rmse(decoded, block, np.ones_like(ground) if mask is None else mask) < 240


def test_a_codec_that_cannot_weigh_says_which_can() -> None:
    block, ground = cloudy(side=64)
    with pytest.raises(CodecError, match="jpeg2000 codes clouds and ground alike; take learned or dct"):
        get_codec("jpeg2000").encode(block, step=50, ground=ground)


@pytest.mark.parametrize("ground", [np.ones((64, 63), bool), np.ones((64, 64)), [[True]]])
def test_what_is_no_ground_of_the_block_is_refused(ground: Any) -> None:
    with pytest.raises(CodecError, match=r"the ground is a NumPy array of bool \(64, 64\)"):
        get_codec("dct").encode(textured(1, 64, 64), step=50, ground=ground)
