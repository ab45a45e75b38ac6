"""The parameter `datetime`: an instant, a day, or an interval that may be open."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from comeo.errors import ParameterError

Interval = tuple[datetime | None, datetime | None]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
_OPEN = ("", "..")


def parse_interval(text: str | None) -> Interval:
    """Read RFC 3339 instants, days, and intervals `start/end` with `..` for an open end.

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
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(_six_digits(text.upper())).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ParameterError(f"datetime {text[:40]!r} cannot be read: {error}") from error
    raise ParameterError(
        f"datetime {text[:40]!r} cannot be read; examples are 2024-05-01, 2024-05-01T10:20:30Z and "
        "2024-05-01/2024-06-01"
    )


def _six_digits(text: str) -> str:
    """Cut fractions of seconds to what Python keeps."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)
