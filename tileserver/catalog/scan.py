"""Which archives there are on disk, and what the catalogue keeps of each."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from rasterio.crs import CRS

from comeo.archive import Archive, open_archive
from comeo.errors import ArchiveError
from comeo.scene import Band
from comeo.view.projection import move_bounds

SUFFIXES = (".zarr.zip", ".zarr")
MAX_DEPTH = 8
WGS84 = CRS.from_epsg(4326)
UNKNOWN_TIME = "comeo:datetime_unknown"
log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """What the catalogue keeps of an archive.

    Attributes:
        collection: STAC Collection id.
        id: STAC Item id.
        datetime: Acquisition time, or None where nobody knows it.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        etag: Of the archive's bytes.
        item: The STAC Item that it carries.
        info: `Archive.info()`.
        bands: Of all groups, finest first.
    """

    collection: str
    id: str
    datetime: datetime | None
    bbox: tuple[float, float, float, float]
    etag: str
    item: dict[str, Any]
    info: dict[str, Any]
    bands: tuple[Band, ...]


def find_archives(roots: Iterable[Path]) -> dict[str, str]:
    """List archives by path, each with a signature that changes when the archive does.

    Hidden names are left out: archives are written under one before they get their own. So are names that
    are no text, which the catalogue can't hold.
    """
    return {
        str(path): signature
        for root in roots
        for path in _walk(root.absolute(), MAX_DEPTH)
        if (signature := _signature(path))
    }


def _walk(path: Path, depth: int) -> Iterator[Path]:
    if path.name.endswith(SUFFIXES):
        yield path
        return
    if depth == 0:
        return
    try:
        with os.scandir(path) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and (entry.name.endswith(SUFFIXES) or entry.is_dir())
                and _is_text(entry.name)
            )
    except OSError:
        return
    for name in names:
        yield from _walk(path / name, depth - 1)


@lru_cache(maxsize=1024)
def _is_text(name: str) -> bool:
    """Whether a name on disk is UTF-8; if not, that is logged once."""
    try:
        name.encode()
    except UnicodeEncodeError:
        log.warning("archive left out: its name is not UTF-8", extra={"fields": {"archive": ascii(name)}})
        return False
    return True


def _signature(path: Path) -> str:
    """Return the state of an archive on disk, or an empty string when it has gone."""
    try:
        stat = path.stat()
        if path.is_dir():
            root = (path / "zarr.json").stat()
            return f"{stat.st_ino}-{stat.st_mtime_ns}-{root.st_mtime_ns}-{root.st_size}"
    except OSError:
        return ""
    return file_signature(stat)


def file_signature(status: os.stat_result) -> str:
    """The state of an archive's file."""
    return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"


def read_entry(path: str) -> Entry:
    """Read what the catalogue keeps of an archive.

    Raises:
        ArchiveError: If it is damaged.
    """
    with open_archive(path) as archive:
        bands = tuple(band for group in archive.groups.values() for band in group.bands)
        if len({band.name for band in bands}) != len(bands):
            raise ArchiveError(f"{archive.name} has two bands of one name")
        moment = None if archive.item["properties"].get(UNKNOWN_TIME) is True else archive.datetime
        return Entry(
            archive.collection, archive.id, moment, _bbox(archive), archive.etag, archive.item,
            archive.info(), bands,
        )  # fmt: skip


def _bbox(archive: Archive) -> tuple[float, float, float, float]:
    """Bounding box from the finest grid, which is what tiles are cut from."""
    group = next(iter(archive.groups.values()))
    level = group.levels[0]
    corners = [level.transform @ (x, y) for x in (0, level.width) for y in (0, level.height)]
    xs, ys = zip(*corners, strict=True)
    bounds = move_bounds(group.crs, WGS84, (min(xs), min(ys), max(xs), max(ys)))
    if bounds is None:
        raise ArchiveError(f"{archive.name} lies outside its coordinate system")
    return bounds


def bands_to_json(bands: Iterable[Band]) -> str:
    """Write bands for the database."""
    return json.dumps([dataclasses.asdict(band) for band in bands])


@lru_cache(maxsize=1024)
def bands_from_json(text: str) -> tuple[Band, ...]:
    """Read bands from the database."""
    return tuple(Band(**fields) for fields in json.loads(text))
