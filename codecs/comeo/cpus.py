"""The number of CPUs that this process may use."""

from __future__ import annotations

import os


def cpu_count() -> int:
    """Return the CPUs that the process may run on, at least 1."""
    return max(1, len(os.sched_getaffinity(0)))
