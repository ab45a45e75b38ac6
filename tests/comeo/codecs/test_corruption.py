"""Damaged and hostile payloads: a CodecError or a well-formed block, in little memory, and never a hang."""

from __future__ import annotations

import tracemalloc
from functools import cache

import numpy as np
import pytest

from comeo.codecs import get_codec
from comeo.codecs.payload import FINE_MEANS, MORE_FLAGS, read_varint, write_varint
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import CODECS, decoded, textured
from tests.watchdog import no_hanging  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("no_hanging")

# The networks of the learned codec take thirty times as long; `make fuzz` does 10⁶ of each.
CASES = {"dct": 10_000, "jpeg2000": 10_000, "learned": 2000}


@cache
def good_payloads(name: str) -> tuple[bytes, ...]:
    codec = get_codec(name)
    mask = np.random.default_rng(1).random((33, 40)) < 0.9
    spotted = textured(3, 33, 40, seed=1)
    spotted[0, :5, :5] = 65535
    return (
        codec.encode(textured(4, 48, 48), step=150),
        codec.encode(spotted, step=300, mask=mask),
        codec.encode(textured(2, 40, 33, dtype="float32"), step=0.5, mask=np.stack([mask.T, ~mask.T])),
        codec.encode(textured(1, 17, 64, seed=2), step=2),
    )


@pytest.mark.parametrize("name", CODECS)
def test_thousands_of_corrupted_payloads(name: str) -> None:
    rng = np.random.default_rng(7)
    payloads = good_payloads(name)
    refused = 0
    for case in range(CASES[name]):
        data = bytearray(payloads[case % len(payloads)])
        kind = case // len(payloads) % 4
        if kind == 0:
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        elif kind == 1:
            for place in rng.integers(12, len(data), 6):
                data[place] = rng.integers(256)
        elif kind == 2:
            del data[rng.integers(len(data)) :]
        else:
            data[rng.integers(20, len(data)) :] = rng.bytes(int(rng.integers(1, 200)))
        refused += decoded(name, bytes(data), reduce=case % 4) is None
    assert refused > CASES[name] / 10


@pytest.mark.parametrize("name", CODECS)
def test_every_truncation_before_the_pixels_is_refused(name: str) -> None:
    for payload in good_payloads(name):
        for length in range(12):
            with pytest.raises(CodecError, match="cut short"):
                get_codec(name).decode(payload[:length])
    for payload in good_payloads("dct"):
        for length in range(len(payload)):
            assert decoded("dct", payload[:length]) is None


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, b"\x63", "version 99"),
        (1, b"\x63", "codec number"),
        (3, b"\x00", "bands"),
        (3, b"\xff", "bands"),
        (4, b"\x00\x00", "sides"),
        (6, b"\xff\xff", "sides"),
        (8, b"\x00\x00\xc0\x7f", "step"),
        (8, b"\x00\x00\x00\x00", "step"),
        (8, b"\x00\x00\x00\xc2", "step"),
    ],
)
def test_headers_out_of_bounds_are_refused(name: str, place: int, value: bytes, message: str) -> None:
    data = bytearray(good_payloads(name)[0])
    data[place : place + len(value)] = value
    with pytest.raises(CodecError, match=message):
        get_codec(name).decode(bytes(data))


@pytest.mark.parametrize("name", [name for name in CODECS if name != "dct"])
def test_the_flag_of_another_codec_is_refused(name: str) -> None:
    data = bytearray(good_payloads(name)[0])
    data[2] |= MORE_FLAGS
    data.insert(12, FINE_MEANS >> 8)
    with pytest.raises(CodecError, match="unknown flags"):
        get_codec(name).decode(bytes(data))


def test_further_flags_are_known_ones() -> None:
    data = bytearray(good_payloads("dct")[0])
    assert data[2] & MORE_FLAGS
    for further in (0, 4, 7, 128):
        data[12] = further
        with pytest.raises(CodecError, match="unknown flags"):
            get_codec("dct").decode(bytes(data))
    with pytest.raises(CodecError, match="further flags"):
        get_codec("dct").decode(bytes(data[:12]))


@pytest.mark.parametrize("name", CODECS)
def test_claims_of_a_huge_block_cost_little(name: str) -> None:
    """A kilobyte that says it is 4 million samples."""
    decoded(name, good_payloads(name)[0])
    data = bytearray(good_payloads(name)[0])
    data[3:8] = b"\x04\x00\x04\x00\x04"
    tracemalloc.start()
    decoded(name, bytes(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


def test_masks_that_inflate_beyond_the_block_are_refused() -> None:
    import zlib

    payload = good_payloads("dct")[1]
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = squeezer.compress(bytes(50_000_000)) + squeezer.flush()
    length = len(bomb)
    varint = bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    varint.append(length)
    with pytest.raises(CodecError, match="mask has the wrong size"):
        get_codec("dct").decode(payload[:13] + bytes(varint) + bomb)


@pytest.mark.parametrize("name", CODECS)
def test_bytes_behind_the_stream_of_a_mask_are_damage(name: str) -> None:
    mask = np.random.default_rng(4).random((30, 40)) < 0.8
    payload = get_codec(name).encode(textured(2, 30, 40), step=200, mask=mask)
    start = 13 if payload[2] & MORE_FLAGS else 12
    length, rest = read_varint(memoryview(payload)[start:])
    longer = payload[:start] + write_varint(length + 1) + bytes(rest[:length]) + b"\0" + bytes(rest[length:])
    with pytest.raises(CodecError, match="mask has the wrong size"):
        get_codec(name).decode(longer)
