"""Work on several items at once, in threads that the whole process shares.

For work that mostly runs outside the interpreter's lock, such as decoding. The calling thread works, too, and
waits only for what another thread is at: calls may lie within each other, and where all threads are busy, or
none can begin any more, a call does all of its work itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from comeo.cpus import cpu_count

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Apply a function to items, in no order, in as many threads as there are processors.

    Args:
        work: The function; threads call it at the same time.
        items: What it is applied to.

    Returns:
        One result an item, in their order.

    Raises:
        Exception: An error of `work`; what has not begun by then is left out.
    """
    threads = min(len(items), _processors())
    if threads < 2:
        return [work(item) for item in items]
    results: dict[int, Result] = {}
    waiting = iter(range(len(items)))  # whose `next` is one step of the interpreter

    def take() -> None:
        try:
            for place in waiting:
                results[place] = work(items[place])
        except BaseException:
            _exhaust(waiting)
            raise

    helpers = _helped_by(take, threads - 1)
    try:
        take()
    finally:
        begun = [helper for helper in helpers if not helper.cancel()]
        errors = [helper.exception() for helper in begun]
    for error in errors:
        if error is not None:
            raise error
    return [results[place] for place in range(len(items))]


def _helped_by(take: Callable[[], None], count: int) -> list[Future[None]]:
    """Have threads call a function; as many as there can be."""
    helpers = []
    for _ in range(count):
        helpers.append(helper := Future[None]())
        try:
            _pool().submit(_help, helper, take)
        except RuntimeError:  # the interpreter is ending, or the system has no thread to give
            break
    return helpers


def _help(helper: Future[None], take: Callable[[], None]) -> None:
    """Call a function unless that is no longer wanted.

    The pool's own futures are no use: of one that fails to be handed out, the call may begin all the same.
    """
    if not helper.set_running_or_notify_cancel():
        return
    try:
        take()
    except BaseException as error:  # noqa: BLE001 - who waits raises it
        helper.set_exception(error)
    else:
        helper.set_result(None)


def _exhaust(places: Iterator[int]) -> None:
    """Leave nothing to begin."""
    for _ in places:
        pass


@cache
def _processors() -> int:
    return cpu_count()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, _processors() - 1), thread_name_prefix="comeo-each")


if hasattr(os, "register_at_fork"):  # threads don't follow a process that parts
    os.register_at_fork(after_in_child=_pool.cache_clear)
