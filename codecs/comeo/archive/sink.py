"""Writing an archive's objects beside its final name, to be moved there only when all is well."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from comeo.errors import ArchiveError

ZIP_SUFFIX = ".zarr.zip"
FOLDER_SUFFIX = ".zarr"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same input gives the same bytes, whenever it is compressed
_ZIP_ENTRY_BYTES = 30 + 46  # local header and directory record, without the name, which stands in both
_ZIP_END_BYTES = 22


class Sink(ABC):
    """Takes an archive's objects under a temporary name.

    Attributes:
        path: The temporary file or folder.
        size: Bytes that the archive would have if it were finished now.
    """

    path: Path
    size: int

    @abstractmethod
    def write(self, key: str, data: bytes) -> None:
        """Add an object."""

    @abstractmethod
    def cost(self, key: str, length: int) -> int:
        """Bytes that an object of this length adds to the archive."""

    @abstractmethod
    def finish(self) -> None:
        """Put everything on disk."""

    @abstractmethod
    def publish(self, final: Path) -> None:
        """Move the archive to its final name in one step."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written."""


def open_sink(final: Path) -> Sink:
    """Open a sink for an archive that is to be called `final`.

    Raises:
        ArchiveError: If the name is not an archive's, or its folder can't be written.
    """
    temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.partial")
    with _writing(final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.name.endswith(ZIP_SUFFIX):
            return ZipSink(temporary)
        if final.name.endswith(FOLDER_SUFFIX):
            return FolderSink(temporary)
    raise ArchiveError(f"{final.name} is no archive's name: it must end in {ZIP_SUFFIX} or {FOLDER_SUFFIX}")


class ZipSink(Sink):
    """A ZIP file with stored entries."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = _ZIP_END_BYTES
        self._file = path.open("xb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED, allowZip64=False)

    def write(self, key: str, data: bytes) -> None:
        """See `Sink.write`."""
        with _writing(self.path.parent):
            self._zip.writestr(zipfile.ZipInfo(key, _EPOCH), data)
        self.size += self.cost(key, len(data))

    def cost(self, key: str, length: int) -> int:
        """See `Sink.cost`."""
        return _ZIP_ENTRY_BYTES + 2 * len(key.encode()) + length

    def finish(self) -> None:
        """See `Sink.finish`."""
        with _writing(self.path.parent):
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def publish(self, final: Path) -> None:
        """See `Sink.publish`."""
        if final.is_dir():
            shutil.rmtree(final)
        self.path.replace(final)
        _sync_folder(final.parent)

    def discard(self) -> None:
        """See `Sink.discard`."""
        with contextlib.suppress(OSError):  # such as the full disk that made us give up
            self._zip.close()
            self._file.close()
        self.path.unlink(missing_ok=True)


class FolderSink(Sink):
    """A folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        path.mkdir()

    def write(self, key: str, data: bytes) -> None:
        """See `Sink.write`."""
        file = self.path / key
        with _writing(self.path.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        self.size += len(data)

    def cost(self, key: str, length: int) -> int:  # noqa: ARG002
        """See `Sink.cost`."""
        return length

    def finish(self) -> None:
        """See `Sink.finish`."""
        _sync_folder(self.path)

    def publish(self, final: Path) -> None:
        """See `Sink.publish`. An older archive steps aside first: a folder can't be replaced at once."""
        aside = None
        if final.exists():
            aside = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.old")
            final.rename(aside)
        self.path.rename(final)
        _sync_folder(final.parent)
        if aside is not None:
            shutil.rmtree(aside)

    def discard(self) -> None:
        """See `Sink.discard`."""
        shutil.rmtree(self.path, ignore_errors=True)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say where a disk was full or a folder closed to us: the system's own message does not."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{folder} can't be written: {error.strerror}") from error


def _sync_folder(path: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
