"""Where an archive's objects lie: a ZIP with stored entries, or a folder with the same keys."""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from comeo.archive.files import ByteFile, LocalFile
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

    def __init__(self, file: ByteFile, start: int, stop: int) -> None:
        self._file = file
        self._start = start
        self.size = stop - start

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes.

        Raises:
            ArchiveError: If they are not there, or no longer.
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


class Store(ABC):
    """Objects by key, read only.

    Attributes:
        name: Of the archive's file or folder, for people.
        size: Bytes of the whole archive.
        fingerprint: Hex digest that changes whenever the archive's bytes do.
    """

    name: str
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


def open_store(place: str | Path) -> Store:
    """Open an archive's store, whichever form it has.

    Args:
        place: File, folder, or http(s) URL of a file.

    Raises:
        ArchiveError: If there is none, or it is damaged.
    """
    if isinstance(place, str) and place.lower().startswith(("http://", "https://")):
        from comeo.archive.remote import RemoteFile  # noqa: PLC0415 - few need an HTTP client

        return ZipStore(RemoteFile(place))
    path = Path(place)
    if path.is_dir():
        return FolderStore(path)
    try:
        return ZipStore(LocalFile(path))
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise ArchiveError(f"{path.name} can't be read: {error}") from error


class ZipStore(Store):
    """A ZIP file whose entries are stored, not deflated, so that each is a range of the file.

    What the ZIP directory says of an entry is believed only where the entry's own header agrees. Of a file
    nearby all headers are read at once, of another each when its entry is asked for.
    """

    def __init__(self, file: ByteFile) -> None:
        self.name = file.name
        self._file: ByteFile | None = file
        self.size = file.size
        self.fingerprint = self._check_end(file)
        self._listed = self._read_directory(file)
        self._entries: dict[str, _Entry] = {}
        if file.nearby:
            for key in self._listed:
                self._entry(file, key)

    def get(self, key: str) -> Blob | None:
        """See `Store.get`."""
        if self._file is None:
            raise ArchiveError(f"{self.name} is closed")
        if key not in self._listed:
            return None
        entry = self._entry(self._file, key)
        return Blob(self._file, entry.start, entry.stop)

    def metadata(self, key: str) -> bytes:
        """See `Store.metadata`."""
        data = _small(self, key)
        if zlib.crc32(data) != self._listed[key].CRC:
            raise ArchiveError(f"{self.name}: {key} is damaged, its checksum does not match")
        return data

    def close(self) -> None:
        """See `Store.close`. Whoever is reading finishes first."""
        self._file = None

    def _check_end(self, file: ByteFile) -> str:
        """Check the end record before zipfile trusts its sizes; return the directory's digest."""
        end = _END_OF_DIRECTORY.size
        if self.size < end:
            raise ArchiveError(f"{self.name} is no archive: it has only {self.size} bytes")
        signature, *_, count, length, offset, comment = _END_OF_DIRECTORY.unpack(
            file.read(self.size - end, end)
        )
        if signature != b"PK\5\6" or comment:
            raise ArchiveError(f"{self.name} is cut short or no archive: its ZIP directory is missing")
        if count > MAX_ENTRIES or length > _MAX_DIRECTORY_BYTES:
            raise ArchiveError(f"{self.name} claims {count} ZIP entries; at most {MAX_ENTRIES} are read")
        if offset + length + end != self.size:
            raise ArchiveError(f"{self.name} is cut short or damaged: its ZIP directory is misplaced")
        file.keep_from(offset)
        digest = hashlib.sha256(self.size.to_bytes(8, "little"))
        digest.update(file.read(offset, length + end))
        return digest.hexdigest()[:32]

    def _read_directory(self, file: ByteFile) -> dict[str, zipfile.ZipInfo]:
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
            raise ArchiveError(f"{self.name} has a damaged ZIP directory: {error}") from error
        listed: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.filename in listed:
                raise ArchiveError(f"{self.name} has two entries named {info.filename!r}")
            listed[info.filename] = info
        return listed

    def _entry(self, file: ByteFile, key: str) -> _Entry:
        if key not in self._entries:
            self._entries[key] = self._locate(file, self._listed[key])
        return self._entries[key]

    def _locate(self, file: ByteFile, info: zipfile.ZipInfo) -> _Entry:
        """Find an entry's bytes, believing the directory only where the local header agrees."""
        name = f"{self.name}: entry {info.filename!r}"
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise ArchiveError(f"{name} is deflated or encrypted; an archive's entries are stored")
        if info.file_size != info.compress_size:
            raise ArchiveError(f"{name} has two different sizes")
        header_end = info.header_offset + _LOCAL_HEADER.size
        if not 0 <= info.header_offset <= header_end <= self.size:
            raise ArchiveError(f"{name} starts outside the file")
        expected = info.orig_filename.encode()
        header = file.read(
            info.header_offset, min(_LOCAL_HEADER.size + len(expected), self.size - info.header_offset)
        )
        signature, *_, name_length, extra_length = _LOCAL_HEADER.unpack_from(header)
        if name_length != len(expected) or header[_LOCAL_HEADER.size :] != expected:
            raise ArchiveError(f"{name} has another name where its data lie")
        start = header_end + name_length + extra_length
        stop = start + info.file_size
        if signature != b"PK\3\4" or stop > self.size:
            raise ArchiveError(f"{name} does not lie inside the file")
        return _Entry(start, stop)


class _Entry(NamedTuple):
    """First byte of an entry's data, and the one behind its last."""

    start: int
    stop: int


class FolderStore(Store):
    """A folder of objects, as an object store would hold them."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
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
            file = LocalFile(self._path / key)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArchiveError(f"{self.name}: {key} can't be read: {error.strerror}") from error
        return Blob(file, 0, file.size)

    def metadata(self, key: str) -> bytes:
        """See `Store.metadata`."""
        return _small(self, key)


def _small(store: Store, key: str) -> bytes:
    """A whole object that has to be there and to be small."""
    blob = store.get(key)
    if blob is None:
        raise ArchiveError(f"{store.name} has no {key}")
    if blob.size > MAX_METADATA_BYTES:
        raise ArchiveError(f"{store.name}: {key} is larger than {MAX_METADATA_BYTES} bytes")
    return blob.read(0, blob.size)
