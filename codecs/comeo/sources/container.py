"""The files of a product, in a folder or a zip, by their names in the product.

Names are plain: relative, with slashes, whatever system packed them (`./`, backslashes, a drive's letter).
What systems leave beside files (`._B02.jp2`, `__MACOSX`, `Thumbs.db`) is not seen at all. What a product's
own metadata call a file is only looked up among the names that are really there: no such name, and no link,
can lead out of the product.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from comeo.errors import SourceError
from comeo.leftovers import held_folder
from comeo.sources.paths import inside

MAX_FILES: Final = 20_000
MAX_TEXT_BYTES: Final = 8 << 20
MAX_BAND_BYTES: Final = 4 << 30  # a stripmap image of radar has more than one GiB
_CHUNK: Final = 1 << 20
_MAX_LOCAL_NAME: Final = 120
_DRIVE: Final = re.compile("[A-Za-z]:")
_LITTER: Final = re.compile(
    r"\.[^.].*|__MACOSX|Thumbs\.db|desktop\.ini|@eaDir|\$RECYCLE\.BIN|System Volume Information|lost\+found",
    re.IGNORECASE,
)
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


def plain_name(name: str) -> str:
    """A file's name relative to its product, with slashes; what cannot be printed is replaced."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    while parts and _DRIVE.fullmatch(parts[0]):
        del parts[0]
    return "".join(character if character.isprintable() else "_" for character in "/".join(parts))


def is_litter(name: str) -> bool:
    """Whether a plain name is of what systems leave beside files: hidden, resource forks, thumbnails."""
    return any(_LITTER.fullmatch(part) for part in name.split("/"))


class Container(ABC):
    """The files of one product.

    Attributes:
        path: Folder or zip.
        names: Plain names of the files, relative to `path`.
        folders: Plain names of the folders, the empty ones too as far as they are known.
    """

    path: Path
    names: frozenset[str]
    folders: frozenset[str]

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
        full = plain_name(f"{folder}/{name}")
        return full if full in self.names else None

    def inside(self, folder: str, name: str) -> bool:
        """Whether a file lies in a folder, or in one below it."""
        return not folder or name.startswith(f"{folder}/")


class FolderContainer(Container):
    """Files in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, Path] = {}
        folders: set[str] = set()
        for parent, children, files in os.walk(path):
            where = Path(parent).relative_to(path).as_posix()
            children[:] = [child for child in children if not is_litter(child)]
            for child in children:
                inside(path, Path(parent, child))
                folders.add(plain_name(f"{where}/{child}"))
            for file in map(Path(parent).joinpath, files):
                name = plain_name(f"{where}/{file.name}")
                if is_litter(name) or not file.is_file():
                    continue
                self._files[name] = file
            if len(self._files) > MAX_FILES:
                raise SourceError(
                    f"{path.name} has more than {MAX_FILES} files; give the folder of one product"
                )
        self.names = frozenset(self._files)
        self.folders = frozenset(folders)

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
        return inside(self.path, self._files[name])

    def close(self) -> None:
        """Nothing is held."""


class ZipContainer(Container):
    """Files in a zip; those that are needed by path are extracted to a temporary folder, one by one.

    The temporary folder is made where the environment variable TMPDIR says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._open_folder = ExitStack()
        self._extracted: dict[str, Path] = {}
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as error:
            raise SourceError(f"{path.name} is not a readable zip: {error}") from error
        entries = [(plain_name(info.filename), info) for info in self._zip.infolist()]
        entries = [(name, info) for name, info in entries if name and not is_litter(name)]
        infos = [(name, info) for name, info in entries if not info.filename.endswith(("/", "\\"))]
        self._infos = dict(infos)
        self.names = frozenset(self._infos)
        self.folders = frozenset(
            str(folder) for name, _ in entries for folder in PurePosixPath(name).parents if folder.name
        )
        if len(infos) > MAX_FILES or len(self._infos) < len(infos):
            self._zip.close()
            raise SourceError(
                f"{path.name} has too many files, or one name twice: it is not the zip of a product"
            )

    def size(self, name: str) -> int:
        """Bytes of a file, as the zip states them; no more are ever read."""
        return self._info(name).file_size

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file."""
        try:
            with self._zip.open(self._info(name)) as stream:
                yield stream
        except NotImplementedError as error:  # a method, such as Windows' Deflate64, that Python lacks
            raise SourceError(
                f"{self.path.name}: {name[:200]} is packed in a way that is not read here; "
                "unzip it and give its folder"
            ) from error
        except _ZIP_ERRORS as error:
            raise SourceError(f"{self.path.name}: {name[:200]} cannot be unpacked: {error}") from error

    def local(self, name: str) -> Path:
        """Extract a file, once."""
        name = plain_name(name)
        with self._lock:
            if name not in self._extracted:
                self._extracted[name] = self._extract(name)
            return self._extracted[name]

    def _extract(self, name: str) -> Path:
        if self.size(name) > MAX_BAND_BYTES:
            raise SourceError(f"{self.path.name}: {name[:200]} has more than {MAX_BAND_BYTES} bytes")
        if self._folder is None:
            temporary = Path(tempfile.gettempdir())
            self._folder = self._open_folder.enter_context(held_folder(temporary, "comeo-unzipped-"))
        free = shutil.disk_usage(self._folder).free
        if self.size(name) > free:
            raise SourceError(
                f"there is no room to unpack {PurePosixPath(name).name} in {self._folder}; "
                "set TMPDIR to a larger disk, or unzip the product and give its folder"
            )
        # The name in the zip isn't to be trusted as a path: only its last part is kept, under a number.
        last = PurePosixPath(name).name[-_MAX_LOCAL_NAME:]
        last = "file" if last in ("", "..") else last
        target = self._folder / str(len(self._extracted)) / last
        target.parent.mkdir(exist_ok=True)
        with self.open(name) as packed, target.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, _CHUNK)
        return target

    def _info(self, name: str) -> zipfile.ZipInfo:
        return self._infos[plain_name(name)]

    def close(self) -> None:
        """Close the zip and remove what was extracted."""
        with self._lock:
            self._zip.close()
            self._extracted.clear()
            self._open_folder.close()
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
