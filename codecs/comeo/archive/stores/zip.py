"""An archive in one ZIP file with stored entries: on disk, on a server, or in a bucket."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import struct
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from comeo.archive.stores.base import MAX_ENTRIES, METADATA_KEY, Blob, Range, Sink, Store
from comeo.archive.stores.extents import Span
from comeo.archive.stores.file import TAIL_BYTES, ByteFile, writing
from comeo.archive.stores.folder import stepping_aside
from comeo.errors import ArchiveError
from comeo.leftovers import hold, remove

ZIP_SUFFIX: Final = ".zarr.zip"
_MAX_DIRECTORY_BYTES: Final = 4 << 20
_END_OF_DIRECTORY: Final = struct.Struct("<4s4H2LH")
_LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same input gives the same bytes, whenever it is compressed
_ENTRY_BYTES: Final = 30 + 46  # local header and directory record, without the name, which stands in both
_END_BYTES: Final = 22
_INDEX_BYTES: Final = 16 * 16 * 16 + 4  # of a shard of 16×16 blocks
_REVISED: Final = "-"
_REVISION_LENGTH: Final = 16
_NO_LINKS_HERE: Final = frozenset((errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK))


class ZipStore(Store):
    """A ZIP file whose entries are stored, not deflated, so that each is a range of the file.

    The ZIP directory is trusted only where an entry's own header agrees. Of a whole file nearby all headers
    are read at once, of another one each when its entry is first needed.

    Args:
        file: The open file.

    Raises:
        ArchiveError: If it is not such a ZIP file, or is cut short or damaged.
    """

    def __init__(self, file: ByteFile) -> None:
        self.name = file.name
        self._file: ByteFile | None = file
        self.size = file.size
        self.whole_fingerprint, self._end = self._check_end(file)
        self.fingerprint = _revised(self.whole_fingerprint, file.revision)
        self.here, self.layers = file.here, file.layers
        self._listed = self._read_directory(file)
        self._entries: dict[str, _Entry] = {}
        if file.nearby and file.whole:
            for key in self._listed:
                self._entry(file, key)

    def keys(self) -> list[str]:
        """See `Store.keys`."""
        self._open()
        return sorted(self._listed)

    def get(self, key: str) -> Blob | None:
        """See `Store.get`."""
        file = self._open()
        if key not in self._listed:
            return None
        entry = self._entry(file, key)
        return Blob(file, entry.start, entry.stop)

    def metadata(self, key: str) -> bytes:
        """See `Store.metadata`."""
        data = super().metadata(key)
        if zlib.crc32(data) != self._listed[key].CRC:
            raise ArchiveError(f"{self.name}: {key} is damaged, its checksum does not match")
        return data

    def opened(self) -> None:
        """See `Store.opened`. What has come from afar stays: an overview may be in it."""
        file = self._open()
        if file.nearby:
            file.let_go()
        file.remember(self.whole_fingerprint)

    def close(self) -> None:
        """See `Store.close`."""
        self._file = None

    def ranges(self) -> dict[str, Range]:
        """See `Store.ranges`: from the directory alone."""
        infos = sorted(self._listed.values(), key=lambda info: info.header_offset)
        stops = [*(info.header_offset for info in infos[1:]), self._end]
        found = {
            info.filename: Range(info.header_offset, _data_start(info), info.file_size, stop)
            for info, stop in zip(infos, stops, strict=True)
        }
        for key, place in found.items():
            if not 0 <= place.start <= place.data + place.size <= place.stop:
                raise ArchiveError(f"{self.name}: entry {key!r} does not lie inside the file")
        return found

    def unsound(self) -> list[Span]:
        """Bytes that are here and not what the directory says of them: headers of entries, and metadata.

        The directory itself is what a fingerprint is of.
        """
        file = self._open()
        bad: list[Span] = []
        for key, place in self.ranges().items():
            header = (place.start, place.data)
            if file.here.covers(*header) and file.read(header[0], header[1] - header[0]) != _header(
                self._listed[key]
            ):
                bad.append(header)
            content = (place.data, place.data + place.size)
            is_metadata = key.rpartition("/")[2] == METADATA_KEY
            if is_metadata and file.here.covers(*content):
                data = file.read(place.data, place.size)
                if zlib.crc32(data) != self._listed[key].CRC:
                    bad.append(content)
        return bad

    def _open(self) -> ByteFile:
        if self._file is None:
            raise ArchiveError(f"{self.name} is closed")
        return self._file

    def _check_end(self, file: ByteFile) -> tuple[str, int]:
        """Check the end record before zipfile trusts its sizes; return the directory's digest and offset."""
        end = _END_OF_DIRECTORY.size
        if self.size < end:
            raise ArchiveError(f"{self.name} is not an archive: it has only {self.size} bytes")
        if file.nearby:  # of others the end has come with the opening
            file.keep_from(max(0, self.size - TAIL_BYTES))
        signature, *_, count, length, offset, comment = _END_OF_DIRECTORY.unpack(
            file.read(self.size - end, end)
        )
        if signature != b"PK\5\6" or comment:
            raise ArchiveError(f"{self.name} is cut short or not an archive: its ZIP directory is missing")
        if count > MAX_ENTRIES or length > _MAX_DIRECTORY_BYTES:
            raise ArchiveError(f"{self.name} claims {count} ZIP entries; at most {MAX_ENTRIES} are read")
        if offset + length + end != self.size:
            raise ArchiveError(f"{self.name} is cut short or damaged: its ZIP directory is misplaced")
        file.keep_from(offset)
        digest = hashlib.sha256(self.size.to_bytes(8, "little"))
        digest.update(file.read(offset, length + end))
        found = digest.hexdigest()[:32]
        if file.etag not in ("", found):
            raise ArchiveError(f"{self.name} is a part of another archive than its map; fetch it again")
        return found, offset

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
        self._check_apart(infos)
        return listed

    def _check_apart(self, infos: list[zipfile.ZipInfo]) -> None:
        """Refuse entries that share bytes: they could be far larger together than the file."""
        infos = sorted(infos, key=lambda info: info.header_offset)
        for info, following in pairwise(infos):
            least = _LOCAL_HEADER.size + len(info.orig_filename.encode()) + info.compress_size
            if info.header_offset + least > following.header_offset:
                raise ArchiveError(
                    f"{self.name} has entries that overlap: {info.filename!r} and {following.filename!r}"
                )

    def _entry(self, file: ByteFile, key: str) -> _Entry:
        if key not in self._entries:
            self._entries[key] = self._locate(file, self._listed[key])
        return self._entries[key]

    def _locate(self, file: ByteFile, info: zipfile.ZipInfo) -> _Entry:
        """Find an entry's bytes, trusting the directory only where the local header agrees."""
        name = f"{self.name}: entry {info.filename!r}"
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise ArchiveError(f"{name} is deflated or encrypted; an archive's entries are stored")
        if info.file_size != info.compress_size:
            raise ArchiveError(f"{name} has two different sizes")
        header_end = info.header_offset + _LOCAL_HEADER.size
        if not 0 <= info.header_offset <= header_end <= self.size:
            raise ArchiveError(f"{name} starts outside the file")
        expected = info.orig_filename.encode()
        length = min(_LOCAL_HEADER.size + len(expected), self.size - info.header_offset)
        # what follows a shard's header is the index at its end
        last = min(info.header_offset + length + info.file_size, self.size)
        first = max(info.header_offset + length, last - _INDEX_BYTES)
        header = file.read_ahead((info.header_offset, length), (first, last - first))
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


