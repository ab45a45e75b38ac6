"""An origin as a relay's runner sees it: its feed, what waits to come from it, and whether the line is up."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from tileserver.relay.errors import NewEpochError, RewoundError, UnreachableError
from tileserver.relay.feed.lines import Index, Line
from tileserver.relay.keeping.backoff import Backoff
from tileserver.relay.keeping.bringing import Bringer
from tileserver.relay.keeping.intake import Intake
from tileserver.relay.keeping.journal import Journal, Kept, Known
from tileserver.relay.keeping.offering import put_in
from tileserver.relay.plan.offers import Key
from tileserver.relay.plan.order import Order
from tileserver.relay.upstream.base import Upstream

_log = logging.getLogger("comeo")
_BATCH: Final = 200
"""Lines of a transaction."""
_MOST_REFUSED: Final = 6
"""Times in a row until it is left alone: two minutes."""
INDEX_SECONDS: Final = 6 * 3600.0
"""Between two looks at the index, while lines come."""


class Source:
    """One origin.

    Args:
        name: Its address, for people.
        upstream: Where it is.
        bringer: Brings its bytes.
        order: What waits to come from it.
        copy: Whether it is one that was carried, and may be older than what was seen.
        models: Whether learned models are fetched from it.

    Attributes:
        uuid: Of the origin, once it has been reached.
        title: Its name for people, likewise.
        ready_at: When it may be asked again, by a clock that only grows.
        polled_at: When its feed was read last.
        suspect: A scene of which nothing comes, until the feed has told whether anything does.
    """

    def __init__(
        self,
        name: str,
        upstream: Upstream,
        bringer: Bringer,
        order: Order,
        *,
        copy: bool = False,
        models: bool = False,
    ) -> None:
        self.name = name
        self.upstream = upstream
        self.bringer = bringer
        self.order = order
        self.backoff = Backoff()
        self.uuid: str | None = None
        self.title = ""
        self.ready_at = 0.0
        self.polled_at = float("-inf")
        self.suspect: Key | None = None
        self._index_at = float("-inf")
        self.copy, self.models = copy, models
        self._index: Index | None = None
        self._last = 0

    def refuses(self, clock: float) -> bool:
        """Whether it refused an archive just now, and may soon be asked for others."""
        return clock < self.ready_at and 0 < self.backoff.refused <= _MOST_REFUSED and len(self.order) > 0

    def poll(
        self,
        journal: Journal,
        intake: Intake,
        now: datetime,
        clock: float,
        wait: float = 0.0,
        may: Callable[[], bool] = lambda: True,
    ) -> list[Key]:
        """Read what is new in its feed; scenes that changed.

        Args:
            journal: Of the relay.
            intake: That applies lines.
            now: Time.
            clock: The same by a clock that only grows.
            wait: Seconds that the origin may take until there is something.
            may: Whether to go on, asked now and then: a feed may be long, and the link have its limits.

        Raises:
            FeedError: If the feed says what must not be believed.
            UpstreamError: If the line is cut.
        """
        changed: list[Key] = []
        compares = False
        if self.uuid is None or clock - self._index_at > INDEX_SECONDS:
            compares = self._look(journal)
            self._index_at = clock
            wait = 0.0
        assert self.uuid is not None and self._index is not None  # noqa: S101, PT018 - `_look` has set them
        known = journal.origin(self.uuid)
        after = 0 if known is None else known.cursor
        if self.copy:
            after = min(after, self._last)
        try:
            for batch in _batched(self.upstream.lines(after, wait), _BATCH):
                changed += intake.take(self._index, batch, now)
                if not may():
                    return changed
        except NewEpochError:
            self._index_at = float("-inf")  # the next look compares the new list from its first line
            raise
        if compares and self._index.whole:
            changed += intake.settle(self.uuid, now)
        known = journal.origin(self.uuid)
        if known is not None and known.problem is not None and not self.copy:  # somebody has seen to it
            journal.set_origin(self.uuid, replace(known, problem=None))
        return changed

    def has(self, kept: Kept) -> bool:
        """Whether the archive of a scene of this origin is there."""
        return self.upstream.has(put_in(kept.line).href)

    def _look(self, journal: Journal) -> bool:
        """Read the index; whether all of the feed has to be read again."""
        index = self.upstream.index()
        self._index, self.uuid, self.title = index, index.origin, index.name
        self._last = index.last
        known = journal.origin(self.uuid)
        if known is None:
            journal.set_origin(self.uuid, Known(index.epoch, 0))
            return False
        if index.epoch < known.epoch:
            raise RewoundError(
                f"{self.name} is of epoch {index.epoch}, and {known.epoch} was seen: it is an old copy"
            )
        if known.epoch != index.epoch and not index.last:
            raise UnreachableError(
                f"{self.name} has begun a new list of its scenes, which is empty yet; it is asked again later"
            )
        if known.epoch != index.epoch:
            _log.info("%s has begun a new list of its scenes: it is compared", self.name)
            with journal.writing():
                journal.doubt(self.uuid)
                journal.set_origin(self.uuid, Known(index.epoch, 0))
            return True
        return bool(journal.unconfirmed(self.uuid))  # a kill has cut short the comparison


def _batched(lines: Iterator[Line], count: int) -> Iterator[list[Line]]:
    while batch := [*itertools.islice(lines, count)]:
        yield batch
