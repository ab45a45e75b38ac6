"""Processors that this process may use, which in a container are often fewer than the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

_PROC = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def cpu_count() -> int:
    """Number of processors that this process may use, at least 1.

    It is the least of the machine's processors, those that the process may run on (`taskset`, `cpuset`), and
    the quotas of its control groups and their parents (`docker run --cpus`, Kubernetes' limits; version 1 and
    2), rounded up. Python 3.13's `PYTHON_CPU_COUNT` and `-X cpu_count` count, too.
    """
    if hasattr(os, "process_cpu_count"):
        allowed = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count()
    return max(1, min([allowed or 1, *map(math.ceil, _quotas())]))


def _quotas() -> Iterator[float]:
    """Processors by each quota that is set for this process."""
    try:
        lines = _PROC.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _by_folder(_GROUPS, path, _quota_of_version_2)
        elif "cpu" in controllers.split(","):
            for mounted in dict.fromkeys((controllers, "cpu")):
                yield from _by_folder(_GROUPS / mounted, path, _quota_of_version_1)


def _by_folder(root: Path, path: str, read: Callable[[Path], float]) -> Iterator[float]:
    """Quotas of a control group and of all above it.

    In a container the group's path may be the host's, which is not mounted there, or lead outside with `..`:
    then the root has the quota.
    """
    names = [name for name in path.split("/") if name]
    depth = 0 if ".." in names else len(names)
    for length in range(depth, -1, -1):
        try:
            yield read(root.joinpath(*names[:length]))
        except (OSError, ValueError, ZeroDivisionError):  # the group has no quota, or is not mounted here
            continue


def _quota_of_version_2(group: Path) -> float:
    """Processors of `cpu.max`; ValueError where it is `max`."""
    quota, period = (group / "cpu.max").read_text().split()
    return int(quota) / int(period)


def _quota_of_version_1(group: Path) -> float:
    """Processors of the CFS quota; ValueError where it is -1, for none."""
    quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    if quota <= 0:
        raise ValueError("this control group has no quota")
    return quota / period
