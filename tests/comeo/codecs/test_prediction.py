"""Blocks predicted from a finer group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from comeo.codecs import get_codec
from comeo.codecs import payload as pl
from comeo.codecs.payload import is_predicted
from comeo.codecs.prediction import KINDS, Predictor, features, fit
from comeo.codecs.reduction import reduce_mean
from comeo.codecs.spectral import MAX_MEAN
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import CODECS, textured

STEP = 60.0


def pair(
    height: int = 96, width: int = 80, dtype: str = "uint16"
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """A block of three bands and a reference of two, mixtures of the same five."""
    bands = textured(5, height, width, dtype=dtype).astype(np.float32)
    rng = np.random.default_rng(3)
    sharp = bands[:2] + rng.normal(size=(2, height, width)).astype(np.float32)
    mixed = 0.4 * bands[:1] + 0.3 * bands[1:2] + 0.3 * bands[2:]
    smooth = np.stack([uniform_filter(band, 3, mode="nearest") for band in mixed])
    return smooth.astype(dtype), sharp.astype(np.float32)


def rmse(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.sqrt(np.square(a.astype(float) - b).mean()))


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("name", CODECS)
def test_prediction_saves_bytes_at_the_same_error(name: str, dtype: str) -> None:
    block, reference = pair(dtype=dtype)
    codec, step = get_codec(name), STEP if dtype == "uint16" else STEP / 100
    alone, predicted = codec.encode(block, step=step), codec.encode(block, step=step, reference=reference)
    assert is_predicted(predicted)
    assert not is_predicted(alone)
    assert len(predicted) < 0.8 * len(alone)
    decoded = codec.decode(predicted, reference=reference)
    assert decoded.dtype == block.dtype
    assert rmse(decoded, block) < 1.1 * rmse(codec.decode(alone), block)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_a_reduced_read_adds_the_mean_of_the_prediction(name: str, reduce: int) -> None:
    """What is left decodes as ever, and the mean of the prediction is added, whatever the reduction."""
    block, reference = pair(96, 96, "float32")
    codec, step = get_codec(name), STEP / 100
    payload = codec.encode(block, step=step, reference=reference)
    predictor, _ = Predictor.from_bytes(pl.parse(payload, codec.number).body, 3)
    predicted = predictor.predict(reference)
    left = codec.encode(block - predicted, step=step)
    reduced = codec.decode(left, reduce=reduce) + reduce_mean(predicted, reduce)
    np.testing.assert_allclose(codec.decode(payload, reduce=reduce, reference=reference), reduced, atol=1e-4)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_a_reduced_read_is_nearly_the_mean_of_the_full_one(name: str, reduce: int) -> None:
    """Within a quarter of what means of so many pixels are certain to: step / (√12 · side).

    An eighth of `jpeg2000` leaves out a level of the wavelet, which moves it by a sixteenth of its pixels:
    off by 28 here without prediction. With it only what is left is moved.
    """
    block, reference = pair(96, 96)
    codec = get_codec(name)

    def off(reference: NDArray[np.float32] | None) -> float:
        payload = codec.encode(block, step=STEP, reference=reference)
        full = codec.decode(payload, reference=reference).astype(np.float32)
        return rmse(codec.decode(payload, reduce=reduce, reference=reference), reduce_mean(full, reduce))

    if (name, reduce) == ("jpeg2000", 3):
        assert off(reference) < 0.2 * off(None)
    else:
        assert off(reference) < max(STEP / np.sqrt(12) / 2**reduce / 4, 0.5)


def test_masks_and_saturation_are_exact_and_odd_references_do_no_harm() -> None:
    block, reference = pair()
    rng = np.random.default_rng(0)
    valid = rng.random(block.shape) < 0.9
    valid[:, :20, :20] = False
    block[1, 50:60] = pl.SATURATED
    reference[0, 30:70, 10:50] = np.nan
    codec = get_codec("dct")
    payload = codec.encode(block, step=STEP, mask=valid, reference=reference)
    assert is_predicted(payload)
    decoded = codec.decode(payload, reference=reference)
    np.testing.assert_array_equal(decoded == 0, ~valid)
    np.testing.assert_array_equal(decoded == pl.SATURATED, (block == pl.SATURATED) & valid)
    plain = valid & (block != pl.SATURATED)
    assert rmse(decoded[plain], block[plain]) < STEP


@pytest.mark.parametrize("kind", ["noise", "nothing", "flat"])
def test_a_reference_that_does_not_help_is_left_alone(kind: str) -> None:
    block, reference = pair()
    rng = np.random.default_rng(1)
    other = {
        "noise": rng.normal(2000, 300, reference.shape),
        "nothing": np.full(reference.shape, np.nan),
        "flat": np.full(reference.shape, 1000.0),
    }[kind].astype(np.float32)
    codec = get_codec("dct")
    assert codec.encode(block, step=STEP, reference=other) == codec.encode(block, step=STEP)


def test_a_batch_may_mix_predicted_blocks_and_others() -> None:
    codec = get_codec("dct")
    shapes = [(96, 80), (40, 33), (17, 90)]
    pairs = [pair(*shape) for shape in shapes]
    references = [None, pairs[1][1], pairs[2][1]]
    payloads = [
        codec.encode(block, step=STEP, reference=reference)
        for (block, _), reference in zip(pairs, references, strict=True)
    ]
    for payload, reference, decoded in zip(
        payloads, references, codec.decode_many(payloads, references=references), strict=True
    ):
        np.testing.assert_array_equal(decoded, codec.decode(payload, reference=reference))


def test_missing_and_wrong_references_are_refused() -> None:
    block, reference = pair()
    codec = get_codec("dct")
    payload = codec.encode(block, step=STEP, reference=reference)
    with pytest.raises(CodecError, match="finer group, which has to be decoded first"):
        codec.decode(payload)
    with pytest.raises(CodecError, match=r"\(bands, 96, 80\)"):
        codec.decode(payload, reference=reference[:, 1:])
    with pytest.raises(CodecError, match="from 2 bands, not 1"):
        codec.decode(payload, reference=reference[:1])
    with pytest.raises(CodecError, match="float32"):
        codec.encode(block, step=STEP, reference=reference.astype(np.float64))
    with pytest.raises(CodecError, match="1 payloads come with 2 references"):
        codec.decode_many([payload], references=[reference, reference])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_predictors_survive_serialisation(data: st.DataObject) -> None:
    reference, bands = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 8))
    count = KINDS * reference
    limits = data.draw(st.lists(st.integers(0, 8191), min_size=count, max_size=count))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    whole = np.stack([rng.integers(-limit, limit + 1, bands) for limit in limits])
    exponents = np.where(whole.any(axis=1), rng.integers(-48, 16, count), 0)
    predictor = Predictor(whole, exponents)
    read, rest = Predictor.from_bytes(memoryview(predictor.to_bytes() + b"rest"), bands)
    assert bytes(rest) == b"rest"
    np.testing.assert_array_equal(read.whole, whole)
    np.testing.assert_array_equal(read.exponents, exponents)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 64))
def test_damaged_predictors_are_refused_or_finite(data: bytes, bands: int) -> None:
    try:
        predictor, _ = Predictor.from_bytes(memoryview(data), bands)
    except CodecError:
        return
    assert np.isfinite(predictor.weights).all()


def test_prediction_is_what_the_format_says() -> None:
    """Against sums written out, each operation rounded to float32."""
    reference = textured(2, 5, 6).astype(np.float32)
    rng = np.random.default_rng(0)
    predictor = Predictor(rng.integers(-200, 200, (8, 3)), rng.integers(-9, -3, 8))
    third = np.float32(1 / 3)

    def smooth(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        down = np.pad(plane, ((1, 1), (0, 0)), "edge")
        rows = ((down[:-2] + down[1:-1]) + down[2:]) * third
        across = np.pad(rows, ((0, 0), (1, 1)), "edge")
        return np.asarray(((across[:, :-2] + across[:, 1:-1]) + across[:, 2:]) * third, np.float32)

    once = [smooth(plane) for plane in reference]
    planes = [*(np.sqrt(plane) for plane in once), *map(smooth, once), *once, *reference]
    np.testing.assert_array_equal(features(reference), np.stack(planes))
    for band, predicted in enumerate(predictor.predict(reference)):
        total = np.zeros((5, 6), np.float32)
        for plane, weight, exponent in zip(
            planes, predictor.whole[:, band], predictor.exponents, strict=True
        ):
            total = total + np.float32(float(weight) * 2.0 ** float(exponent)) * plane
        np.testing.assert_array_equal(predicted, total)


def test_weights_are_those_of_least_squares() -> None:
    """Rounded one after the other they predict nearly as well as NumPy's own, unrounded."""
    block, reference = pair(128, 128)
    values = block.astype(np.float32)
    predictor = fit(values, None, reference, STEP)
    assert predictor is not None
    inputs = features(reference).reshape(8, -1).T.astype(float)
    inputs = np.column_stack([inputs, np.ones(len(inputs))])
    target = values.reshape(3, -1).T.astype(float)
    best = target - inputs @ np.linalg.lstsq(inputs, target, rcond=None)[0]
    left = (values - predictor.predict(reference)).reshape(3, -1).T.astype(float)
    assert (left - left.mean(axis=0)).std() < 1.05 * best.std()
    assert len(predictor.to_bytes()) < 50


@pytest.mark.parametrize("name", CODECS)
def test_a_steep_predictor_leaves_a_mean_that_can_be_stated(name: str) -> None:
    """Details eight times those of a bright reference: weights of eight alone leave a mean of -80 000."""
    details = textured(1, 96, 80).astype(np.float32)
    details = (details - details.mean()) * (60 / details.std())
    reference = 10_000 + details
    block = np.rint(3000 + 8 * details).clip(1, 60_000).astype(np.uint16)
    predictor = fit(block.astype(np.float32), None, reference, STEP)
    assert predictor is not None
    assert abs((block - predictor.predict(reference)).mean()) < MAX_MEAN
    codec = get_codec(name)
    predicted = codec.encode(block, step=STEP, reference=reference)
    assert is_predicted(predicted)
    assert len(predicted) < 0.5 * len(codec.encode(block, step=STEP))
    assert rmse(codec.decode(predicted, reference=reference), block) < STEP / 2
