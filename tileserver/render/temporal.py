"""The parameter `datetime`: an instant, a day, or an interval that may be open."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from comeo.errors import ParameterError

Interval = tuple[datetime | None, datetime | None]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+ -]\d{2}:\d{2})?", re.ASCII
)
_OPEN = ("", "..")


def parse_interval(text: str | None) -> Interval:
    """Read RFC 3339 instants, days, and intervals `start/end` with `..` for an open end.

    Also what clients send that is none: a time without a zone, which is UTC (QGIS), and a zone whose `+` an
    address has turned into a space. A leap second is the last microsecond before it.

    Returns:
        (not before, not after); None where it is open.

    Raises:
        ParameterError: If it cannot be read or ends before it starts.
    """
    if text is None:
        return None, None
    parts = text.split("/")
    if len(parts) > 2:
        raise ParameterError(f"datetime {text!r} has more than one '/'")
    if len(parts) == 2 and parts[0] in _OPEN and parts[1] in _OPEN:
        raise ParameterError("datetime is open at both ends; leave it away instead")
    start = None if parts[0] in _OPEN and len(parts) == 2 else _moment(parts[0], last=False)
    end = None if parts[-1] in _OPEN and len(parts) == 2 else _moment(parts[-1], last=True)
    if start and end and end < start:
        raise ParameterError(f"datetime {text!r} ends before it starts")
    return start, end


def rfc3339(moment: datetime) -> str:
    """Write a time as STAC does."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(text: str, *, last: bool) -> datetime:
    """Read an instant; of a day its first or last microsecond."""
    try:
        if _DAY.fullmatch(text):
            day = datetime.fromisoformat(text).replace(tzinfo=UTC)
            return day + timedelta(days=1, microseconds=-1) if last else day
        if found := _INSTANT.fullmatch(text):
            return _instant(*found.groups(""))
    except (ValueError, OverflowError) as error:
        raise ParameterError(f"datetime {text[:40]!r} cannot be read: {error}") from error
    raise ParameterError(
        f"datetime {text[:40]!r} cannot be read; examples are 2024-05-01, 2024-05-01T10:20:30Z and "
        "2024-05-01/2024-06-01"
    )


def _instant(day: str, clock: str, fraction: str, zone: str) -> datetime:
    """An instant of its parts.

    Raises:
        ValueError: If there is no such time.
    """
    leaps = clock.endswith(":60")
    clock, fraction = (f"{clock[:-2]}59", ".999999") if leaps else (clock, fraction[:7])  # Python's digits
    offset = zone.upper().replace(" ", "+") or "Z"
    moment = datetime.fromisoformat(f"{day}T{clock}{fraction}{offset}").astimezone(UTC)
    if leaps and (moment.hour, moment.minute) != (23, 59):
        raise ValueError("a leap second is at 23:59:60 UTC")
    return moment
