"""What a server leaves behind, even if it is killed: nothing that stays.

Folders of a server are locked while any of its processes lives, and removed at the end of the process that
made them; what a killed server has left, the next one that starts on the machine removes.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

from comeo.leftovers import make_held_folder, remove

PREFIX: Final = "comeo-run-"
"""Of folders that are locked. Others are left alone: whoever made them might not lock."""
_PR_SET_PDEATHSIG: Final = 1
_locks: list[int] = []


def temporary_folder(purpose: str) -> Path:
    """Make a folder that is removed when this very process ends, not at the end of one forked from it.

    Args:
        purpose: A part of its name.

    Raises:
        OSError: If it cannot be made.
    """
    folder, lock = make_held_folder(Path(tempfile.gettempdir()), PREFIX, purpose)
    _locks.append(lock)  # open, and so locked, in this process and those forked from it
    atexit.register(_remove, folder, os.getpid())
    return folder


def end_with_parent(parent: int) -> None:
    """Let the system kill this process when the one that forked it ends, however that ends.

    Args:
        parent: Its number; a process whose parent has ended by now ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


class Lifeline:
    """A pipe by which a program started by a server sees the server's end.

    All processes of the server have its writing end, by forking; the system closes it behind the last.
    """

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()

    @staticmethod
    def hold_on_to(descriptor: int) -> None:
        """In the program: end when the server does. Its folder's next owner tidies up."""
        threading.Thread(target=_end_behind, args=(descriptor,), name="lifeline", daemon=True).start()


def _end_behind(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        remove(folder)
