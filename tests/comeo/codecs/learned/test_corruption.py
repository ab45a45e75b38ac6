"""Damaged payloads of the learned codec: a CodecError or a block, in little memory, and never a hang."""

from __future__ import annotations

import tracemalloc
from functools import cache

import numpy as np
import pytest

from comeo.codecs import get_codec, payload
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import textured
from tests.watchdog import no_hanging  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("no_hanging")

CASES = 3_000  # ten thousand more of other kinds are in the tests of all codecs
KINDS = ("bit", "bytes", "cut", "longer", "random", "spliced")
LEAST_REFUSED = {"bit": 0.8, "bytes": 0.95, "cut": 1.0, "longer": 1.0, "random": 0.99, "spliced": 0.9}
HEADER = 12


@cache
def sound() -> tuple[bytes, ...]:
    mask = np.random.default_rng(1).random((20, 40)) < 0.9
    codec = get_codec("learned")
    return (
        codec.encode(textured(4, 32, 48), step=150),
        codec.encode(textured(3, 20, 40, seed=1), step=300, mask=mask),
        codec.encode(textured(6, 20, 40, seed=4, dtype="float32"), step=0.5),
        codec.encode(textured(1, 17, 33, seed=2), step=2),
    )


def damaged(kind: str, original: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(original)
    if kind == "bit":
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    elif kind == "bytes":
        for place in rng.integers(HEADER, len(data), 6):
            data[place] ^= rng.integers(1, 256)
    elif kind == "cut":
        del data[rng.integers(len(data)) :]
    elif kind == "longer":
        data += rng.bytes(int(rng.integers(1, 50)))
    elif kind == "random":
        data[HEADER:] = rng.bytes(len(data) - HEADER)
    else:
        data[:] = original[:HEADER] + other[HEADER:]
    return bytes(data)


@pytest.mark.slow
def test_thousands_of_damaged_payloads() -> None:
    """What gets through unnoticed is well-formed; an archive's checksum tells the rest."""
    rng, codec, payloads = np.random.default_rng(9), get_codec("learned"), sound()
    refused, cases = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for case in range(CASES):
        kind = KINDS[case % len(KINDS)]
        number = case // len(KINDS) % len(payloads)
        reduce = case // (len(KINDS) * len(payloads)) % 4
        data = damaged(kind, payloads[number], payloads[(number + 1) % len(payloads)], rng)
        cases[kind] += reduce == 0  # a reduced read looks at the first groups alone
        try:
            block = codec.decode(data, reduce=reduce)
        except CodecError as error:
            assert str(error)
            assert "\n" not in str(error)
            refused[kind] += reduce == 0
        else:
            header = payload.parse(data, codec.number).header
            size = [-(-side >> reduce) for side in header.shape[1:]]
            assert block.shape == (header.bands, *size)
            assert block.dtype == header.dtype
    shares = {kind: refused[kind] / cases[kind] for kind in KINDS}
    print({kind: round(share, 4) for kind, share in shares.items()})
    assert all(shares[kind] >= LEAST_REFUSED[kind] for kind in KINDS), shares


def test_every_cut_is_refused() -> None:
    for data in sound():
        for length in {*range(60), *range(60, len(data), 17), *range(len(data) - 9, len(data))}:
            with pytest.raises(CodecError):
                get_codec("learned").decode(data[:length])


def test_a_damaged_payload_spoils_no_batch_silently() -> None:
    good, other = sound()[0], bytearray(sound()[0])
    other[-3] ^= 255
    with pytest.raises(CodecError, match="damaged"):
        get_codec("learned").decode_many([good, bytes(other), good])


@pytest.mark.parametrize("shape", [(4, 1024, 1024), (64, 256, 256), (64, 64, 1024), (1, 1024, 1024)])
def test_claims_of_a_huge_block_cost_little(shape: tuple[int, int, int]) -> None:
    """A kilobyte that says it is 4 million samples is refused in the memory of such a block."""
    bands = shape[0]
    body = get_codec("learned").encode(textured(1, 16, 16), step=10)
    tag = payload.parse(body, 3).body[2:4]
    header = payload.Header(3, 0, *shape, 100.0)
    transform = bytes(2 * bands + bands * (bands - 1) // 2)
    for filler in (b"\x00", b"\x55", b"\xff"):
        state = b"\x01\x00\x00\x00\x00"
        data = payload.pack(header, None, None, transform + tag + bytes([60] * bands) + state + filler * 800)
        tracemalloc.start()
        with pytest.raises(CodecError):
            get_codec("learned").decode(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 300e6
