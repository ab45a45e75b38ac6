"""Periods that follow one another: days, weeks, months or years, as ISO 8601 writes them (`P10D`)."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from comeo.errors import BoundError, ParameterError

MOST_PERIODS: Final = 4000
"""Of one answer: ten years of days."""
_DURATION: Final = re.compile(r"P([1-9]\d{0,3})([DWMY])", re.ASCII)
_DAYS: Final = {"D": 1, "W": 7}
_MONTHS: Final = {"M": 1, "Y": 12}


@dataclass(frozen=True, slots=True)
class Step:
    """How long a period is.

    Attributes:
        days: Of it; 0 if it is of months.
        months: Of it; 0 if it is of days.
    """

    days: int
    months: int

    def after(self, start: datetime, number: int) -> datetime:
        """The end of so many periods from a start.

        A month that lacks the start's day ends with its last day. The end of time is the end of the last.
        """
        try:
            if self.days:
                return start + timedelta(days=self.days * number)
            year, month = divmod(start.year * 12 + start.month - 1 + self.months * number, 12)
            last = calendar.monthrange(year, month + 1)[1]
            return start.replace(year=year, month=month + 1, day=min(start.day, last))
        except (ValueError, OverflowError, calendar.IllegalMonthError):
            return datetime.max.replace(tzinfo=UTC)

    def begin(self, moment: datetime) -> datetime:
        """Where the period of a moment begins if nothing else says it: its day, month or year (UTC)."""
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.days:
            return day
        return day.replace(day=1) if self.months % 12 else day.replace(month=1, day=1)


def parse_step(text: str) -> Step:
    """Read `P1D`, `P10D`, `P1W`, `P1M`, `P1Y`.

    Raises:
        ParameterError: If it is another.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ParameterError(
            f"interval {text[:40]!r} cannot be read; it is days, weeks, months or "
            "years: P1D, P10D, P1W, P1M, P1Y"
        )
    number, unit = int(found[1]), found[2]
    return Step(number * _DAYS.get(unit, 0), number * _MONTHS.get(unit, 0))


def periods(start: datetime, end: datetime, step: Step) -> Iterator[tuple[datetime, datetime]]:
    """Periods from a start, each to before the next one, the last to the end.

    Args:
        start: Of the first.
        end: After the last.
        step: Their length.

    Raises:
        BoundError: If they are more than `MOST_PERIODS`, once those have been given.
    """
    begin, number = start, 0
    while begin < end:
        if number == MOST_PERIODS:
            raise BoundError(
                f"these are more than {MOST_PERIODS} intervals; narrow datetime, or make interval longer",
                "interval",
            )
        number += 1
        after = min(step.after(start, number), end)
        yield begin, after
        begin = after
