"""Blocks unlike any that a model has been trained on: coded thoroughly where they have to be."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the learned codec needs the extra `cpu` or `gpu`")

from comeo.codecs import get_codec, payload
from comeo.codecs.learned import LearnedCodec
from comeo.codecs.learned.model import TAG_BYTES
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import textured

encoder: Any = importlib.import_module("comeo.codecs.learned.encoder")

THOROUGH = 128


def fine_stripes(bands: int = 4, side: int = 96, level: float = 900.0) -> np.ndarray:
    """Nothing but the finest frequency, in one corner: groups that would be coded have nothing there."""
    row, column = np.indices((side, side))
    stripes = level * (-1.0) ** (row + column) * ((row > side // 2) & (column > side // 2))
    return np.rint(3000 + np.arange(1, bands + 1)[:, None, None] * stripes / bands).astype(np.uint16)


def place_of_classes(data: bytes) -> int:
    """Where the energy classes start: behind the spectral transform and the model's tag."""
    parsed = payload.parse(data, LearnedCodec.number)
    bands = parsed.header.bands
    return len(data) - len(parsed.body) + 2 * bands + bands * (bands - 1) // 2 + TAG_BYTES


def is_thorough(data: bytes) -> bool:
    return data[place_of_classes(data)] >= THOROUGH


@pytest.fixture
def _never_thorough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_STRANGE", np.inf)


@pytest.fixture
def _always_thorough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_STRANGE", -1.0)


def worst(block: np.ndarray, step: float) -> tuple[bool, float]:
    data = get_codec("learned").encode(block, step=step)
    error = get_codec("learned").decode(data).astype(np.float64) - block
    return is_thorough(data), float(np.abs(error).max()) / step


def test_fine_detail_out_of_nothing_is_coded_all_the_same() -> None:
    thorough, error = worst(fine_stripes(), 30)
    assert thorough
    assert error < 4


@pytest.mark.usefixtures("_never_thorough")
def test_without_the_second_try_it_would_be_lost() -> None:
    thorough, error = worst(fine_stripes(), 30)
    assert not thorough
    assert error > 8


def test_common_blocks_need_no_second_try() -> None:
    for step in (20, 150, 900):
        assert not worst(textured(4, 128, 128, seed=step), step)[0]


@pytest.mark.usefixtures("_always_thorough")
@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 96, 80), (9, 33, 50)])
@pytest.mark.parametrize("reduce", [0, 2])
def test_a_thorough_block_round_trips(shape: tuple[int, int, int], reduce: int) -> None:
    """What the decoder reads is what the encoder worked with: a finer step leaves a smaller error."""
    block = textured(*shape, seed=2)
    errors = []
    for step in (8, 80):
        data = get_codec("learned").encode(block, step=step)
        assert is_thorough(data)
        decoded = get_codec("learned").decode(data)
        errors.append(float(np.abs(decoded.astype(float) - block).max()))
        assert errors[-1] <= 6 * step + 1
        reduced = get_codec("learned").decode(data, reduce=reduce)
        assert reduced.shape == (shape[0], *(-(-side >> reduce) for side in shape[1:]))
    assert errors[0] <= errors[1]


def test_thorough_blocks_and_others_decode_in_one_batch() -> None:
    learned = get_codec("learned")
    blocks = [textured(4, 64, 64), fine_stripes(), textured(6, 30, 64, seed=1), fine_stripes(7, 64)]
    data = [learned.encode(block, step=30) for block in blocks]
    assert [is_thorough(one) for one in data] == [False, True, False, True]
    batch = learned.decode_many(data)
    for one, pixels in zip(data, batch, strict=True):
        np.testing.assert_array_equal(pixels, learned.decode(one))


def test_the_mark_is_of_the_first_component_alone() -> None:
    data = bytearray(get_codec("learned").encode(textured(3, 32, 32), step=50))
    data[place_of_classes(bytes(data)) + 1] |= THOROUGH
    with pytest.raises(CodecError, match="energy classes are damaged"):
        get_codec("learned").decode(bytes(data))


@pytest.mark.parametrize("step", [1.0, 2.0])
def test_the_sharpest_edge_is_coded_at_the_finest_steps(step: float) -> None:
    """It used to be refused: in four equal bands the first component's mean is two million steps."""
    block = np.full((4, 64, 64), 10, np.uint16)
    block[:, :, 32:] = 60_000
    codec = get_codec("learned")
    error = np.abs(codec.decode(codec.encode(block, step=step)).astype(int) - block)
    assert error.max() <= 12 * step + 1
