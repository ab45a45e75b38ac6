"""The `comeo` command as a user runs it, and what it takes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Used(NamedTuple):
    """What a command took: seconds of the clock and of processors, and its peak memory."""

    seconds: float
    cpu_seconds: float
    memory_gb: float


def comeo(*arguments: object, log: Path | None = None) -> Used:
    """Run the command.

    Args:
        arguments: Of the command.
        log: A file for what it says of its stages; by default it says it here.

    Raises:
        RuntimeError: If it fails.
    """
    began = time.monotonic()
    command = [str(Path(sys.executable).with_name("comeo")), *map(str, arguments)]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [] if log is None else [(os.POSIX_SPAWN_OPEN, 2, str(log), flags, 0o644)]
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    memory = usage.ru_maxrss * 1024 / 1e9
    return Used(time.monotonic() - began, usage.ru_utime + usage.ru_stime, memory)
