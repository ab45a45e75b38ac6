"""Bound on heavy work at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from tileserver import metrics
from tileserver.errors import BusyError


class Gate:
    """Lets a few requests work at once and a few more wait, and turns the others away.

    Args:
        slots: How many work.
        waiting: How many wait.
        patience: Seconds that these wait at most.
    """

    def __init__(self, slots: int, waiting: int, patience: float) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._seats = threading.BoundedSemaphore(slots + waiting)
        self._patience = patience

    @contextlib.contextmanager
    def sit(self) -> Iterator[bool]:
        """Take the seat of one that waits, for what only waits; yields whether there was one that is free."""
        taken = self._seats.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._seats.release()

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Wait for a slot.

        Raises:
            BusyError: If too many wait already, or no slot became free in time.
        """
        if not self._seats.acquire(blocking=False):
            raise _busy()
        try:
            if not self._slots.acquire(timeout=self._patience):
                raise _busy()
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._seats.release()


def _busy() -> BusyError:
    metrics.count_refused("heavy_requests")
    return BusyError("the server is busy with other extracts, previews or statistics; try again in a moment")