class ZipSink(Sink):
    """A ZIP file with stored entries."""

    def __init__(self, path: Path, final: Path) -> None:
        super().__init__(path, final)
        self.size = _END_BYTES
        self._file = path.open("xb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED, allowZip64=False)

    def hold(self) -> bool:
        """See `Sink.hold`."""
        return hold(self._file.fileno(), self.path)

    def write(self, key: str, data: bytes) -> None:
        """See `Sink.write`."""
        with writing(self._final):
            self._zip.writestr(zipfile.ZipInfo(key, _EPOCH), data)
        self.size += self.cost(key, len(data))

    def cost(self, key: str, length: int) -> int:
        """See `Sink.cost`."""
        return _ENTRY_BYTES + 2 * len(key.encode()) + length

    def finish(self) -> None:
        """See `Sink.finish`."""
        with writing(self._final):
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())  # and stays open, and so locked

    def _move(self, *, replace: bool) -> None:
        if not replace:
            _link(self.path, self._final)
            remove(self.path)
        elif self._final.is_dir():
            with stepping_aside(self._final):
                _link(self.path, self._final)
            remove(self.path)
        else:
            self.path.replace(self._final)
        with contextlib.suppress(OSError):  # all has been on the disk since `finish`
            self._file.close()

    def discard(self) -> None:
        """See `Sink.discard`."""
        remove(self.path)
        for file in (self._zip, self._file):
            with contextlib.suppress(OSError, ValueError):  # such as the full disk that made us give up
                file.close()


def whole_of(fingerprint: str) -> str:
    """The fingerprint of the whole archive, by that of an archive of which not all may be here."""
    return fingerprint.partition(_REVISED)[0]


def _data_start(info: zipfile.ZipInfo) -> int:
    """Where an entry's data begin, unless its own header is longer than it has to be."""
    return info.header_offset + _LOCAL_HEADER.size + len(info.orig_filename.encode())


def _header(info: zipfile.ZipInfo) -> bytes:
    """An entry's own header, without fields of its own, as the directory has it."""
    year, month, day, hour, minute, second = info.date_time
    name = info.orig_filename.encode()
    header = _LOCAL_HEADER.pack(
        b"PK\3\4", info.extract_version | info.reserved << 8, info.flag_bits, info.compress_type,
        hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day,
        info.CRC, info.compress_size, info.file_size, len(name), 0,
    )  # fmt: skip
    return header + name


def _revised(fingerprint: str, revision: str) -> str:
    """What tells an archive of which not all is here from itself when more is: see `whole_of`."""
    return f"{fingerprint}{_REVISED}{revision[:_REVISION_LENGTH]}" if revision else fingerprint


def _link(path: Path, final: Path) -> None:
    """Give a file a name that nothing has, in one step.

    Raises:
        FileExistsError: If the name is taken.
        OSError: If that is not possible.
    """
    try:
        final.hardlink_to(path)
    except OSError as error:
        if error.errno not in _NO_LINKS_HERE:
            raise
        # The file system has no links. Whoever makes the empty file may replace it.
        final.touch(exist_ok=False)
        try:
            path.replace(final)
        except BaseException:
            final.unlink(missing_ok=True)
            raise
