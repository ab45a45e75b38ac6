"""JPEG 2000 of the components: wavelet transform and EBCOT, by OpenJPEG."""

from __future__ import annotations

import math
from collections.abc import Sequence

import imagecodecs
import numpy as np
from scipy.fft import dctn

from comeo.codecs.base import Codec, Components, reduce_mean
from comeo.codecs.payload import Header
from comeo.errors import CodecError

_PRECISION = 24
_MAX_MAGNITUDE = 1 << 20


class Jpeg2000Codec(Codec):
    """JPEG 2000, irreversible."""

    name = "jpeg2000"
    number = 2

    def _encode_components(self, components: Components, step: float) -> bytes:
        largest = max(float(np.abs(components).max()), 1e-30)
        shift = min(3, math.floor(math.log2(_MAX_MAGNITUDE * step / largest)))
        if shift < -16:
            raise CodecError("the step is too small for values so large")
        distortion = _quantiser_error(components, step) * (2.0**shift / step) ** 2
        psnr = 10 * math.log10((2.0**_PRECISION - 1) ** 2 / max(distortion, 1 / 12))
        integers = np.rint(components * (2.0**shift / step)).astype(np.int32)
        stream = imagecodecs.jpeg2k_encode(
            integers if len(integers) > 1 else integers[0],
            level=psnr,
            codecformat="j2k",
            reversible=False,
            mct=False,
            planar=len(integers) > 1,
            bitspersample=_PRECISION,
            numthreads=1,
        )
        return bytes([shift + 16]) + bytes(stream)

    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        return [
            reduce_mean(_decode_one(body, header), reduce) if reduce else _decode_one(body, header)
            for body, header in zip(bodies, headers, strict=True)
        ]


def _decode_one(body: memoryview, header: Header) -> Components:
    if len(body) < 2 or body[0] > 19:
        raise CodecError("the payload's codestream is damaged")
    try:
        integers = imagecodecs.jpeg2k_decode(bytes(body[1:]), planar=header.bands > 1, numthreads=1)
    except RuntimeError as error:
        raise CodecError(f"the payload's codestream is damaged: {error}") from error
    if integers.size != math.prod(header.shape):
        raise CodecError("the payload's codestream has the wrong size")
    return integers.reshape(header.shape).astype(np.float32) * np.float32(header.step / 2.0 ** (body[0] - 16))


def _quantiser_error(components: Components, step: float) -> float:
    """Mean squared error that a dead-zone quantiser of this step makes in the DCT domain."""
    bands, height, width = components.shape
    padded = np.pad(components, ((0, 0), (0, -height % 8), (0, -width % 8)), "edge")
    blocks = padded.reshape(bands, padded.shape[1] // 8, 8, -1, 8).swapaxes(2, 3)
    coefficients = dctn(blocks, axes=(-2, -1), norm="ortho") / step
    levels = np.sign(coefficients) * np.floor(np.abs(coefficients) + 0.33)
    return float(np.mean((coefficients - levels) ** 2)) * step**2
