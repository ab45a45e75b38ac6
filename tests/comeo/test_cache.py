"""The cache keeps what fits, and does nothing twice."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.cache import ByteCache, array_cache
from comeo.errors import BoundError


def test_what_is_kept_is_not_computed_again() -> None:
    cache: ByteCache[str, bytes] = ByteCache(100, len)
    assert cache.get("a", lambda: b"1" * 60) == b"1" * 60
    assert cache.get("a", lambda: b"2") == b"1" * 60
    cache.get("b", lambda: b"3" * 60)
    assert cache.get("a", lambda: b"4") == b"4"


def test_the_least_recently_used_goes_first() -> None:
    cache: ByteCache[str, bytes] = ByteCache(3, len)
    for key in "abc":
        cache.get(key, lambda: b"1")
    cache.get("a", lambda: b"2")
    cache.get("d", lambda: b"1")
    assert cache.get("a", lambda: b"2") == b"1"
    assert cache.get("b", lambda: b"2") == b"2"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 40)), max_size=60), st.integers(0, 100))
def test_the_bound_holds(steps: list[tuple[int, int]], limit: int) -> None:
    cache: ByteCache[int, bytes] = ByteCache(limit, len)
    for key, size in steps:
        cache.get(key, lambda size=size: bytes(size))  # type: ignore[misc]
        assert cache.bytes <= limit


def test_misses_are_computed_in_one_batch() -> None:
    cache: ByteCache[int, str] = ByteCache(100, len)
    calls: list[list[int]] = []

    def compute(keys: list[int]) -> Sequence[str]:
        calls.append(keys)
        return [str(key) for key in keys]

    assert cache.get_many([1, 2], compute) == ["1", "2"]
    assert cache.get_many([3, 1, 4], compute) == ["3", "1", "4"]
    assert cache.get_many([4, 3], compute) == ["4", "3"]
    assert calls == [[1, 2], [3, 4]]


@pytest.mark.parametrize("limit", [0, 1000])
def test_the_same_work_at_once_is_done_once(limit: int) -> None:
    cache: ByteCache[str, bytes] = ByteCache(limit, len)
    started, release, calls = threading.Event(), threading.Event(), []

    def compute() -> bytes:
        calls.append(1)
        started.set()
        release.wait(10)
        return b"value"

    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(cache.get, "a", compute)
        assert started.wait(10)
        others = [pool.submit(cache.get, "a", compute) for _ in range(5)]
        while len([future for future in others if future.running()]) < 5:
            pass
        threading.Timer(0.05, release.set).start()
        assert {future.result(10) for future in (first, *others)} == {b"value"}
    assert len(calls) <= (1 if limit else 6)


def test_two_that_need_each_others_keys_both_get_them() -> None:
    cache: ByteCache[int, int] = ByteCache(100, lambda _: 1)
    barrier = threading.Barrier(2)

    def compute(keys: list[int]) -> Sequence[int]:
        barrier.wait(10)
        return keys

    with ThreadPoolExecutor(2) as pool:
        for low in range(0, 100, 4):
            one = pool.submit(cache.get_many, [low, low + 1], compute)
            other = pool.submit(cache.get_many, [low + 2, low + 3], compute)
            assert one.result(10) + other.result(10) == [low, low + 1, low + 2, low + 3]


def test_arrays_are_read_only_once_cached() -> None:
    cache = array_cache(1000)
    array = cache.get("a", lambda: np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    assert cache.bytes == array.nbytes


def test_every_waiting_thread_gets_an_error_of_its_own() -> None:
    """One exception raised in many threads collected the tracebacks of all."""
    cache: ByteCache[str, bytes] = ByteCache(100, len)
    started, release = threading.Event(), threading.Event()

    def fail() -> bytes:
        started.set()
        release.wait(10)
        raise BoundError("too much", "max_bands")

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(cache.get, "a", fail)
        assert started.wait(10)
        others = [pool.submit(cache.get, "a", lambda: pytest.fail("computed twice")) for _ in range(3)]
        while not all(future.running() for future in others):
            pass
        threading.Timer(0.1, release.set).start()
        errors = [future.exception(10) for future in (first, *others)]
    assert len({id(error) for error in errors}) == 4
    for error in errors:
        assert isinstance(error, BoundError)
        assert (str(error), error.bound) == ("too much", "max_bands")
    assert all(error is not None and error.__cause__ is errors[0] for error in errors[1:])


def test_errors_reach_everybody_and_are_not_kept() -> None:
    cache: ByteCache[str, bytes] = ByteCache(100, len)

    def fail() -> bytes:
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            cache.get("a", fail)
    assert cache.get("a", lambda: b"fine") == b"fine"


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class _Image:
    """What a frame holds while it works."""


def _ask(cache: ByteCache[str, bytes], compute: Callable[[], bytes]) -> None:
    with contextlib.suppress(BoundError):
        cache.get("a", compute)


@pytest.mark.usefixtures("no_collection")
def test_what_an_error_met_goes_with_it() -> None:
    """Images of refused requests stayed, hundreds of megabytes each, until a full collection of garbage."""
    cache: ByteCache[str, bytes] = ByteCache(100, len)
    images: list[weakref.ref[_Image]] = []
    begun, go_on = threading.Event(), threading.Event()

    def compute() -> bytes:
        image = _Image()
        images.append(weakref.ref(image))
        begun.set()
        assert go_on.wait(10)
        raise BoundError("too large", "max_image_side")

    threads = [threading.Thread(target=_ask, args=(cache, compute))]
    threads[0].start()
    assert begun.wait(10)
    threads.append(threading.Thread(target=_ask, args=(cache, compute)))  # which waits for the first one
    threads[1].start()
    go_on.set()
    for each in threads:
        each.join(10)
    assert [image() for image in images] == [None] * len(images)
