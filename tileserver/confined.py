"""What a child process has that works on what others have written: where programs lie, no secret, limits."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_KEPT: Final = (
    "PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "XDG_DATA_HOME", "XDG_DATA_DIRS", "FONTCONFIG_PATH",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """Variables of such a process.

    Args:
        more: Variables besides, or others instead.
    """
    own = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(each for each in sys.path if each)
    return {**own, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", **more}


def ends_by(signals: Sequence[signal.Signals]) -> None:
    """Let the kernel end this process by signals, without the interpreter, which a library may hold."""
    for each in signals:
        signal.signal(each, signal.SIG_DFL)


def limit_memory(beyond: int) -> None:
    """Allow this process so many bytes more than it has, and no core dump."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[0]) if statm.exists() else 0
    limit(resource.RLIMIT_AS, pages * resource.getpagesize() + beyond)
    limit(resource.RLIMIT_CORE, 0)


def limit(kind: int, most: int) -> None:
    """Set a limit (`resource.RLIMIT_…`) for good, unless a stricter one stands."""
    least = _stricter(kind, most)
    resource.setrlimit(kind, (least, least))


def allow(cpu_seconds: int, seconds: float) -> None:
    """Start the clocks of a task: processor time beyond what was used (SIGXCPU), and time (SIGALRM)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (_stricter(resource.RLIMIT_CPU, most), hard))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _stricter(kind: int, most: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return most if hard == resource.RLIM_INFINITY else min(most, hard)
