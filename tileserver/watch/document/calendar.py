"""Periods of bulletins: calendar months in a geoservice's own time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Month:
    """A month.

    Attributes:
        year: Of it.
        month: From 1.
        zone: Time zone of its days.
    """

    year: int
    month: int
    zone: str

    @classmethod
    def of(cls, moment: datetime, zone: str) -> Month:
        """The month that a moment lies in."""
        own = moment.astimezone(ZoneInfo(zone))
        return cls(own.year, own.month, zone)

    @classmethod
    def labelled(cls, label: str, zone: str) -> Month:
        """The month of a label."""
        year, month = label.split("-")
        return cls(int(year), int(month), zone)

    @property
    def next(self) -> Month:
        """The month after."""
        return Month(self.year + self.month // 12, self.month % 12 + 1, self.zone)

    @property
    def start(self) -> datetime:
        """Its first moment, in UTC."""
        first = datetime.combine(datetime(self.year, self.month, 1).date(), time(), ZoneInfo(self.zone))
        return first.astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.next.start

    @property
    def label(self) -> str:
        """`2026-11`."""
        return f"{self.year:04d}-{self.month:02d}"


def ended(start: datetime, end: datetime | None, now: datetime, zone: str) -> Iterator[Month]:
    """Months between two moments that are over, oldest first.

    Args:
        start: First moment that is followed.
        end: The first that is no longer followed; None leaves it open.
        now: Time.
        zone: Of the months.
    """
    month = Month.of(start, zone)
    while month.end <= now and (end is None or month.start < end):
        yield month
        month = month.next
