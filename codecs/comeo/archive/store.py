"""Where an archive's objects lie: a ZIP with stored entries, mapped once, or a folder with the same keys."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path

from comeo.errors import ArchiveError

MAX_ENTRIES = 20_000
MAX_METADATA_BYTES = 4 << 20
_MAX_DIRECTORY_BYTES = 4 << 20
_END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")


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
    def get(self, key: str) -> memoryview | None:
        """Return an object without copying it where that is possible, or None if there is none.

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
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ArchiveError(f"{path.name} can't be read: {error}") from error
        self.size = len(self._map)
        self._view = memoryview(self._map)
        try:
            self.fingerprint = self._check_end()
            self._entries = self._read_directory()
        except ArchiveError:
            self.close()
            raise

    def get(self, key: str) -> memoryview | None:
        """See `Store.get`."""
        entry = self._entries.get(key)
        return None if entry is None else self._view[entry.start : entry.stop]

    def metadata(self, key: str) -> bytes:
        """See `Store.metadata`."""
        entry = self._entries.get(key)
        if entry is None:
            raise ArchiveError(f"{self.path.name} has no {key}")
        if entry.stop - entry.start > MAX_METADATA_BYTES:
            raise ArchiveError(f"{self.path.name}: {key} is larger than {MAX_METADATA_BYTES} bytes")
        data = bytes(self._view[entry.start : entry.stop])
        if zlib.crc32(data) != entry.crc:
            raise ArchiveError(f"{self.path.name}: {key} is damaged, its checksum does not match")
        return data

    def close(self) -> None:
        """See `Store.close`. Payloads still in use keep the mapping until they are dropped."""
        self._view.release()
        # a payload may be in use by another thread; the mapping then goes with it
        with contextlib.suppress(BufferError):
            self._map.close()

    def _check_end(self) -> str:
        """Check the end record before zipfile trusts its sizes; return the directory's digest."""
        end = _END_OF_DIRECTORY.size
        if self.size < end:
            raise ArchiveError(f"{self.path.name} is no archive: it has only {self.size} bytes")
        signature, *_, count, length, offset, comment = _END_OF_DIRECTORY.unpack_from(
            self._map, self.size - end
        )
        if signature != b"PK\5\6" or comment:
            raise ArchiveError(f"{self.path.name} is cut short or no archive: its ZIP directory is missing")
        if count > MAX_ENTRIES or length > _MAX_DIRECTORY_BYTES:
            raise ArchiveError(f"{self.path.name} claims {count} ZIP entries; at most {MAX_ENTRIES} are read")
        if offset + length + end != self.size:
            raise ArchiveError(f"{self.path.name} is cut short or damaged: its ZIP directory is misplaced")
        digest = hashlib.sha256(self.size.to_bytes(8, "little"))
        digest.update(self._view[offset:])
        return digest.hexdigest()[:32]

    def _read_directory(self) -> dict[str, _Entry]:
        try:
            with self.path.open("rb") as file, zipfile.ZipFile(file) as archive:
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
            entries[info.filename] = self._locate(info)
        return entries

    def _locate(self, info: zipfile.ZipInfo) -> _Entry:
        """Find an entry's bytes, believing the directory only where the local header agrees."""
        name = f"{self.path.name}: entry {info.filename!r}"
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise ArchiveError(f"{name} is deflated or encrypted; an archive's entries are stored")
        if info.file_size != info.compress_size:
            raise ArchiveError(f"{name} has two different sizes")
        header_end = info.header_offset + _LOCAL_HEADER.size
        if not 0 <= info.header_offset <= header_end <= self.size:
            raise ArchiveError(f"{name} starts outside the file")
        signature, *_, name_length, extra_length = _LOCAL_HEADER.unpack_from(self._map, info.header_offset)
        if self._map[header_end : header_end + name_length] != info.orig_filename.encode():
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

    def get(self, key: str) -> memoryview | None:
        """See `Store.get`."""
        try:
            with (self.path / key).open("rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ArchiveError(f"{self.path.name}: {key} can't be read: {error}") from error

    def metadata(self, key: str) -> bytes:
        """See `Store.metadata`."""
        data = self.get(key)
        if data is None:
            raise ArchiveError(f"{self.path.name} has no {key}")
        if len(data) > MAX_METADATA_BYTES:
            raise ArchiveError(f"{self.path.name}: {key} is larger than {MAX_METADATA_BYTES} bytes")
        return bytes(data)
