"""Whether there is room for one more archive."""

from __future__ import annotations

import shutil
import time

from comeo.errors import ArchiveError
from tileserver.ingest.document import Limits
from tileserver.ingest.shelves import Shelf


class Pressure:
    """Watches the disk where archives are made, and how much there is of them.

    Args:
        shelf: Of the archives.
        limits: See `Limits`.
    """

    def __init__(self, shelf: Shelf, limits: Limits) -> None:
        self._shelf = shelf
        self._limits = limits
        self._largest = self._taken = 0
        self._looked = -shelf.seconds
        self._unknown = ""

    def note(self, size: int) -> None:
        """Note the size of an archive: the next ones may be as large."""
        self._largest = max(self._largest, size)
        self._taken += size

    def fault(self, under_way: int) -> str | None:
        """Why no further archive may be begun, or None.

        Args:
            under_way: Archives that are being made.
        """
        coming = (under_way + 1) * self._largest
        try:
            free = shutil.disk_usage(self._shelf.workplace).free - under_way * self._largest
        except OSError as error:
            return f"{self._shelf.workplace} cannot be used: {error.strerror or error}; check its disk"
        if free - self._largest < self._limits.min_free:
            return (
                f"the disk of {self._shelf.workplace} has {free:,} bytes left, and min_free is "
                f"{self._limits.min_free:,}; make room"
            )
        if self._limits.max_bytes is None:
            return None
        self._count()
        if self._unknown:
            return self._unknown
        if self._taken + coming > self._limits.max_bytes:
            return (
                f"{self._shelf} has {self._taken:,} bytes of archives, and max_bytes is "
                f"{self._limits.max_bytes:,}; remove some, or raise it"
            )
        return None

    def _count(self) -> None:
        if time.monotonic() - self._looked < self._shelf.seconds:
            return
        self._looked = time.monotonic()
        try:
            self._taken, self._unknown = self._shelf.bytes(), ""
        except ArchiveError as error:  # of a bucket
            self._unknown = str(error)
