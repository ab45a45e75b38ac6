"""Whether there is room for one more archive."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Final

from tileserver.ingest.document import Limits
from tileserver.ingest.orders import SUFFIX

_LOOK_SECONDS: Final = 5.0


class Pressure:
    """Watches the disk of the archives.

    Args:
        folder: Of the archives.
        limits: See `Limits`.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._largest = self._taken = 0
        self._looked = -_LOOK_SECONDS

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
        free = shutil.disk_usage(self._folder).free - under_way * self._largest
        if free - self._largest < self._limits.min_free:
            return (
                f"the disk of {self._folder} has {free:,} bytes left, and min_free is "
                f"{self._limits.min_free:,}; make room"
            )
        if self._limits.max_bytes is not None and self._bytes() + coming > self._limits.max_bytes:
            return (
                f"{self._folder} has {self._bytes():,} bytes of archives, and max_bytes is "
                f"{self._limits.max_bytes:,}; remove some, or raise it"
            )
        return None

    def _bytes(self) -> int:
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            with os.scandir(self._folder) as entries:
                self._taken = sum(_size(each) for each in entries if each.name.endswith(SUFFIX))
        return self._taken


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # it is being replaced at this moment
        return 0
