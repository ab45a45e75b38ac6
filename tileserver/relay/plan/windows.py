"""When the link is open, and how fast: windows of local time as intervals of absolute time.

A time of day that a change of clocks skips or makes twice is read so that the link is never used outside the
hours that were written: a window begins at the later of both readings, and ends at the earlier.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tileserver.relay.plan.definition import Link, Window

_DAY = timedelta(days=1)


class Open(NamedTuple):
    """How the link is at a time.

    Attributes:
        window: That is open, or None where nothing may be fetched.
        until: When that may change, in UTC.
    """

    window: Window | None
    until: datetime


def local_day(now: datetime, zone: ZoneInfo) -> date:
    """The day of a quota."""
    return now.astimezone(zone).date()


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def link_at(now: datetime, link: Link) -> Open:
    """The window that is open, the first one where several are.

    Args:
        now: With a time zone.
        link: Its windows.
    """
    zone = link.zone
    found = None
    until = start_of(local_day(now, zone) + _DAY, zone)  # the day's quota ends, too
    for window in link.windows:
        for begin, end in _intervals(window, local_day(now, zone), zone):
            until = min([until, *(moment for moment in (begin, end) if moment > now)])
            if begin <= now < end and found is None:
                found = window
    return Open(None if found is None or found.kbps == 0 else found, until)


def _intervals(window: Window, day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Intervals of a window that may touch a local day."""
    for start in (day - _DAY, day, day + _DAY):
        if start.weekday() not in window.days:
            continue
        if window.begin is None or window.end is None:
            yield start_of(start, zone), start_of(start + _DAY, zone)
            continue
        over = window.end <= window.begin
        begin = max(_readings(start, window.begin, zone))
        end = min(_readings(start + _DAY if over else start, window.end, zone))
        if begin < end:
            yield begin, end


def _readings(day: date, minutes: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Both readings of a local time, in UTC; mostly the same."""
    days, rest = divmod(minutes, 1440)
    moment = datetime.combine(day + days * _DAY, time(rest // 60, rest % 60), zone)
    return moment.astimezone(UTC), moment.replace(fold=1).astimezone(UTC)
