"""The georeference of TIFF and JPEG 2000 files, checked before GDAL sees it.

GDAL hands texts in them to PROJ as it opens a file, and PROJ opens the files that they name: see `comeo.crs`.
Such texts are the citations of GeoTIFF keys, where Esri's software puts WKT, and in JPEG 2000 the `srsName`
of GML and a small GeoTIFF in a box.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from comeo.archive.stores.file import LocalFile
from comeo.crs import check_wkt
from comeo.errors import ArchiveError, CrsError, SourceError
from comeo.sources.download import fetch_part

_GEO_ASCII: Final = 34737
_MAX_TEXT: Final = 1 << 16
_MAX_ENTRIES: Final = 4096
_MAX_BOXES: Final = 256
_MAX_BOX: Final = 1 << 22
_JP2_SIGNATURE: Final = bytes.fromhex("0000000c6a5020200d0a870a")
_GEOTIFF_BOX: Final = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")
_WKT: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\s*[\[(]\s*[\"“]")
_PROJ: Final = re.compile(r"\+\s*(?:proj|init|nadgrids|geoidgrids)\s*=|^\s*\{", re.IGNORECASE)
_SRS_NAME: Final = re.compile(rb"srsName\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*))", re.IGNORECASE)
# A code as OGC writes it, or a reference to a dictionary in the same file.
_REFERENCE: Final = re.compile(
    rb"(?:urn:ogc:def:crs:|https?://www\.opengis\.net/(?:def/crs/|gml/srs/)|EPSG:|#|gmljp2://xml/)[\w:/.#-]*"
)
_Read = Callable[[int, int], bytes]
"""Offset and length → bytes, fewer where the file ends."""


def check_georeference(path: str) -> None:
    """Refuse a file whose georeference could make PROJ open another one; files of other formats are GDAL's.

    Args:
        path: Local path or http(s) URL.

    Raises:
        SourceError: If it has such a georeference, or cannot be read.
    """
    name = Path(path).name
    try:
        read = partial(fetch_part, path) if "://" in path else _reader(LocalFile(Path(path)))
        start = read(0, 16)
        if start.startswith(_JP2_SIGNATURE):
            for content in _boxes(read):
                _check_box(content)
        elif start[:2] in (b"II", b"MM"):
            _check_tiff(read)
    except CrsError as error:
        raise SourceError(f"{name}: {error}") from error
    except (ArchiveError, SourceError, OSError, ValueError, struct.error) as error:
        raise SourceError(f"{name} cannot be opened: {error}") from error


def _reader(file: LocalFile) -> _Read:
    def read(offset: int, length: int) -> bytes:
        return file.read(offset, min(length, file.size - offset)) if offset < file.size else b""

    return read


def _check_tiff(read: _Read) -> None:
    """Check the citations of a GeoTIFF, classic or BigTIFF."""
    start = read(0, 16)
    order = "<" if start[:2] == b"II" else ">"
    (version,) = struct.unpack_from(f"{order}H", start, 2)
    if version not in (42, 43):
        return
    big = version == 43
    offset_format, count_format, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    (directory,) = struct.unpack_from(order + offset_format, start, 8 if big else 4)
    width, length = struct.calcsize(order + count_format), struct.calcsize(order + entry)
    counted = read(directory, width)
    if len(counted) < width:
        return  # GDAL has words for that
    (count,) = struct.unpack(order + count_format, counted)
    if count > _MAX_ENTRIES:
        raise ValueError(f"its directory claims {count} entries")
    table = read(directory + width, count * length) if count else b""
    for tag, _, letters, place in struct.iter_unpack(order + entry, table[: len(table) // length * length]):
        if tag == _GEO_ASCII and letters > struct.calcsize(offset_format):
            if letters > _MAX_TEXT:
                raise ValueError(f"the texts of its georeference take more than {_MAX_TEXT} bytes")
            for citation in read(place, letters).decode("utf-8", "replace").split("|"):
                _check_citation(citation.rstrip("\0"))


def _check_citation(text: str) -> None:
    """Check a text if it is more than a name: WKT, or parameters of PROJ."""
    if _PROJ.search(text):
        raise CrsError("its georeference has parameters of PROJ; set a plain one with `gdal_edit.py -a_srs`")
    if found := _WKT.search(text):
        check_wkt(text[found.start() :].strip())


def _boxes(read: _Read) -> Iterator[bytes]:
    """Content of all boxes of a JPEG 2000 file but the codestream."""
    position = 0
    for _ in range(_MAX_BOXES):
        header = read(position, 16)
        if len(header) < 8:
            return
        length, kind = struct.unpack_from(">I4s", header)
        start = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", header, 8)
            start += 8
        if length and position + length < start:
            raise ValueError("its boxes overlap")
        if kind != b"jp2c":
            content = read(start, min(position + length - start, _MAX_BOX + 1) if length else _MAX_BOX + 1)
            if len(content) > _MAX_BOX:
                raise ValueError(f"its metadata take more than {_MAX_BOX} bytes")
            yield content
        if not length:
            return
        position += length
    raise ValueError(f"it has more than {_MAX_BOXES} boxes")


def _check_box(content: bytes) -> None:
    """Check what a box, or a box in it, says of a coordinate reference system."""
    for match in _SRS_NAME.finditer(content):
        name = next(group for group in match.groups() if group is not None)
        if not _REFERENCE.fullmatch(name):
            raise CrsError(
                f"its georeference {name[:60]!r} is no code; set a plain one with `gdal_edit.py -a_srs`"
            )
    place = content.find(_GEOTIFF_BOX)
    if place >= 0:
        inner = content[place + len(_GEOTIFF_BOX) :]
        _check_tiff(lambda offset, length: inner[offset : offset + length])
