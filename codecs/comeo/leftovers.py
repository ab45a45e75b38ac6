"""Unfinished files and folders: locked while a process works on them, else removed by the next process.

A process that is killed removes nothing, but the system releases its locks. So what has the name of
something unfinished and can be locked has been abandoned.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_NO_LOCKS_HERE: Final = frozenset((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF))
_ABANDONED_SECONDS: Final = 7 * 86_400  # without a change, on a file system that has no locks


def hold(descriptor: int, path: Path) -> bool:
    """Lock something unfinished until its descriptor is closed.

    Args:
        descriptor: Of the open file or folder.
        path: Its name.

    Returns:
        False if another process has swept it up before it was locked: begin again under another name.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
    return _is(descriptor, path)


@contextlib.contextmanager
def held_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A temporary folder, removed at the end of the block; those of killed processes beside it are swept.

    Args:
        parent: Where to make it.
        prefix: Of its name, and of the names that are swept: nothing else may begin like this.

    Raises:
        OSError: If it cannot be made.
    """
    path, descriptor = make_held_folder(parent, prefix)
    try:
        yield path
    finally:
        remove(path)
        os.close(descriptor)


def make_held_folder(parent: Path, prefix: str, purpose: str = "") -> tuple[Path, int]:
    """Sweep and make a folder as `held_folder` does, for as long as a descriptor of it is open.

    Args:
        parent: Where to make it.
        prefix: Of its name, and of the names that are swept.
        purpose: What follows the prefix in its name.

    Returns:
        The folder, and the descriptor that keeps it locked.

    Raises:
        OSError: If it cannot be made.
    """
    sweep(parent, lambda name: name.startswith(prefix))
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{prefix}{purpose}-" if purpose else prefix, dir=parent))
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # another process has swept it up before it could be locked
            continue
        try:
            if hold(descriptor, path):
                return path, descriptor
        except BaseException:
            remove(path)
            os.close(descriptor)
            raise
        os.close(descriptor)


def sweep(
    folder: Path, is_unfinished: Callable[[str], bool], restore: Callable[[Path], None] | None = None
) -> None:
    """Remove what no process works on any more. What cannot be removed stays.

    Args:
        folder: Where to look; not below it.
        is_unfinished: Whether a name is one of something unfinished.
        restore: Called before a removal, and free to move what is about to be removed.
    """
    with contextlib.suppress(OSError):
        for path in [path for path in folder.iterdir() if is_unfinished(path.name)]:
            with contextlib.suppress(OSError):
                _sweep(path, restore)


def _sweep(path: Path, restore: Callable[[Path], None] | None) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _is_abandoned(descriptor) and _is(descriptor, path):
            if restore is not None:
                restore(path)
            remove(path)
    finally:
        os.close(descriptor)


def _is_abandoned(descriptor: int) -> bool:
    """Whether no process holds it; this one does then, until the descriptor is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        idle = time.time() - os.fstat(descriptor).st_mtime
        return error.errno in _NO_LOCKS_HERE and idle > _ABANDONED_SECONDS
    return True


def _is(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to what was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as that is possible."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
