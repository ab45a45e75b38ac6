"""Whether a value is nominal: limits of each date, and by how much the value lies outside.

Pure functions of a site's series: the same observations give the same verdicts, in whatever order they came.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from tileserver.watch.document.definition import Change, Fixed, Nominal, Seasonal

Side = Literal["low", "high"]
SEVERITIES: Final = (2.0, 3.0, 5.0)
"""Scores from which an alert has severity 1, 2, 3."""
INSIDE: Final = 1.0  # u: by so much a value has to lie inside before a deviation is over
_YEAR: Final = 365.2425
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Point:
    """A clear date of a site.

    Attributes:
        at: Of acquisition.
        item: The scene.
        value: Of the indicator.
        u: Its standard uncertainty; None where it is unknown.
        orbit: Relative orbit of radar, else None.
    """

    at: datetime
    item: str
    value: float
    u: float | None
    orbit: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a date says.

    Attributes:
        point: The date.
        low: Nominal values are not below it; None where it is open or not known yet.
        high: Nor above it.
        middle: Median of what they are learned from.
        spread: Median absolute deviation of it.
        learned: How many dates that was.
        side: On which side the value lies outside; None inside, or where limits are not known yet.
        score: By how many √(u² + spread²) it lies beyond what is tolerated; None where u is unknown and there
            is no spread.
    """

    point: Point
    low: float | None = None
    high: float | None = None
    middle: float | None = None
    spread: float = 0.0
    learned: int = 0
    side: Side | None = None
    score: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether there are limits to tell by."""
        return self.low is not None or self.high is not None

    @property
    def severity(self) -> int:
        """0 inside; else 1 to 3 by the score, 1 where there is none."""
        if self.side is None:
            return 0
        return max(1, sum(self.score >= each for each in SEVERITIES)) if self.score is not None else 1

    def is_back(self, side: Side) -> bool:
        """Whether the value lies so far inside that a deviation to a side is over."""
        margin = INSIDE * (self.point.u or 0.0)
        if side == "low":
            return self.low is not None and self.point.value >= self.low + margin
        return self.high is not None and self.point.value <= self.high - margin


def judge(points: Sequence[Point], nominal: Nominal) -> list[Verdict]:
    """Verdicts of a site's clear dates.

    Args:
        points: Clear dates, oldest first.
        nominal: Nominal values.
    """
    match nominal:
        case Fixed():
            return [_verdict(each, nominal.low, nominal.high) for each in points]
        case Seasonal():
            return list(_seasonal(points, nominal))
        case Change():
            return list(_change(points, nominal))
        case _:
            assert_never(nominal)


def _seasonal(points: Sequence[Point], nominal: Seasonal) -> Iterator[Verdict]:
    """Against the same season of the years before; what comes later never changes what was said."""
    days = np.array([each.at.timestamp() / _DAY for each in points])
    values = np.array([each.value for each in points])
    for number, point in enumerate(points):
        before = days[number] - days[:number]
        years = np.round(before / _YEAR)
        season = (years >= 1) & (np.abs(before - years * _YEAR) <= nominal.days)
        yield _learned(point, values[:number][season], nominal, nominal.min_dates)


def _change(points: Sequence[Point], nominal: Change) -> Iterator[Verdict]:
    """Against the last dates before a deviation began; while it lasts nothing is learned."""
    normal: dict[int | None, list[float]] = {}
    for point in points:
        known = normal.setdefault(point.orbit, [])
        verdict = _learned(point, np.array(known[-nominal.dates :]), nominal, nominal.dates)
        if verdict.side is None:
            known.append(point.value)
        yield verdict


def _learned(point: Point, values: NDArray[np.float64], nominal: Seasonal | Change, least: int) -> Verdict:
    """Limits by the median of values: median ± k·√(MAD² + u²)."""
    if len(values) < least:
        return Verdict(point, learned=len(values))
    middle = float(np.median(values))
    spread = float(np.median(np.abs(values - middle)))
    reach = nominal.k * math.hypot(spread, point.u or 0.0)
    low = middle - reach if nominal.side in ("low", "both") else None
    high = middle + reach if nominal.side in ("high", "both") else None
    return _verdict(point, low, high, middle, spread, len(values))


def _verdict(
    point: Point, low: float | None, high: float | None, middle: float | None = None, spread: float = 0.0,
    learned: int = 0,
) -> Verdict:  # fmt: skip
    """Score of a value against limits; learned limits have the first tolerance in them already."""
    unit = math.hypot(spread, point.u or 0.0)
    beyond = [(low - point.value, "low")] if low is not None else []
    beyond += [(point.value - high, "high")] if high is not None else []
    worst, side = max(beyond)
    learned_k = SEVERITIES[0] if middle is not None else 0.0  # severity 1 begins at a learned limit itself
    score = worst / unit + learned_k if unit else None
    outside = worst > 0 and (score is None or score >= SEVERITIES[0])
    found: Side = "low" if side == "low" else "high"
    return Verdict(
        point, low, high, middle, spread, learned, found if outside else None, score if worst > 0 else None
    )  # fmt: skip
