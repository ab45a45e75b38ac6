"""Corrected decibels have the values of the library, in browsers, too."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from comeo.codecs import get_codec
from comeo.codecs.correction import with_correction
from tests.comeo.codecs.blocks import textured
from tests.wasm.conftest import Runner

CODEC = get_codec("learned")
CORRECTION = np.array([[0, 255, 50, 90, 107, 251], [70, 71, 12, 200, 96, 3]], np.uint8)


def corrected(*, masked: bool, height: int = 61, width: int = 45) -> bytes:
    rng = np.random.default_rng(8)
    block = textured(2, height, width, dtype="float32") + rng.normal(0, 3, (2, height, width)).astype(
        np.float32
    )
    mask = rng.random(block.shape) < 0.6 if masked else None
    return with_correction(CODEC.encode(block, step=3.0, mask=mask), CORRECTION)


def test_full_blocks_have_the_same_bits_and_reduced_ones_the_same_values(
    run_in_node: Runner, tmp_path: Path
) -> None:
    cases = [(corrected(masked=masked), reduce) for masked in (True, False) for reduce in range(4)]
    for number, (found, (payload, reduce)) in enumerate(zip(run_in_node(cases), cases, strict=True)):
        wanted = CODEC.decode(payload, reduce=reduce)
        assert (found["dtype"], found["shape"]) == ("float32", list(wanted.shape))
        if reduce == 0:
            assert found["sha256"] == hashlib.sha256(wanted.tobytes()).hexdigest()
        pixels = np.fromfile(tmp_path / f"{number}.pixels", np.float32).reshape(wanted.shape)
        np.testing.assert_allclose(pixels, wanted, rtol=0, atol=1e-5)


def test_a_block_without_pixels_stays_one(run_in_node: Runner, tmp_path: Path) -> None:
    payload = with_correction(
        CODEC.encode(np.zeros((2, 20, 30), np.float32), step=1.0, mask=np.zeros((20, 30), bool)), CORRECTION
    )
    assert run_in_node([(payload, 1)])[0]["shape"] == [2, 10, 15]
    assert np.isnan(np.fromfile(tmp_path / "0.pixels", np.float32)).all()


def test_damaged_corrections_are_refused(run_in_node: Runner) -> None:
    payload = corrected(masked=False)
    integers, unknown, none = bytearray(payload), bytearray(payload), bytearray(payload)
    integers[2] &= ~1
    unknown[12] = 6
    none[12] = 0
    damaged = [payload[:12], payload[:17], bytes(integers), bytes(unknown), bytes(none)]
    words = ("cut short before its further flags", "inside its correction", "integers", "0x6", "0x0")
    for found, sentence in zip(run_in_node([(each, 0) for each in damaged]), words, strict=True):
        assert found["refused"]
        assert sentence in found["error"]
