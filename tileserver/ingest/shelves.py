"""Where archives are kept: in a folder, or in a bucket."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Protocol

from comeo.archive.stores import ZIP_SUFFIX, sweep
from comeo.archive.stores.buckets import Listed, find, list_page
from comeo.archive.stores.buckets import remove as remove_object
from comeo.archive.stores.objects import writing_object
from comeo.leftovers import remove
from comeo.places import ObjectAddress, address_of, in_bucket


class Shelf(Protocol):
    """A place of archives, each under its name.

    Methods raise `ArchiveError` where a bucket cannot be used, one kind of it where it does not answer.

    Attributes:
        workplace: Folder of this machine for what is on its way.
        seconds: For which a count of bytes holds.
    """

    workplace: Path
    seconds: float

    def prepare(self) -> None:
        """Make it ready, without what killed processes have left."""

    def has(self, name: str) -> bool:
        """Whether an archive is there, whole."""

    def beginning(self, start: str) -> list[str]:
        """Names of archives that begin with something."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """The file that an archive is written to, whole and verified; it is there at the end of the block."""

    def place(self, name: str) -> str | Path:
        """Where an archive is opened."""

    def remove(self, name: str) -> None:
        """Remove an archive, if it is there."""

    def bytes(self) -> int:
        """Of all archives together."""


class FolderShelf:
    """Archives in a folder. See `Shelf`.

    Args:
        folder: The folder.
    """

    seconds = 5.0

    def __init__(self, folder: Path) -> None:
        self.workplace = folder

    def __str__(self) -> str:
        return str(self.workplace)

    def prepare(self) -> None:
        """See `Shelf`."""
        self.workplace.mkdir(parents=True, exist_ok=True)
        sweep(self.workplace)

    def has(self, name: str) -> bool:
        """See `Shelf`."""
        return self.place(name).exists()

    def beginning(self, start: str) -> list[str]:
        """See `Shelf`."""
        with os.scandir(self.workplace) as entries:
            return [each.name for each in entries if each.name.startswith(start)]

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """See `Shelf`."""
        yield self.place(name)

    def place(self, name: str) -> Path:
        """See `Shelf`."""
        return self.workplace / name

    def remove(self, name: str) -> None:
        """See `Shelf`."""
        remove(self.place(name))

    def bytes(self) -> int:
        """See `Shelf`."""
        with os.scandir(self.workplace) as entries:
            return sum(_size(each) for each in entries if each.name.endswith(ZIP_SUFFIX))


class BucketShelf:
    """Archives in a bucket. See `Shelf`.

    Args:
        address: Of the folder in it, or of the bucket.
    """

    seconds = 60.0  # a request for each thousand of archives

    def __init__(self, address: ObjectAddress) -> None:
        self._address = address
        self.workplace = Path(tempfile.gettempdir())

    def __str__(self) -> str:
        return str(self._address)

    def prepare(self) -> None:
        """Make sure that the bucket answers."""
        list_page(self._address)

    def has(self, name: str) -> bool:
        """See `Shelf`."""
        return find(self._address.child(name)) is not None

    def beginning(self, start: str) -> list[str]:
        """See `Shelf`."""
        first = self._address.child(start).key
        behind = takewhile(lambda each: each.address.key.startswith(first), self._listed(after=first))
        return [each.address.name for each in behind]

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """See `Shelf`."""
        return writing_object(self._address.child(name))

    def place(self, name: str) -> str:
        """See `Shelf`."""
        return str(self._address.child(name))

    def remove(self, name: str) -> None:
        """See `Shelf`."""
        remove_object(self._address.child(name))

    def bytes(self) -> int:
        """See `Shelf`."""
        return sum(each.size for each in self._listed() if each.address.key.endswith(ZIP_SUFFIX))

    def _listed(self, after: str | None = None) -> Iterator[Listed]:
        """Objects behind a key, in the order of their keys."""
        while True:
            found, after = list_page(self._address, after)
            yield from found
            if after is None:
                return


def shelf_of(place: str | Path | ObjectAddress) -> Shelf:
    """The shelf at a place: a folder, or an address in a bucket.

    Raises:
        ArchiveError: If the address is none.
    """
    if isinstance(place, ObjectAddress):
        return BucketShelf(place)
    return BucketShelf(address_of(str(place))) if in_bucket(place) else FolderShelf(Path(place))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # it is being replaced at this moment
        return 0
