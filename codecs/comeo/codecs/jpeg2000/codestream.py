"""JPEG 2000 codestreams without their headers.

All our codestreams are of one kind, so that their main header (ISO/IEC 15444-1, annex A) follows from the
shape of the block: about 170 bytes that a payload of 5 kB had better not repeat. `wrap` puts it back. Because
packets are in resolution order and there is one layer, the same packets under the header of a smaller image
are its reduced version.
"""

from __future__ import annotations

import struct
from typing import Final

from comeo.errors import CodecError

PRECISION: Final = 24
MAX_LEVELS: Final = 5  # decompositions of the wavelet
MIN_SIDE: Final = 16

_SOC: Final = b"\xff\x4f"
_SIZ: Final = 0xFF51
_COD: Final = 0xFF52
_QCD: Final = 0xFF5C
_COM: Final = b"\xff\x64"
_SOT: Final = b"\xff\x90"
_SOD: Final = b"\xff\x93"
_EOC: Final = b"\xff\xd9"
_SOT_LENGTH: Final = 12

# Exponents and mantissas of the 9/7 sub-bands' steps, which are one unit each in the orthonormal sense:
# LL after 1 to 5 decompositions; HL, LH and HH from the fifth to the first.
_LL_STEPS: Final = (0xC824, 0xDF52, 0xE738, 0xEF20, 0xF720)
_STEPS: Final = bytes.fromhex("f6f0f6f0f6c0ef00ef00eee0e750e750e768d005d005d047d7d3d7d3d762")
_LEVEL_BYTES: Final = 6
_PRECINCT: Final = 0x88  # 256×256
_CODE_BLOCK: Final = 4  # 64×64


def levels_of(height: int, width: int) -> int:
    """Decompositions of an image, so many that the last low-pass band is still 8 pixels wide and high."""
    return min(MAX_LEVELS, min(height, width).bit_length() - 4)


def main_header(components: int, height: int, width: int, reduce: int = 0) -> bytes:
    """SOC, SIZ, COD and QCD of one untiled image.

    Args:
        components: Number of components, signed, PRECISION bits.
        height: Rows of the full image, at least MIN_SIDE.
        width: Columns of the full image, at least MIN_SIDE.
        reduce: Number of finest resolutions to leave out, at most 1.
    """
    levels = levels_of(height, width)
    rows, cols = -(-height >> reduce), -(-width >> reduce)
    size = struct.pack(">HIIIIIIIIH", 0, cols, rows, 0, 0, cols, rows, 0, 0, components)
    size += bytes([0x80 | PRECISION - 1, 1, 1]) * components
    # Precincts, resolution-major progression, one layer, no component transform, 9/7 wavelet.
    style = bytes([1, 2, 0, 1, 0, levels - reduce, _CODE_BLOCK, _CODE_BLOCK, 0, 0])
    style += bytes([_PRECINCT] * (levels - reduce + 1))
    details = _STEPS[_LEVEL_BYTES * (MAX_LEVELS - levels) : _LEVEL_BYTES * (MAX_LEVELS - reduce)]
    steps = (
        b"\x42" + struct.pack(">H", _LL_STEPS[levels - 1]) + details
    )  # 0x42: two guard bits, all steps given
    return _SOC + _segment(_SIZ, size) + _segment(_COD, style) + _segment(_QCD, steps)


def wrap(packets: bytes, components: int, height: int, width: int, reduce: int = 0) -> bytes:
    """Make a codestream of packets.

    Args:
        packets: As `unwrap` returns them.
        components: Number of components.
        height: Rows of the full image.
        width: Columns of the full image.
        reduce: Number of finest resolutions to leave out, at most 1.
    """
    header = main_header(components, height, width, reduce)
    length = _SOT_LENGTH + len(_SOD) + len(packets)
    tile = _SOT + struct.pack(">HHIBB", 10, 0, length, 0, 1)
    return header + tile + _SOD + packets + _EOC


def unwrap(stream: bytes, components: int, height: int, width: int) -> bytes:
    """Strip a codestream down to its packets.

    Raises:
        CodecError: If `wrap` could not restore it.
    """
    header = main_header(components, height, width)
    position = len(header)
    while stream[position : position + 2] == _COM:
        position += 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
    tile = stream[position : position + _SOT_LENGTH]
    start = position + _SOT_LENGTH + len(_SOD)
    if not (
        stream.startswith(header)
        and tile[:6] == _SOT + struct.pack(">HH", 10, 0)
        and stream[start - len(_SOD) : start] == _SOD
        and stream.endswith(_EOC)
    ):
        raise CodecError(
            "the JPEG 2000 library wrote a codestream of an unexpected kind; install imagecodecs 2026.3.6"
        )
    return stream[start : -len(_EOC)]


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">HH", marker, len(content) + 2) + content
