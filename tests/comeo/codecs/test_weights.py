"""Bands that are coded more finely than others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.codecs import get_codec
from comeo.codecs.reduction import reduce_mean
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import CODECS, textured

_WEIGHTS_PLACE = 13  # behind the header and its further flags, where there is no bitmap


def band_rmse(decoded: np.ndarray, block: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.square(decoded.astype(float) - block).mean((1, 2))))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_weighted_band_has_less_error_than_the_others(codec: str, dtype: str) -> None:
    block = textured(4, 96, 80, seed=2, dtype=dtype)
    step = 150.0 if dtype == "uint16" else 1.5
    coder = get_codec(codec)
    plain = band_rmse(coder.decode(coder.encode(block, step=step)), block)
    decoded = coder.decode(coder.encode(block, step=step, weights=(16, 16, 48, 16)))
    error = band_rmse(decoded, block)
    assert decoded.dtype == block.dtype
    assert error[2] < 0.6 * plain[2]
    assert (error[[0, 1, 3]] < 1.5 * plain[[0, 1, 3]]).all()


@pytest.mark.parametrize("codec", CODECS)
def test_weights_go_with_masks_prediction_and_reduced_sizes(codec: str) -> None:
    block = textured(3, 64, 72, seed=4)
    block[0, 5, 5] = 65535
    mask = np.ones((64, 72), bool)
    mask[:8] = False
    reference = textured(4, 64, 72, seed=4).astype(np.float32)
    coder = get_codec(codec)
    payload = coder.encode(block, step=60, mask=mask, reference=reference, weights=(20, 32, 16))
    decoded = coder.decode(payload, reference=reference)
    assert (decoded[:, :8] == 0).all()
    assert decoded[0, 5, 5] == 0
    assert np.abs(decoded[:, 8:].astype(float) - block[:, 8:]).max() < 6 * 60
    half = coder.decode(payload, reduce=1, reference=reference)
    means = reduce_mean(decoded[:, 8:].astype(np.float32), 1)
    assert np.abs(half[:, 4:] - means).mean() < 0.25 * 60 / np.sqrt(12)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 255), min_size=1, max_size=5), st.integers(0, 99))
def test_the_error_follows_the_weights(weights: list[int], seed: int) -> None:
    block = textured(len(weights), 32, 32, seed=seed, dtype="float32")
    coder = get_codec("dct")
    decoded = coder.decode(coder.encode(block, step=0.01, weights=weights))
    assert (np.abs(decoded - block).max((1, 2)) < 0.1 * 16 / np.array(weights) + 2e-3).all()


@pytest.mark.parametrize("weights", [(16,), (16, 0), (16, 256), (16, 1.5), (16, 16, 16)])
def test_weights_that_cannot_be_are_refused(weights: tuple[int, ...]) -> None:
    with pytest.raises(CodecError, match="weights are 2 whole numbers from 1 to 255"):
        get_codec("dct").encode(textured(2, 16, 16), step=9, weights=weights)


def test_damaged_weights_are_refused() -> None:
    coder = get_codec("dct")
    payload = bytearray(coder.encode(textured(2, 16, 16), step=9, weights=(16, 32)))
    assert payload[_WEIGHTS_PLACE : _WEIGHTS_PLACE + 2] == bytes((16, 32))
    with pytest.raises(CodecError, match="weights of bands are damaged"):
        coder.decode(payload[: _WEIGHTS_PLACE + 1])
    payload[_WEIGHTS_PLACE + 1] = 0
    with pytest.raises(CodecError, match="weights of bands are damaged"):
        coder.decode(payload)


def test_a_block_without_pixels_needs_no_weights() -> None:
    coder = get_codec("dct")
    block, mask = textured(2, 16, 16), np.zeros((16, 16), bool)
    assert coder.encode(block, step=9, mask=mask, weights=(16, 32)) == coder.encode(block, step=9, mask=mask)
