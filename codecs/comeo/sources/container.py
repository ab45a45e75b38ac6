"""The files of a product, in a folder or a zip, by their names in the product.

What a product's own metadata call a file is only looked up among the names that are really there: no such
name can lead out of the product.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from comeo.errors import SourceError
from comeo.sources.paths import inside

MAX_FILES: Final = 20_000
MAX_TEXT_BYTES: Final = 8 << 20
MAX_BAND_BYTES: Final = 1 << 30
_CHUNK: Final = 1 << 20
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


class Container(ABC):
    """The files of one product.

    Attributes:
        path: Folder or zip.
        names: Names of the files, relative to `path`, with slashes.
    """

    path: Path
    names: frozenset[str]

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file."""

    @contextmanager
    @abstractmethod
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for reading from its start.

        Raises:
            SourceError: If it is damaged, here or while it is read.
        """
        yield  # type: ignore[misc]

    @abstractmethod
    def local(self, name: str) -> Path:
        """A path that the file can be read from by name, until the container is closed.

        Raises:
            SourceError: If it is damaged or absurdly large, or leads out of the product.
        """

    @abstractmethod
    def close(self) -> None:
        """Free what the container holds."""

    def read(self, name: str) -> bytes:
        """A file's bytes, of which metadata have few.

        Raises:
            SourceError: If it is damaged or absurdly large.
        """
        if self.size(name) > MAX_TEXT_BYTES:
            raise SourceError(f"{self.path.name}: {name} has more than {MAX_TEXT_BYTES} bytes")
        with self.open(name) as stream:
            return stream.read(MAX_TEXT_BYTES)

    def below(self, folder: str, name: str) -> str | None:
        """The full name of a file given relative to a folder, or None when there is no such file."""
        full = str(PurePosixPath(folder) / name) if folder else str(PurePosixPath(name))
        return full if full in self.names else None


class FolderContainer(Container):
    """Files in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        names: list[str] = []
        for file in path.rglob("*"):
            if file.is_file():
                names.append(file.relative_to(path).as_posix())
            if len(names) > MAX_FILES:
                raise SourceError(
                    f"{path.name} has more than {MAX_FILES} files; give the folder of one product"
                )
        self.names = frozenset(names)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self.local(name).stat().st_size

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file."""
        try:
            with self.local(name).open("rb") as stream:
                yield stream
        except OSError as error:
            raise SourceError(f"{self.path.name}: {name} cannot be read: {error.strerror}") from error

    def local(self, name: str) -> Path:
        """The file's own path."""
        return inside(self.path, self.path / name)

    def close(self) -> None:
        """Nothing is held."""


class ZipContainer(Container):
    """Files in a zip; those that are needed by path are extracted to a temporary folder, one by one.

    The temporary folder is made where the environment variable TMPDIR says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._extracted: dict[str, Path] = {}
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as error:
            raise SourceError(f"{path.name} is not a readable zip: {error}") from error
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        self._infos = {info.filename: info for info in infos}
        self.names = frozenset(self._infos)
        if len(infos) > MAX_FILES or len(self._infos) < len(infos):
            self._zip.close()
            raise SourceError(
                f"{path.name} has too many files, or one name twice: it is not the zip of a product"
            )

    def size(self, name: str) -> int:
        """Bytes of a file, as the zip states them; no more are ever read."""
        return self._infos[name].file_size

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file."""
        try:
            with self._zip.open(self._infos[name]) as stream:
                yield stream
        except _ZIP_ERRORS as error:
            raise SourceError(f"{self.path.name}: {name[:200]} cannot be unpacked: {error}") from error

    def local(self, name: str) -> Path:
        """Extract a file, once."""
        with self._lock:
            if name not in self._extracted:
                self._extracted[name] = self._extract(name)
            return self._extracted[name]

    def _extract(self, name: str) -> Path:
        if self.size(name) > MAX_BAND_BYTES:
            raise SourceError(f"{self.path.name}: {name[:200]} has more than {MAX_BAND_BYTES} bytes")
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="comeo-")
        free = shutil.disk_usage(self._folder.name).free
        if self.size(name) > free:
            raise SourceError(
                f"there is no room to unpack {PurePosixPath(name).name} in {self._folder.name}; "
                "set TMPDIR to a larger disk, or unzip the product and give its folder"
            )
        # The name in the zip isn't to be trusted as a path: only its last part is kept, under a number.
        target = Path(self._folder.name) / str(len(self._extracted)) / PurePosixPath(name).name
        target.parent.mkdir()
        with self.open(name) as packed, target.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, _CHUNK)
        return target

    def close(self) -> None:
        """Close the zip and remove what was extracted."""
        with self._lock:
            self._zip.close()
            self._extracted.clear()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None


def open_container(path: Path) -> Container:
    """Open a folder or a zip.

    Raises:
        SourceError: If it is neither.
    """
    if path.is_dir():
        return FolderContainer(path)
    if zipfile.is_zipfile(path):
        return ZipContainer(path)
    raise SourceError(f"{path.name} is not a zip: it is damaged, or its download was cut short")
