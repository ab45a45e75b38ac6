"""Many values of one place as one: statistics over time, comparison with a reference, shares of classes.

Pure functions of arrays whose first axis is time, for maps (dates, y, x) and for sites (dates,) alike. NaN is
no value. Each gives the standard uncertainty of what it gives, from those of the values: u has a part that is
independent from date to date, and a bias that all dates share and no averaging removes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from comeo.errors import ParameterError

Values = NDArray[np.float64]
MEDIAN_FACTOR: Final = 1.25
"""√(π/2): by which the median of normal values is less certain than their mean."""
MAD_FACTOR: Final = 1.4826
"""Of the median absolute deviation, that makes it the standard deviation of normal values."""
_NAMED: Final = re.compile(r"(percentile|days-above)\((-?\d{1,9}(?:\.\d{1,9})?)\)", re.ASCII)
NAMES: Final = (
    "mean", "median", "min", "max", "latest", "count", "slope", "percentile(q)", "days-above(x)"
)  # fmt: skip
Weights = Literal["equal", "inverse-variance"]
Result = Literal["difference", "ratio", "z"]


@dataclass(frozen=True, slots=True)
class Combined:
    """A statistic over time.

    Attributes:
        values: One date's shape; NaN where there are too few dates.
        errors: Standard uncertainty of each; NaN where it is unknown.
        dates: How many values each is of.
    """

    values: Values
    errors: Values
    dates: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Stack:
    """Values over time, with all that a statistic may need."""

    values: Values  # (dates, …)
    errors: Values  # (dates, …), the independent part
    days: Values  # (dates,) from any beginning
    count: NDArray[np.int64]
    weights: Weights
    number: float  # q or x


def combine(
    statistic: str, values: NDArray[Any], errors: NDArray[Any] | None = None,
    days: NDArray[Any] | None = None, *, weights: Weights = "equal", min_dates: int = 1, bias: float = 0.0,
) -> Combined:  # fmt: skip
    """A statistic over the first axis.

    Args:
        statistic: One of `NAMES`: `slope` is in the value's unit a year, by least squares; `days-above(x)`
            how many days the value lies above x, as it goes straight from date to date.
        values: (dates, …), oldest first.
        errors: Their standard uncertainty, independent from date to date; None: unknown.
        days: (dates,) times in days, ascending; needed by `slope` and `days-above`.
        weights: Of a mean: equal, or by 1/u².
        min_dates: Where there are fewer values, there is no result.
        bias: Standard uncertainty that all dates share.

    Raises:
        ParameterError: If the statistic is unknown or lacks what it needs.
    """
    kind, number = parse_statistic(statistic)
    found = np.asarray(values, np.float64)
    known = np.full(found.shape, np.nan) if errors is None else np.asarray(errors, np.float64)
    if days is None and kind in ("slope", "days-above"):
        raise ParameterError(f"{kind} needs the time of each value")
    if weights == "inverse-variance" and kind != "mean":
        raise ParameterError(f"weights are those of a mean, and {statistic} has none; leave them out")
    times = np.arange(len(found), dtype=np.float64) if days is None else np.asarray(days, np.float64)
    there = ~np.isnan(found)
    count: NDArray[np.int64] = there.sum(axis=0)
    stack = _Stack(found, np.where(there, known, np.nan), times, count, weights, number)
    with np.errstate(all="ignore"):
        result, error = _STATISTICS[kind](stack)
    enough = count >= max(1, min_dates)
    if kind == "count":
        return Combined(count.astype(np.float64), np.zeros(count.shape), count)
    shared = bias if kind not in ("slope", "days-above") else 0.0  # which no shift of all dates changes
    return Combined(
        np.where(enough, result, np.nan), np.where(enough, np.hypot(error, shared), np.nan), count
    )


def parse_statistic(text: str) -> tuple[str, float]:
    """The kind of a statistic, and the number in its brackets (NaN if it has none).

    Raises:
        ParameterError: If it is unknown.
    """
    found = _NAMED.fullmatch(text)
    if found:
        kind, number = found[1], float(found[2])
        if kind == "percentile" and not 0 <= number <= 100:
            raise ParameterError(f"{text} is no percentile: it lies between 0 and 100")
        return kind, number
    if text not in _STATISTICS or "(" in text or text in ("percentile", "days-above"):
        raise ParameterError(f"the statistic {text[:40]!r} is unknown; there are {', '.join(NAMES)}")
    return text, float("nan")


def _mean(stack: _Stack) -> tuple[Values, Values]:
    if stack.weights == "equal":
        return np.nansum(stack.values, axis=0) / stack.count, _quadratic_mean_error(stack)
    weights = np.nan_to_num(1 / np.square(stack.errors), nan=0.0, posinf=0.0)
    total = weights.sum(axis=0)
    mean = np.nansum(stack.values * weights, axis=0) / total
    return np.where(total > 0, mean, np.nan), np.where(total > 0, 1 / np.sqrt(total), np.nan)


def _quadratic_mean_error(stack: _Stack) -> Values:
    """√(Σu²)/n; NaN where the error of a value is unknown."""
    unknown = (np.isnan(stack.errors) & ~np.isnan(stack.values)).any(axis=0)
    error = np.sqrt(np.nansum(np.square(stack.errors), axis=0)) / stack.count
    return np.where(unknown, np.nan, error)


def _median(stack: _Stack) -> tuple[Values, Values]:
    factor = np.where(stack.count > 2, MEDIAN_FACTOR, 1.0)  # the median of two is their mean
    return _quantile(stack, 0.5), factor * _quadratic_mean_error(stack)


def _percentile(stack: _Stack) -> tuple[Values, Values]:
    """As uncertain as the values around it, of which it is one or two: no averaging is counted."""
    return _quantile(stack, stack.number / 100), np.sqrt(_nanmean(np.square(stack.errors)))


def _quantile(stack: _Stack, share: float) -> Values:
    """Linear between the two nearest values: NumPy's own, which is slow where there is NaN."""
    ordered = np.sort(stack.values, axis=0)  # NaN last
    place = np.maximum(stack.count - 1, 0) * share
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(stack.count - 1, 0))
    below, above = (np.take_along_axis(ordered, each[None], axis=0)[0] for each in (low, high))
    return np.asarray(below + (above - below) * (place - low))


