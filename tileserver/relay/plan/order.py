"""Pieces that are waiting, the one with most value a byte first."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tileserver.relay.plan.definition import LAYERS, Layer
from tileserver.relay.plan.offers import Key, Wish
from tileserver.relay.plan.value import ClearDates, rank


@dataclass(slots=True)
class Waiting:
    """A scene of which something is missing.

    Attributes:
        wish: The scene.
        missing: Bytes that are missing of each layer that is not here, in order.
        since: When it began to wait.
        started: Whether some of its next layer is here.
    """

    wish: Wish
    missing: dict[Layer, int]
    since: datetime
    started: bool = False

    @property
    def layer(self) -> Layer:
        """The next one."""
        return next(layer for layer in LAYERS if layer in self.missing)


Urgency = tuple[bool, bool, float]
"""Not started, not for alerts, and less value: the least is first."""


class Order:
    """Scenes by what their next piece is worth.

    What a piece is worth falls as time goes by and as clear dates come, and never rises but by ageing, which
    all share. So one is judged anew when it is the first, and goes back where it has fallen behind.

    Args:
        scenes: That are waiting.
        dates: Of scenes that are here; those that come are added.
        now: Time.
    """

    def __init__(self, scenes: Iterable[Waiting], dates: ClearDates, now: datetime) -> None:
        self._dates = dates
        self._count = itertools.count()
        self._heap: list[tuple[Urgency, int, Key]] = []
        self._waiting: dict[Key, Waiting] = {}
        for each in scenes:
            self.put(each, now)

    def __len__(self) -> int:
        return len(self._waiting)

    def has_others(self, key: Key) -> bool:
        """Whether any but one scene waits."""
        return self._waiting.keys() != {key}

    def put(self, each: Waiting, now: datetime) -> None:
        """Add a scene, or say that something else of it is missing."""
        key = each.wish.offer.key
        if not each.missing:
            self._waiting.pop(key, None)
            return
        self._waiting[key] = each
        heapq.heappush(self._heap, (self.urgency(each, now), next(self._count), key))

    def remove(self, key: Key) -> None:
        """Forget a scene."""
        self._waiting.pop(key, None)

    def first(self, now: datetime, *, alerts_only: bool = False) -> Waiting | None:
        """The scene whose next piece is worth most; it stays.

        Args:
            now: Time.
            alerts_only: Whether the others have no bytes left.
        """
        aside = []
        found = None
        while self._heap and found is None:
            urgency, number, key = self._heap[0]
            each = self._waiting.get(key)
            current = None if each is None else self.urgency(each, now)
            if each is None or current is None:
                heapq.heappop(self._heap)
            elif current != urgency:
                heapq.heapreplace(self._heap, (current, number, key))
            elif alerts_only and not each.wish.alerts:
                if not each.started:  # those for alerts come before all others
                    break
                aside.append(heapq.heappop(self._heap))
            else:
                found = each
        for entry in aside:
            heapq.heappush(self._heap, entry)
        return found

    def came(self, each: Waiting, layer: Layer, now: datetime) -> None:
        """Say that a layer has come."""
        if each.wish.shows(layer):
            self._dates.add(each.wish)
        missing = {name: count for name, count in each.missing.items() if name != layer}
        self.put(Waiting(each.wish, missing, each.since), now)

    def urgency(self, each: Waiting, now: datetime) -> Urgency:
        """What scenes are ordered by."""
        worth = rank(each.wish, [*each.missing.items()], now, self._dates, each.since)
        return not each.started, not each.wish.alerts, -worth
