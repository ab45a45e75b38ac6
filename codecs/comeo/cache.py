"""A cache bounded in bytes, in which identical concurrent work is done once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
CacheWatch = Callable[[int, int, int], None]


class ByteCache(Generic[Key, Value]):
    """Least recently used values, safe to share between threads.

    A value that one thread is computing is awaited by the others that need it. Errors are raised in every
    waiting thread and are not cached. Arrays become read-only, since many threads share them.

    Args:
        limit: Bytes to keep. 0 keeps nothing, and identical concurrent work is still done once.
        size: Bytes of a value.
        watch: Called after each access with the values found (or being computed by others), the values
            missing, and the bytes kept.
    """

    def __init__(self, limit: int, size: Callable[[Value], int], watch: CacheWatch | None = None) -> None:
        self._values: LRUCache[Key, Value] = LRUCache(limit, getsizeof=size)
        self._size = size
        self._pending: dict[Key, Future[Value]] = {}
        self._lock = threading.Lock()
        self._watch = watch

    @property
    def bytes(self) -> int:
        """Size of all values kept."""
        return int(self._values.currsize)

    def get(self, key: Key, compute: Callable[[], Value]) -> Value:
        """Return the value of a key, computing it if it is missing."""
        return self.get_many([key], lambda _: [compute()])[0]

    def get_many(self, keys: Sequence[Key], compute: Callable[[list[Key]], Sequence[Value]]) -> list[Value]:
        """Return the values of keys.

        Args:
            keys: All different.
            compute: Called at most once, with the keys that are neither kept nor being computed.

        Returns:
            One value a key, in their order.

        Raises:
            Exception: Any error of `compute`, here or in the thread that computes the value.
        """
        found: dict[Key, Value] = {}
        waiting: dict[Key, Future[Value]] = {}
        mine: dict[Key, Future[Value]] = {}
        with self._lock:
            for key in keys:
                if key in self._values:
                    found[key] = self._values[key]
                elif key in self._pending:
                    waiting[key] = self._pending[key]
                else:
                    mine[key] = self._pending[key] = Future()
        hits = len(found) + len(waiting)
        if mine:
            found.update(self._compute(mine, compute))
        if self._watch:
            self._watch(hits, len(mine), self.bytes)
        # Own work comes first: two threads that wait for each other's keys have then both finished theirs.
        found.update({key: _result(future) for key, future in waiting.items()})
        return [found[key] for key in keys]

    def peek(self, key: Key) -> Value | None:
        """The value of a key, if it is kept."""
        with self._lock:
            found: Value | None = self._values.get(key)
            return found

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._values.clear()

    def _compute(
        self, mine: dict[Key, Future[Value]], compute: Callable[[list[Key]], Sequence[Value]]
    ) -> dict[Key, Value]:
        try:
            values = dict(zip(mine, compute(list(mine)), strict=True))
        except BaseException as error:
            with self._lock:
                for key in mine:
                    del self._pending[key]
            for future in mine.values():
                future.set_exception(error)
            # Its traceback has this frame: by a future in it the error, and all that its frames hold, would
            # stay until a full collection of garbage.
            mine.clear()
            del future
            raise
        for value in values.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        with self._lock:
            for key, value in values.items():
                del self._pending[key]
                if self._size(value) <= self._values.maxsize:
                    self._values[key] = value
        for key, value in values.items():
            mine[key].set_result(value)
        return values


def array_cache(limit: int, watch: CacheWatch | None = None) -> ByteCache[Any, NDArray[Any]]:
    """Make a cache of arrays, which are read-only once cached."""
    return ByteCache(limit, _array_bytes, watch)


def _array_bytes(array: NDArray[Any]) -> int:
    return int(array.nbytes)


def _result(future: Future[Value]) -> Value:
    """Wait for a value of another thread; its error is raised as this thread's own.

    An exception raised in several threads would collect the tracebacks of all of them.
    """
    error = future.exception()
    if error is None:
        return future.result()
    own = type(error).__new__(type(error), *error.args)
    own.__dict__.update(error.__dict__)
    try:
        raise own from error
    finally:
        del own, error, future  # as in `_compute`
