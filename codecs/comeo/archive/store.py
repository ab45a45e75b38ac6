"""Where an archive's objects lie: a ZIP with stored entries, or a folder with the same keys.

Files are read by `pread`, not mapped: a mapped file that somebody truncates in place kills the process.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import weakref
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO

from comeo.errors import ArchiveError

MAX_ENTRIES = 20_000
MAX_METADATA_BYTES = 4 << 20
_MAX_DIRECTORY_BYTES = 4 << 20
_END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")


class Blob:
    """A range of a file, read piece by piece. The file stays open as long as anybody holds one.

    Args:
        file: The open file.
        start: First byte.
        stop: Byte behind the last.
    """

    __slots__ = ("_file", "_start", "size")

    def __init__(self, file: _File, start: int, stop: int) -> None:
        self._file = file
        self._start = start
        self.size = stop - start

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes.

        Raises:
            ArchiveError: If they are not there, or no longer.
        """
        if not 0 <= offset <= offset + length <= self.size:
            raise ArchiveError(f"{self._file.name} has no bytes {offset} to {offset + length} in an entry")
        return self._file.read(self._start + offset, length)


class _File:
    """A regular file, open for reading until nothing refers to it: no reader loses it to a `close`."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        # A named pipe would else keep us waiting for somebody to write.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveError(f"{self.name} can't be read: it is no regular file")
        self.size = status.st_size

    def stream(self) -> BinaryIO:
        """The same file, whatever has taken its name by now, as a stream."""
        return open(os.dup(self._descriptor), "rb")  # noqa: PTH123 - no path

    def read(self, offset: int, length: int) -> bytes:
        try:
            data = os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise ArchiveError(f"{self.name} can't be read: {error.strerror}") from error
        if len(data) < length:
            raise ArchiveError(f"{self.name} has been cut short while it was in use")
        return data


class Store(ABC):
    """Objects by key, read only.

    Attributes:
        path: The archive's file or folder.
        size: Bytes of the whole archive.
        fingerprint: Hex digest that changes whenever the archive's bytes do.
    """

    path: Path
    size: int
    fingerprint: str

    @abstractmethod
    def get(self, key: str) -> Blob | None:
        """Return an object, or None if there is none.

        Raises:
            ArchiveError: If the object can't be read.
        """

    @abstractmethod
    def metadata(self, key: str) -> bytes:
        """Return a small object, its checksum verified where the store keeps one.

        Raises:
            ArchiveError: If it is missing, damaged or absurdly large.
        """

    def close(self) -> None:  # noqa: B027 - a folder has nothing to let go of
        """Let go of the archive."""


def open_store(path: Path) -> Store:
    """Open an archive's store, whichever form it has.

    Raises:
        ArchiveError: If there is none, or it is damaged.
    """
    if path.is_dir():
        return FolderStore(path)
    return ZipStore(path)


class ZipStore(Store):
    """A ZIP file whose entries are stored, not deflated, so that each is a range of the mapped file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: _File | None = _File(path)
        except OSError as error:
            raise ArchiveError(f"{path.name} can't be read: {error}") from error
        self.size = self._file.size
        self.fingerprint = self._check_end(self._file)
        self._entries = self._read_directory(self._file)

    def get(self, key: str) -> Blob | None:
        """See `Store.get`."""
        if self._file is None:
            raise ArchiveError(f"{self.path.name} is closed")
        entry = self._entries.get(key)
        return None if entry is None else Blob(self._file, entry.start, entry.stop)

    def metadata(self, key: str) -> bytes:
        """See `Store.metadata`."""
        data = _small(self, key)
        if zlib.crc32(data) != self._entries[key].crc:
            raise ArchiveError(f"{self.path.name}: {key} is damaged, its checksum does not match")
        return data

    def close(self) -> None:
        """See `Store.close`. Whoever is reading finishes first."""
        self._file = None

    def _check_end(self, file: _File) -> str:
        """Check the end record before zipfile trusts its sizes; return the directory's digest."""
        end = _END_OF_DIRECTORY.size
        if self.size < end:
            raise ArchiveError(f"{self.path.name} is no archive: it has only {self.size} bytes")
        signature, *_, count, length, offset, comment = _END_OF_DIRECTORY.unpack(
            file.read(self.size - end, end)
        )
        if signature != b"PK\5\6" or comment:
            raise ArchiveError(f"{self.path.name} is cut short or no archive: its ZIP directory is missing")
        if count > MAX_ENTRIES or length > _MAX_DIRECTORY_BYTES:
            raise ArchiveError(f"{self.path.name} claims {count} ZIP entries; at most {MAX_ENTRIES} are read")
        if offset + length + end != self.size:
            raise ArchiveError(f"{self.path.name} is cut short or damaged: its ZIP directory is misplaced")
        digest = hashlib.sha256(self.size.to_bytes(8, "little"))
        digest.update(file.read(offset, length + end))
        return digest.hexdigest()[:32]

    def _read_directory(self, file: _File) -> dict[str, _Entry]:
        try:
            with file.stream() as stream, zipfile.ZipFile(stream) as archive:
                infos = archive.infolist()
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            NotImplementedError,
            struct.error,
            EOFError,
        ) as error:
            raise ArchiveError(f"{self.path.name} has a damaged ZIP directory: {error}") from error
        entries: dict[str, _Entry] = {}
        for info in infos:
            if info.filename in entries:
                raise ArchiveError(f"{self.path.name} has two entries named {info.filename!r}")
            entries[info.filename] = self._locate(file, info)
        return entries

    def _locate(self, file: _File, info: zipfile.ZipInfo) -> _Entry:
        """Find an entry's bytes, believing the directory only where the local header agrees."""
        name = f"{self.path.name}: entry {info.filename!r}"
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise ArchiveError(f"{name} is deflated or encrypted; an archive's entries are stored")
        if info.file_size != info.compress_size:
            raise ArchiveError(f"{name} has two different sizes")
        header_end = info.header_offset + _LOCAL_HEADER.size
        if not 0 <= info.header_offset <= header_end <= self.size:
            raise ArchiveError(f"{name} starts outside the file")
        signature, *_, name_length, extra_length = _LOCAL_HEADER.unpack(
            file.read(info.header_offset, _LOCAL_HEADER.size)
        )
        own_name = file.read(header_end, min(name_length, self.size - header_end))
        if own_name != info.orig_filename.encode():
            raise ArchiveError(f"{name} has another name where its data lie")
        start = header_end + name_length + extra_length
        stop = start + info.file_size
        if signature != b"PK\3\4" or stop > self.size:
            raise ArchiveError(f"{name} does not lie inside the file")
        return _Entry(start, stop, info.CRC)


