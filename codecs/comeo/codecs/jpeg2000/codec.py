"""JPEG 2000 of the components: 9/7 wavelet and EBCOT, by OpenJPEG through imagecodecs.

imagecodecs works in memory, releases the GIL and has no global state; glymur reads and writes files, of at
most 16 bits. On a codestream of a 256×256 block of four bands at ×100 the one takes 2 ms and the other 3
ms (benchmarks/rate_distortion).

The step becomes a rate through OpenJPEG's own rate-distortion optimisation (PCRD), which truncates all
components of a block at one slope. It takes no slope as its target but a distortion; the one given is that of
a dead-zone quantiser of this step in a DCT domain, which meets the slope closely enough: at equal bytes of a
whole scene it loses 0.05 dB against one exact slope for all blocks. Quantising by the step and not truncating
loses 3 dB, since OpenJPEG takes integers and its finest step is one of them.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from comeo.codecs.base import Codec, Components
from comeo.codecs.ground import Shares
from comeo.codecs.jpeg2000.codestream import MAX_LEVELS, MIN_SIDE, PRECISION, unwrap, wrap
from comeo.codecs.payload import Header
from comeo.codecs.reduction import reduce_mean
from comeo.errors import CodecError

_FINEST_SHIFT: Final = 5  # integers are in 32nds of the step: at 8ths rounding them costs 0.1 dB
_MAX_MAGNITUDE: Final = 1 << 18  # OpenJPEG's code-blocks overflow, silently, from 2^20 on
_PROXY_SIZE: Final = 8
_PROXY_ROUNDING: Final = 0.33  # dead zone of ±0.67 steps


class Jpeg2000Codec(Codec):
    """JPEG 2000, irreversible. The body is one byte, log2 of integers per step, then the packets."""

    name = "jpeg2000"
    number = 2
    weighs = (
        False  # OpenJPEG truncates all of a block at one slope; regions of interest would be another format
    )

    def _encode_components(
        self,
        components: Components,
        step: float,
        shares: Shares | None,  # noqa: ARG002 - never given
    ) -> bytes:
        encoder = _imagecodecs()
        components = _pad(components)
        largest = max(float(np.abs(components).max()), step)
        shift = min(_FINEST_SHIFT, math.floor(math.log2(_MAX_MAGNITUDE * step / largest)))
        if shift < 0:
            raise CodecError(
                f"jpeg2000 cannot code values up to {largest:.6g} in steps of {step:.6g}; use a larger step"
            )
        scale = 2.0**shift / step
        distortion = max(_quantiser_error(components, step) * scale**2, 1 / 12)
        integers = np.rint(components * scale).astype(np.int32)
        stream = encoder.jpeg2k_encode(
            integers if len(integers) > 1 else integers[0],
            level=10 * math.log10(((1 << PRECISION) - 1) ** 2 / distortion),
            codecformat="j2k",
            resolutions=MAX_LEVELS + 1,
            reversible=False,
            mct=False,
            planar=len(integers) > 1,
            bitspersample=PRECISION,
            numthreads=1,
        )
        return bytes([shift]) + unwrap(bytes(stream), *components.shape)

    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        return [_decode_one(body, header, reduce) for body, header in zip(bodies, headers, strict=True)]


@cache
def _imagecodecs() -> Any:
    try:
        importlib.import_module("scipy.fft")
        return importlib.import_module("imagecodecs")
    except ModuleNotFoundError as error:
        raise CodecError(
            "the codec `jpeg2000` needs imagecodecs and SciPy; run: pip install 'comeo[jpeg2000]'"
        ) from error


def _decode_one(body: memoryview, header: Header, reduce: int) -> Components:
    """Decode at the finest reduction that keeps the pixel grid, then average.

    The wavelet's low-pass samples lie on even pixels, not amid the pixels that they stand for: half a pixel
    off after one level. Averaging 4×4 of them leaves 0.06 of a reduced pixel, averaging them from the start
    nothing.
    """
    if len(body) < 1 or body[0] > _FINEST_SHIFT:
        raise CodecError("the payload's codestream is damaged")
    by_wavelet = max(0, reduce - 2)
    height, width = (max(side, MIN_SIDE) for side in header.shape[1:])
    stream = wrap(bytes(body[1:]), header.bands, height, width, by_wavelet)
    try:
        integers = _imagecodecs().jpeg2k_decode(stream, planar=header.bands > 1, numthreads=1)
    except RuntimeError as error:
        raise CodecError(f"the payload's codestream is damaged: {error}") from error
    shape = (header.bands, -(-height >> by_wavelet), -(-width >> by_wavelet))
    if integers.size != math.prod(shape):
        raise CodecError(f"the payload's codestream holds {integers.shape} instead of {shape}")
    rows, cols = (-(-side >> by_wavelet) for side in header.shape[1:])
    scale = np.float32(header.step / 2.0 ** body[0])
    values = integers.reshape(shape)[:, :rows, :cols].astype(np.float32) * scale
    return reduce_mean(values, reduce - by_wavelet) if reduce else values


def _pad(components: Components) -> Components:
    """Repeat the far edges up to the least size that the wavelet needs."""
    missing = [(0, max(0, MIN_SIDE - side)) for side in components.shape[1:]]
    return np.pad(components, [(0, 0), *missing], "edge")


def _quantiser_error(components: Components, step: float) -> float:
    """Mean squared error that a dead-zone quantiser of this step makes in the domain of an 8×8 DCT."""
    from scipy.fft import dctn  # noqa: PLC0415 - an extra: see `_imagecodecs`

    bands, height, width = components.shape
    padded = np.pad(components, ((0, 0), (0, -height % _PROXY_SIZE), (0, -width % _PROXY_SIZE)), "edge")
    blocks = padded.reshape(bands, padded.shape[1] // _PROXY_SIZE, _PROXY_SIZE, -1, _PROXY_SIZE)
    coefficients = np.abs(dctn(blocks, axes=(2, 4), norm="ortho")) / step
    levels = np.floor(coefficients + _PROXY_ROUNDING)
    return float(np.mean((coefficients - levels) ** 2)) * step**2
