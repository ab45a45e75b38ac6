"""Files that are read piece by piece: on disk, on a server (see `remote`), or in a bucket (see `objects`).

Those on disk are read by `pread`, not mapped: a mapped file that is truncated kills the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import uuid
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from comeo.archive.stores.extents import Extents
from comeo.errors import ArchiveError

_BUFFER_BYTES = 1 << 16
_LONG_BUFFER_BYTES = 1 << 20
# An archive's ZIP directory and metadata lie at its end: 20 kB for a full Sentinel-2 scene.
TAIL_BYTES: Final = 1 << 16
LARGEST_FILE: Final = (1 << 32) - 1
"""Bytes: of a ZIP without ZIP64."""
ALL: Final = ("all",)
"""The layers of a file that is whole."""


class ByteFile(ABC):
    """A file, open for reading until nothing refers to it: no reader loses it to a `close`.

    Attributes:
        name: For people.
        size: Bytes.
        nearby: Whether a read costs next to nothing.
        whole: Whether all its bytes can be read: see `sparse` for those of which some have not come yet.
        here: The bytes that can be read.
        layers: Names of what can be read as a whole.
        etag: That an archive in the file must have when it is whole; empty where nothing is known of it.
        revision: Changes with what can be read of a file that is not whole.
    """

    name: str
    size: int
    nearby: bool
    whole: bool = True
    layers: tuple[str, ...] = ALL
    etag: str = ""
    revision: str = ""
    _tail: bytes = b""

    @abstractmethod
    def _fetch(self, offset: int, length: int) -> bytes:
        """Read bytes that lie inside the file, one at least: see `read`."""

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes that lie inside the file.

        Raises:
            ArchiveError: If they cannot be read, or the file has become shorter.
        """
        start = offset - self.size + len(self._tail)
        if start >= 0:
            return self._tail[start : start + length]
        return self._fetch(offset, length) if length else b""

    @property
    def here(self) -> Extents:
        """See the class."""
        return Extents([(0, self.size)])

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several ranges, each an offset and a length: see `read`."""
        return [self.read(offset, length) for offset, length in ranges]

    def keep_from(self, offset: int) -> None:
        """Keep at hand what follows an offset: an archive is opened from its end."""
        start = self.size - len(self._tail)
        if offset < start:
            self._tail = self._fetch(offset, start - offset) + self._tail

    def read_ahead(self, wanted: tuple[int, int], ahead: tuple[int, int]) -> bytes:  # noqa: ARG002
        """Return the first of two ranges, each an offset and a length; the other will be asked for next.

        A file nearby reads that when it is.
        """
        return self.read(*wanted)

    def let_go(self) -> None:
        """Keep nothing at hand any more."""
        self._tail = b""

    def remember(self, fingerprint: str) -> None:  # noqa: B027 - only what is far away is worth it
        """Make the next opening of an archive with this fingerprint, which has just been opened, cheaper."""

    def stream(self, buffer: int = _BUFFER_BYTES) -> BinaryIO:
        """The same file as a stream, read so many bytes at a time."""
        return io.BufferedReader(_Stream(self), buffer)  # type: ignore[type-var]

    def sha256(self) -> str:
        """Digest of all its bytes, in hexadecimal digits.

        Raises:
            ArchiveError: If they cannot be read.
        """
        with self.stream(_LONG_BUFFER_BYTES) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


class LocalFile(ByteFile):
    """A regular file on disk, whatever takes its name later on.

    Args:
        path: The file.
        name: For people; by default the file's own.
        follow: Whether it may be a link.

    Raises:
        ArchiveError: If it is not a regular file.
        OSError: If it cannot be opened.
    """

    nearby = True

    def __init__(self, path: Path, name: str = "", *, follow: bool = True) -> None:
        self.name = name or path.name
        # Opening a named pipe would otherwise wait for a writer.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        self._descriptor = os.open(path, flags)
        weakref.finalize(self, os.close, self._descriptor)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveError(f"{self.name} cannot be read: it is not a regular file")
        self.size = status.st_size

    def _fetch(self, offset: int, length: int) -> bytes:
        """See `ByteFile._fetch`."""
        data = self._read(offset, length)
        while len(data) < length:  # a file system may give less than is there
            more = self._read(offset + len(data), length - len(data))
            if not more:
                raise ArchiveError(f"{self.name} has been cut short while it was in use; copy it again")
            data += more
        return data

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise ArchiveError(f"{self.name} cannot be read: {error.strerror}") from error


class _Stream(io.RawIOBase):
    """The methods of a stream that `zipfile` uses."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        if origin + offset < 0:
            raise ValueError("there is nothing before the first byte")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        length = max(0, min(len(buffer), self._file.size - self._position))
        buffer[:length] = self._file.read(self._position, length)
        self._position += length
        return length


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the archive in errors of a full disk or missing permission: the system's own message does not."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written: {error.strerror or error}") from error
    except ValueError as error:  # a name with a NUL
        raise ArchiveError(f"{path!r} cannot be written: {error}") from error


def temporary_name(final: Path, kind: str) -> Path:
    """A name beside an archive's, hidden from catalogues, that nothing else has."""
    return final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.{kind}")


def sync_folder(path: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