class _Entry:
    __slots__ = ("crc", "start", "stop")

    def __init__(self, start: int, stop: int, crc: int) -> None:
        self.start, self.stop, self.crc = start, stop, crc


class FolderStore(Store):
    """A folder of objects, as an object store would hold them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        files: list[Path] = []
        for file in sorted(path.rglob("*")):
            if len(files) > MAX_ENTRIES:
                raise ArchiveError(f"{path.name} has more than {MAX_ENTRIES} files")
            if file.is_file():
                files.append(file)
        digest = hashlib.sha256()
        self.size = 0
        for file in files:
            stat = file.stat()
            self.size += stat.st_size
            digest.update(f"{file.relative_to(path)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        self.fingerprint = digest.hexdigest()[:32]

    def get(self, key: str) -> Blob | None:
        """See `Store.get`."""
        try:
            file = _File(self.path / key)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArchiveError(f"{self.path.name}: {key} can't be read: {error.strerror}") from error
        return Blob(file, 0, file.size)

    def metadata(self, key: str) -> bytes:
        """See `Store.metadata`."""
        return _small(self, key)


def _small(store: Store, key: str) -> bytes:
    """A whole object that has to be there and to be small."""
    blob = store.get(key)
    if blob is None:
        raise ArchiveError(f"{store.path.name} has no {key}")
    if blob.size > MAX_METADATA_BYTES:
        raise ArchiveError(f"{store.path.name}: {key} is larger than {MAX_METADATA_BYTES} bytes")
    return blob.read(0, blob.size)
