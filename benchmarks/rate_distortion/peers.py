"""The codecs under test, ours and peers', each as a function of one quality knob.

A peer's bytes are its plain codestreams; what a decoder would also need (a band's offset, the exact float
KLT, the parameter sets of H.265) is not counted. Ours are whole payloads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from benchmarks.rate_distortion import x265
from benchmarks.rate_distortion.klt import ExactKlt
from comeo.codecs import codec_names, get_codec
from comeo.codecs.base import Block
from comeo.metrics import PEAK

SCALE: Final = 16  # integers a digital number, for JPEG 2000

Coded = tuple[int, NDArray[np.float64]]
_J2K_PRECISION = 24


@dataclass(frozen=True)
class Method:
    """A codec to measure.

    Attributes:
        name: As the tables call it.
        run: Codes and decodes a block at one quality: (bytes, decoded).
        low: Quality of the fewest bytes.
        high: Quality of the most.
        integer: Whether only whole qualities exist.
    """

    name: str
    run: Callable[[Block, float], Coded]
    low: float
    high: float
    integer: bool = False


def ours(name: str) -> Method:
    """One of COMEO's codecs; the quality is −log2 of the step."""
    codec = get_codec(name)

    def run(block: Block, quality: float) -> Coded:
        payload = codec.encode(block, step=2.0**-quality)
        return len(payload), codec.decode(payload).astype(np.float64)

    return Method(name, run, -13.0, -1.0)


def jpeg2000_encode(integers: NDArray[np.int32], quality: float) -> bytes:
    """Code planes as the components of one JPEG 2000 codestream, by PCRD over all of them.

    Args:
        integers: (components, y, x), digital numbers × SCALE.
        quality: PSNR aimed at.
    """
    level = quality + 20 * np.log10((2**_J2K_PRECISION - 1) / (PEAK * SCALE))
    several = len(integers) > 1
    return bytes(
        imagecodecs.jpeg2k_encode(
            integers if several else integers[0],
            level=float(level),  # type: ignore[arg-type]
            codecformat="j2k",
            reversible=False,
            mct=False,
            planar=several,
            bitspersample=_J2K_PRECISION,
            numthreads=1,
        )
    )


def jpeg2000_decode(stream: bytes, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Decode what `jpeg2000_encode` coded."""
    decoded = imagecodecs.jpeg2k_decode(stream, planar=shape[0] > 1, numthreads=1)
    return np.asarray(decoded, np.int32).reshape(shape)


def _jpeg2000_apart(block: Block, quality: float) -> Coded:
    middle = int(block.mean())
    stream = jpeg2000_encode((block.astype(np.int32) - middle) * SCALE, quality)
    decoded = jpeg2000_decode(stream, block.shape) / SCALE + middle
    return len(stream), np.clip(np.rint(decoded), 0, 65535)


def _jpeg2000_klt(block: Block, quality: float) -> Coded:
    klt = ExactKlt.of(block)
    stream = jpeg2000_encode(np.rint(klt.components * SCALE).astype(np.int32), quality)
    return len(stream), klt.inverse(jpeg2000_decode(stream, block.shape) / SCALE)


def _jpeg_xl_apart(block: Block, quality: float) -> Coded:
    """Bands as they are, all at one distance: stretched to 16 bits, or as floats, they come out worse."""
    streams = [imagecodecs.jpegxl_encode(band, distance=-quality, effort=7, numthreads=1) for band in block]
    decoded = np.stack([imagecodecs.jpegxl_decode(stream, numthreads=1) for stream in streams])
    return sum(map(len, streams)), decoded.astype(np.float64)


METHODS: tuple[Method, ...] = (
    *map(ours, codec_names()),
    Method("KLT + JPEG 2000", _jpeg2000_klt, 20, 80),
    Method("KLT + x265 (12-bit intra)", x265.code, x265.COARSEST, x265.FINEST, integer=True),
    Method("JPEG 2000, bands apart", _jpeg2000_apart, 20, 80),
    Method("JPEG XL, bands apart", _jpeg_xl_apart, -25, -0.05),
)
