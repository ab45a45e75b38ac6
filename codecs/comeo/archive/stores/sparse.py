"""Files with holes: archives that are on their way, `<id>.zarr.part` with a map beside them (see `parts`)."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import stat
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import LocalFile, sync_folder, writing
from comeo.archive.stores.parts import PART_SUFFIX, PartMap, map_path, read_map, write_map
from comeo.archive.stores.zip import ZIP_SUFFIX, ZipStore
from comeo.errors import ArchiveError, NotHereError, ReplacedError

_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # of fallocate(2)
_NO_HOLES_HERE: Final = frozenset((errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODEV, errno.EINVAL))
_PIECE: Final = 1 << 20


class PartFile(LocalFile):
    """A file with holes.

    Args:
        path: Of the part.
        here: Bytes that are here.
        etag: Of the whole archive.
    """

    whole = False

    def __init__(self, path: Path, here: Extents, etag: str) -> None:
        super().__init__(path)
        self._here = here
        self.etag = etag

    @property
    def here(self) -> Extents:
        """See `ByteFile.here`."""
        return self._here

    def keep_from(self, offset: int) -> None:
        """See `ByteFile.keep_from`; as far as it is here."""
        behind = [start for start, stop in self._here if stop == self.size]
        if behind:
            super().keep_from(max(offset, behind[0]))

    def _fetch(self, offset: int, length: int) -> bytes:
        """See `ByteFile._fetch`."""
        self._check(self._here, offset, length)
        return super()._fetch(offset, length)

    def _check(self, here: Extents, offset: int, length: int) -> None:
        if not here.covers(offset, offset + length):
            share = 100 * here.total // self.size
            raise NotHereError(
                f"{self.name} is here in part, {share}% of its bytes, and what this needs is not here yet"
            )


class SparseFile(PartFile):
    """A file with holes, as its map said it was when it was opened.

    Args:
        path: Of the part; its map lies beside it.

    Attributes:
        here: The bytes that can be read: those that the map had then, and has not let go of since.
        layers: Names of what is here as a whole.
        etag: Of the whole archive.
        revision: Hex digest of the map.

    Raises:
        FileNotFoundError: If there is no such part, or it has no map yet.
        ReplacedError: If what is here changes at this very moment.
        ArchiveError: If the map is damaged, or of another file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map_state = _state(map_path(path))
        found = read_map(path)
        super().__init__(path, found.here, found.etag)
        if _state(map_path(path)) != self._map_state:
            raise ReplacedError(f"{self.name} has changed while it was opened; try again")
        if found.size != self.size:
            raise ArchiveError(
                f"{self.name} has {self.size} bytes and its map {found.size}; remove both and fetch it again"
            )
        self.layers, self.revision = tuple(found.layers), found.revision

    def _fetch(self, offset: int, length: int) -> bytes:
        """See `ByteFile._fetch`."""
        data = super()._fetch(offset, length)
        self._check_kept(offset, length)
        return data

    def _check_kept(self, offset: int, length: int) -> None:
        """After reading: make sure that the bytes were not let go of meanwhile, and read as zeros.

        The map says so before the hole is made. A map that has gone was followed by the whole file.
        """
        state = _state(map_path(self._path))
        if state in (self._map_state, None):
            return
        found = read_map(self._path)
        if found.etag == self.etag:  # of another archive the bytes are in another file
            self._here, self._map_state = self._here.common(found.here), state
            self._check(self._here, offset, length)


