"""The feed of a catalogue's changes: what it tells, places in it, and caches that follow it.

Of each scene the feed has its latest change alone. Who follows it from the beginning sees each scene that is
there, once, and further on whatever comes, changes or goes.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Self, TypeVar

from comeo.errors import RequestError
from tileserver.errors import GoneError

if TYPE_CHECKING:
    from tileserver.catalog.base import Catalog

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
_TEXT: Final = re.compile(r"([0-9a-f]{16})-(0|[1-9][0-9]{0,14})(?:-([1-9][0-9]{0,14}))?")
_PAGE: Final = 500
_MOST_PAGES: Final = 4
"""A cache that has missed more is emptied: that takes less than to read what it has missed."""


@dataclass(frozen=True, slots=True)
class Change:
    """The latest change of one scene.

    Attributes:
        seq: Its number, greater than that of any change before it.
        collection: STAC Collection id.
        id: STAC Item id.
        etag: Of the archive that is there now; None if the scene has gone.
        bytes: Of that archive.
        datetime: Acquisition of the scene, or None where it is unknown.
    """

    seq: int
    collection: str
    id: str
    etag: str | None = None
    bytes: int | None = None
    datetime: datetime | None = None

    @property
    def gone(self) -> bool:
        """Whether the scene has gone."""
        return self.etag is None


class Position(NamedTuple):
    """A place in the feed.

    Attributes:
        epoch: Of the journal that the feed is read from; a journal that was lost is followed by another one.
        seq: Number of the last change that was seen.
        began: Number of the last change of all when this reader began with nothing, until it has come there.
            Scenes that went before then it need not be told of.
    """

    epoch: str
    seq: int
    began: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` has written.

        Raises:
            RequestError: If that is something else.
        """
        parts = _TEXT.fullmatch(text)
        if parts is None:
            raise RequestError(
                "after is not a place in the feed of changes: take `next` of the answer before, "
                "or leave it out to begin"
            )
        return cls(parts[1], int(parts[2]), int(parts[3] or 0))

    def __str__(self) -> str:
        """For clients, who don't look into it."""
        return f"{self.epoch}-{self.seq}" + (f"-{self.began}" if self.began > self.seq else "")


class Changes(NamedTuple):
    """A page of the feed.

    Attributes:
        changes: In the order of their numbers.
        next: Where the page after it begins.
        more: Whether there is something on that page already.
    """

    changes: Sequence[Change]
    next: Position
    more: bool


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
