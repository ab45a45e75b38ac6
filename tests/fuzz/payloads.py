"""Payloads of one codec: a block that is what its header says, or a CodecError."""

from __future__ import annotations

from random import Random

import numpy as np

from comeo.codecs import get_codec, payload
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import textured
from tests.fuzz import corpus
from tests.fuzz.mutations import mutated

_HEADER_BYTES = 12


class PayloadTarget:
    """Damaged payloads of a codec.

    Args:
        name: Of the codec.
    """

    def __init__(self, name: str) -> None:
        self._codec = get_codec(name)
        self._inputs = [*self._sound(), *(data for _, data in sorted(corpus.load(name).items()))]
        for data in self._sound():
            self.check(data)

    def case(self, number: int) -> bytes:
        """Damage an input. Mostly its header is left alone, so that the damage reaches the codec."""
        random = Random(number)
        original, other = random.choice(self._inputs), random.choice(self._inputs)
        kept = random.choice((0, *[_HEADER_BYTES] * 9))
        return original[:kept] + mutated(original[kept:], other[kept:], random)

    def check(self, data: bytes) -> str:
        """Decode at a size that depends on the input's length; see `Target`."""
        reduce = len(data) % 4
        try:
            block = self._codec.decode(data, reduce=reduce)
        except CodecError as error:
            assert str(error)
            assert "\n" not in str(error)
            return str(error)
        parsed = payload.parse(data, self._codec.number)
        header = parsed.header
        size = [-(-side >> reduce) for side in header.shape[1:]]
        assert block.shape == (header.bands, *size), f"{block.shape} of {header}"
        assert block.dtype == header.dtype, f"{block.dtype} of {header}"
        if block.dtype == np.float32 and parsed.valid is None:
            assert np.isfinite(block).all(), f"numbers that are not finite, of {header}"
        return "decoded"

    def _sound(self) -> list[bytes]:
        """Small blocks with all that a payload can have: masks, saturation, floats, one band and several."""
        encode = self._codec.encode
        mask = np.random.default_rng(1).random((16, 24)) < 0.9
        spotted = textured(2, 16, 24, seed=1)
        spotted[0, :3, :3] = payload.SATURATED
        return [
            encode(textured(4, 16, 16), step=150),
            encode(spotted, step=300, mask=mask),
            encode(textured(2, 24, 16, dtype="float32"), step=0.5, mask=np.stack([mask.T, ~mask.T])),
            encode(textured(1, 9, 17, seed=2), step=20),
            encode(textured(1, 8, 8, seed=3, dtype="float32"), step=0.5),
        ]
