"""The threads that a compression runs on: one executor for all stages, the caller's own or one made here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from comeo.cpus import cpu_count

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = max(16, 4 * cpu_count())  # a caller's executor may have more threads than processors


@contextmanager
def executor_of(executor: Executor | None) -> Iterator[Executor]:
    """Give the caller's executor, which stays open, or one thread a CPU, which end with the context."""
    if executor is not None:
        yield executor
        return
    with ThreadPoolExecutor(cpu_count(), thread_name_prefix="comeo-compress") as own:
        yield own


def in_order(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Run a function on each item and yield the results in order, like `Executor.map`.

    Items are taken a few ahead of the results, so that what they hold is never in memory for all at once.
    Unlike there, no call is running any more once this has ended or failed: a caller's executor goes on
    living, and what the calls read from may be closed next.
    """
    coming = iter(items)
    futures = deque(executor.submit(function, item) for item in islice(coming, _AHEAD))
    try:
        while futures:
            result = futures.popleft().result()
            futures.extend(executor.submit(function, item) for item in islice(coming, 1))
            yield result
    finally:
        for future in futures:
            future.cancel()
        wait(futures)
