"""Where orders are carried out: in processes of this machine, or on workers of Dask."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Final, Protocol

from comeo.cpus import cpu_count
from comeo.errors import ComeoError
from tileserver.ingest.compressing import prepare, work
from tileserver.ingest.orders import Done, Order

PROCESSES: Final = "processes"
_LOST_BY_DASK: Final = {"KilledWorker", "CancelledError", "FutureCancelledError", "CommClosedError"}
LOST: Final = (
    "its worker ended before it was done: killed, out of memory, or after the time that one may take"
)


class Executor(Protocol):
    """Carries out orders."""

    @property
    def slots(self) -> int:
        """Orders that it takes at once."""

    def submit(self, order: Order) -> Future[Done]:
        """Carry out an order; see `tileserver.ingest.compressing.work`."""

    def close(self) -> None:
        """End all work that is under way."""


class Processes:
    """Processes of this machine, one order each at a time.

    Each is an executor of its own: when one ends, however that is, it is known whose order it had, and the
    others go on.

    Args:
        workers: How many.
        codecs: Names of those that orders are going to need.
    """

    def __init__(self, workers: int, codecs: Sequence[str] = ()) -> None:
        self._codecs = tuple(codecs)
        self._guard = threading.Lock()
        self._idle: list[ProcessPoolExecutor | None] = [None] * workers
        self._busy: set[ProcessPoolExecutor] = set()
        self.slots = workers

    def submit(self, order: Order) -> Future[Done]:
        """See `Executor`.

        Raises:
            ComeoError: If all are at work.
        """
        with self._guard:
            if not self._idle:
                raise ComeoError("all workers are at work")
            lane = self._idle.pop() or self._lane()
            self._busy.add(lane)
        try:
            future = lane.submit(work, order)
        except BrokenProcessPool:  # it ended while it had nothing to do
            self._give_back(lane, broken=True)
            return self.submit(order)
        future.add_done_callback(
            lambda done: self._give_back(
                lane, broken=not done.cancelled() and isinstance(done.exception(), BrokenProcessPool)
            )
        )
        return future

    def close(self) -> None:
        """See `Executor`."""
        with self._guard:
            lanes = [*self._busy, *filter(None, self._idle)]
            self._idle = []
        for lane in lanes:
            for process in list((lane._processes or {}).values()):  # no public name before Python 3.14
                process.terminate()
            lane.shutdown(wait=True, cancel_futures=True)

    def _lane(self) -> ProcessPoolExecutor:
        # Not forked: threads of this process may hold locks at that moment.
        return ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=prepare, initargs=(self._codecs, os.getpid())
        )

    def _give_back(self, lane: ProcessPoolExecutor, *, broken: bool) -> None:
        with self._guard:
            self._busy.discard(lane)
            self._idle.append(None if broken else lane)
        if broken:
            lane.shutdown(wait=False)


def executor_of(place: str, workers: int | None, cores: int, codecs: Sequence[str] = ()) -> Executor:
    """Open an executor.

    Args:
        place: `processes`, or the address of a scheduler of Dask.
        workers: Orders at once; None: as many as there are processors for, or workers of Dask.
        cores: Threads of one order.
        codecs: Names of those that orders are going to need.

    Raises:
        ComeoError: If there is none of that name.
    """
    if place == PROCESSES:
        return Processes(workers or max(1, cpu_count() // cores), codecs)
    if "://" in place:
        from tileserver.ingest.dask import Dask  # noqa: PLC0415 - an extra

        return Dask(place, workers, codecs)
    raise ComeoError(
        f"{place[:60]!r} is no executor; give processes, or the address of Dask's scheduler, tcp://host:8786"
    )


def is_lost(error: BaseException) -> bool:
    """Whether an order failed because its worker ended, not because of the product."""
    names = {kind.__name__ for kind in type(error).__mro__}  # Dask's own are not imported for this
    return isinstance(error, BrokenProcessPool) or bool(names & _LOST_BY_DASK)


def words_of(error: BaseException) -> str:
    """What is said of an order that failed."""
    if is_lost(error):
        return LOST
    text = " ".join(str(error).split())
    return text if isinstance(error, ComeoError) else f"unexpected error: {type(error).__name__}: {text}"
