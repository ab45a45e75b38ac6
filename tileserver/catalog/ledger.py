"""What the indexer asks of the database of a catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from tileserver.catalog.base import Record
from tileserver.catalog.difference import Known
from tileserver.catalog.reading import Reading


class Found(NamedTuple):
    """An archive that has been read.

    Attributes:
        path: Of the archive.
        signature: State on disk when it was looked at.
        reading: What came of it.
        digest: Of its bytes, if it is to be refused by them from now on.
    """

    path: str
    signature: str
    reading: Reading
    digest: str | None = None


def size_in(signature: str) -> int:
    """Bytes of the archive that a signature is of, or of a folder's root metadata: see `scan`."""
    return int(signature.rpartition("-")[2])


class Claim(Protocol):
    """The right to look at the folders, which one process has at a time."""

    @property
    def held(self) -> bool:
        """Whether this process has it."""

    def age(self) -> float:
        """Seconds since the last look; without end if there was none, or the clock was set back."""

    def mark(self, *, done: bool) -> None:
        """Note a look; one that is not done is to go on at once."""


class Ledger(Protocol):
    """Archives that a catalogue knows, and their scenes. Each call writes all or nothing."""

    @property
    def complete(self) -> bool:
        """Whether all archives have been looked at since the database was made."""

    def check(self) -> None:
        """Notice that the database has been replaced."""

    def claim(self, *, wait: bool) -> AbstractContextManager[Claim]:
        """Take the right to look, if need be once another process has done its look."""

    def known(self) -> Mapping[str, Known]:
        """All archives that have been read, by path."""

    def numbers(self) -> tuple[int, int]:
        """How many archives are served, and how many are broken."""

    def may_be_refused(self, size: int) -> bool:
        """Whether an archive of this size has been refused by its bytes."""

    def refused(self, size: int, digest: str) -> str | None:
        """Why an archive has been refused by its bytes, if it has."""

    def remove(self, gone: Sequence[str]) -> None:
        """Remove archives."""

    def write(self, entries: Sequence[Found]) -> Sequence[tuple[str, str]]:
        """Add archives, or put them in the place of their former states.

        Returns:
            Path and reason of each that cannot be served though it can be read.
        """

    def refuse(self, record: Record, error: str) -> None:
        """See `Catalog.refuse`."""

    def finish(self) -> None:
        """Note that all archives have been looked at."""

    def forget(self) -> None:
        """Remove everything, and begin another epoch of the feed."""
