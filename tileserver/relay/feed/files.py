"""Writing files so that a kill at any point leaves the former content or the new one.

Every write of a log goes through this module: tests cut it short at each of its steps.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Final

from comeo.archive.stores.file import sync_folder

TEMPORARY: Final = ".writing"


def replace_file(path: Path, data: bytes, *, mode: int = 0o644, new: bool = False) -> None:
    """Give a file a content in one step, durably.

    Args:
        path: The file.
        data: Its content.
        mode: Its permissions.
        new: Whether it must not be there yet.

    Raises:
        FileExistsError: If it is there though it must not be.
        OSError: If it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            _write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            path.hardlink_to(aside)
        else:
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)


def append(path: Path, data: bytes, size: int) -> None:
    """Write behind the first bytes of a file, durably; what stands there is replaced.

    Args:
        path: The file.
        data: To be written.
        size: Bytes that stay.

    Raises:
        OSError: If that fails.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        _write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_file(path: Path) -> None:
    """Remove a file if it is there."""
    path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed writers have left beside the files of a folder."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
