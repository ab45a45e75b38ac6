"""What a piece of a scene is worth: priority × recency × clear share × need × gain of the layer.

Ageing doubles what a piece is worth each week that it waits, without an end: whatever comes meanwhile, a
piece waits at most so many weeks as the logarithm of the largest ratio of values has bits. As all pieces age
alike, their order by age alone does not change with time.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tileserver.relay.plan.definition import LAYERS, Layer
from tileserver.relay.plan.offers import Wish

GAIN: Final[dict[Layer, float]] = {"head": 4.0, "coarse": 3.0, "area": 3.0, "rest": 1.0}
"""What a layer adds."""
HALF_LIFE: Final = timedelta(days=10)
"""Of what a new scene is worth."""
BACKFILL: Final = timedelta(days=30)
"""Scenes older than that are all worth as much as one of that age."""
AGEING: Final = timedelta(days=7)
"""In which what waits doubles its value."""
CLEAR: Final = 0.5
"""Share of the area from which on a date counts as clear."""
_LONGEST_NEED: Final = 100
_LEAST_CLEAR: Final = 0.01
_EPOCH: Final = datetime.fromisoformat("2020-01-01T00:00:00+00:00")


@dataclass(slots=True)
class ClearDates:
    """Of each subscription, when scenes that are here show its area clearly."""

    _dates: dict[str, list[float]] = field(default_factory=dict)

    def add(self, wish: Wish) -> None:
        """Count a scene of which something is seen."""
        if wish.offer.time is None:
            return
        for each in wish.by:
            if each.share >= CLEAR:
                dates = self._dates.setdefault(each.subscriber.terms.name, [])
                bisect.insort(dates, wish.offer.time.timestamp())

    def days_without(self, name: str, time: datetime | None) -> float:
        """Days between a time and the nearest clear date of a subscription, at most 100."""
        dates = self._dates.get(name)
        if time is None or not dates:
            return _LONGEST_NEED
        moment = time.timestamp()
        place = bisect.bisect_left(dates, moment)
        near = min(abs(moment - date) for date in dates[max(0, place - 1) : place + 1])
        return min(_LONGEST_NEED, near / 86_400)


def recency(time: datetime | None, now: datetime) -> float:
    """1 for a scene of today, half of it each ten days; flat beyond thirty."""
    age = BACKFILL if time is None else min(BACKFILL, max(timedelta(), now - time))
    return float(2.0 ** -(age / HALF_LIFE))


def value_of(wish: Wish, layer: Layer, now: datetime, dates: ClearDates) -> float:
    """What a layer of a scene is worth, to whom it is worth most."""
    time = wish.offer.time
    return max(
        each.subscriber.terms.priority
        * max(_LEAST_CLEAR, each.share)
        * (1.0 + dates.days_without(each.subscriber.terms.name, time) / 10.0)
        for each in wish.by
        if layer in each.layers
    ) * (recency(time, now) * GAIN[layer])


def rank(
    wish: Wish, missing: Sequence[tuple[Layer, int]], now: datetime, dates: ClearDates, since: datetime
) -> float:
    """The logarithm of value ÷ byte of the next piece of a scene, larger ones being first.

    Layers come in order, and a later one may be worth more a byte than the next: then the next has the ratio
    of both together, as it is the way to it (Horn 1972, chains of jobs).

    Args:
        wish: The scene.
        missing: Layers that are not here, and bytes of each that are missing.
        now: Time.
        dates: Of scenes that are here.
        since: When it began to wait.
    """
    value = count = best = 0.0
    for layer, bytes_missing in sorted(missing, key=lambda each: LAYERS.index(each[0])):
        value += value_of(wish, layer, now, dates)
        count += max(1, bytes_missing)
        best = max(best, value / count)
    return math.log2(best) - (since - _EPOCH) / AGEING
