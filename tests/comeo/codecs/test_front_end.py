"""Masks, filling and the spectral transform."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.codecs import payload as pl
from comeo.codecs.fill import fill_invalid
from comeo.codecs.reduction import reduce_mask, reduce_mean
from comeo.codecs.spectral import SpectralTransform, fit
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import textured


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.02, 0.5, 1.0]),
)
def test_masks_survive_the_payload(height: int, width: int, planes: int, seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    valid = rng.random((planes, height, width)) < density
    saturated = rng.random((4, height, width)) < density
    flags = pl.HAS_INVALID | pl.HAS_SATURATED | (pl.PER_BAND_MASK if planes == 4 else 0)
    valid = valid if planes == 4 else valid[:1]
    header = pl.Header(1, flags, 4, height, width, 2.5)
    parsed = pl.parse(pl.pack(header, valid, saturated, b"body"), 1)
    assert parsed.header == header
    assert parsed.valid is not None
    assert parsed.saturated is not None
    np.testing.assert_array_equal(parsed.valid, valid)
    np.testing.assert_array_equal(parsed.saturated, saturated)
    assert bytes(parsed.body) == b"body"


def test_a_slanted_edge_costs_few_bytes() -> None:
    valid = (np.indices((256, 256)).sum(axis=0) * 0.7 > 100)[None]
    header = pl.Header(1, pl.HAS_INVALID, 4, 256, 256, 2.5)
    assert len(pl.pack(header, valid, None, b"")) < 300


@pytest.mark.parametrize("value", [0, 127, 128, 2**31])
def test_varints(value: int) -> None:
    read, rest = pl.read_varint(memoryview(pl.write_varint(value) + b"x"))
    assert (read, bytes(rest)) == (value, b"x")
    with pytest.raises(CodecError, match="cut short"):
        pl.read_varint(memoryview(b"\xff\xff"))


def test_filling_keeps_valid_pixels_and_stays_within_their_range() -> None:
    values = textured(3, 61, 90).astype(np.float32)
    valid = np.random.default_rng(0).random(values.shape) < 0.3
    valid[0, 10:50, 20:80] = False
    valid[2] = False
    filled = fill_invalid(np.where(valid, values, np.float32(np.nan)), valid)
    np.testing.assert_array_equal(filled[valid], values[valid])
    for band in range(2):
        known = values[band][valid[band]]
        assert known.min() - 1e-2 <= filled[band].min()
        assert filled[band].max() <= known.max() + 1e-2
    assert not filled[2].any()


def test_filling_is_smooth() -> None:
    """Next to the border the fill meets the valid pixels, and inside it has no texture to pay for."""
    values = textured(1, 128, 128, contrast=900).astype(np.float32)
    valid = np.ones(values.shape, bool)
    valid[:, :, 64:] = False
    filled = fill_invalid(values, valid)
    step_at_border = np.abs(filled[0, :, 64] - filled[0, :, 63]).mean()
    assert step_at_border < 2 * np.abs(np.diff(values[0, :, :64], axis=1)).mean()
    assert np.abs(np.diff(filled[0, :, 90:], axis=1)).mean() < 0.1 * np.abs(np.diff(values[0])).mean()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 14), st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000))
def test_spectral_transform_is_orthonormal_and_survives_its_bytes(
    bands: int, height: int, width: int, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(3000, 500, (bands, height, width)).astype(np.float32)
    transform = fit(values)
    restored, rest = SpectralTransform.from_bytes(memoryview(transform.to_bytes() + b"rest"), bands)
    assert bytes(rest) == b"rest"
    np.testing.assert_allclose(restored.matrix @ restored.matrix.T, np.eye(bands), atol=1e-5)
    np.testing.assert_array_equal(restored.matrix, transform.matrix)
    np.testing.assert_allclose(restored.inverse(transform.forward(values)), values, atol=0.02)


@pytest.mark.parametrize("bands", [2, 4, 12])
def test_spectral_transform_decorrelates_almost_as_an_exact_one(bands: int) -> None:
    values = textured(bands, 128, 128, contrast=1500).astype(np.float32)
    components = fit(values).forward(values).reshape(bands, -1)
    variances = np.square(components).mean(axis=1)
    exact = np.linalg.eigvalsh(np.cov(values.reshape(bands, -1), bias=True))[::-1]
    assert (variances[:-1] >= variances[1:] * 0.98).all()
    # Bits a sample that rounded angles cost at high rate; the pixels' own rounding is a twelfth.
    loss = 0.5 * np.log2((variances + 1 / 12) / (exact + 1 / 12)).mean()
    assert loss < 0.15


def test_spectral_transform_fits_valid_pixels_only() -> None:
    values = textured(3, 64, 64).astype(np.float32)
    valid = np.ones((1, 64, 64), bool)
    valid[:, :20] = False
    spoiled = np.where(valid, values, 60_000).astype(np.float32)
    assert fit(spoiled, valid).to_bytes() == fit(values[:, 20:]).to_bytes()


def test_damaged_spectral_transforms_are_refused() -> None:
    data = fit(textured(3, 8, 8).astype(np.float32)).to_bytes()
    with pytest.raises(CodecError, match="cut short"):
        SpectralTransform.from_bytes(memoryview(data[:-1]), 3)
    with pytest.raises(CodecError, match="not a number"):
        SpectralTransform.from_bytes(memoryview(b"\x00\x7e" + data[2:]), 3)


@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_reduced_means_and_masks(reduce: int) -> None:
    values = textured(2, 21, 35, dtype="float32")
    factor = 1 << reduce
    reduced = reduce_mean(values, reduce)
    assert reduced.dtype == np.float32
    for y in range(reduced.shape[1]):
        for x in range(reduced.shape[2]):
            cell = values[:, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
            np.testing.assert_allclose(reduced[:, y, x], cell.mean(axis=(1, 2)), rtol=1e-5)
    mask = values > values.mean()
    np.testing.assert_array_equal(
        reduce_mask(mask, reduce), reduce_mean(mask.astype(np.float32), reduce) >= 0.5
    )
