"""Decoded tiles of source images, kept within a bound, each decoded once however many threads need it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from numpy.typing import NDArray

from comeo.cache import ByteCache


class TileCache(ByteCache[Hashable, NDArray[Any]]):
    """The cache that the readers of one product share.

    Args:
        max_bytes: Bound on the bytes kept; tiles being decoded come on top.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, lambda tile: int(tile.nbytes))
