"""JPEG 2000 of the components: wavelet transform and EBCOT, by OpenJPEG."""

from __future__ import annotations

from collections.abc import Sequence


import numpy as np

from comeo.codecs.base import Codec, Components
from comeo.codecs.payload import Header
from comeo.errors import CodecError


class DctCodec(Codec):
    """First slice; see the issue."""

    name = "dct"
    number = 1

    def _encode_components(self, components: Components, step: float) -> bytes:
        raise NotImplementedError

    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        raise NotImplementedError
