"""The contract of stores, where archives are read from, and of sinks, where they are written to.

`tests/comeo/archive/contract.py` holds every implementation to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import ByteFile, sync_folder, writing
from comeo.errors import ArchiveError

MAX_ENTRIES: Final = 20_000
MAX_METADATA_BYTES: Final = 4 << 20
METADATA_KEY: Final = "zarr.json"
"""Last part of the keys of small objects, which are read whole."""


class Blob:
    """A range of a file, read piece by piece. The file stays open as long as a blob refers to it.

    Args:
        file: The open file.
        start: First byte.
        stop: Byte behind the last.
    """

    __slots__ = ("_file", "_start", "size")

    def __init__(self, file: ByteFile, start: int, stop: int) -> None:
        self._file = file
        self._start = start
        self.size = stop - start

    @property
    def start(self) -> int:
        """Its first byte in the file."""
        return self._start

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes.

        Raises:
            ArchiveError: If they lie outside the object, or can no longer be read.
        """
        return self.read_many([(offset, length)])[0]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several ranges, each an offset and a length: see `read`."""
        for offset, length in ranges:
            if not 0 <= offset <= offset + length <= self.size:
                raise ArchiveError(
                    f"{self._file.name} has no bytes {offset} to {offset + length} in an entry"
                )
        return self._file.read_many([(self._start + offset, length) for offset, length in ranges])


class Range(NamedTuple):
    """Where an object lies in the file of its store.

    Attributes:
        start: First byte of its header.
        data: First byte of its data, or where a header that is longer than it has to be goes on.
        size: Of its data.
        stop: Byte behind all that is its own: the next object's first.
    """

    start: int
    data: int
    size: int
    stop: int


class Store(ABC):
    """Objects by key, read only, as they were when the store was opened. Threads may share it.

    Attributes:
        name: Of the archive's file or folder, for messages; without credentials.
        size: Bytes of the whole archive.
        fingerprint: Hex digest of the content, the same wherever and whenever the archive was copied. Two
            archives with different content have different ones. Of an archive that is on its way it is that
            of the whole one, and behind a hyphen a digest of what is here.
        whole_fingerprint: That of the whole archive.
        here: Bytes of its file that can be read: all, unless it is on its way.
        layers: Names of what can be read as a whole.
    """

    name: str
    size: int
    fingerprint: str
    whole_fingerprint: str
    here: Extents
    layers: tuple[str, ...]

    @abstractmethod
    def keys(self) -> list[str]:
        """Keys of all objects, sorted.

        Raises:
            ArchiveError: If the store is closed.
        """

    @abstractmethod
    def get(self, key: str) -> Blob | None:
        """Return an object, or None if the key is missing.

        Raises:
            ArchiveError: If the object cannot be read, or the store is closed.
        """

    def metadata(self, key: str) -> bytes:
        """Return a small object as a whole, its checksum verified where the store keeps one.

        Raises:
            ArchiveError: If it is missing, damaged or larger than `MAX_METADATA_BYTES`.
        """
        blob = self.get(key)
        if blob is None:
            raise ArchiveError(
                f"{self.name} has no {key}, so it is no archive; give a .zarr.zip file or a .zarr folder"
            )
        if blob.size > MAX_METADATA_BYTES:
            raise ArchiveError(f"{self.name}: {key} is larger than {MAX_METADATA_BYTES} bytes")
        return blob.read(0, blob.size)

    def ranges(self) -> dict[str, Range]:
        """Where each object lies in the archive's file, by key, in the file's order.

        Raises:
            ArchiveError: If the archive is no file.
        """
        raise ArchiveError(f"{self.name} has no byte ranges: it is a folder; pack it into a .zarr.zip file")

    def opened(self) -> None:  # noqa: B027 - most keep nothing
        """Forget what was kept at hand to read metadata from: they have been read."""

    @abstractmethod
    def close(self) -> None:
        """Release the archive. Blobs that have been given out can be read to their end."""


class Sink(ABC):
    """Takes an archive's objects under a temporary name, until it is published.

    Args:
        path: The temporary file or folder, to be made.
        final: Name of the archive, for messages, and for `publish`.

    Attributes:
        path: The temporary file or folder.
        size: Bytes that the archive would have if it were finished now.

    Raises:
        OSError: If it cannot be made.
    """

    path: Path
    size: int

    def __init__(self, path: Path, final: Path) -> None:
        self.path = path
        self._final = final

    @abstractmethod
    def hold(self) -> bool:
        """Keep the temporary name from being swept up; false if it has been already: see `leftovers.hold`."""

    @abstractmethod
    def write(self, key: str, data: bytes) -> None:
        """Add an object.

        Raises:
            ArchiveError: If it cannot be written, for instance because the disk is full.
        """

    @abstractmethod
    def cost(self, key: str, length: int) -> int:
        """Bytes that an object of this length adds to the archive."""

    @abstractmethod
    def finish(self) -> None:
        """Make everything durable; from now on `path` can be opened as a store.

        Raises:
            ArchiveError: If it cannot be written.
        """

    def publish(self, *, replace: bool) -> None:
        """Move the archive to its final name. Of several that want a name at once, one gets it.

        Args:
            replace: Whether an older archive of that name gives way. Until the new one has the name, the
                older one does, or has it again if this fails.

        Raises:
            ArchiveError: If the name is taken, or the archive cannot be moved.
        """
        with writing(self._final):
            try:
                self._move(replace=replace)
            except FileExistsError as error:
                raise ArchiveError(
                    f"{self._final} exists already: it was written meanwhile; use --force to replace it"
                ) from error
        try:
            sync_folder(self._final.parent)
        except OSError as error:
            raise ArchiveError(
                f"{self._final} is complete, but the disk does not confirm its name: {error.strerror}"
            ) from error

    @abstractmethod
    def _move(self, *, replace: bool) -> None:
        """Give the archive its final name, and let go of the temporary one.

        Raises:
            FileExistsError: If the name is taken.
            OSError: If that is not possible.
        """

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written. Errors are ignored: a full disk may be the reason for it."""
