"""Where a relay's files are: what is served, what lies aside, the journal, and the lock of its one runner."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comeo.archive.stores import PART_SUFFIX, ZIP_SUFFIX
from comeo.archive.stores.parts import map_path
from comeo.errors import ComeoError
from tileserver.relay.keeping.journal import Kept

_BLOCK = 512  # of `st_blocks`


class Folder:
    """The folder of a relay.

    Args:
        root: It is made where it is missing.

    Attributes:
        archives: What is served.
        aside: Versions that come while an older one is served.
        journal: File of the journal.
        looks: File in which servers write down what people look at and is not here.
        models: Learned models that have been fetched.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.archives = root / "archives"
        self.aside = root / "aside"
        self.journal = root / "relay.sqlite"
        self.looks = root / "looks.sqlite"
        self.models = root / "models"

    def make(self) -> None:
        """Make the folders.

        Raises:
            ComeoError: If that is not possible.
        """
        try:
            self.archives.mkdir(parents=True, exist_ok=True)
            self.aside.mkdir(exist_ok=True)
        except OSError as error:
            raise ComeoError(f"{self.root} cannot be made: {error.strerror}") from error

    def whole(self, collection: str, item: str, *, aside: bool = False) -> Path:
        """Name of an archive that is whole."""
        return self._named(collection, item, ZIP_SUFFIX, aside=aside)

    def part(self, collection: str, item: str, *, aside: bool = False) -> Path:
        """Name of an archive that is under way."""
        return self._named(collection, item, PART_SUFFIX, aside=aside)

    def whole_of(self, kept: Kept) -> Path:
        """Where a version of a scene is once it is whole."""
        return self.whole(kept.key.collection, kept.key.id, aside=kept.aside)

    def part_of(self, kept: Kept) -> Path:
        """Where a version of a scene is under way."""
        return self.part(kept.key.collection, kept.key.id, aside=kept.aside)

    def file_of(self, kept: Kept) -> Path:
        """Where a version of a scene is now."""
        return self.whole_of(kept) if kept.state == "whole" else self.part_of(kept)

    def _named(self, collection: str, item: str, suffix: str, *, aside: bool) -> Path:
        return (self.aside if aside else self.archives) / collection / f"{item}{suffix}"

    def remove(self, kept: Kept) -> None:
        """Remove all files of a version of a scene: what is published first."""
        part = self.part_of(kept)
        for path in (self.whole_of(kept), map_path(part), part):
            path.unlink(missing_ok=True)

    def free(self) -> int:
        """Bytes that are free on the disk."""
        return shutil.disk_usage(self.root).free

    def used(self) -> int:
        """Bytes on the disk of all archives; holes count nothing."""
        total = 0
        for place in (self.archives, self.aside):
            for folder, _, names in os.walk(place):
                for name in names:
                    try:
                        total += (Path(folder) / name).stat().st_blocks * _BLOCK
                    except FileNotFoundError:
                        continue
        return total

    @contextmanager
    def only_runner(self) -> Iterator[None]:
        """Hold the lock of runners.

        Raises:
            ComeoError: If another process does, or there is no relay yet.
        """
        try:
            opened = (self.root / "lock").open("a")
        except FileNotFoundError as error:
            raise ComeoError(
                f"{self.root} does not exist: nothing has been fetched yet; use comeo relay run"
            ) from error
        except OSError as error:
            raise ComeoError(f"{self.root} cannot be written: {error.strerror}") from error
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ComeoError(f"{self.root} has a relay running already; end that one first") from error
            yield