class SparseWriter:
    """Writes a file with holes. One at a time has it, until it is closed or garbage.

    Attributes:
        path: Of the part.
        size: Bytes of the whole archive.
        etag: Of the whole archive.
        published: The bytes that readers see.
        layers: Names of what they see as a whole.
    """

    def __init__(self, path: Path, descriptor: int, found: PartMap) -> None:
        self.path = path
        self.size, self.etag = found.size, found.etag
        self.published, self.layers = found.here, tuple(found.layers)
        self._descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def create(cls, path: Path, size: int, etag: str) -> SparseWriter:
        """Make a part, all holes, with a map of nothing; or go on with one of the same archive.

        Args:
            path: Ends in `.zarr.part`.
            size: Bytes of the whole archive.
            etag: Of the whole archive: see `Store.fingerprint`.

        Raises:
            ReplacedError: If a part of another archive lies there: `discard` it first.
            ArchiveError: If the size is beyond what an archive can have, the disk has no room for all of it,
                another process writes it, or it cannot be written.
        """
        wanted = _empty_map(path, size, etag)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            known = _known_map(path)
            if known is not None and (known.size, known.etag) != (size, etag):
                raise ReplacedError(f"{path.name} is a part of another archive; discard it before this one")
            _check_room(path, size)
            if known is None:
                path.unlink(missing_ok=True)  # without a map nobody knows of what archive it is
                write_map(path, wanted)
            may_be_new = known is None or not known.extents
            return cls(path, _opened(path, size, may_be_new=may_be_new), known or wanted)

    @classmethod
    def fade(
        cls, archive: Path, keep: Extents, layers: Sequence[str], etag: str | None = None
    ) -> SparseWriter:
        """Make a whole archive a part that keeps some bytes, which are copied: readers of it are not cut off.

        Args:
            archive: A `.zarr.zip` file, which is removed when the part is on the disk.
            keep: The bytes that are kept.
            layers: Names of what is then here as a whole.
            etag: That the archive must have; by default any.

        Raises:
            ReplacedError: If it has another one.
            ArchiveError: If it cannot be read, or the part not written.
        """
        file = LocalFile(archive)
        found = ZipStore(file).fingerprint
        if etag not in (None, found):
            raise ReplacedError(f"{archive.name} has been replaced by another archive")
        part = archive.with_name(archive.name.removesuffix(ZIP_SUFFIX) + PART_SUFFIX)
        cls.discard(part)
        writer = cls.create(part, file.size, found)
        for start, stop in keep:
            for offset in range(start, stop, _PIECE):
                writer.write(offset, file.read(offset, min(_PIECE, stop - offset)))
        writer.publish(layers, keep)
        with writing(archive):
            archive.unlink()
            sync_folder(archive.parent)
        return writer

    @staticmethod
    def discard(path: Path) -> None:
        """Remove a part and its map, if they are there; the map last, so that no bytes lose their name.

        Raises:
            ArchiveError: If they cannot be removed.
        """
        with writing(path):
            path.unlink(missing_ok=True)
            map_path(path).unlink(missing_ok=True)

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes. Readers see them when they are published.

        Raises:
            ArchiveError: If they lie outside the file, or the disk refuses them.
        """
        if not 0 <= offset <= offset + len(data) <= self.size:
            raise ArchiveError(f"{self.path.name} has no bytes {offset} to {offset + len(data)}")
        with writing(self.path):
            view = memoryview(data)
            while view:
                done = os.pwrite(self._descriptor, view, offset)
                view, offset = view[done:], offset + done

    def sync(self) -> None:
        """Bring what has been written onto the disk.

        Raises:
            ArchiveError: If the disk does not confirm it.
        """
        with writing(self.path):
            os.fdatasync(self._descriptor)

    def publish(self, layers: Sequence[str], extents: Extents) -> None:
        """Let readers see bytes, once they are on the disk.

        Args:
            layers: Names of all that is then here as a whole.
            extents: All bytes that readers may then see. The caller has written and checked them.

        Raises:
            ArchiveError: If the map cannot be written; readers then see what they saw before.
        """
        self.sync()
        found = _map_of(self.path, self.size, self.etag, layers, extents)
        write_map(self.path, found)
        self.published, self.layers = extents, tuple(layers)

    def complete(self) -> Path:
        """Give a file that is all here, and that the caller has checked, the name of an archive.

        Returns:
            Where it lies now. This writer is closed.

        Raises:
            ArchiveError: If it is not the archive that it was to become, or cannot be renamed.
        """
        store = ZipStore(LocalFile(self.path))
        if store.fingerprint != self.etag:
            raise ArchiveError(f"{self.path.name} is not the archive that it was to become; fetch it again")
        final = self.path.with_name(self.path.name.removesuffix(PART_SUFFIX) + ZIP_SUFFIX)
        with writing(final):
            os.fsync(self._descriptor)
            self.path.replace(final)
            sync_folder(final.parent)
            map_path(self.path).unlink(missing_ok=True)
        self.close()
        return final

    def punch(self, keep: Extents, layers: Sequence[str]) -> None:
        """Let go of all other bytes: readers no longer see them, and the disk has them back.

        A file system that knows no holes keeps them; nobody sees them all the same.

        Args:
            keep: The bytes that are kept, as far as they are published or written.
            layers: Names of what is still here as a whole.

        Raises:
            ArchiveError: If the map cannot be written; nothing is lost then.
        """
        self.publish(layers, self.published.common(keep))
        with writing(self.path):
            for start, stop in keep.missing(0, self.size):
                if not _punched(self._descriptor, start, stop - start):
                    return

    def close(self) -> None:
        """Let another writer have the part."""
        self._close()


def _state(path: Path) -> tuple[int, int, int] | None:
    """What tells one map from the next, or None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _map_of(path: Path, size: int, etag: str, layers: Sequence[str], extents: Extents) -> PartMap:
    """A map, checked.

    Raises:
        ArchiveError: Saying what does not fit.
    """
    try:
        return PartMap(size=size, etag=etag, layers=list(layers), extents=[list(span) for span in extents])
    except ValueError as error:
        raise ArchiveError(f"{path.name} cannot be a part of an archive: {error}") from error


def _empty_map(path: Path, size: int, etag: str) -> PartMap:
    if not path.name.endswith(PART_SUFFIX):
        raise ArchiveError(f"{path.name} is not a part's name: it must end in {PART_SUFFIX}")
    return _map_of(path, size, etag, [], Extents())


def _known_map(path: Path) -> PartMap | None:
    """The map of a part that is there; None where there is no part, or nobody knows what it is."""
    if not path.exists():
        return None
    try:
        return read_map(path)
    except FileNotFoundError:
        return None


def _check_room(path: Path, size: int) -> None:
    """Refuse a file that the disk has no room for.

    Raises:
        ArchiveError: Saying how much there is.
    """
    taken = path.stat().st_blocks * 512 if path.exists() else 0
    free = shutil.disk_usage(path.parent).free
    if size - taken > free:
        raise ArchiveError(
            f"{path.name} needs {size - taken} bytes, and the disk has {free} free: make room first"
        )


def _opened(path: Path, size: int, *, may_be_new: bool) -> int:
    """Open the part, alone, at its full length."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size not in ((0, size) if may_be_new else (size,)):
            raise ArchiveError(f"{path.name} is not a part of this archive; discard it before this one")
        if status.st_size != size:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
            sync_folder(path.parent)
        return descriptor
    except BlockingIOError as error:
        os.close(descriptor)
        raise ArchiveError(f"{path.name} is being written by another process; wait for it") from error
    except BaseException:
        os.close(descriptor)
        raise


def _punched(descriptor: int, offset: int, length: int) -> bool:
    """Make a hole; false where the file system has none.

    Raises:
        OSError: If that fails for another reason.
    """
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if fallocate is None:
        return False
    number = ctypes.c_longlong
    if fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, number(offset), number(length)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_HOLES_HERE:
        return False
    raise OSError(code, os.strerror(code))
