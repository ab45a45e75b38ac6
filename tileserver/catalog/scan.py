"""Archives on disk."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from comeo.archive.stores import FOLDER_SUFFIX, PART_SUFFIX, ZIP_SUFFIX, other_form
from comeo.archive.stores.parts import map_path

SUFFIXES = (ZIP_SUFFIX, FOLDER_SUFFIX, PART_SUFFIX)
MAX_DEPTH = 8
FEED_FOLDER = "relay/v1"
"""Below a folder of archives: what its origin tells of them."""
log = logging.getLogger(__name__)


def find_archives(roots: Iterable[Path]) -> dict[str, str]:
    """List archives by path, each with a signature that changes when the archive does.

    Symbolic links are followed, but a folder or file that can be reached by several paths is listed once.
    Hidden names are left out: archives are written under one before they get their own. So are names that are
    not UTF-8, which a catalogue cannot hold. An archive of which not all is here is listed once it has a map,
    and until the whole one lies beside it.
    """
    found: dict[str, str] = {}
    seen: set[tuple[int, int]] = set()
    for root in roots:
        for path, status in _walk(root.absolute(), MAX_DEPTH, seen):
            signature = _signature(path, status)
            if signature:
                found[str(path)] = signature
    return {path: signature for path, signature in found.items() if not _is_hidden(path, found)}


def _is_hidden(path: str, found: Mapping[str, str]) -> bool:
    """Whether an archive of which not all is here lies beside the whole one."""
    return path.endswith(PART_SUFFIX) and other_form(path) in found


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
    if path.name.endswith(PART_SUFFIX):
        try:
            return f"{file_signature(map_path(path).stat())}-{file_signature(status)}"
        except OSError:
            return ""
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
