"""Quotas of bytes on the wire, by the local calendar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from tileserver.relay.plan.definition import Link
from tileserver.relay.plan.windows import local_day

OVERHEAD: Final = 1.04
"""Bytes on the wire for each byte of an archive, of headers and of what is sent again."""
REQUEST_BYTES: Final = 1500
"""Of a request and its answer's headers, about."""
_LEAST: Final = 4096
"""Bytes on the wire below which nothing is begun on a day."""


def on_wire(useful: int) -> int:
    """Bytes on the wire for so many of an archive, as they are expected."""
    return int(useful * OVERHEAD) + REQUEST_BYTES


class _Counted:
    """Bytes by local day and month."""

    def __init__(self, spent: Mapping[date, int]) -> None:
        self.days = Counter[date]()
        self.months = Counter[tuple[int, int]]()
        for day, count in spent.items():
            self.add(day, count)

    def add(self, day: date, count: int) -> None:
        self.days[day] += count
        self.months[day.year, day.month] += count


class Budget:
    """What has been spent, and what is left.

    Args:
        link: With its quotas.
        spent: Bytes of each local day so far.
        on_demand: Of these, those that came as somebody looked.
    """

    def __init__(
        self,
        link: Link,
        spent: Mapping[date, int] | None = None,
        on_demand: Mapping[date, int] | None = None,
    ) -> None:
        self._link = link
        self._all, self._on_demand = _Counted(spent or {}), _Counted(on_demand or {})

    def spend(self, day: date, count: int, *, on_demand: bool = False) -> None:
        """Count bytes."""
        self._all.add(day, count)
        if on_demand:
            self._on_demand.add(day, count)

    def affordable(self, now: datetime, *, alerts: bool, on_demand: bool = False) -> int | None:
        """Bytes that the day still has, 0 where they are not worth a request; None: as many as one likes.

        Args:
            now: With a time zone.
            alerts: Whether they are for alerts, which may use what is reserved for them.
            on_demand: Whether they come as somebody looks, which has a share of its own.
        """
        day = local_day(now, self._link.zone)
        found = self._left(self._all, day, 1.0 if alerts else 1.0 - self._link.reserve_for_alerts)
        if on_demand:
            found += self._left(self._on_demand, day, self._link.most_on_demand)
        if not found:
            return None
        return min(found) if min(found) >= _LEAST else 0

    def _left(self, spent: _Counted, day: date, share: float) -> list[int]:
        """What is left of a share of each quota."""
        return [
            int(most * share) - count
            for most, count in (
                (self._link.daily, spent.days[day]),
                (self._link.monthly, spent.months[day.year, day.month]),
            )
            if most is not None
        ]