def _extreme(pick: Callable[..., Any], worst: float) -> Callable[[_Stack], tuple[Values, Values]]:
    def of(stack: _Stack) -> tuple[Values, Values]:
        chosen = pick(np.where(np.isnan(stack.values), worst, stack.values), axis=0)[None]
        value, error = (np.take_along_axis(each, chosen, axis=0)[0] for each in (stack.values, stack.errors))
        return value, error

    return of


def _latest(stack: _Stack) -> tuple[Values, Values]:
    there = ~np.isnan(stack.values)
    last = len(there) - 1 - np.argmax(there[::-1], axis=0)[None]
    return (
        np.take_along_axis(stack.values, last, axis=0)[0],
        np.take_along_axis(stack.errors, last, axis=0)[0],
    )


def _slope(stack: _Stack) -> tuple[Values, Values]:
    """Change in a year (365.25 days) by least squares; its error that of Σ(t−t̄)u/Σ(t−t̄)²."""
    shape = (-1,) + (1,) * (stack.values.ndim - 1)
    years = np.where(np.isnan(stack.values), np.nan, (stack.days / 365.25).reshape(shape))
    apart = years - _nanmean(years)
    squares = np.nansum(np.square(apart), axis=0)
    slope = np.nansum(apart * (stack.values - _nanmean(stack.values)), axis=0) / squares
    unknown = (np.isnan(stack.errors) & ~np.isnan(stack.values)).any(axis=0)
    error = np.sqrt(np.nansum(np.square(apart * stack.errors), axis=0)) / squares
    there = squares > 0
    return np.where(there, slope, np.nan), np.where(there & ~unknown, error, np.nan)


def _days_above(stack: _Stack) -> tuple[Values, Values]:
    """Days above a level between the first and the last date, each gap bridged by a straight line.

    The error is of the moments at which lines cross the level: each lies as uncertain as the value there,
    divided by its slope.
    """
    total, variance = np.zeros(stack.count.shape), np.zeros(stack.count.shape)
    before, before_error = np.full(stack.count.shape, np.nan), np.full(stack.count.shape, np.nan)
    day = np.zeros(stack.count.shape)
    for value, error, now in zip(stack.values - stack.number, stack.errors, stack.days, strict=True):
        both = ~np.isnan(value) & ~np.isnan(before)
        gap, rise = now - day, np.abs(value - before)
        upper, lower = np.maximum(value, before), np.minimum(value, before)
        share = np.where(lower > 0, 1.0, np.where(upper <= 0, 0.0, upper / np.maximum(rise, 1e-300)))
        total += np.where(both, share * gap, 0)
        crosses = both & (lower <= 0) & (upper > 0)
        moved = gap / np.maximum(rise, 1e-300) * np.sqrt((error**2 + before_error**2) / 2)
        variance += np.where(crosses, np.minimum(moved, gap) ** 2, 0)
        there = ~np.isnan(value)
        before, before_error = np.where(there, value, before), np.where(there, error, before_error)
        day = np.where(there, now, day)
    return np.where(stack.count > 1, total, np.nan), np.sqrt(variance)


