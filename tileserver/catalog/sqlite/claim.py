"""Which process looks at the folders: the one that holds a lock, which ends with it."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class Claim:
    """The lock on a file beside the catalogue, whose time of change is that of the last look.

    Args:
        path: Of the catalogue.
        wait: Until another process has done its look; otherwise the claim may be without the lock.

    Attributes:
        held: Whether this process is the one.
    """

    def __init__(self, path: Path, *, wait: bool) -> None:
        self._path = Path(f"{path}.scan")
        self._wait = wait
        self._descriptor = -1
        self.held = False

    def age(self) -> float:
        """Seconds since the last look; without end if there was none, or the clock was set back."""
        elapsed = time.time() - os.fstat(self._descriptor).st_mtime
        return elapsed if elapsed >= 0 else float("inf")

    def mark(self, *, done: bool) -> None:
        """Note a look; one that is not done is to go on at once."""
        moment = time.time() if done else 0.0
        os.utime(self._descriptor, (moment, moment))

    def __enter__(self) -> Self:
        new = not self._path.exists()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if self._wait else fcntl.LOCK_NB))
            self.held = True
            if new:
                self.mark(done=False)
        except BlockingIOError:
            self.held = False
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
