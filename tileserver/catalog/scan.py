"""Archives on disk, and the facts that a catalogue keeps of each."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from comeo.archive import Archive, open_archive
from comeo.errors import ArchiveError
from comeo.grid import WGS84
from comeo.scene import Band
from comeo.view.display import bands_to_show
from comeo.view.projection import move_bounds
from comeo.view.reader import group_grid
from tileserver.catalog.base import BBox

SUFFIXES = (".zarr.zip", ".zarr")
MAX_DEPTH = 8
log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """Facts that a catalogue keeps of an archive.

    Attributes:
        collection: STAC Collection id.
        id: STAC Item id.
        datetime: Acquisition time, or None where it is unknown.
        bbox: (west, south, east, north) in degrees; west > east across the antimeridian.
        etag: Of the archive's bytes.
        item: The STAC Item that it carries.
        info: `Archive.info()`.
        bands: Of all groups, finest first; those of unknown unit with a range to show them in.
    """

    collection: str
    id: str
    datetime: datetime | None
    bbox: BBox
    etag: str
    item: dict[str, Any]
    info: dict[str, Any]
    bands: tuple[Band, ...]


def find_archives(roots: Iterable[Path]) -> dict[str, str]:
    """List archives by path, each with a signature that changes when the archive does.

    Symbolic links are followed, but a folder or file that can be reached by several paths is listed once.
    Hidden names are left out: archives are written under one before they get their own. So are names that are
    not UTF-8, which a catalogue cannot hold.
    """
    found: dict[str, str] = {}
    seen: set[tuple[int, int]] = set()
    for root in roots:
        for path, status in _walk(root.absolute(), MAX_DEPTH, seen):
            signature = _signature(path, status)
            if signature:
                found[str(path)] = signature
    return found


def _walk(path: Path, depth: int, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, os.stat_result]]:
    """Archives at and below a path, but for what has been seen; `seen` holds (device, inode)."""
    try:
        status = path.stat()
    except OSError:
        return
    place = (status.st_dev, status.st_ino)
    if place in seen:
        return
    seen.add(place)
    if path.name.endswith(SUFFIXES):
        yield path, status
    elif depth:
        for name in _names(path):
            yield from _walk(path / name, depth - 1, seen)


def _names(folder: Path) -> list[str]:
    """Names of archives and folders in a folder, sorted; links come last, as what they lead to has a name."""
    try:
        with os.scandir(folder) as entries:
            names = [
                (entry.is_symlink(), entry.name)
                for entry in entries
                if not entry.name.startswith(".")
                and (entry.name.endswith(SUFFIXES) or entry.is_dir())
                and _is_text(entry.name)
            ]
    except OSError:
        return []
    return [name for _, name in sorted(names)]


@lru_cache(maxsize=1024)
def _is_text(name: str) -> bool:
    """Whether a name on disk is UTF-8; if not, that is logged once."""
    try:
        name.encode()
    except UnicodeEncodeError:
        log.warning("archive left out: its name is not UTF-8", extra={"fields": {"archive": ascii(name)}})
        return False
    return True


def _signature(path: Path, status: os.stat_result) -> str:
    """Return the state of an archive on disk, or an empty string when it has gone."""
    if not stat.S_ISDIR(status.st_mode):
        return file_signature(status)
    try:
        root = (path / "zarr.json").stat()
    except OSError:
        return ""
    return f"{status.st_ino}-{status.st_mtime_ns}-{root.st_mtime_ns}-{root.st_size}"


def file_signature(status: os.stat_result) -> str:
    """The state of an archive's file."""
    return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"


def read_entry(path: str) -> Entry:
    """Read the facts that a catalogue keeps of an archive.

    Raises:
        ArchiveError: If it is damaged.
    """
    with open_archive(path) as archive:
        bands = bands_to_show(archive)
        if len({band.name for band in bands}) != len(bands):
            raise ArchiveError(f"{archive.name} has two bands of one name")
        return Entry(
            archive.collection, archive.id, archive.datetime, _bbox(archive), archive.etag, archive.item,
            archive.info(), bands,
        )  # fmt: skip


def _bbox(archive: Archive) -> BBox:
    """Bounding box from the finest grid, which is what tiles are cut from."""
    grid = group_grid(next(iter(archive.groups.values())))
    bounds = move_bounds(grid.crs, WGS84, grid.bounds)
    if bounds is None:
        raise ArchiveError(f"{archive.name} lies outside its coordinate system")
    return bounds
