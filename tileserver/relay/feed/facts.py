"""What a line tells of an archive, read from the archive itself."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.archive import Archive, open_archive
from comeo.archive.clear import ClearGroup
from comeo.archive.clear_model import GROUP
from comeo.archive.stores import ZIP_SUFFIX, open_file
from comeo.archive.stores.base import METADATA_KEY
from comeo.archive.stores.file import ByteFile
from comeo.archive.stores.zip import ZipStore
from comeo.errors import ReplacedError
from comeo.globe import TURN
from comeo.grid import WGS84
from comeo.missions.clear import CLEAR_CLASSES, NODATA, cloud_percentage, shares_of
from comeo.view.projection import move_points
from tileserver.catalog import BBox, Record
from tileserver.relay.feed.layout import MAX_HEAD_BYTES, MAX_PACKED_HEAD_BYTES
from tileserver.relay.feed.lines import MAP_SIDE, moment
from tileserver.relay.feed.packing import pack

_SAMPLES: Final = 8  # along each side of a cell of the clear map
_DIGITS: Final = 6  # of degrees: 0.1 m
_CLOUD: Final = "eo:cloud_cover"


def is_told(record: Record) -> bool:
    """Whether an archive can be told of: a whole one in one file."""
    return record.path.endswith(ZIP_SUFFIX)


def facts_of(record: Record) -> dict[str, Any]:
    """Members of a `PutLine` that the archive decides, but for its address.

    Raises:
        ReplacedError: If the archive is another one than the catalogue has found.
        OutOfReachError: If it cannot be read for now.
        ArchiveError: If it is damaged.
        OSError: If it cannot be read.
    """
    file = open_file(record.path)
    with open_archive(record.path, record.etag) as archive:
        tail, coarse = _parts(file, archive)
        facts: dict[str, Any] = {
            "c": record.collection,
            "id": record.id,
            "t": None if record.datetime is None else moment(record.datetime),
            "bbox": [round(value, _DIGITS) for value in record.bbox],
            "cloud": _cloud(archive),
            "clear_map": None if archive.clear is None else clear_map(archive.clear, record.bbox),
            "ratio": float(f"{archive.ratio:.4g}"),
            "codec": archive.codec,
            "model": archive.model,
            "bytes": file.size,
            "etag": archive.etag,
            "sha256": file.sha256(),
            "tail": tail,
            "coarse": coarse,
            "src": archive.source.get("sha256") or None,
        }
        if archive.archive_bytes != file.size:
            raise ReplacedError(f"{file.name} is being replaced; it is told of later")
    return {name: value for name, value in facts.items() if value is not None}


def packed_head(path: str, facts: Mapping[str, Any]) -> bytes | None:
    """What follows `tail` of an archive, packed; None where it is not to be packed.

    Args:
        path: Of the archive, or its address.
        facts: As `facts_of` found them.

    Raises:
        ReplacedError: If the archive is another one now.
        OutOfReachError: If it cannot be read for now.
        ArchiveError: If it is damaged.
        OSError: If it cannot be read.
    """
    file = open_file(path)
    if ZipStore(file).whole_fingerprint != facts["etag"]:
        raise ReplacedError(f"{file.name} is being replaced; it is told of later")
    tail = facts["tail"]
    if file.size - tail > MAX_HEAD_BYTES:
        return None
    packed = pack(file.read(tail, file.size - tail))
    return packed if len(packed) <= MAX_PACKED_HEAD_BYTES else None


def clear_map(clear: ClearGroup, bbox: BBox) -> str:
    """Which cells of a box are clear, in Base64: see `PutLine.clear_cells`.

    Classes are looked up at 8×8 points of each cell; those without data, beyond the scene's edge, do not
    count, and a cell of them alone is not clear.
    """
    west, south, east, north = bbox
    east += TURN if east < west else 0.0
    side = MAP_SIDE * _SAMPLES
    steps = (np.arange(side) + 0.5) / side
    lons, lats = np.meshgrid(west + steps * (east - west), north - steps * (north - south))
    lons = (lons + TURN / 2) % TURN - TURN / 2
    xs, ys = move_points(WGS84, clear.grid.crs, lons.ravel(), lats.ravel())
    classes = _classes_at(clear, xs, ys).reshape(MAP_SIDE, _SAMPLES, MAP_SIDE, _SAMPLES)
    seen = (classes != NODATA).sum(axis=(1, 3))
    good = np.isin(classes, CLEAR_CLASSES).sum(axis=(1, 3))
    bits = (seen > 0) & (2 * good >= seen)
    return base64.b64encode(np.packbits(bits.ravel()).tobytes()).decode()


def _classes_at(clear: ClearGroup, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.uint8]:
    inverse = ~clear.grid.transform
    with np.errstate(invalid="ignore"):  # points without a place in the projection are infinite
        cols = np.floor(inverse.a * xs + inverse.b * ys + inverse.c)
        rows = np.floor(inverse.d * xs + inverse.e * ys + inverse.f)
        inside = (cols >= 0) & (cols < clear.grid.width) & (rows >= 0) & (rows < clear.grid.height)
    out = np.full(xs.shape, NODATA, np.uint8)
    out[inside] = clear.read()[rows[inside].astype(np.intp), cols[inside].astype(np.intp)]
    return out


def _parts(file: ByteFile, archive: Archive) -> tuple[int, int]:
    """Offsets from which on all metadata lie, and all that is coarse as well: what is fetched first."""
    overviews = tuple(
        f"{level.key}/" for group in archive.groups.values() for level in group.levels if level.number
    )
    with file.stream() as stream, zipfile.ZipFile(stream) as directory:
        entries = [(info.filename, info.header_offset) for info in directory.infolist()]
    tail = min(offset for name, offset in entries if name.rpartition("/")[2] == METADATA_KEY)
    first = (*overviews, f"{GROUP}/")
    coarse = [offset for name, offset in entries if name.startswith(first)]
    return tail, min([tail, *coarse])


def _cloud(archive: Archive) -> float | None:
    """Percent of the scene, as its product says, else by the archive's classes."""
    stated = (archive.item.get("properties") or {}).get(_CLOUD)
    if isinstance(stated, int | float) and not isinstance(stated, bool) and 0 <= stated <= 100:
        return round(float(stated), 2)
    shares = None if archive.clear is None else shares_of(archive.clear.counts)
    return None if shares is None else round(cloud_percentage(shares), 2)
