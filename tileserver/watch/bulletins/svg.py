"""Curves as SVG, for pages without JavaScript, mail and paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

WIDTH: Final = 400
HEIGHT: Final = 150
_LEFT: Final = 34
_RIGHT: Final = 8
_TOP: Final = 8
_BOTTOM: Final = 24
_LABELS: Final = 4
"""Numbers along the axis of values, at least."""
_STEPS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
Date = Mapping[str, Any]


def curve(dates: Sequence[Date], start: datetime, end: datetime, months: Sequence[str]) -> str:
    """A curve with its margin, nominal values and dates outside.

    Args:
        dates: Each with `datetime`, `value`, `u`, `low`, `high` and `side`, oldest first.
        start: Left end of the axis.
        end: Right end.
        months: Names of the twelve months, as short as they are to be shown.

    Returns:
        SVG text, which takes its colours from the page's `currentColor` and `--accent`, `--danger`.
    """
    low, high, step = _range(dates)
    frame = _Frame(start.timestamp(), end.timestamp(), low, high)
    parts = [*_value_axis(frame, step), *_time_axis(frame, start, end, months)]
    parts += [*_nominal(frame, dates), *_margin(frame, dates)]
    line = " ".join(f"{frame.x(each)},{frame.y(each['value'])}" for each in dates)
    if len(dates) > 1:
        parts.append(f'<polyline points="{line}" fill="none" stroke="var(--accent)" stroke-width="1.5"/>')
    for each in dates:
        colour = "var(--danger)" if each["side"] else "var(--accent)"
        radius = 4 if each["side"] else 2.5
        parts.append(
            f'<circle cx="{frame.x(each)}" cy="{frame.y(each["value"])}" r="{radius}" fill="{colour}"/>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" xmlns="http://www.w3.org/2000/svg" aria-hidden="true" '
        f'font-size="11" fill="currentColor">{"".join(parts)}</svg>'
    )


class _Frame:
    """From times and values to places in the picture."""

    def __init__(self, first: float, last: float, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def at(self, stamp: float) -> float:
        """Place of a time."""
        share = (stamp - self.first) / (self.last - self.first)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def x(self, date: Date) -> float:
        """Place of a date."""
        return self.at(datetime.fromisoformat(date["datetime"]).timestamp())

    def y(self, value: float) -> float:
        """Place of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def _range(dates: Sequence[Date]) -> tuple[float, float, float]:
    """Round ends of the axis of values, and the step of its numbers."""
    margins = [(each["value"] + sign * 2 * (each["u"] or 0.0)) for each in dates for sign in (-1, 1)]
    values = margins + [each[name] for each in dates for name in ("low", "high") if each[name] is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    size = max(abs(low), abs(high))
    span = high - low
    if span <= 1e-9 * size or size < 1e-12:  # all the same, but for the last digits
        span = size if size > 1e-12 else 1.0
    power = 10.0 ** (math.floor(math.log10(span)) - 1)
    step = next(power * each for each in _STEPS if span / (power * each) <= _LABELS)
    first = math.floor(low / step) * step
    return first, max(first + step, math.ceil(high / step) * step), step


def _value_axis(frame: _Frame, step: float) -> list[str]:
    parts = []
    digits = max(0, -math.floor(math.log10(step)))
    for number in range(round((frame.high - frame.low) / step) + 1):
        value = frame.low + number * step
        y = frame.y(value)
        parts.append(
            f'<path d="M{_LEFT} {y}H{WIDTH - _RIGHT}" stroke="currentColor" opacity="0.15"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value:.{digits}f}</text>'
        )
    return parts


def _time_axis(frame: _Frame, start: datetime, end: datetime, months: Sequence[str]) -> list[str]:
    parts: list[str] = []
    year, month = start.year, start.month
    while True:
        year, month = year + month // 12, month % 12 + 1
        moment = datetime(year, month, 1, tzinfo=start.tzinfo)
        if moment >= end:
            return parts
        if month % 2:
            x = frame.at(moment.timestamp())
            name = f"{months[month - 1]} {year}" if month == 1 else months[month - 1]
            parts.append(f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="middle">{name}</text>')


def _nominal(frame: _Frame, dates: Sequence[Date]) -> list[str]:
    """Limits, as dashed lines."""
    parts = []
    for name in ("low", "high"):
        known = [each for each in dates if each[name] is not None]
        if len(known) > 1:
            points = " ".join(f"{frame.x(each)},{frame.y(each[name])}" for each in known)
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="currentColor" opacity="0.6" '
                'stroke-dasharray="4 3"/>'
            )
    return parts


def _margin(frame: _Frame, dates: Sequence[Date]) -> list[str]:
    """The band in which 95 of 100 true values lie."""
    known = [each for each in dates if each["u"] is not None]
    if len(known) < 2:
        return []
    upper = [f"{frame.x(each)},{frame.y(each['value'] + 2 * each['u'])}" for each in known]
    lower = [f"{frame.x(each)},{frame.y(each['value'] - 2 * each['u'])}" for each in reversed(known)]
    return [f'<polygon points="{" ".join(upper + lower)}" fill="var(--accent)" opacity="0.25"/>']
