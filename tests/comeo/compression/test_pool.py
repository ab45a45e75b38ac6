"""The executor of a compression: the caller's own is used, stays open, and is left with nothing to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from comeo.compression import compress
from comeo.compression.pool import executor_of, in_order
from comeo.errors import SourceError
from comeo.scene import Pixels, Window
from tests.scenes import array_group, array_scene, landscape


class Recorder(ThreadPoolExecutor):
    """Remembers the futures that it gave."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.given: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(fn, *args, **kwargs)
        self.given.append(future)
        return future


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("wish", [{"step": 40.0}, {"ratio": 20.0}])
def test_the_work_runs_on_the_executor_that_is_handed_in(
    tmp_path: Path, workers: int, wish: dict[str, Any]
) -> None:
    readers: set[str] = set()
    group = array_group(landscape(2, 1100, 300))

    def read(window: Window) -> Pixels:
        readers.add(threading.current_thread().name)
        return group.read(window)

    watched = type(group)(**{**{name: getattr(group, name) for name in group.__slots__}, "read": read})
    with Recorder(workers) as executor:
        before = set(threading.enumerate())
        compress(array_scene(watched), tmp_path / "ours.zarr.zip", codec="dct", executor=executor, **wish)
        assert executor.submit(lambda: 1).result() == 1
        assert all(future.done() for future in executor.given)
        started = {thread.name for thread in set(threading.enumerate()) - before}
    assert readers <= started
    assert len(started) <= workers
    compress(array_scene(group), tmp_path / "own.zarr.zip", codec="dct", **wish)
    assert (tmp_path / "ours.zarr.zip").read_bytes() == (tmp_path / "own.zarr.zip").read_bytes()


def test_a_failed_compression_leaves_nothing_running(tmp_path: Path) -> None:
    group = array_group(landscape(1, 3000, 300))
    reading = threading.Event()

    def read(window: Window) -> Pixels:
        if window.row >= 2048:
            reading.set()
            time.sleep(0.2)
        elif window.row:
            reading.wait(1)
            raise SourceError("the disk is gone")
        return group.read(window)

    broken = type(group)(**{**{name: getattr(group, name) for name in group.__slots__}, "read": read})
    with Recorder(2) as executor:
        with pytest.raises(SourceError, match="disk is gone"):
            compress(array_scene(broken), tmp_path / "a.zarr.zip", ratio=30.0, executor=executor)
        assert all(future.done() for future in executor.given)


def test_results_come_in_order_and_a_failure_ends_the_rest() -> None:
    ran: list[int] = []

    def work(number: int) -> int:
        ran.append(number)
        time.sleep(0.001 * (7 - number % 7))
        if number == 20:
            raise ValueError("twenty")
        return number

    with ThreadPoolExecutor(2) as executor:
        assert list(in_order(executor, work, range(20))) == list(range(20))
        with pytest.raises(ValueError, match="twenty"):
            list(in_order(executor, work, range(20, 1000)))
        assert len(ran) < 500


def test_without_an_executor_threads_end_with_the_work() -> None:
    before = threading.active_count()
    with executor_of(None) as executor:
        assert executor.submit(lambda: 1).result() == 1
    assert threading.active_count() == before
