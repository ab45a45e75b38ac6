"""Caches that follow the feed of a catalogue's changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Final, Generic, TypeVar

from tileserver.catalog.base import Catalog
from tileserver.catalog.feed import Change, Position
from tileserver.errors import GoneError

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
_PAGE: Final = 500
_MOST_PAGES: Final = 4
"""A cache that has missed more is emptied: that takes less than to read what it has missed."""


class Follower:
    """What has changed since the last time, for one cache, whose lock is held for each call.

    Args:
        catalog: Whose changes are followed, from now on.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seen: Position | None = None

    def news(self, now: Position) -> Sequence[Change] | None:
        """Changes since the last call, or None where all that is kept may be out of date: so the first time.

        Args:
            now: `Catalog.position`, asked for without the lock, as the catalogue may bring itself up to date.
        """
        if now == self._seen:
            return ()
        place, found = self._seen, list[Change]()
        self._seen = now
        try:
            for _ in range(_MOST_PAGES if place else 0):
                page = self._catalog.changes(place, _PAGE)
                found += page.changes
                place = page.next
                if not page.more:
                    self._seen = place
                    return found
        except GoneError:
            pass
        except BaseException:
            self._seen = None
            raise
        return None


class FollowingCache(Generic[Key, Value]):
    """Answers made from a catalogue, each kept until a collection that it is about changes.

    Args:
        catalog: The catalogue.
        limit: How many to keep; the least recently used go first.
        about: Collections that the answer to a key is about; None for all.
    """

    def __init__(self, catalog: Catalog, limit: int, about: Callable[[Key], Collection[str] | None]) -> None:
        self._catalog = catalog
        self._follower = Follower(catalog)
        self._limit = limit
        self._about = about
        self._kept: OrderedDict[Key, Value] = OrderedDict()
        self._state = 0
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The answer to a key, made if it is not known."""
        now = self._catalog.position()
        with self._lock:
            self._drop(self._follower.news(now))
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            state = self._state
        value = make()
        with self._lock:
            if state == self._state:  # else it may be of before a change that has been dealt with
                self._kept[key] = value
                while len(self._kept) > self._limit:
                    self._kept.popitem(last=False)
        return value

    def _drop(self, news: Sequence[Change] | None) -> None:
        if news is None:
            self._kept.clear()
        elif news:
            changed = {change.collection for change in news}
            for key in list(self._kept):
                about = self._about(key)
                if about is None or not changed.isdisjoint(about):
                    del self._kept[key]
        if news is None or news:
            self._state += 1
