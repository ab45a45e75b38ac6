"""A disk that fails at the n-th call, as SQLite's tests have it (https://sqlite.org/testing.html, section 3).

Calls are counted on files below one folder alone, in the process that runs the test.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

HARMLESS: Final = ("short read", "short write")
_BY_PATH: Final = ("open", "mkdir", "rename", "replace", "link", "unlink", "rmdir", "scandir", "listdir")
_BY_DESCRIPTOR: Final = ("fsync", "pread", "fstat")


class FaultyDisk:
    """Counts calls and lets one, or all from one on, fail.

    Args:
        folder: Calls on what lies in it are counted.
        fault: An `errno`, or one of `HARMLESS`.
        at: Number of the call that fails, from 1; 0 for none.
        for_good: Whether all later calls fail as well.
    """

    def __init__(self, folder: Path, fault: int | str, at: int, *, for_good: bool = False) -> None:
        self._folder = str(folder.resolve())
        self.fault = fault
        self.at = at
        self._for_good = for_good
        self.calls: list[str] = []
        self._off = False

    @property
    def reached(self) -> bool:
        """Whether there have been calls enough."""
        return 0 < self.at <= len(self.calls)

    @property
    def failed(self) -> str:
        """Name of the call that failed first."""
        return self.calls[self.at - 1] if self.reached else ""

    @contextmanager
    def mounted(self) -> Iterator[FaultyDisk]:
        """Put the disk under the process's calls."""
        with pytest.MonkeyPatch.context() as patch:
            for name in _BY_PATH:
                patch.setattr(os, name, self._counted(name, getattr(os, name), self._has_path))
            for name in _BY_DESCRIPTOR:
                patch.setattr(os, name, self._counted(name, getattr(os, name), self._has_descriptor))
            patch.setattr(fcntl, "flock", self._counted("flock", fcntl.flock, self._has_descriptor))
            patch.setattr(os, "pread", self._pread(os.pread))
            patch.setattr(io, "open", self._opening(io.open))
            yield self

    def call(self, name: str) -> bool:
        """Count a call; raise, or return whether it is to be cut short."""
        self.calls.append(name)
        here = len(self.calls) == self.at or (self._for_good and self.reached)
        if here and isinstance(self.fault, int):
            raise OSError(self.fault, os.strerror(self.fault))
        return here and self.fault.__class__ is str and str(self.fault).endswith(name)

    def _has_path(self, place: Any) -> bool:
        if isinstance(place, int):
            return self._has_descriptor(place)
        return str(Path(os.fsdecode(place)).absolute()).startswith(self._folder)

    def _has_descriptor(self, descriptor: int) -> bool:
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}").startswith(self._folder)
        except OSError:
            return False

    def _counted(
        self, name: str, real: Callable[..., Any], concerns: Callable[[Any], bool]
    ) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if arguments and concerns(arguments[0]):
                self.call(name)
            return real(*arguments, **options)

        return call

    def _pread(self, real: Callable[[int, int, int], bytes]) -> Callable[[int, int, int], bytes]:
        def pread(descriptor: int, length: int, offset: int) -> bytes:
            if self._has_descriptor(descriptor) and self.call("read"):
                length = max(1, length // 2)
            return real(descriptor, length, offset)

        return pread

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """`io.open`, whose files for writing count each call that reaches the system."""

        def open_(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if isinstance(file, int) or not self._has_path(file):
                return real(file, mode, *arguments, **options)
            self.call("open")
            if mode == "xb":
                return io.BufferedWriter(_FaultyFile(file, mode, self))
            return real(file, mode, *arguments, **options)

        return open_


class _FaultyFile(io.FileIO):
    """A file for writing on a disk that may fail."""

    def __init__(self, path: Any, mode: str, disk: FaultyDisk) -> None:
        super().__init__(path, mode)
        self._disk = disk

    def write(self, data: Any) -> int:
        view = memoryview(data)
        return super().write(view[: max(1, len(view) // 2)] if self._disk.call("write") else view)

    def close(self) -> None:
        closed = self.closed
        super().close()
        if not closed:
            self._disk.call("close")


def every_call(
    folder: Path, fault: int | str, *, for_good: bool = False, limit: int = 2000
) -> Iterator[FaultyDisk]:
    """A disk that fails at the first call, then one at the second, and so on, until none is reached any more.

    The caller mounts each, and works on it.
    """
    for at in range(1, limit):
        disk = FaultyDisk(folder, fault, at, for_good=for_good)
        yield disk
        if not disk.reached:
            return
    raise AssertionError(f"more than {limit} calls")
