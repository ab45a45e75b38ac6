"""What coding takes from mean power is given back: bytes, planes, reductions of power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.codecs import get_codec
from comeo.codecs.base import reduce_mask
from comeo.codecs.correction import corner_line, correct, power_ratio, with_correction
from comeo.codecs.payload import CORRECTED, FINE_MEANS, MORE_FLAGS, read_header
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import CODECS, textured

CORNERS = np.array([[[0, 255], [50, 90]], [[70, 70], [70, 70]]], np.uint8)


def backscatter(bands: int, height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return textured(bands, height, width, seed, "float32", contrast=200)


def oracle(corners: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    """The plane between four corners, pixel by pixel, by the formula of the format."""
    decibels = corners / 100 - 0.5
    planes = np.zeros((len(corners), height, width))
    for band, row, col in np.ndindex(planes.shape):
        v, u = (row + 0.5) / height, (col + 0.5) / width
        upper = decibels[band, 0, 0] * (1 - u) + decibels[band, 0, 1] * u
        lower = decibels[band, 1, 0] * (1 - u) + decibels[band, 1, 1] * u
        planes[band, row, col] = upper * (1 - v) + lower * v
    return planes


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("masked", [False, True])
def test_a_corrected_payload_decodes_to_what_it_did_and_a_plane(name: str, masked: bool) -> None:
    codec, block = get_codec(name), backscatter(2, 37, 50)
    mask = np.random.default_rng(1).random(block.shape) < 0.8 if masked else None
    payload = codec.encode(block, step=2.0, mask=mask)
    corrected = with_correction(payload, CORNERS)
    longer = len(corrected) - len(payload)
    assert longer == 4 * len(block) + (0 if name == "dct" else 1)
    assert read_header(corrected)[0].flags & CORRECTED
    plain, found = codec.decode(payload), codec.decode(corrected)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(plain))
    np.testing.assert_allclose(found, plain + oracle(CORNERS, 37, 50), rtol=0, atol=4e-6)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_reductions_average_the_power_of_corrected_pixels(name: str, reduce: int) -> None:
    codec, block = get_codec(name), backscatter(2, 45, 51)
    mask = np.random.default_rng(2).random(block.shape) < 0.6
    payload = with_correction(codec.encode(block, step=2.0, mask=mask), CORNERS)
    whole, found = codec.decode(payload).astype(float), codec.decode(payload, reduce=reduce)
    size = 1 << reduce
    kept = reduce_mask(mask, reduce)
    assert found.shape == kept.shape
    for band, row, col in np.ndindex(found.shape):
        cell = whole[band, row * size : (row + 1) * size, col * size : (col + 1) * size]
        if kept[band, row, col]:
            mean = 10 * np.log10(np.nanmean(10 ** (cell / 10)))
            assert found[band, row, col] == pytest.approx(mean, abs=1e-4)
        else:
            assert np.isnan(found[band, row, col])


@pytest.mark.parametrize("name", CODECS)
def test_a_batch_may_mix_corrected_payloads_with_others(name: str) -> None:
    codec, block = get_codec(name), backscatter(2, 40, 40)
    plain = codec.encode(block, step=2.0)
    empty = with_correction(codec.encode(block, step=2.0, mask=np.zeros((40, 40), bool)), CORNERS)
    batch = [plain, with_correction(plain, CORNERS), empty, plain]
    for own, payload in zip(codec.decode_many(batch, reduce=1), batch, strict=True):
        np.testing.assert_array_equal(own, codec.decode(payload, reduce=1))
    assert np.isnan(codec.decode(empty)).all()


def test_power_ratios_are_what_the_correction_makes_good() -> None:
    rng = np.random.default_rng(4)
    codec, block = get_codec("dct"), backscatter(2, 96, 96, seed=3)
    block += rng.normal(0, 2, block.shape).astype(np.float32)
    valid = rng.random(block.shape) < 0.9
    decoded = codec.decode(codec.encode(block, step=8.0))
    ratio = power_ratio(block, decoded, valid)
    assert (ratio > 0.1).all()
    own = [10 ** (values.astype(float) / 10) for values in (block, decoded)]
    expected = [10 * np.log10(np.divide(*(each[band][valid[band]].sum() for each in own))) for band in (0, 1)]
    np.testing.assert_allclose(ratio, expected, atol=1e-5)
    assert not power_ratio(block, decoded, np.zeros(block.shape, bool)).any()


@given(st.integers(1, 2), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_corners_are_means_of_the_blocks_that_meet(rows: int, cols: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratios, counts = rng.uniform(-0.5, 2, (2, rows, cols)), rng.integers(0, 3, (2, rows, cols))
    codes = corner_line(ratios, counts)
    assert codes.shape == (2, cols + 1)
    for band, place in np.ndindex(codes.shape):
        near = [(row, col) for row in range(rows) for col in (place - 1, place) if 0 <= col < cols]
        weights = [counts[band, row, col] for row, col in near]
        values = [ratios[band, row, col] for row, col in near]
        mean = np.average(values, weights=weights) if sum(weights) else 0.0
        assert codes[band, place] / 100 - 0.5 == pytest.approx(mean, abs=0.00501)


def test_corrections_beyond_the_codes_are_cut_off() -> None:
    ratios = np.array([[[-3.0, 9.0]]])
    assert corner_line(ratios, np.array([[[1, 1]]])).tolist() == [[0, 255, 255]]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_planes_of_neighbours_meet_at_their_border(height: int, width: int, further: int, seed: int) -> None:
    """Along the border, half a pixel on either side, the step is that of one pixel."""
    corners = np.random.default_rng(seed).integers(0, 256, (1, 2, 3)).astype(np.uint8)
    left, right = np.zeros((1, height, width), np.float32), np.zeros((1, height, further), np.float32)
    correct(left, corners[:, :, :2])
    correct(right, corners[:, :, 1:])
    down = (np.arange(height) + 0.5) / height
    known = corners[0] / 100 - 0.5
    border = known[0, 1] + (known[1, 1] - known[0, 1]) * down
    for plane, side, width_of in (
        (left[0, :, -1], known[:, 0], width),
        (right[0, :, 0], known[:, 2], further),
    ):
        outer = side[0] + (side[1] - side[0]) * down
        np.testing.assert_allclose(plane, border + (outer - border) / (2 * width_of), atol=1e-5)


def test_what_cannot_be_corrected_is_refused() -> None:
    codec = get_codec("dct")
    floats = codec.encode(backscatter(2, 20, 20), step=2.0)
    cases = (
        (codec.encode(textured(2, 20, 20), step=50), CORNERS, "holds integers"),
        (with_correction(floats, CORNERS), CORNERS, "a correction already"),
        (floats, CORNERS[:1], r"uint8 \(2, 2, 2\)"),
        (floats, CORNERS.astype(int), "not int64"),
        (floats[:5], CORNERS, "cut short"),
    )
    for payload, corners, sentence in cases:
        with pytest.raises(CodecError, match=sentence):
            with_correction(payload, corners)


@pytest.mark.parametrize("name", CODECS)
def test_damaged_corrections_are_refused(name: str) -> None:
    codec = get_codec(name)
    payload = with_correction(codec.encode(backscatter(2, 20, 20), step=2.0), CORNERS)
    for end in range(13, 21):
        with pytest.raises(CodecError, match="correction"):
            codec.decode(payload[:end])
    integers = bytearray(payload)
    integers[2] &= ~1
    with pytest.raises(CodecError, match="integers"):
        codec.decode(bytes(integers))
    assert payload[2] & MORE_FLAGS
    foreign = bytearray(payload)
    foreign[12] |= FINE_MEANS >> 8
    if name != "dct":
        with pytest.raises(CodecError, match="unknown flags"):
            codec.decode(bytes(foreign))
