"""Scenes that are left alone for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tileserver.relay.keeping.journal import Kept
from tileserver.relay.plan.offers import Key

PUT_OFF_SECONDS: Final = 300.0
_TRIES: Final = 10
"""In which nothing of a scene has come: a cut line has brought something in between."""


class PutOff:
    """Which scenes are not asked for now: their archives were refused, or nothing of them comes.

    Args:
        ticks: Seconds that only grow.
    """

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._until: dict[Key, float] = {}
        self._tried: dict[Key, tuple[int, int]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._until

    def add(self, key: Key) -> None:
        """Leave a scene alone."""
        self._until[key] = self._ticks() + PUT_OFF_SECONDS
        self._tried.pop(key, None)

    def over(self) -> list[Key]:
        """Scenes that may be asked for again."""
        found = [key for key, until in self._until.items() if until <= self._ticks()]
        for key in found:
            del self._until[key]
        return found

    def in_vain(self, kept: Kept) -> bool:
        """Say that a try failed; whether nothing has come in the last ones, by the fault of archive or line.

        Args:
            kept: The scene as it is after the try.
        """
        here, tries = self._tried.get(kept.key, (-1, 0))
        tries = tries + 1 if here == kept.received.total else 1
        self._tried[kept.key] = kept.received.total, tries
        return tries >= _TRIES

    def acquit(self, key: Key) -> None:
        """Say that a try did not fail, or that the line did."""
        self._tried.pop(key, None)
