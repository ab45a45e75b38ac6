"""An upstream that is a folder: a disk that was carried, or a share in the network."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from cachetools import LRUCache

from comeo.archive.stores import open_store
from comeo.archive.stores.file import LocalFile
from comeo.errors import ArchiveError, ComeoError
from tileserver.relay.errors import ChangedError, UnreachableError, UpstreamError
from tileserver.relay.feed.layout import MODELS
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream.base import PIECE_BYTES
from tileserver.relay.upstream.reading import FeedReader
from tileserver.relay.upstream.wire import Wire

_MOST_KNOWN: Final = 1000


class FolderUpstream(FeedReader):
    """A folder that `comeo relay publish` or `comeo relay export` has written.

    Args:
        place: The folder, or its address `file:///…`.
        trust: What is known of it.

    Raises:
        UnreachableError: If it is not there: a disk that is not plugged in.
        ComeoError: If the address names another machine.
    """

    def __init__(self, place: str | Path, trust: Trust) -> None:
        path = folder_of(place)
        super().__init__(trust, str(path))
        if not path.is_dir():
            raise UnreachableError(
                f"{path} is not there; plug in the disk, or name the folder that has relay/ in it"
            )
        self._root = path.resolve()
        self._known: LRUCache[str, tuple[tuple[int, ...], str]] = LRUCache(_MOST_KNOWN)
        """By href: state of the file, and its ETag."""
        self.wire = Wire()

    def read(self, href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Upstream.read`."""
        path = self._inside(unquote(self._below_root(href)), ChangedError)
        self._check(path, href, etag)
        file = self._open(path, href)
        if not 0 <= start < stop <= file.size:
            raise ChangedError(f"{self.name}: {href} has no bytes {start} to {stop}")
        yield from self._pieces(file, start, stop)

    def part_of_model(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Upstream.part_of_model`."""
        path = f"{MODELS}/{sha256}"
        yield from self._pieces(self._open(self._inside(path), path), start, stop)

    def contains(self, folder: Path) -> bool:
        """Whether another folder is this one, or lies in it."""
        return folder.resolve().is_relative_to(self._root)

    def has(self, href: str) -> bool:
        """See `Upstream.has`: a disk may be older than its origin, or have had no room for all."""
        return (self._root / unquote(href)).is_file()

    def _get(self, path: str, most: int) -> bytes:
        """See `FeedReader._get`."""
        file = self._open(self._inside(path), path)
        if file.size > most:
            raise UpstreamError(f"{self.name}: {path} has more than {most} bytes, and is not read")
        self.wire.received += file.size
        try:
            return file.read(0, file.size)
        except ArchiveError as error:
            raise UnreachableError(f"{self.name}: {error}") from error

    def _pieces(self, file: LocalFile, start: int, stop: int) -> Iterator[bytes]:
        for offset in range(start, min(stop, file.size), PIECE_BYTES):
            try:
                piece = file.read(offset, min(PIECE_BYTES, stop - offset, file.size - offset))
            except ArchiveError as error:
                raise UnreachableError(f"{self.name}: {error}") from error
            self.wire.received += len(piece)
            yield piece

    def _inside(self, path: str, gone: type[UpstreamError] = UpstreamError) -> Path:
        """A file below the root, whatever links there are on the way; `gone` is raised where it is not."""
        try:
            found = (self._root / path).resolve(strict=True)
        except OSError as error:
            missing = f"{self.name} has no {path} that can be read: {error.strerror}"
            raise (gone if self._root.is_dir() else UnreachableError)(missing) from error
        if not found.is_relative_to(self._root):
            raise UpstreamError(f"{self.name}: {path} is a link that leaves the folder, and is not followed")
        return found

    def _open(self, path: Path, name: str) -> LocalFile:
        try:
            return LocalFile(path, name, follow=False)
        except ArchiveError as error:
            raise UpstreamError(f"{self.name}: {error}") from error
        except OSError as error:
            raise UnreachableError(f"{self.name}: {name} cannot be read: {error.strerror}") from error

    def _check(self, path: Path, href: str, etag: str) -> None:
        """Compare the file's ETag, which takes its directory, once for each state of the file."""
        with contextlib.suppress(OSError):
            status = path.stat()
            state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if href not in self._known or self._known[href][0] != state:
                self._known[href] = (state, self._etag(path, href))
            if self._known[href][1] != etag:
                raise ChangedError(f"{self.name}: {href} is another archive than its line tells of")
            return
        raise UnreachableError(f"{self.name}: {href} is gone; plug in the disk, or read the feed again")

    def _etag(self, path: Path, href: str) -> str:
        try:
            store = open_store(path)
        except ArchiveError as error:
            raise ChangedError(f"{self.name}: {href} is no whole archive: {error}") from error
        try:
            return store.fingerprint
        finally:
            store.close()


def folder_of(place: str | Path) -> Path:
    """The folder of a path or of an address `file:///…`.

    Raises:
        ComeoError: If the address is of another machine, or of something else.
    """
    text = os.fspath(place)
    if not re.match(r"[a-z][a-z0-9+.-]+:", text):
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise ComeoError(
            f"{text[:100]} is no folder of this machine; write file:///media/usb, or the path itself"
        )
    return Path(url2pathname(parts.path))
