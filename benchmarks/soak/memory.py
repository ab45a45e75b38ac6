"""Resident memory of a process and all below it, over time."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

import numpy as np

EVERY_SECONDS: Final = 2.0
_LEAST_SAMPLES: Final = 10


class Memory:
    """Samples of resident memory by process: (seconds since the start, megabytes)."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._began = time.monotonic()
        self.samples: dict[int, list[tuple[float, float]]] = {}

    def watch(self, stop: threading.Event) -> None:
        """Sample until told to stop."""
        while not stop.wait(EVERY_SECONDS):
            self.sample()

    def sample(self) -> None:
        """Note the memory of every process that is there now."""
        moment = time.monotonic() - self._began
        for pid in family(self._root):
            if (megabytes := resident(pid)) is not None:
                self.samples.setdefault(pid, []).append((moment, megabytes))

    @property
    def now(self) -> float:
        """Megabytes of all processes that there were at the last sampling."""
        last = max((samples[-1][0] for samples in self.samples.values()), default=0.0)
        return sum(samples[-1][1] for samples in self.samples.values() if samples[-1][0] == last)

    def slopes(self, since: float) -> dict[int, float]:
        """Megabytes a minute of processes older than a moment, by regression over later samples."""
        out = {}
        for pid, samples in self.samples.items():
            later = np.array([sample for sample in samples if sample[0] >= since])
            if len(later) >= _LEAST_SAMPLES and samples[0][0] <= since:
                out[pid] = float(np.polyfit(later[:, 0] / 60, later[:, 1], 1)[0])
        return out


def family(root: int) -> list[int]:
    """A process and all that descend from it."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            waiting += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:  # it has ended
            continue
    return found


def resident(pid: int) -> float | None:
    """Resident memory in megabytes (10⁶ bytes), or None if the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1.024e-3 for line in lines if line.startswith("VmRSS:")), None)
