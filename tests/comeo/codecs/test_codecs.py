"""What all codecs promise, whatever they do inside."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.codecs import Codec, codec_names, get_codec
from comeo.codecs.learned import LearnedCodec, models
from comeo.errors import CodecError
from comeo.metrics import psnr, rmse
from tests.comeo.codecs.blocks import CODECS, textured

pytestmark = pytest.mark.parametrize("name", CODECS)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 14), st.integers(1, 70), st.integers(1, 70)),
    dtype=st.sampled_from(["uint16", "float32"]),
    step=st.sampled_from([1.0, 7.5, 80.0, 700.0, 2000.0]),
    masking=st.sampled_from(["none", "all valid", "all invalid", "one for all", "one a band"]),
    saturated=st.booleans(),
    seed=st.integers(0, 1000),
)
@example(shape=(1, 1, 1), dtype="uint16", step=80.0, masking="none", saturated=False, seed=0)
@example(shape=(1, 3, 3), dtype="uint16", step=7.5, masking="none", saturated=False, seed=489)
@example(shape=(13, 1, 70), dtype="float32", step=1.0, masking="one a band", saturated=False, seed=1)
def test_round_trip(
    name: str,
    shape: tuple[int, int, int],
    dtype: str,
    step: float,
    masking: str,
    saturated: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    block = textured(*shape, seed=seed, dtype=dtype)
    mask = _mask(masking, shape, rng)
    if saturated and dtype == "uint16":
        block[rng.random(shape) < 0.05] = 65535
    payload = get_codec(name).encode(block, step=step, mask=mask)
    assert isinstance(payload, bytes)
    decoded = get_codec(name).decode(payload)
    assert decoded.shape == shape
    assert decoded.dtype == block.dtype
    valid = np.broadcast_to(True if mask is None else mask, shape)
    if dtype == "uint16":
        np.testing.assert_array_equal(decoded[valid] == 65535, block[valid] == 65535)
        if mask is not None:
            np.testing.assert_array_equal(decoded == 0, ~valid)
    else:
        np.testing.assert_array_equal(np.isnan(decoded), ~valid)
    counted = valid & (block != 65535)
    if counted.any():
        error = decoded[counted].astype(np.float64) - block[counted]
        few = min(shape[1:]) < 16  # then most of a tile is padding, and a few pixels are no mean
        assert np.sqrt(np.mean(error**2)) <= (2.5 if few else 0.75) * step + 0.5
        assert np.abs(error).max() <= 6 * step + 1


def _mask(masking: str, shape: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.bool_] | None:
    if masking == "none":
        return None
    if masking == "one a band":
        return rng.random(shape) < 0.8
    if masking == "one for all":
        return np.asarray(rng.random(shape[1:]) < 0.8)
    return np.full(shape[1:], masking == "all valid")


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_finer_steps_cost_more_and_err_less(name: str, dtype: str) -> None:
    block = textured(4, 128, 128, dtype=dtype)
    unit = 1.0 if dtype == "uint16" else 0.01
    payloads = [get_codec(name).encode(block, step=step * unit) for step in (1, 10, 100, 400, 1500)]
    sizes = [len(payload) for payload in payloads]
    errors = [rmse(block, get_codec(name).decode(payload)) / unit for payload in payloads]
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)
    assert errors[0] < 0.6
    assert sizes[0] < block.nbytes
    assert sizes[-1] < block.nbytes / 60


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 16, 16), (13, 40, 7), (64, 20, 20), (1, 1024, 33)])
def test_constant_blocks_cost_next_to_nothing(name: str, shape: tuple[int, int, int]) -> None:
    block = np.full(shape, 4321, np.uint16)
    payload = get_codec(name).encode(block, step=10)
    bands = shape[0]
    assert len(payload) <= 64 + 12 * bands + bands * (bands - 1) // 2
    assert np.abs(get_codec(name).decode(payload).astype(int) - 4321).max() <= 3


STRANGE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "ramp": lambda row, column, band: 500 + 40 * row + 11 * column * (band + 1),
    "checkerboard": lambda row, column, band: 3000 + 500 * (band + 1) * (-1) ** (row + column),
    "stripes in one band": lambda row, column, band: 2000 + 1500 * (band == 2) * (-1) ** row,
    "checkerboard in a corner": lambda row, column, band: (
        3000 + 600 * (band + 1) * (-1) ** (row + column) * ((row > 50) & (column > 50))
    ),
    "one bright pixel": lambda row, column, band: 1000 + 60_000 * ((row == 60) & (column == 71)),
    "an edge": lambda row, column, band: 100 + 20_000 * (column > 61),
    "noise": lambda row, column, band: np.random.default_rng(0).integers(1, 65535, (4, 96, 96)),
    "faint noise": lambda row, column, band: np.random.default_rng(0).integers(2000, 2900, (4, 96, 96)),
}


@pytest.mark.parametrize("step", [4, 30, 300, 2000])
@pytest.mark.parametrize("content", STRANGE)
def test_blocks_unlike_any_picture_are_no_worse_than_the_step_says(
    name: str, content: str, step: float
) -> None:
    row, column = np.indices((96, 96))
    drawn = STRANGE[content](row, column, np.arange(4)[:, None, None])
    block = np.broadcast_to(drawn, (4, 96, 96)).astype(np.uint16)
    codec = get_codec(name)
    error = codec.decode(codec.encode(block, step=step)).astype(np.float64) - block
    assert np.abs(error).max() <= 12 * step + 1
    assert np.sqrt(np.mean(error**2)) <= 0.5 * step + 0.5


@pytest.mark.parametrize("step", [1, 2000])
def test_blocks_without_any_picture_are_exact(name: str, step: float) -> None:
    codec = get_codec(name)
    saturated = np.full((4, 64, 80), 65535, np.uint16)
    np.testing.assert_array_equal(codec.decode(codec.encode(saturated, step=step)), saturated)
    nothing = codec.encode(textured(4, 64, 80), step=step, mask=np.zeros((64, 80), bool))
    assert len(nothing) < 64
    assert not codec.decode(nothing).any()


def test_valid_zeros_survive_without_a_mask_and_never_appear_with_one(name: str) -> None:
    block = np.zeros((2, 48, 48), np.uint16)
    block[:, 24:] = 30
    codec = get_codec(name)
    assert codec.decode(codec.encode(block, step=2))[:, :20].max() <= 2
    assert codec.decode(codec.encode(block, step=2)).min() == 0
    mask = np.ones((48, 48), bool)
    assert codec.decode(codec.encode(block, step=2, mask=mask)).min() == 1


def test_invalid_pixels_cost_nothing_whatever_is_in_them(name: str) -> None:
    block = textured(4, 128, 128).astype(np.float32)
    mask = np.ones((128, 128), bool)
    mask[40:90, 30:100] = False
    noise = np.random.default_rng(0).normal(0, 1e6, block.shape).astype(np.float32)
    noise[:, 50:60] = np.nan
    spoiled = np.where(mask, block, noise)
    codec = get_codec(name)
    payload = codec.encode(spoiled, step=100, mask=mask)
    assert payload == codec.encode(np.where(mask, block, np.float32(np.inf)), step=100, mask=mask)
    assert len(payload) < len(codec.encode(block, step=100))


@pytest.mark.parametrize("shape", ["slope", "notch", "islands"])
def test_nodata_edges_do_not_bleed(name: str, shape: str) -> None:
    """The three pixels inside a nodata border are as good as the interior, and not brighter or darker."""
    block = textured(4, 256, 256, seed=3, contrast=900)
    row, col = np.indices((256, 256))
    mask = {
        "slope": 0.4 * row + col > 120,
        "notch": (row < 100) | (col > 90),
        "islands": (row // 37 + col // 41) % 3 > 0,
    }[shape]
    codec = get_codec(name)
    payload = codec.encode(np.where(mask, block, 0), step=600, mask=mask)
    error = codec.decode(payload).astype(float) - block
    near, far = mask.copy(), mask.copy()
    near &= ~_eroded(mask, 3)
    far &= _eroded(mask, 8)
    assert np.abs(error[:, near]).mean() < 1.3 * np.abs(error[:, far]).mean()
    assert abs(error[:, near].mean()) < 0.15 * np.abs(error[:, far]).mean()


def _eroded(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_erosion

    eroded: NDArray[np.bool_] = binary_erosion(mask, iterations=pixels, border_value=1)
    return eroded


@pytest.mark.parametrize("reduce", [1, 2, 3])
@pytest.mark.parametrize("shape", [(3, 256, 256), (2, 100, 61), (1, 1, 1), (2, 9, 300)])
def test_reduced_decoding_is_the_block_mean(name: str, reduce: int, shape: tuple[int, int, int]) -> None:
    block = textured(*shape, seed=5)
    _check_reduced(name, get_codec(name), block, reduce)
    if name == "learned":  # without a filter it is exact, too
        unfiltered = LearnedCodec(models()["sentinel2-1"])
        _check_reduced("learned without a filter", unfiltered, block, reduce)


def _check_reduced(name: str, codec: Codec, block: NDArray[Any], reduce: int) -> None:
    """Compare a reduced read at a step of 60 with the mean of the full one."""
    shape = block.shape
    payload = codec.encode(block, step=60)
    full, reduced = codec.decode(payload).astype(np.float64), codec.decode(payload, reduce=reduce)
    factor = 1 << reduce
    assert reduced.shape == (shape[0], -(-shape[1] // factor), -(-shape[2] // factor))
    mean = np.stack(
        [
            [
                [full[b, y : y + factor, x : x + factor].mean() for x in range(0, shape[2], factor)]
                for y in range(0, shape[1], factor)
            ]
            for b in range(shape[0])
        ]
    )
    error = np.abs(reduced - mean)
    inside = error[:, : shape[1] // factor, : shape[2] // factor]  # where no padding is averaged in
    if name in ("dct", "learned without a filter"):  # exact but for rounding
        assert inside.size == 0 or inside.max() <= 1.0
    if name == "learned":  # full size alone has the filter: within a quarter of the error of such means
        tolerated = 0.25 * 60 / np.sqrt(12) / factor + 0.5  # and of rounding
        assert inside.size == 0 or np.sqrt(np.square(inside).mean()) <= tolerated
    assert error.mean() <= 1 + 0.1 * block.std()


@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_reduced_decoding_does_not_shift(name: str, reduce: int) -> None:
    """Against block means: under a tenth of a reduced pixel, by least squares on gradients."""
    block = textured(1, 256, 256, seed=8, contrast=2000)
    codec = get_codec(name)
    reduced = codec.decode(codec.encode(block, step=20), reduce=reduce)[0].astype(np.float64)
    factor = 1 << reduce
    mean = block[0].reshape(256 // factor, factor, 256 // factor, factor).mean(axis=(1, 3))
    slope_y, slope_x = (gradient[2:-2, 2:-2].ravel() for gradient in np.gradient(mean))
    difference = (reduced - mean)[2:-2, 2:-2].ravel()
    shift, *_ = np.linalg.lstsq(np.stack([slope_y, slope_x], axis=1), difference, rcond=None)
    assert np.abs(shift).max() < 0.1


def test_a_batch_decodes_as_its_blocks_alone(name: str) -> None:
    codec = get_codec(name)
    shapes = [(4, 64, 64), (1, 5, 9), (4, 64, 64), (12, 30, 64)]
    payloads = [codec.encode(textured(*shape, seed=i), step=50) for i, shape in enumerate(shapes)]
    empty = codec.encode(np.zeros((2, 8, 8), np.uint16), step=50, mask=np.zeros((8, 8), bool))
    payloads.insert(2, empty)
    for reduce in range(4):
        batch = codec.decode_many(payloads, reduce=reduce)
        for payload, block in zip(payloads, batch, strict=True):
            np.testing.assert_array_equal(block, codec.decode(payload, reduce=reduce))
    assert codec.decode_many([]) == []


def test_payloads_may_be_any_bytes_like_and_work_in_threads(name: str) -> None:
    codec = get_codec(name)
    blocks = [textured(3, 64, 64, seed=i) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        payloads = list(pool.map(lambda block: codec.encode(block, step=40), blocks))
        decoded = list(pool.map(lambda payload: codec.decode(memoryview(bytearray(payload))), payloads))
    for block, payload, pixels in zip(blocks, payloads, decoded, strict=True):
        assert payload == codec.encode(block, step=40)
        np.testing.assert_array_equal(pixels, codec.decode(payload))


@pytest.mark.parametrize(
    ("block", "arguments", "message"),
    [
        (np.zeros((4, 4), np.uint16), {}, r"\(bands, y, x\)"),
        (np.zeros((1, 4, 4), np.int16), {}, "uint16 or float32"),
        (np.zeros((65, 4, 4), np.uint16), {}, "1 to 64 bands"),
        (np.zeros((1, 0, 4), np.uint16), {}, "1 to 1024 pixels"),
        (np.zeros((1, 4, 1025), np.uint16), {}, "1 to 1024 pixels"),
        (np.zeros((64, 512, 512), np.uint16), {}, "samples"),
        (np.zeros((1, 4, 4), np.uint16), {"step": 0}, "step"),
        (np.zeros((1, 4, 4), np.uint16), {"step": float("nan")}, "step"),
        (np.zeros((1, 4, 4), np.uint16), {"mask": np.ones((4, 5), bool)}, "mask"),
        (np.zeros((1, 4, 4), np.uint16), {"mask": np.ones((4, 4), np.uint8)}, "mask"),
        (np.full((1, 4, 4), np.nan, np.float32), {}, "not finite"),
        (np.full((1, 4, 4), 1e30, np.float32), {}, "not finite or beyond"),
        (np.array([[[0, 1e8] * 8] * 16], np.float32), {"step": 1e-4}, "use a larger step"),
    ],
)
def test_what_cannot_be_coded_is_refused(
    name: str, block: NDArray[Any], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(CodecError, match=message):
        get_codec(name).encode(block, **{"step": 10.0, **arguments})


def test_unknown_reductions_and_codecs_are_refused(name: str) -> None:
    payload = get_codec(name).encode(textured(1, 8, 8), step=10)
    with pytest.raises(CodecError, match="reductions 0 to 3"):
        get_codec(name).decode(payload, reduce=4)
    other = next(codec for codec in CODECS if codec != name)
    with pytest.raises(CodecError, match="codec number"):
        get_codec(other).decode(payload)
    with pytest.raises(CodecError, match="choose one of"):
        get_codec("zip")
    assert name in codec_names()


def test_real_scene_at_a_hundredth(name: str, shared_data: Path) -> None:
    """A block of clouds and Alps: floors under what was measured when the format was frozen."""
    with rasterio.open(shared_data / "scenes" / "S2A_20190530_T32TMT_L2A_10bands.tif") as source:
        block = source.read([1, 2, 3, 7], window=((0, 256), (0, 256)))
    codec = get_codec(name)
    low, high = 100.0, 5000.0
    for _ in range(10):
        step = (low * high) ** 0.5
        payload = codec.encode(block, step=step)
        low, high = (low, step) if len(payload) <= block.nbytes / 100 else (step, high)
    decoded = codec.decode(codec.encode(block, step=high))
    assert psnr(block, decoded) > {"dct": 34.9, "jpeg2000": 34.25, "learned": 35.0}[name]
