"""Size and tiling of JPEG 2000 images, from the headers of their codestreams (ITU-T T.800, Annexes A and I).

Images that are absurdly large or cut into absurdly many pieces are refused here. OpenJPEG allocates memory
for every code-block of a tile: a file of 8 kB makes GDAL take 3 GB.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from comeo.errors import SourceError
from comeo.sources.raster import MAX_PIXELS

MAX_TILE_PIXELS: Final = 1 << 28
MAX_UNITS: Final = 1 << 20
_MAX_BOXES: Final = 64
_MAX_HEADER_BYTES: Final = 1 << 20
_SIGNATURE: Final = bytes.fromhex("0000000c6a5020200d0a870a")
_SOC, _SIZ, _COD, _SOT = 0xFF4F, 0xFF51, 0xFF52, 0xFF90


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Size and tiling of an image.

    Attributes:
        height: Rows.
        width: Columns.
        tile: Rows and columns of a tile.
    """

    height: int
    width: int
    tile: tuple[int, int]


def read_image_header(path: Path) -> ImageHeader:
    """Read and check the header of a JPEG 2000 file's codestream.

    Raises:
        SourceError: If it is not JPEG 2000, is cut short, or cannot be the image of one band.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            is_jp2 = stream.read(len(_SIGNATURE)) == _SIGNATURE
            end = _seek_codestream(stream, size) if is_jp2 else stream.seek(0) + size
            if end > size:
                raise ValueError("it ends too early")
            segments = _main_header(stream)
        return _image_header(segments)
    except (ValueError, KeyError, IndexError, struct.error, OSError) as error:
        raise SourceError(f"{path.name} is not a readable JPEG 2000 file: {error}") from error


def _seek_codestream(stream: IO[bytes], size: int) -> int:
    """Move to the codestream of a JP2 file; return where it ends."""
    position = 0
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        length, kind = struct.unpack(">I4s", stream.read(8))
        start = position + 8
        if length == 1:
            (length,) = struct.unpack(">Q", stream.read(8))
            start += 8
        end = position + length if length else size
        if kind == b"jp2c":
            return int(end)
        if end < start:
            raise ValueError("its boxes overlap")
        position = end
    raise ValueError("it has no codestream")


def _main_header(stream: IO[bytes]) -> dict[int, bytes]:
    """The first SIZ and COD marker segments, by marker."""
    found: dict[int, bytes] = {}
    if struct.unpack(">H", stream.read(2)) != (_SOC,):
        raise ValueError("its codestream has no start")
    read = 0
    while read < _MAX_HEADER_BYTES and len(found) < 2:
        marker, length = struct.unpack(">HH", stream.read(4))
        if marker == _SOT or length < 2:
            break
        content = stream.read(length - 2)
        if marker in (_SIZ, _COD):
            found.setdefault(marker, content)
        read += length + 2
    if len(found) < 2:
        raise ValueError("its codestream doesn't say how it is coded")
    return found


def _image_header(segments: dict[int, bytes]) -> ImageHeader:
    """Check and interpret the marker segments."""
    siz = struct.unpack_from(">HIIIIIIIIH", segments[_SIZ])
    width, height, left, top, tile_width, tile_height, tile_left, tile_top, components = siz[1:]
    if components != 1:
        raise ValueError(f"it has {components} components, and a band's image has one")
    if (left, top, tile_left, tile_top) != (0, 0, 0, 0):
        raise ValueError("its image or tile grid doesn't begin in the corner")
    precision, across, down = segments[_SIZ][36:39]
    bits = (precision & 127) + 1
    if (across, down) != (1, 1) or bits > 16:
        raise ValueError("it is subsampled, or has more than 16 bits a pixel")
    pixels = min(tile_height, height) * min(tile_width, width)
    if not 0 < height * width <= MAX_PIXELS or not 0 < pixels <= MAX_TILE_PIXELS:
        raise ValueError(f"its {width}×{height} pixels in tiles of {tile_width}×{tile_height} are too many")
    if pixels // _smallest_unit(segments[_COD]) > MAX_UNITS:
        raise ValueError("it is coded in too many pieces")
    return ImageHeader(height, width, (tile_height, tile_width))


def _smallest_unit(cod: bytes) -> int:
    """Pixels of the smallest code-block or precinct, for each of which the decoder allocates."""
    style, levels, block_width, block_height = cod[0], cod[5], cod[6], cod[7]
    smallest = 1 << ((block_width & 15) + (block_height & 15) + 4)
    if style & 1:
        smallest = min([smallest, *(1 << ((size & 15) + (size >> 4)) for size in cod[10 : 11 + levels])])
    return smallest
