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


def comeo(*arguments: object) -> Used:
    """Run the command.

    Raises:
        RuntimeError: If it fails.
    """
    began = time.monotonic()
    command = [str(Path(sys.executable).with_name("comeo")), *map(str, arguments)]
    _, status, usage = os.wait4(os.posix_spawn(command[0], command, os.environ), 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    memory = usage.ru_maxrss * 1024 / 1e9
    return Used(time.monotonic() - began, usage.ru_utime + usage.ru_stime, memory)
