"""Decoded tiles, kept within a bound, each decoded once however many threads ask for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

from numpy.typing import NDArray

Tile = NDArray[Any]


class TileCache:
    """A cache of arrays that forgets the least recently used ones.

    Args:
        max_bytes: Bound on the bytes kept; tiles being decoded come on top.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._tiles: OrderedDict[Hashable, Tile] = OrderedDict()
        self._pending: dict[Hashable, Future[Tile]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Tile]) -> Tile:
        """Return the tile of a key, made by `make` if it isn't kept; not to be written to.

        Raises:
            Exception: Whatever `make` raises, in each thread that waits for the tile.
        """
        with self._lock:
            if (tile := self._tiles.get(key)) is not None:
                self._tiles.move_to_end(key)
                return tile
            pending = self._pending.get(key)
            mine: Future[Tile] = Future()
            if pending is None:
                self._pending[key] = mine
        if pending is not None:
            return pending.result()
        try:
            tile = make()
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._pending[key]
            self._keep(key, tile)
        mine.set_result(tile)
        return tile

    def _keep(self, key: Hashable, tile: Tile) -> None:
        tile.flags.writeable = False
        self._tiles[key] = tile
        self._bytes += tile.nbytes
        while self._bytes > self._max_bytes and self._tiles:
            _, dropped = self._tiles.popitem(last=False)
            self._bytes -= dropped.nbytes

    def clear(self) -> None:
        """Forget all tiles."""
        with self._lock:
            self._tiles.clear()
            self._bytes = 0