def _count(stack: _Stack) -> tuple[Values, Values]:
    return stack.count.astype(np.float64), np.zeros(stack.count.shape)


def _nanmean(values: Values) -> Values:
    return np.asarray(np.nansum(values, axis=0) / (~np.isnan(values)).sum(axis=0))


_STATISTICS: Final[dict[str, Callable[[_Stack], tuple[Values, Values]]]] = {
    "mean": _mean,
    "median": _median,
    "min": _extreme(np.argmin, np.inf),
    "max": _extreme(np.argmax, -np.inf),
    "latest": _latest,
    "count": _count,
    "slope": _slope,
    "percentile": _percentile,
    "days-above": _days_above,
}


def same_season(days: NDArray[Any], day: float, width: float) -> NDArray[np.bool_]:
    """Dates that lie within some days of another's day of the year, in any other year.

    Args:
        days: (dates,) in days since 1 January 1970 (or any beginning).
        day: Of the date that is compared.
        width: To either side.
    """
    apart = np.abs(np.asarray(days, np.float64) - day)
    year = 365.2425
    around = np.abs(apart - np.round(apart / year) * year)
    return np.asarray((around <= width) & (apart > year / 2))


def compare(
    value: NDArray[Any], error: NDArray[Any], reference: NDArray[Any], errors: NDArray[Any] | None,
    result: Result, statistic: str = "median", min_dates: int = 3,
) -> Combined:  # fmt: skip
    """A value against those of a reference period.

    z is (v − r)/√(MAD² + u²): r the reference's statistic, MAD the median absolute deviation of its values
    from their median, times 1.4826, and u the joint standard uncertainty of v and r. So neither a place that
    never changes nor an uncertain value raises an alarm.

    Args:
        value: (…) that is compared.
        error: Its standard uncertainty.
        reference: (dates, …) of the period.
        errors: Their standard uncertainties; None: unknown.
        result: `difference`, `ratio` or `z`.
        statistic: That the reference is summed up by.
        min_dates: Fewer are no reference.
    """
    base = combine(statistic, reference, errors, min_dates=min_dates)
    joint = np.hypot(error, base.errors)
    with np.errstate(all="ignore"):
        difference = np.asarray(value, np.float64) - base.values
        if result == "difference":
            found, uncertain = difference, joint
        elif result == "ratio":
            found = value / base.values
            uncertain = np.hypot(error, found * base.errors) / np.abs(base.values)
        else:
            centre = combine("median", reference).values
            mad = MAD_FACTOR * combine("median", np.abs(np.asarray(reference) - centre)).values
            found = difference / np.sqrt(mad**2 + np.nan_to_num(joint) ** 2)
            uncertain = joint / np.sqrt(mad**2 + np.nan_to_num(joint) ** 2)
    return Combined(np.asarray(found), np.asarray(uncertain), base.dates)


def class_share(
    values: NDArray[Any], errors: NDArray[Any], low: float, high: float, weights: NDArray[Any] | None = None
) -> tuple[float, float]:
    """Share of pixels whose true value lies from one limit to below another, and its uncertainty.

    Each pixel counts by its probability p = Φ((high − v)/u) − Φ((low − v)/u). Coding smooths: what it takes
    from a pixel is not correlated with what it leaves, so that the true value lies around the decoded one and
    a plain count misses the pixels that smoothing moved out of small classes. Values with noise of their own
    are no such values: of them p would count the noise twice. The variance is Σ w² p (1 − p), for errors that
    are independent from pixel to pixel.

    Args:
        values: Of pixels; NaN is not counted.
        errors: Their standard uncertainties; 0 and NaN count the pixel as it is.
        low: −∞ for none.
        high: ∞ for none.
        weights: Of each pixel, its share in the area; None: 1.

    Returns:
        NaN without a pixel.
    """
    there = ~np.isnan(values)
    v, u = np.asarray(values, np.float64)[there], np.nan_to_num(np.asarray(errors, np.float64)[there])
    w = np.ones(v.size) if weights is None else np.asarray(weights, np.float64)[there]
    if not w.sum() > 0:
        return float("nan"), float("nan")
    with np.errstate(all="ignore"):
        chance = _below((high - v) / u) - _below((low - v) / u)
    chance = np.where(u > 0, chance, (v >= low) & (v < high))
    w = w / w.sum()
    return float((w * chance).sum()), float(np.sqrt((w**2 * chance * (1 - chance)).sum()))


def _below(deviations: Values) -> Values:
    """Chance that a standard normal value lies below each."""
    return np.array([math.erfc(-each / math.sqrt(2)) / 2 for each in deviations], np.float64)
