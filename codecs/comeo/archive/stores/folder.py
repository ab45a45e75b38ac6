"""An archive as a folder of objects, as an object store would hold them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from comeo.archive.stores.base import MAX_ENTRIES, MAX_METADATA_BYTES, METADATA_KEY, Blob, Sink, Store
from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import ALL, LocalFile, sync_folder, temporary_name, writing
from comeo.errors import ArchiveError
from comeo.leftovers import hold, remove

FOLDER_SUFFIX: Final = ".zarr"
_CHECKSUM_BYTES: Final = 4


class FolderStore(Store):
    """A folder whose files are the objects.

    Args:
        path: The folder.

    Raises:
        ArchiveError: If it cannot be read, or has too many files.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._sizes: dict[str, int] | None = dict(sorted(self._list()))
        self.size = sum(self._sizes.values())
        self.fingerprint = self.whole_fingerprint = self._digest(self._sizes)
        self.here, self.layers = Extents([(0, self.size)]), ALL

    def keys(self) -> list[str]:
        """See `Store.keys`."""
        return list(self._open())

    def get(self, key: str) -> Blob | None:
        """See `Store.get`."""
        size = self._open().get(key)
        if size is None:
            return None
        file = self._file(key)
        if file.size != size:
            raise ArchiveError(f"{self.name}: {key} has been cut short or replaced while it was in use")
        return Blob(file, 0, size)

    def close(self) -> None:
        """See `Store.close`."""
        self._sizes = None

    def _open(self) -> dict[str, int]:
        if self._sizes is None:
            raise ArchiveError(f"{self.name} is closed")
        return self._sizes

    def _list(self) -> list[tuple[str, int]]:
        """Keys and sizes of all objects."""
        found: list[tuple[str, int]] = []
        try:
            for file in self._path.rglob("*"):
                if not file.is_dir():
                    found.append((file.relative_to(self._path).as_posix(), file.stat().st_size))
                if len(found) > MAX_ENTRIES:
                    raise ArchiveError(f"{self.name} has more than {MAX_ENTRIES} files")
        except OSError as error:
            raise ArchiveError(f"{self.name} cannot be read: {error.strerror}") from error
        return found

    def _file(self, key: str) -> LocalFile:
        try:
            return LocalFile(self._path / key, f"{self.name}: {key}", follow=False)
        except OSError as error:
            raise ArchiveError(f"{self.name}: {key} cannot be read: {error.strerror}") from error

    def _digest(self, sizes: dict[str, int]) -> str:
        """Digest of all keys and sizes, the metadata, and the checksum at the end of every shard.

        That checksum is of the shard's index, with the length of each payload: archives that agree in all of
        this come from the same pixels by the same coding. Reading the payloads themselves would take as long
        as reading the archive; each has a checksum of its own, verified when it is decoded.
        """
        digest = hashlib.sha256()
        for key, size in sizes.items():
            file = self._file(key)
            whole = key.rpartition("/")[2] == METADATA_KEY
            length = min(size, MAX_METADATA_BYTES if whole else _CHECKSUM_BYTES)
            digest.update(f"{len(key)} {key} {size} {length}\n".encode())
            digest.update(file.read(size - length, length))
        return digest.hexdigest()[:32]


class FolderSink(Sink):
    """A folder."""

    def __init__(self, path: Path, final: Path) -> None:
        super().__init__(path, final)
        self.size = 0
        path.mkdir()
        self._descriptor = -1

    def hold(self) -> bool:
        """See `Sink.hold`."""
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return hold(self._descriptor, self.path)

    def write(self, key: str, data: bytes) -> None:
        """See `Sink.write`."""
        file = self.path / key
        with writing(self._final):
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
        with writing(self._final):
            for folder in (self.path, *(path for path in self.path.rglob("*") if path.is_dir())):
                sync_folder(folder)

    def _move(self, *, replace: bool) -> None:
        with stepping_aside(self._final) if replace else contextlib.nullcontext():
            rename_to_free(self.path, self._final)
        self._release()

    def discard(self) -> None:
        """See `Sink.discard`."""
        remove(self.path)
        self._release()

    def _release(self) -> None:
        """Let go of the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def rename_to_free(path: Path, final: Path) -> None:
    """Rename to a name that nothing has: the system gives a folder no name of one that holds files.

    Raises:
        FileExistsError: If the name is taken.
        OSError: If that is not possible.
    """
    try:
        path.rename(final)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise FileExistsError(error.errno, error.strerror) from error
        raise


@contextlib.contextmanager
def stepping_aside(final: Path) -> Iterator[None]:
    """Move what has a name out of the way: for good if the block succeeds, else it gets its name back.

    A folder cannot be replaced in one step. If the process is killed in between, `sweep` brings it back.
    """
    held = _held(final)
    if held is None:
        yield
        return
    aside = temporary_name(final, "old")
    try:
        final.rename(aside)
        try:
            yield
        except BaseException:
            _bring_back(aside, final)
            raise
        remove(aside)
    finally:
        os.close(held)


def _held(path: Path) -> int | None:
    """Open and lock what has a name now; None if nothing has."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if hold(descriptor, path.resolve()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _bring_back(aside: Path, final: Path) -> None:
    """Give an archive its name back. Where the disk does not let us, `sweep` does it later."""
    try:
        rename_to_free(aside, final)
    except FileExistsError:  # another process has replaced it meanwhile
        remove(aside)
    except OSError:
        pass
