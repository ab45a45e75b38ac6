"""Work shared among threads: results in order, errors, calls within calls, and processes that part."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from comeo import parallel


@pytest.fixture(autouse=True)
def four_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads for four processors, whatever the machine has."""
    monkeypatch.setattr(parallel, "_processors", lambda: 4)
    parallel._pool.cache_clear()
    yield
    parallel._pool().shutdown()
    parallel._pool.cache_clear()


def test_results_come_in_the_order_of_items() -> None:
    assert parallel.each(lambda item: item * item, range(50)) == [item * item for item in range(50)]
    assert parallel.each(str, []) == []


def test_items_are_worked_on_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=30)  # breaks unless two threads meet
    parallel.each(lambda _: both.wait(), range(2))


def test_an_error_is_raised_and_nothing_begins_after_it() -> None:
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item"):
        parallel.each(work, range(100))
    assert len(begun) <= 4


def test_calls_within_calls_end_with_more_of_them_than_threads() -> None:
    def rows(row: int) -> list[int]:
        return parallel.each(lambda col: row * col, range(8))

    assert parallel.each(rows, range(8)) == [[row * col for col in range(8)] for row in range(8)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes part by fork")
@pytest.mark.filterwarnings("ignore:This process")  # newer Pythons warn of forks beside threads
def test_a_process_that_parts_has_threads_of_its_own() -> None:
    parallel.each(abs, range(4))
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        both = threading.Barrier(2, timeout=30)
        status = 1
        try:
            parallel.each(lambda _: both.wait(), range(2))
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_process_that_ends_does_its_work_alone() -> None:
    """As handlers of `atexit` do, when no thread begins anything any more."""
    program = """
import atexit
from comeo import parallel
parallel._processors = lambda: 4
atexit.register(lambda: print(parallel.each(abs, [-1, -2, -3])))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("[1, 2, 3]", "")


def test_where_no_thread_can_begin_the_caller_works_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert parallel.each(abs, range(-9, 0)) == list(range(9, 0, -1))
