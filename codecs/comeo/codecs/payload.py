"""Parts of every payload: a header, lossless masks, and the codec's own body.

Layout, little-endian (see docs/format/payload.md):

    u8  version (1)          u16 height
    u8  codec number         u16 width
    u8  flags                f32 step
    u8  bands                [u8 further flags]            if MORE_FLAGS
    [u8 × 6 of each band: see `correction`]                if CORRECTED
    [varint length, deflated bitmap of valid pixels]       if HAS_INVALID
    [varint length, deflated bitmap of saturated pixels]   if HAS_SATURATED
    [u8 weight of each band, sixteenths]                   if WEIGHTED
    [prediction from a finer group: see `prediction`]      if PREDICTED
    body
"""

from __future__ import annotations

import numbers
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import CodecError

Buffer = bytes | bytearray | memoryview

VERSION: Final = 1
MAX_BANDS: Final = 64
MAX_SIDE: Final = 1024
MAX_SAMPLES: Final = 1 << 22
SATURATED: Final = 65535

FLOAT32: Final = 1  # values are float32, else uint16
NODATA_DOMAIN: Final = 2  # 0 (NaN) marks invalid pixels, so no valid pixel may decode to it
HAS_INVALID: Final = 4
HAS_SATURATED: Final = 8
PER_BAND_MASK: Final = 16  # the bitmap of valid pixels has one plane a band, else one for all
PREDICTED: Final = 32  # the body codes what is left after a prediction from a finer group
WEIGHTED: Final = 64  # bands were multiplied by weights before anything else
MORE_FLAGS: Final = 128  # a byte with those from 256 on follows the header
FINE_MEANS: Final = 256  # of `dct`: its DC planes have finer steps where that matters to means of areas
CORRECTED: Final = (
    512  # values are decibels, a correction of their mean power follows; reductions average power
)
WEIGHT_UNIT: Final = 16

_HEADER: Final = struct.Struct("<BBBBHHf")
_FLAGS_PLACE: Final = 2
_COMMON_FLAGS: Final = 127
_FURTHER_FLAGS: Final = {1: FINE_MEANS | CORRECTED, 2: CORRECTED, 3: CORRECTED}  # by codec
CORRECTION_BYTES: Final = 6  # a band


@dataclass(frozen=True, slots=True)
class Header:
    """The facts of a block that its payload starts with."""

    codec: int
    flags: int
    bands: int
    height: int
    width: int
    step: float

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the decoded values."""
        return np.dtype(np.float32 if self.flags & FLOAT32 else np.uint16)

    @property
    def lowest(self) -> int:
        """The least value that a valid uint16 pixel has."""
        return 1 if self.flags & NODATA_DOMAIN else 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (bands, y, x) of the decoded block."""
        return self.bands, self.height, self.width


@dataclass(frozen=True, slots=True)
class Parsed:
    """A payload taken apart.

    Attributes:
        header: Its header.
        correction: (bands, 6) uint8, see `correction`, or None when it has none.
        valid: (1 or bands, y, x), or None when every pixel is valid.
        saturated: (bands, y, x), or None when no pixel is.
        body: The codec's own bytes, after the prediction if there is one.
    """

    header: Header
    correction: NDArray[np.uint8] | None
    valid: NDArray[np.bool_] | None
    saturated: NDArray[np.bool_] | None
    body: memoryview


def check_block_shape(bands: int, height: int, width: int) -> None:
    """Refuse a block that no archive may contain.

    Raises:
        CodecError: Naming the bound that is exceeded.
    """
    if not 1 <= bands <= MAX_BANDS:
        raise CodecError(f"a block has 1 to {MAX_BANDS} bands, not {bands}")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise CodecError(f"a block's sides are 1 to {MAX_SIDE} pixels, not {height}×{width}")
    if bands * height * width > MAX_SAMPLES:
        raise CodecError(f"a block has at most {MAX_SAMPLES} samples, not {bands}×{height}×{width}")


def check_step(step: float) -> None:
    """Refuse a step that no quantiser can use.

    Raises:
        CodecError: If the step is not a positive, finite, reasonable number.
    """
    given: Any = step
    number = isinstance(given, numbers.Real) and not isinstance(given, bool)
    if not (number and 1e-6 <= given <= 1e6):  # NaN is not
        raise CodecError(f"the step must be a number between 1e-6 and 1e6, not {step!r}")


def pack(
    header: Header,
    valid: NDArray[np.bool_] | None,
    saturated: NDArray[np.bool_] | None,
    body: bytes,
) -> bytes:
    """Put a payload without a correction together; the inverse of `parse`."""
    parts = [_pack_bitmap(bitmap) for bitmap in (valid, saturated) if bitmap is not None]
    return b"".join([write_header(header), *parts, body])


def parse(payload: Buffer, codec: int) -> Parsed:
    """Take a payload apart, trusting nothing in it.

    Raises:
        CodecError: If it is cut short, of another codec, or out of bounds.
    """
    header, rest = read_header(payload, codec)
    flags, bands, height, width = header.flags, header.bands, header.height, header.width
    correction = valid = saturated = None
    if flags & CORRECTED:
        correction, rest = _parse_correction(rest, header)
    if flags & HAS_INVALID:
        planes = bands if flags & PER_BAND_MASK else 1
        valid, rest = _parse_bitmap(rest, (planes, height, width))
    if flags & HAS_SATURATED:
        saturated, rest = _parse_bitmap(rest, (bands, height, width))
    if not rest and (flags & PREDICTED or _any_usable(valid, saturated)):
        raise CodecError("the payload is cut short before its pixels")
    return Parsed(header, correction, valid, saturated, rest)


