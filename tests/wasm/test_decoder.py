"""The decoder for browsers gives the bits of the library, and refuses what the library refuses."""

from __future__ import annotations

import hashlib
import subprocess
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.codecs import get_codec
from comeo.codecs.payload import is_predicted
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import textured
from tests.wasm.conftest import PACKAGE, Runner
from tools.native import ROOT

CODEC = get_codec("learned")


def facts(payload: bytes, reduce: int, reference: NDArray[np.float32] | None = None) -> dict[str, Any]:
    """What the library says of a payload, as decode.mjs says it."""
    try:
        block = CODEC.decode(payload, reduce=reduce, reference=reference)
    except CodecError:
        return {"refused": True}
    digest = hashlib.sha256(np.ascontiguousarray(block).tobytes()).hexdigest()
    predicted = is_predicted(payload)
    return {
        "dtype": str(block.dtype),
        "shape": list(block.shape),
        "sha256": digest,
        "predicted": predicted,
    }


@cache
def payloads() -> list[bytes]:
    """Of 1 to 10 bands, sides that are no whole tiles, both types, masks, saturation, thorough, empty."""
    rng = np.random.default_rng(3)
    made = []
    for bands in range(1, 11):
        height, width = (int(side) for side in rng.integers(1, 90, 2))
        block = textured(bands, height, width, seed=bands)
        made.append(CODEC.encode(block, step=[40.0, 300.0, 1500.0][bands % 3]))
        mask = rng.random((height, width)) < 0.7
        block[rng.random(block.shape) < 0.05] = 65535
        made.append(CODEC.encode(block, step=250, mask=mask))
        floats = textured(bands, height, width, seed=bands, dtype="float32")
        made.append(CODEC.encode(floats, step=0.7, mask=rng.random(floats.shape) < 0.8))
    checkerboard = np.indices((48, 48)).sum(0) % 2 * 5000 + 1000
    made.append(CODEC.encode(checkerboard[None].astype(np.uint16), step=100))
    ones = np.ones((20, 30), bool)
    made.append(CODEC.encode(textured(2, 20, 30), step=100, mask=~ones))
    made.append(CODEC.encode(np.full((2, 20, 30), 65535, np.uint16), step=100, mask=ones))
    made.append(CODEC.encode(textured(4, 256, 256, seed=9), step=800))
    return made


def test_the_same_bits_at_every_size(run_in_node: Runner) -> None:
    cases = [(payload, reduce) for payload in payloads() for reduce in range(4)]
    found = run_in_node(cases)
    for (payload, reduce), own in zip(cases, found, strict=True):
        assert own == facts(payload, reduce), (payload[:12].hex(), reduce)


@cache
def predicted() -> list[tuple[bytes, NDArray[np.float32]]]:
    """Payloads that are predicted, and their references, holes and all."""
    rng = np.random.default_rng(11)
    made = []
    for number, (height, width) in enumerate([(64, 64), (47, 61), (96, 33)]):
        both = textured(5, height, width, seed=40 + number)
        reference = both[:3].astype(np.float32)
        block = both[3:] if number != 1 else both[3:].astype(np.float32)
        if number == 2:
            reference[:, 10:31, 5:22] = np.nan
            reference[1, rng.random((height, width)) < 0.1] = np.nan
        mask = rng.random((height, width)) < 0.9
        payload = CODEC.encode(block, step=60, mask=mask if number else None, reference=reference)
        assert is_predicted(payload)
        made.append((payload, reference))
    return made


def test_predicted_blocks_have_the_same_bits(run_in_node: Runner) -> None:
    cases = [(payload, reduce, reference) for payload, reference in predicted() for reduce in range(4)]
    for case, own in zip(cases, run_in_node(cases), strict=True):
        assert own == facts(*case), case[1]


def test_predicted_blocks_are_refused_without_what_they_are_predicted_from(run_in_node: Runner) -> None:
    payload, reference = predicted()[0]
    found = run_in_node(
        [
            (payload, 0),
            (payload, 0, reference[:2].copy()),
            (payload, 0, reference[:, :32].copy()),
            (payload[:16], 0, reference),
        ]
    )
    sentences = [
        "has to be decoded first",
        "from 3 bands, not 2",
        "bands×64×64, not 3×32×64",
        "its prediction",
    ]
    for own, sentence in zip(found, sentences, strict=True):
        assert own["refused"]
        assert sentence in own["error"]


def damaged(count: int) -> list[bytes]:
    """Payloads with flipped bits, other bytes, cut short, too long, and of noise behind a header."""
    rng = np.random.default_rng(5)
    good = [payload for payload in payloads() if len(payload) < 4000]
    made = []
    for case in range(count):
        data = bytearray(good[case % len(good)])
        kind = case % 5
        if kind == 0:
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        elif kind == 1:
            for place in rng.integers(0, len(data), 4):
                data[place] = rng.integers(256)
        elif kind == 2:
            del data[rng.integers(len(data)) :]
        elif kind == 3:
            data += rng.bytes(int(rng.integers(1, 9)))
        else:
            data[12:] = rng.bytes(int(rng.integers(0, 300)))
        for high in (5, 7):  # sides below 512 keep the test quick
            data[high : high + 1] = bytes(byte & 1 for byte in data[high : high + 1])
        made.append(bytes(data))
    return made


def test_damaged_payloads_are_refused_with_a_sentence_as_the_library_does(run_in_node: Runner) -> None:
    cases = [(payload, number % 4) for number, payload in enumerate(damaged(1200))]
    found = run_in_node(cases)
    refused = 0
    for (payload, reduce), own in zip(cases, found, strict=True):
        expected = facts(payload, reduce)
        if "refused" in expected:
            refused += 1
            assert own.get("refused"), (payload[:40].hex(), reduce, own)
            assert own["error"].startswith("PayloadError: "), own
            assert "failed at this payload" not in own["error"], "the compiled code trapped"
        else:
            assert own == expected, (payload[:40].hex(), reduce)
    assert refused > 500


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "cut short at 0 bytes"),
        (b"\x02" + bytes(20), "version 2"),
        (b"\x01\x01" + bytes(20), "codec number 1"),
        (b"\x01\x03\x00\x00" + bytes(20), "1 to 64 bands"),
        (b"\x01\x03\x80\x01\x01\x00\x01\x00\x00\x00\x80\x3f\x80" + bytes(9), "unknown flags"),
        (
            b"\x01\x03\x00\x01\x01\x00\x01\x00\x00\x00\x80\x3f" + bytes(9),
            "model whose SHA-256 starts with 0000",
        ),
    ],
)
def test_refusals_say_why(run_in_node: Runner, payload: bytes, sentence: str) -> None:
    (own,) = run_in_node([(payload, 0)])
    assert own["refused"]
    assert sentence in own["error"]


def test_the_types_are_those_of_the_code(node: str) -> None:
    compiler = ROOT / "static/node_modules/.bin/tsc"
    if not compiler.exists():
        pytest.skip("TypeScript comes with what the viewer is built with: cd static && npm ci")
    command = [node, str(compiler.resolve()), "-p", str(PACKAGE / "jsconfig.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
