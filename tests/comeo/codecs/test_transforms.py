"""Which spectral transform a block gets, and what it is fitted to."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from comeo.codecs import get_codec, spectral
from comeo.codecs.spectral import fit, fit_details
from comeo.errors import CodecError


def cloud_over_fields(side: int = 128, seed: int = 1) -> np.ndarray:
    """Details of one colour, and a large soft cloud of another that has most of the variance."""
    rng = np.random.default_rng(seed)
    fields = gaussian_filter(rng.normal(size=(side, side)), 1.5) * 2500
    row, column = np.indices((side, side)) / side
    cloud = 6000 * np.exp(-8 * ((row - 0.4) ** 2 + (column - 0.5) ** 2))
    of_fields, of_cloud = np.array([[0.2, 0.3, 0.5, 0.8], [1.0, 1.0, 1.0, 0.9]])[:, :, None, None]
    return np.asarray(3000 + of_fields * fields + of_cloud * cloud)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return abs(float(one @ other)) / float(np.linalg.norm(one) * np.linalg.norm(other))


def test_details_have_a_transform_of_their_own() -> None:
    block = cloud_over_fields().astype(np.float32)
    whole, details = fit(block).matrix[0], fit_details(block, 10.0).matrix[0]
    of_cloud, of_fields = np.array([1.0, 1.0, 1.0, 0.9]), np.array([0.2, 0.3, 0.5, 0.8])
    assert alike(whole, of_cloud) > 0.99 > alike(whole, of_fields)
    assert alike(details, of_fields) > 0.98 > alike(details, of_cloud)


def test_patches_count_alike_unless_they_are_below_the_step() -> None:
    """Faint details over three quarters of a block, strong ones of another colour in the rest."""
    rng = np.random.default_rng(3)
    faint, strong = np.array([1.0, 0.1, 0.1]), np.array([0.1, 0.1, 1.0])
    noise = rng.normal(size=(64, 64)).astype(np.float32)
    block = 20 * faint[:, None, None] * noise
    block[:, :, 48:] = 900 * strong[:, None, None] * noise[:, 48:]
    assert alike(fit_details(block, 1.0).matrix[0], faint) > 0.95
    assert alike(fit_details(block, 300.0).matrix[0], strong) > 0.95


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 13), st.integers(1, 40), st.integers(1, 40), st.floats(1e-6, 1e6), st.integers(0, 2**16)
)
def test_it_is_orthonormal_whatever_the_block(
    bands: int, height: int, width: int, step: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    block = (rng.normal(size=(bands, height, width)) * 10.0 ** rng.uniform(-3, 4)).astype(np.float32)
    valid = rng.random((1, height, width)) < 0.7
    matrix = fit_details(block, step, valid).matrix
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(bands), atol=1e-5)


def test_invalid_pixels_do_not_count() -> None:
    block = cloud_over_fields().astype(np.float32)
    valid = np.ones((1, 128, 128), bool)
    valid[:, 30:50, 60:90] = False
    other = np.where(valid, block, 60_000.0).astype(np.float32)
    one, two = (fit_details(values, 10.0, valid) for values in (block, other))
    np.testing.assert_array_equal(one.angles, two.angles)
    np.testing.assert_array_equal(one.mean, two.mean)


def test_patches_are_cut_as_a_loop_would() -> None:
    values = np.random.default_rng(1).normal(size=(3, 35, 20)).astype(np.float32)
    padded = np.zeros((3, 48, 32), np.float32)
    padded[:, :35, :20] = values
    wanted = [
        padded[:, y : y + 16, x : x + 16].reshape(3, -1) for y in range(0, 48, 16) for x in range(0, 32, 16)
    ]
    np.testing.assert_array_equal(spectral._patches(values), np.stack(wanted))


def test_learned_keeps_the_transform_that_costs_less(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="the learned codec needs the extra `cpu` or `gpu`")
    codec, step, block = get_codec("learned"), 100.0, cloud_over_fields().astype(np.uint16)
    module: Any = importlib.import_module("comeo.codecs.learned.codec")

    def cost() -> float:
        data = codec.encode(block, step=step)
        error = np.square(codec.decode(data).astype(float) - block).sum() / step**2
        return float(8 * len(data) + module.WORTH * error)

    both = cost()
    with monkeypatch.context() as patched:
        patched.setattr(module, "fit_details", lambda values, _, usable: fit(values, usable))
        whole = cost()
    with monkeypatch.context() as patched:
        patched.setattr(module, "fit", lambda values, usable: fit_details(values, step, usable))
        details = cost()
    assert both == min(whole, details) < 0.98 * max(whole, details)


def test_a_block_too_loud_for_one_transform_is_coded_with_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="the learned codec needs the extra `cpu` or `gpu`")
    module: Any = importlib.import_module("comeo.codecs.learned.codec")
    codec, block = module.LearnedCodec(), cloud_over_fields(64).astype(np.uint16)
    code = module.prepare
    refused: list[CodecError] = []

    def too_loud_the_first_time(*arguments: Any) -> Any:
        if len(refused) < most:
            refused.append(CodecError("too large"))
            raise refused[-1]
        return code(*arguments)

    monkeypatch.setattr(module, "prepare", too_loud_the_first_time)
    most = 1
    decoded = codec.decode(codec.encode(block, step=100.0))
    assert np.abs(decoded.astype(float) - block).max() < 600
    assert len(refused) == 1
    most = 3
    with pytest.raises(CodecError, match="too large"):
        codec.encode(block, step=100.0)
