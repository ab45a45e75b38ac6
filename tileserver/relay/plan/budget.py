"""Quotas of bytes on the wire, by the local calendar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Final

from tileserver.relay.plan.definition import Link

OVERHEAD: Final = 1.04
"""Bytes on the wire for each byte of an archive, of headers and of what is sent again."""
REQUEST_BYTES: Final = 1500
"""Of a request and its answer's headers, about."""


def on_wire(useful: int) -> int:
    """Bytes on the wire for so many of an archive, as they are expected."""
    return int(useful * OVERHEAD) + REQUEST_BYTES


class Budget:
    """What has been spent, and what is left.

    Args:
        link: With its quotas.
        spent: Bytes of each local day so far.
    """

    def __init__(self, link: Link, spent: Mapping[date, int] | None = None) -> None:
        self._link = link
        self._days = Counter[date](spent or {})
        self._months = Counter[tuple[int, int]]()
        for day, count in self._days.items():
            self._months[day.year, day.month] += count

    def spend(self, day: date, count: int) -> None:
        """Count bytes."""
        self._days[day] += count
        self._months[day.year, day.month] += count

    def left(self, day: date, *, alerts: bool = False) -> int | None:
        """Bytes that may still be spent on a day; None: as many as one likes.

        Args:
            day: In the link's time zone.
            alerts: Whether they are for alerts, which may use what is reserved for them.
        """
        share = 1.0 if alerts else 1.0 - self._link.reserve_for_alerts
        found = [
            int(most * share) - spent
            for most, spent in (
                (self._link.daily, self._days[day]),
                (self._link.monthly, self._months[day.year, day.month]),
            )
            if most is not None
        ]
        return max(0, min(found)) if found else None
