"""A cache bounded in bytes, in which identical concurrent work is done once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
CacheWatch = Callable[[int, int, int], None]


class ByteCache(Generic[Key, Value]):
    """Least recently used values, safe to share between threads.

    A value being computed by one thread is waited for by the others that ask for it. Errors reach everybody
    who waits and are not kept.

    Args:
        limit: Bytes to keep. 0 keeps nothing, and identical concurrent work is still done once.
        size: Bytes of a value.
        watch: Told after each access: values found (or being computed by others), values missing, bytes kept.
    """

    def __init__(self, limit: int, size: Callable[[Value], int], watch: CacheWatch | None = None) -> None:
        self._limit = limit
        self._size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._pending: dict[Key, Future[Value]] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._watch = watch

    @property
    def bytes(self) -> int:
        """Size of what is kept."""
        return self._bytes

    def get(self, key: Key, compute: Callable[[], Value]) -> Value:
        """Return the value of a key, computing it if need be."""
        return self.get_many([key], lambda _: [compute()])[0]

    def get_many(self, keys: Sequence[Key], compute: Callable[[list[Key]], Sequence[Value]]) -> list[Value]:
        """Return the values of keys.

        Args:
            keys: All different.
            compute: Called at most once, with the keys that nobody has or is computing.

        Returns:
            One value a key, in their order.
        """
        found: dict[Key, Value] = {}
        waiting: dict[Key, Future[Value]] = {}
        mine: dict[Key, Future[Value]] = {}
        with self._lock:
            for key in keys:
                if key in self._values:
                    self._values.move_to_end(key)
                    found[key] = self._values[key]
                elif key in self._pending:
                    waiting[key] = self._pending[key]
                else:
                    mine[key] = self._pending[key] = Future()
        hits = len(found) + len(waiting)
        if mine:
            found.update(self._compute(mine, compute))
        if self._watch:
            self._watch(hits, len(mine), self._bytes)
        # Own work comes first: two threads that wait for each other's keys have then both finished theirs.
        found.update({key: future.result() for key, future in waiting.items()})
        return [found[key] for key in keys]

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
            raise
        with self._lock:
            for key, value in values.items():
                del self._pending[key]
                self._keep(key, value)
        for key, value in values.items():
            mine[key].set_result(value)
        return values

    def _keep(self, key: Key, value: Value) -> None:
        size = self._size(value)
        if size > self._limit:
            return
        self._values[key] = value
        self._bytes += size
        while self._bytes > self._limit:
            _, oldest = self._values.popitem(last=False)
            self._bytes -= self._size(oldest)
