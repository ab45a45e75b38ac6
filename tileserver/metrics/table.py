"""Numbers of all processes of the server, in memory that they share and that is on no file system.

Each process writes a row of its own, and any reads all. The memory is made before the processes part. Nothing
can fill it up: which numbers there are is known when the program starts.
"""

from __future__ import annotations

import logging
import mmap
import threading

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)


class Table:
    """Rows of numbers, one row a process; the first is the process's that made it."""

    def __init__(self) -> None:
        self._width = 0
        self._live: list[slice] = []
        self._values: NDArray[np.float64] | None = None
        self._mine: NDArray[np.float64] | None = None
        self._free: list[int] = []
        self._guard = threading.Lock()

    def reserve(self, count: int, *, live: bool = False) -> int:
        """Set a stretch of each row aside.

        Args:
            count: Of numbers.
            live: Whether they mean nothing once their process has ended.

        Returns:
            Index of the first.

        Raises:
            RuntimeError: If the memory has been made already.
        """
        if self._mine is not None:
            raise RuntimeError("metrics are declared before any is counted")
        start, self._width = self._width, self._width + count
        if live:
            self._live.append(slice(start, self._width))
        return start

    def open(self, processes: int) -> None:
        """Make the memory, if there isn't enough yet.

        Args:
            processes: That are forked from this one, at most at once.
        """
        rows = processes + 1
        if self._values is not None and len(self._values) >= rows:
            return
        memory = mmap.mmap(-1, max(1, rows * self._width * 8))
        values = np.frombuffer(memory, np.float64, rows * self._width).reshape(rows, self._width)
        if self._mine is not None:
            values[0] = self._mine
        self._values, self._mine = values, values[0]
        self._free = list(range(rows - 1, 0, -1))

    def add(self, index: int, amount: float) -> None:
        """Add to a number of this process."""
        with self._guard:
            self._own()[index] += amount

    def put(self, index: int, *numbers: float) -> None:
        """Set numbers of this process."""
        with self._guard:
            self._own()[index : index + len(numbers)] = numbers

    def read(self, start: int, count: int) -> NDArray[np.float64]:
        """A copy of a stretch of all rows, (processes, count)."""
        with self._guard:
            own = self._own()
            rows = own[None] if self._values is None else self._values
            return rows[:, start : start + count].copy()

    def assign_row(self) -> int | None:
        """Take a row for a process that is about to be forked; None if all are taken.

        A row that was another's goes on from where that ended: counters never fall.
        """
        if not self._free:
            log.warning("a process counts for itself: it was not expected when the server started")
            return None
        return self._free.pop()

    def use_row(self, row: int | None) -> None:
        """Count in a row from now on, in a process just forked."""
        if row is None or self._values is None:
            self._mine = np.zeros(self._width)
        else:
            self._mine = self._values[row]

    def release_row(self, row: int | None) -> None:
        """Take the row of a process back that has ended."""
        if row is None or self._values is None:
            return
        for stretch in self._live:
            self._values[row, stretch] = 0
        self._free.append(row)

    def _own(self) -> NDArray[np.float64]:
        if self._mine is None:
            self._mine = np.zeros(self._width)
        return self._mine
