"""Stores that archives are read from, and sinks that they are written to: ZIP files and folders."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from comeo.archive.stores.base import Blob, Sink, Store
from comeo.archive.stores.file import ByteFile, LocalFile, temporary_name, writing
from comeo.archive.stores.folder import FOLDER_SUFFIX, FolderSink, FolderStore
from comeo.archive.stores.parts import PART_SUFFIX
from comeo.archive.stores.sparse import SparseFile
from comeo.archive.stores.zip import ZIP_SUFFIX, ZipSink, ZipStore, whole_of
from comeo.errors import ArchiveError
from comeo.leftovers import sweep as sweep_folder
from comeo.places import in_bucket, is_far, is_url

__all__ = [
    "FOLDER_SUFFIX",
    "PART_SUFFIX",
    "ZIP_SUFFIX",
    "Blob",
    "Sink",
    "Store",
    "open_file",
    "open_sink",
    "open_store",
    "other_form",
    "sweep",
    "whole_of",
]

# `.partial` is an archive that is being written, `.old` one that is being replaced (folders only).
_TEMPORARY: Final = re.compile(r"\.(.+\.zarr(?:\.zip)?)\.[0-9a-f]{8}\.(?:partial|old)")


def open_store(place: str | Path, fingerprint: str = "") -> Store:
    """Open an archive's store, whichever form it has.

    Args:
        place: File, folder, a file with holes (`.zarr.part`), or the http(s) or s3 URL of a file.
        fingerprint: Of the archive that it is to be, which the caller compares: then a file with holes that
            has become whole meanwhile is opened as what it is now, and the other way round; and one in a
            bucket that was opened before takes no request.

    Raises:
        ArchiveError: If it is missing or damaged.
    """
    if not str(place):
        raise ArchiveError("no archive is named: give a .zarr.zip file, a .zarr folder or a URL")
    if not is_far(place) and Path(place).is_dir():
        return FolderStore(Path(place))
    with _naming(place):
        return ZipStore(open_file(place, fingerprint))


def open_file(place: str | Path, fingerprint: str = "") -> ByteFile:
    """Open the file of an archive, wherever it lies.

    Args:
        place: See `open_store`.
        fingerprint: Likewise.

    Raises:
        ArchiveError: If it cannot be read.
    """
    if is_url(place):
        from comeo.archive.stores.remote import RemoteFile  # noqa: PLC0415 - few need an HTTP client

        return RemoteFile(str(place))
    if in_bucket(place):
        from comeo.archive.stores.objects import ObjectFile  # noqa: PLC0415 - likewise

        return ObjectFile(str(place), fingerprint)
    with _naming(place):
        return _opened(Path(place), known=bool(fingerprint))


@contextlib.contextmanager
def _naming(place: str | Path) -> Iterator[None]:
    """Name the archive in errors of the system, whose own text has the whole path: not for everybody."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{Path(place).name} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a name with a NUL
        raise ArchiveError(f"{Path(place).name} cannot be read: {error}") from error


def _opened(path: Path, *, known: bool) -> ByteFile:
    try:
        return SparseFile(path) if path.name.endswith(PART_SUFFIX) else LocalFile(path)
    except FileNotFoundError:
        other = other_form(str(path))
        if not known or other is None or path.exists() or not Path(other).exists():
            raise
        return _opened(Path(other), known=False)


def other_form(path: str) -> str | None:
    """The path of a whole archive as one of which not all is here, and the other way round; None of folders.

    A scene is served from one of them: the whole one, where it is there.
    """
    for suffix, other in ((PART_SUFFIX, ZIP_SUFFIX), (ZIP_SUFFIX, PART_SUFFIX)):
        if path.endswith(suffix):
            return path.removesuffix(suffix) + other
    return None


def open_sink(final: Path) -> Sink:
    """Open a sink for an archive, under a temporary name beside its final one.

    Args:
        final: Final name, ending in `.zarr.zip` or `.zarr`.

    Raises:
        ArchiveError: If the name has another ending, or its folder cannot be written.
    """
    if not final.name.endswith((ZIP_SUFFIX, FOLDER_SUFFIX)):
        raise ArchiveError(
            f"{final.name} is not an archive's name: it must end in {ZIP_SUFFIX} or {FOLDER_SUFFIX}"
        )
    kind = ZipSink if final.name.endswith(ZIP_SUFFIX) else FolderSink
    with writing(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        while True:
            sink = kind(temporary_name(final, "partial"), final)
            try:
                if sink.hold():
                    return sink
            except BaseException:
                sink.discard()
                raise
            sink.discard()


def sweep(folder: Path) -> None:
    """Remove what killed processes have left of archives, and bring back those that they were replacing."""
    sweep_folder(folder, lambda name: bool(_TEMPORARY.fullmatch(name)), _restore)


def _restore(path: Path) -> None:
    """Give an archive that was being replaced its name back, if nothing has it."""
    match = _TEMPORARY.fullmatch(path.name)
    if match and path.name.endswith(".old"):
        with contextlib.suppress(OSError):  # the name is taken: the replacement was complete
            path.rename(path.with_name(match.group(1)))
