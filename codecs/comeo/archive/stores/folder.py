"""An archive as a folder of objects, as an object store would hold them."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from pathlib import Path
from typing import Final

from comeo.archive.stores.base import MAX_ENTRIES, MAX_METADATA_BYTES, Blob, Sink, Store
from comeo.archive.stores.file import LocalFile, sync_folder, writing
from comeo.errors import ArchiveError

FOLDER_SUFFIX: Final = ".zarr"
_METADATA_NAME: Final = "zarr.json"
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
        self.fingerprint = self._digest(self._sizes)

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
            return LocalFile(self._path / key)
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
            whole = key.rpartition("/")[2] == _METADATA_NAME
            length = min(size, MAX_METADATA_BYTES if whole else _CHECKSUM_BYTES)
            digest.update(f"{len(key)} {key} {size} {length}\n".encode())
            digest.update(file.read(size - length, length))
        return digest.hexdigest()[:32]


class FolderSink(Sink):
    """A folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        path.mkdir()

    def write(self, key: str, data: bytes) -> None:
        """See `Sink.write`."""
        file = self.path / key
        with writing(self.path.parent):
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
        sync_folder(self.path)

    def publish(self, final: Path) -> None:
        """See `Sink.publish`. An older archive steps aside first: a folder cannot be replaced at once."""
        aside = None
        if final.exists():
            aside = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.old")
            final.rename(aside)
        self.path.rename(final)
        sync_folder(final.parent)
        if aside is not None:
            shutil.rmtree(aside)

    def discard(self) -> None:
        """See `Sink.discard`."""
        shutil.rmtree(self.path, ignore_errors=True)
