"""Parts of JPEG 2000 images, decoded by OpenJPEG through glymur's bindings.

glymur's own reader parses every box of a file in Python, and damaged ones can keep it busy for ever. Here
only what is needed is read (ITU-T T.800, Annexes A and I): where the codestream is, and the marker segments
that say how large image, tiles and code-blocks are. Absurd ones are refused before anything is allocated.
"""

from __future__ import annotations

import ctypes
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.sources.openjpeg import load_glymur
from comeo.sources.raster import MAX_PIXELS

MAX_TILE_PIXELS: Final = 1 << 28
MAX_UNITS: Final = 1 << 20
_MAX_BOXES: Final = 64
_MAX_HEADER_BYTES: Final = 1 << 20
_SIGNATURE: Final = bytes.fromhex("0000000c6a5020200d0a870a")
_SOC, _SIZ, _COD, _SOT = 0xFF4F, 0xFF51, 0xFF52, 0xFF90
_IGNORE_PALETTE: Final = 1
_MESSAGE: Final = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file's codestream says of itself.

    Attributes:
        is_jp2: Whether the codestream lies in the boxes of a JP2 file, and isn't the whole file.
        height: Rows.
        width: Columns.
        tile: Rows and columns of a tile.
        dtype: Type of the numbers: 8 or 16 bits, signed or not.
    """

    is_jp2: bool
    height: int
    width: int
    tile: tuple[int, int]
    dtype: np.dtype[Any]


def read_image_header(path: Path) -> ImageHeader:
    """Read what a JPEG 2000 file says of itself.

    Raises:
        SourceError: If it is none, is cut short, or can't be one band's image.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            is_jp2 = stream.read(len(_SIGNATURE)) == _SIGNATURE
            end = _seek_codestream(stream, size) if is_jp2 else stream.seek(0) + size
            if end > size:
                raise ValueError("it ends too early")
            segments = _main_header(stream)
        return _image_header(is_jp2, segments)
    except (ValueError, KeyError, IndexError, struct.error, OSError) as error:
        raise SourceError(f"{path.name} is no readable JPEG 2000 file: {error}") from error


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


def _image_header(is_jp2: bool, segments: dict[int, bytes]) -> ImageHeader:
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
    kind = ("i" if precision & 128 else "u") + ("1" if bits <= 8 else "2")
    return ImageHeader(is_jp2, height, width, (tile_height, tile_width), np.dtype(kind))


def _smallest_unit(cod: bytes) -> int:
    """Pixels of the smallest code-block or precinct, for each of which the decoder allocates."""
    style, levels, block_width, block_height = cod[0], cod[5], cod[6], cod[7]
    smallest = 1 << ((block_width & 15) + (block_height & 15) + 4)
    if style & 1:
        smallest = min([smallest, *(1 << ((size & 15) + (size >> 4)) for size in cod[10 : 11 + levels])])
    return smallest


def decode_area(path: Path, header: ImageHeader, rows: slice, cols: slice) -> NDArray[Any]:
    """Decode a part of an image.

    Args:
        path: The file.
        header: What it says of itself.
        rows: First row, and the row after the last.
        cols: Likewise.

    Returns:
        (y, x), of the header's type.

    Raises:
        SourceError: If the file is damaged there.
    """
    where = f"{path.name} is damaged at rows {rows.start} to {rows.stop}, columns {cols.start} to {cols.stop}"
    glymur = load_glymur()
    complaints: list[str] = []
    try:
        values = _decode(glymur.lib.openjp2, path, header, (rows, cols), complaints)
    except OSError as error:  # what glymur raises when OpenJPEG fails
        raise SourceError(f"{where}: {'; '.join(complaints) or error}"[:400]) from error
    if values is None or values.shape != (rows.stop - rows.start, cols.stop - cols.start):
        raise SourceError(f"{where}: it decodes to something else than it states")
    return values


def _decode(
    openjpeg: ModuleType, path: Path, header: ImageHeader, area: tuple[slice, slice], complaints: list[str]
) -> NDArray[Any] | None:
    complain = _MESSAGE(lambda text, _: complaints.append(text.decode("utf-8", "replace").strip()))
    ignore = _MESSAGE(lambda _text, _data: None)
    rows, cols = area
    with ExitStack() as held:
        stream = openjpeg.stream_create_default_file_stream(str(path), True)
        if not stream:
            raise OSError("it can't be opened")
        held.callback(openjpeg.stream_destroy, stream)
        codec = openjpeg.create_decompress(openjpeg.CODEC_JP2 if header.is_jp2 else openjpeg.CODEC_J2K)
        held.callback(openjpeg.destroy_codec, codec)
        openjpeg.set_error_handler(codec, complain)
        openjpeg.set_warning_handler(codec, ignore)
        openjpeg.set_info_handler(codec, ignore)
        parameters = openjpeg.set_default_decoder_parameters()
        parameters.flags |= _IGNORE_PALETTE
        openjpeg.setup_decoder(codec, parameters)
        image = openjpeg.read_header(stream, codec)
        held.callback(openjpeg.image_destroy, image)
        if (image.contents.y1, image.contents.x1) != (header.height, header.width):
            return None
        openjpeg.set_decode_area(codec, image, cols.start, rows.start, cols.stop, rows.stop)
        openjpeg.decode(codec, stream, image)
        openjpeg.end_decompress(codec, stream)
        if image.contents.numcomps != 1:
            return None
        component = image.contents.comps[0]
        if not component.data or component.w > cols.stop - cols.start or component.h > rows.stop - rows.start:
            return None
        decoded = np.ctypeslib.as_array(component.data, shape=(component.h, component.w))
        return decoded.astype(header.dtype)
