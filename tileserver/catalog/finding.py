"""Where archives are looked for: folders on disk, and buckets, which are looked at in a process of its own.

A bucket's client has threads that no process has that is forked from it, and the processes of a server are
forked from the one that looks first.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, Protocol

from comeo.places import in_bucket
from comeo.settings import SettingsError
from tileserver.catalog.difference import Known
from tileserver.catalog.reading import READER, Reading
from tileserver.catalog.scan import find_archives

Root = Path | str
"""An archive or a folder of archives: a path on disk, or an address in a bucket."""
MOST_OBJECTS: Final = 100_000
log = logging.getLogger(__name__)


def places_of(roots: Iterable[Root]) -> list[str]:
    """Where archives are looked for, as text, sorted; links stay what they are."""
    return sorted({root if isinstance(root, str) else os.path.abspath(root) for root in roots})  # noqa: PTH100


class BucketIndex(Protocol):
    """Knows which archives a folder of a bucket has, so that it need not be listed."""

    def look(self, place: str) -> tuple[Mapping[str, str], str]:
        """Archives by path with their signatures, as they are now, and why that is not known."""

    def read(self, paths: Sequence[str]) -> Generator[Reading, None, None]:
        """Read archives that were found, in their order: see `ArchiveReaderProcess.read`."""


class Finder:
    """Finds archives.

    Args:
        roots: Where.
        index: By which buckets are looked at; None to list them.
    """

    def __init__(self, roots: Iterable[Root], index: BucketIndex | None = None) -> None:
        roots = tuple(roots)
        self._index = index
        self._folders = [root for root in roots if isinstance(root, Path)]
        look = _listed if index is None else index.look
        self._buckets = [_Bucket(root, look) for root in roots if isinstance(root, str)]

    @property
    def faults(self) -> dict[str, str]:
        """Buckets that could not be listed the last time, with the reason."""
        return {bucket.place: bucket.fault for bucket in self._buckets if bucket.fault}

    def find(self, known: Mapping[str, Known], *, force: bool) -> dict[str, str]:
        """Archives by path, each with a signature that changes when the archive does.

        Args:
            known: What was found before: it stands while a bucket cannot be listed.
            force: List buckets that have just been listed, too.
        """
        found = find_archives(self._folders)
        for bucket in self._buckets:
            listed = bucket.find(force=force)
            found.update(bucket.known(known) if listed is None else listed)
        return found

    def read(self, paths: Sequence[str]) -> Generator[Reading, None, None]:
        """Read archives that were found, in their order: see `ArchiveReaderProcess.read`."""
        for far, some in groupby(paths, in_bucket):
            index = self._index if far else None
            yield from (READER if index is None else index).read([*some])


class _Bucket:
    """A folder of a bucket, or one archive there.

    Args:
        place: Its address.
        look: Finds archives there.

    Attributes:
        fault: Why it could not be listed the last time; empty if it could.
    """

    def __init__(self, place: str, look: Callable[[str], tuple[Mapping[str, str], str]]) -> None:
        self.place = place
        self._look = look
        self._next = -float("inf")
        self.fault = ""

    def find(self, *, force: bool) -> Mapping[str, str] | None:
        """Archives by path with their signatures; None if that is not known now."""
        began = time.monotonic()
        if not force and began < self._next:
            return None
        found, fault = self._look(self.place)
        ended = time.monotonic()
        self._next = 2 * ended - began  # left alone as long as that took: it is in the way of a request
        if fault != self.fault:
            self.fault = fault
            if fault:
                fields = {"bucket": self.place, "error": fault}
                log.warning("bucket not looked at, what was found before stands", extra={"fields": fields})
            else:
                log.info("bucket looked at again", extra={"fields": {"bucket": self.place}})
        return None if fault else found

    def known(self, known: Mapping[str, Known]) -> dict[str, str]:
        """What of all that was found before was found here."""
        folder = self.place.removesuffix("/") + "/"
        return {
            path: one.signature
            for path, one in known.items()
            if path == self.place or path.startswith(folder)
        }


def check_bucket(place: str) -> None:
    """Refuse a bucket that cannot be listed.

    Raises:
        SettingsError: Saying why.
    """
    fault = READER.page(place).error
    if fault:
        raise SettingsError(fault)


def _listed(place: str) -> tuple[dict[str, str], str]:
    """Archives by path with their signatures, and why these are not all."""
    found: dict[str, str] = {}
    seen, after = 0, None
    while True:
        page = READER.page(place, after)
        found.update(page.objects)
        seen, after = seen + page.seen, page.next
        if page.error or after is None:
            return found, page.error
        if seen > MOST_OBJECTS:
            return found, f"{place} has more than {MOST_OBJECTS} objects; name folders below it instead"