def write_header(header: Header) -> bytes:
    """A header with its further flags, if it has any; the inverse of `read_header`."""
    further = header.flags >> 8
    flags = header.flags & _COMMON_FLAGS | (MORE_FLAGS if further else 0)
    whole = _HEADER.pack(VERSION, header.codec, flags, header.bands, header.height, header.width, header.step)
    return whole + bytes([further] if further else [])


def read_header(payload: Buffer, codec: int | None = None) -> tuple[Header, memoryview]:
    """The header of a payload, its further flags among the others, and what follows it.

    Args:
        payload: The payload.
        codec: Number of its codec; None: any.

    Raises:
        CodecError: If it is cut short, of another codec, or out of bounds.
    """
    view = memoryview(payload)
    if len(view) < _HEADER.size:
        raise CodecError(f"the payload is cut short at {len(view)} bytes")
    version, number, flags, bands, height, width, step = _HEADER.unpack_from(view)
    if version != VERSION:
        raise CodecError(f"the payload is of version {version}; this program reads version {VERSION}")
    if codec not in (None, number):
        raise CodecError(f"the payload is of codec number {number}, not {codec}")
    flags, rest = _further_flags(flags, view[_HEADER.size :], number)
    check_block_shape(bands, height, width)
    check_step(step)
    return Header(number, flags, bands, height, width, step), rest


def _parse_correction(view: memoryview, header: Header) -> tuple[NDArray[np.uint8], memoryview]:
    """A correction, and what follows it."""
    end = CORRECTION_BYTES * header.bands
    if not header.flags & FLOAT32:
        raise CodecError("the payload holds integers, and corrects them as if they were decibels")
    if len(view) < end:
        raise CodecError("the payload is cut short inside its correction")
    return np.frombuffer(view[:end], np.uint8).reshape(header.bands, CORRECTION_BYTES), view[end:]


def _further_flags(flags: int, rest: memoryview, codec: int) -> tuple[int, memoryview]:
    """Flags with those of the second byte if there is one, and what follows the header."""
    if not flags & MORE_FLAGS:
        return flags, rest
    if not rest:
        raise CodecError("the payload is cut short before its further flags")
    further = rest[0] << 8
    if not further or further & ~_FURTHER_FLAGS.get(codec, 0):
        raise CodecError(f"the payload has unknown flags {flags & _COMMON_FLAGS | further:#x}")
    return flags & _COMMON_FLAGS | further, rest[1:]


def is_predicted(payload: Buffer) -> bool:
    """Whether decoding a payload takes the block of a finer group; of a damaged one False or True."""
    return len(payload) > _FLAGS_PLACE and bool(payload[_FLAGS_PLACE] & PREDICTED)


def _any_usable(valid: NDArray[np.bool_] | None, saturated: NDArray[np.bool_] | None) -> bool:
    """Whether any pixel's value is up to the codec rather than to the masks."""
    if saturated is None:
        return valid is None or bool(valid.any())
    return not saturated.all() if valid is None else bool((valid & ~saturated).any())


def _pack_bitmap(bitmap: NDArray[np.bool_]) -> bytes:
    """Deflate a bitmap, each row XORed with the row above so that edges cost a few bits a row."""
    delta = bitmap.copy()
    delta[:, 1:] ^= bitmap[:, :-1]
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeezer.compress(np.packbits(delta, axis=-1).tobytes()) + squeezer.flush()
    return write_varint(len(data)) + data


def _parse_bitmap(view: memoryview, shape: tuple[int, int, int]) -> tuple[NDArray[np.bool_], memoryview]:
    length, view = read_varint(view)
    if length > len(view):
        raise CodecError("the payload is cut short inside its mask")
    planes, height, width = shape
    row_bytes = -(-width // 8)
    expected = planes * height * row_bytes
    inflater = zlib.decompressobj(-15)
    try:
        data = inflater.decompress(view[:length], expected + 1)
    except zlib.error as error:
        raise CodecError(f"the payload's mask is damaged: {error}") from error
    if len(data) != expected or not inflater.eof or inflater.unused_data:
        raise CodecError("the payload's mask has the wrong size")
    packed = np.frombuffer(data, np.uint8).reshape(planes, height, row_bytes)
    packed = np.bitwise_xor.accumulate(packed, axis=1)
    return np.unpackbits(packed, axis=-1, count=width).astype(bool), view[length:]


def write_varint(value: int) -> bytes:
    """LEB128: seven bits a byte, least significant first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(view: memoryview) -> tuple[int, memoryview]:
    """Read a LEB128 number of at most 32 bits and return it with what follows.

    Raises:
        CodecError: If the number is cut short or too long.
    """
    value = 0
    for index in range(min(5, len(view))):
        value |= (view[index] & 0x7F) << (7 * index)
        if not view[index] & 0x80:
            return value, view[index + 1 :]
    raise CodecError("the payload is cut short inside a number")
