"""A folder that products are put into: each is taken once nothing of it has changed for a while."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from comeo.errors import SourceError
from comeo.sources.bandfile import GEOTIFF_SUFFIXES, JP2_SUFFIXES
from comeo.sources.naming import facts_of
from tileserver.ingest.document import FolderSource
from tileserver.ingest.finding import Look
from tileserver.ingest.journal import Row
from tileserver.ingest.orders import Found, digest_of

MAX_FILES: Final = 20_000
"""Of one product."""
ABANDONED_SECONDS: Final = 3600.0
"""After which what is not whole, and has not changed, is no longer waited for by a look that is to end."""
MAX_DEPTH: Final = 4
"""Folders between that of the source and a product."""
_FILES: Final = (*GEOTIFF_SUFFIXES, ".zip", ".json", ".geojson")
_UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download", "~")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A product on disk: what tells whether it has changed.

    Attributes:
        version: Digest of names, sizes and times of its files; empty of what is not whole yet.
        modified: Seconds since 1970, of its newest file.
        changed: The same of the system's own record, which no program that copies can set, so that it tells
            which of two versions of a product is the later one.
    """

    version: str
    modified: float
    changed: float


class FolderFinder:
    """Finds products in a folder.

    Args:
        source: See `FolderSource`.
    """

    def __init__(self, source: FolderSource) -> None:
        self._source = source
        self.name = f"folder {source.folder}"

    def products(self, look: Look) -> Iterator[Found]:
        """See `Finder`."""
        folder = self._source.folder
        if not folder.is_dir():
            raise SourceError(f"{folder} is no folder, or is not mounted; look again, or correct it")
        found: list[tuple[Path, _Seen]] = []
        for path in _candidates(folder, self._source.match, MAX_DEPTH):
            seen = _seen(path)
            age = time.time() - seen.changed
            if seen.version and age >= self._source.still_seconds:
                found.append((path, seen))
            elif seen.version or age < ABANDONED_SECONDS:
                look.complete = False
        for path, seen in sorted(found, key=lambda each: each[1].modified, reverse=True):
            facts = facts_of(path.name)
            yield Found(
                str(path.relative_to(folder)),
                seen.version,
                str(path),
                seen.changed,
                facts.instant or facts.day,
            )

    def download(self, row: Row) -> None:
        """See `Finder`."""


def _candidates(folder: Path, match: tuple[str, ...], depth: int) -> Iterator[Path]:
    """Files and folders that may be products."""
    for name in _names(folder):
        path = folder / name
        if match and path.is_dir() and not any(fnmatch(name, each) for each in match):
            if depth and not _is_product(path):
                yield from _candidates(path, match, depth - 1)
        elif match and not any(fnmatch(name, each) for each in match):
            continue
        elif path.is_dir():
            if match or _is_product(path):
                yield path
            elif depth:
                yield from _candidates(path, match, depth - 1)
        elif path.suffix.lower() in _FILES:
            yield path


def _is_product(folder: Path) -> bool:
    """Whether a folder is a product itself, and not one that products lie in."""
    if folder.suffix.upper() == ".SAFE":
        return True
    suffixes = (*GEOTIFF_SUFFIXES, *JP2_SUFFIXES)
    names = _names(folder)
    return any(name.lower().endswith(suffixes) or name == "manifest.safe" for name in names)


def _names(folder: Path) -> list[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names alone
    except OSError:
        return []
    return sorted(
        each for each in names if not each.startswith(".") and not each.lower().endswith(_UNFINISHED)
    )


def _seen(path: Path) -> _Seen:
    """The present state of a product."""
    facts: list[tuple[str, int, int]] = []
    whole, changed = True, 0.0
    try:
        changed = path.lstat().st_ctime
        for file in _files_of(path):
            status = file.stat()
            changed = max(changed, status.st_ctime)
            if file.name.lower().endswith(_UNFINISHED) or len(facts) >= MAX_FILES:
                whole = False
            elif stat.S_ISREG(status.st_mode):
                facts.append((str(file.relative_to(path)), status.st_size, status.st_mtime_ns))
    except OSError:  # it is being moved, or leads nowhere
        whole = False
    if not facts or not whole:
        return _Seen("", 0.0, changed)
    newest = max(each[2] for each in facts) / 1e9
    return _Seen(digest_of([[name, size, str(time)] for name, size, time in sorted(facts)]), newest, changed)


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        for name in names:
            yield Path(folder) / name
