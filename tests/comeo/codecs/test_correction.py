"""What coding takes from mean power is given back: bytes, planes, reductions of power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.codecs import get_codec
from comeo.codecs.correction import (
    corner_line,
    correct,
    correction_bytes,
    correction_of,
    power_ratio,
    with_correction,
)
from comeo.codecs.payload import CORRECTED, FINE_MEANS, MORE_FLAGS, read_header
from comeo.codecs.reduction import reduce_mask
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import CODECS, textured

CORRECTION = np.array([[0, 255, 50, 90, 107, 255], [70, 70, 70, 70, 104, 0]], np.uint8)


def backscatter(bands: int, height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return textured(bands, height, width, seed, "float32", contrast=200)


def oracle(values: NDArray[np.float32], correction: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Values (bands, y, x) with a correction, pixel by pixel, by the formula of the format."""
    bands, height, width = values.shape
    found = np.zeros(values.shape)
    for band, row, col in np.ndindex(bands, height, width):
        corners = (correction[band, :4].astype(float) - 50) / 100
        level, gain = (correction[band, 4] - 128.0) / 2, (correction[band, 5] - 64.0) / 256
        v, u = (row + 0.5) / height, (col + 0.5) / width
        upper = corners[0] * (1 - u) + corners[1] * u
        lower = corners[2] * (1 - u) + corners[3] * u
        value = float(values[band, row, col])
        found[band, row, col] = value + upper * (1 - v) + lower * v + gain * max(0.0, value - level)
    return found


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("masked", [False, True])
def test_a_corrected_payload_decodes_to_what_it_did_and_its_correction(name: str, masked: bool) -> None:
    codec, block = get_codec(name), backscatter(2, 37, 50)
    mask = np.random.default_rng(1).random(block.shape) < 0.8 if masked else None
    payload = codec.encode(block, step=2.0, mask=mask)
    corrected = with_correction(payload, CORRECTION)
    longer = len(corrected) - len(payload)
    assert longer == correction_bytes(payload) == 6 * len(block) + (0 if name == "dct" else 1)
    assert read_header(corrected)[0].flags & CORRECTED
    plain, found = codec.decode(payload), codec.decode(corrected)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(plain))
    np.testing.assert_allclose(found, oracle(plain, CORRECTION), rtol=0, atol=4e-6)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_reductions_average_the_power_of_corrected_pixels(name: str, reduce: int) -> None:
    codec, block = get_codec(name), backscatter(2, 45, 51)
    mask = np.random.default_rng(2).random(block.shape) < 0.6
    payload = with_correction(codec.encode(block, step=2.0, mask=mask), CORRECTION)
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
    empty = with_correction(codec.encode(block, step=2.0, mask=np.zeros((40, 40), bool)), CORRECTION)
    batch = [plain, with_correction(plain, CORRECTION), empty, plain]
    for own, payload in zip(codec.decode_many(batch, reduce=1), batch, strict=True):
        np.testing.assert_array_equal(own, codec.decode(payload, reduce=1))
    assert np.isnan(codec.decode(empty)).all()


def test_ratios_of_even_ground_are_medians_of_cells() -> None:
    rng = np.random.default_rng(4)
    block = backscatter(2, 70, 96, seed=3) + rng.normal(0, 2, (2, 70, 96)).astype(np.float32)
    valid = np.ones(block.shape, bool)
    valid[0, 3, 40:] = False
    decoded = block - rng.uniform(0, 1, block.shape).astype(np.float32)
    for band, ratio in enumerate(power_ratio(block, decoded, valid)):
        cells = []
        for top, left in np.ndindex(4, 6):
            place = band, slice(16 * top, 16 * top + 16), slice(16 * left, 16 * left + 16)
            if valid[place].all():
                power = [np.mean(10 ** (values[place].astype(float) / 10)) for values in (block, decoded)]
                cells.append(power[0] / power[1])
        assert len(cells) in (24, 20)
        assert ratio == pytest.approx(10 * np.log10(np.median(cells)), abs=1e-5)


def test_ratios_of_blocks_without_a_cell_are_those_of_all_pixels() -> None:
    block = backscatter(2, 12, 40)
    valid = np.random.default_rng(5).random(block.shape) < 0.5
    valid[1] = False
    np.testing.assert_allclose(power_ratio(block, block - np.float32(0.3), valid), [0.3, 0], atol=1e-5)


@pytest.mark.parametrize("bright", [0, 30])
def test_mean_power_is_exact_and_calm_water_keeps_its_level(bright: int) -> None:
    """Dark water beside towns, of which coding loses the peaks; or without any."""
    rng = np.random.default_rng(6)
    truth = np.full((1, 256, 256), -21, np.float32)
    truth[:, 180:] = -11
    block = truth + 10 * np.log10(rng.gamma(5, 1 / 5, truth.shape)).astype(np.float32)
    for row, col in rng.integers(0, 60, (bright, 2)):
        block[0, 180 + row, col] += 22
    codec, valid = get_codec("dct"), np.ones(block.shape, bool)
    payload = codec.encode(block, step=11.0)
    decoded = codec.decode(payload)
    line = corner_line(
        power_ratio(block, decoded, valid)[:, None, None], valid.sum(axis=(1, 2))[:, None, None]
    )
    correction = correction_of(block, decoded, valid, np.hstack([line, line]))
    found = codec.decode(with_correction(payload, correction))

    def power(values: NDArray[np.float32]) -> float:
        return 10 * float(np.log10(np.mean(10 ** (values.astype(float) / 10))))

    assert power(decoded) < power(block) - 0.1
    assert power(found) == pytest.approx(power(block), abs=0.02)
    water = (slice(None), slice(0, 170))
    assert power(found[water]) == pytest.approx(power(block[water]), abs=0.05)


@given(st.floats(-60, 20), st.floats(-2, 2))
def test_gains_stay_within_their_bytes(level: float, lost: float) -> None:
    block = np.linspace(level, level + 12, 800, dtype=np.float32).reshape(1, 20, 40)
    decoded, valid = block - np.float32(lost), np.ones(block.shape, bool)
    found = correction_of(block, decoded, valid, np.full((1, 4), 50, np.uint8))
    planed = decoded.copy()
    correct(planed, found)
    before, after = (
        abs(np.mean(10 ** (each.astype(float) / 10)) / np.mean(10 ** (block.astype(float) / 10)) - 1)
        for each in (decoded, planed)
    )
    assert after <= before + 1e-6


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
    for values, part in ((left, corners[:, :, :2]), (right, corners[:, :, 1:])):
        correct(values, np.hstack([part.reshape(1, 4), np.array([[255, 255]], np.uint8)]))
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
        (codec.encode(textured(2, 20, 20), step=50), CORRECTION, "holds integers"),
        (with_correction(floats, CORRECTION), CORRECTION, "a correction already"),
        (floats, CORRECTION[:1], r"uint8 \(2, 6\)"),
        (floats, CORRECTION.astype(int), "not int64"),
        (floats[:5], CORRECTION, "cut short"),
    )
    for payload, corners, sentence in cases:
        with pytest.raises(CodecError, match=sentence):
            with_correction(payload, corners)


@pytest.mark.parametrize("name", CODECS)
def test_damaged_corrections_are_refused(name: str) -> None:
    codec = get_codec(name)
    payload = with_correction(codec.encode(backscatter(2, 20, 20), step=2.0), CORRECTION)
    for end in range(13, 25):
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
