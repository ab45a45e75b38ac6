"""Statistics of an area in periods of time, made of its observations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import Reduction
from comeo.errors import ParameterError
from comeo.figures import significant
from comeo.indicators.combine import Combined, combine, parse_statistic
from comeo.indicators.document import Document
from comeo.view.site import QUANTILES, Observation
from tileserver.catalog import Record
from tileserver.render.periods import Step, periods
from tileserver.render.scenes import Scenes
from tileserver.render.series import Series, SeriesRequest, is_cloudy
from tileserver.render.temporal import rfc3339

MIN_CLEAR: Final = 0.9
"""Share of an area that has to be clear on a date that counts, where nothing else says it."""
_DIGITS: Final = 6
_DAY: Final = 86_400.0
_TICK: Final = timedelta(microseconds=1)
_RISE: Final = 1e-2  # of a value, over which the slope of its power is taken
Seen = tuple[Record, Observation]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of each period.

    Attributes:
        step: Its length.
        percentiles: Of the pixels, 0 to 100.
        statistic: That the dates' means become one value by: see `comeo.indicators.combine`.
        weights: Of a mean of dates.
        min_dates: Fewer give no such value.
        min_clear: Share of the area that has to be clear on a date that counts.
        min_pixels: Pixels that have to count on it.
        document: The indicator, if it is one.
    """

    step: Step
    percentiles: Sequence[float]
    statistic: str
    weights: Any
    min_dates: int
    min_clear: float
    min_pixels: int
    document: Document | None

    @property
    def percentile(self) -> float | None:
        """Of the pixels, that stands for the area on a date; None for their mean."""
        spatial = self.document.spatial if self.document else None
        if spatial is None or spatial.statistic == "mean":
            return None
        name, number = parse_statistic(spatial.statistic)
        return 50.0 if name == "median" else number


def check_document(document: Document) -> None:
    """Refuse indicators whose number of an area is no mean and no percentile of their value.

    Raises:
        ParameterError: Saying what to leave out.
    """
    if document.reference_period is not None:
        raise ParameterError(
            f"{document.id} compares with a reference period, and statistics are those of its value itself; "
            "leave out reference_period and compare the periods of the answer"
        )
    name = document.spatial.statistic if document.spatial else "mean"
    if name.startswith(("fraction", "area")):
        raise ParameterError(
            f"{document.id} makes {name} of an area, and statistics are of mean, median or percentile(q); "
            "leave out spatial.statistic: the answer has percentiles"
        )


def checked(statistic: str) -> str:
    """A statistic that there is.

    Raises:
        ParameterError: If it is unknown.
    """
    parse_statistic(statistic)
    return statistic


def document(scenes: Scenes, wanted: SeriesRequest, found: Series, asked: Asked) -> dict[str, Any]:
    """Statistics of the single site of a series as JSON: those of each period, also where it has no scene."""
    observations = found.observations[0]
    start, end = _limits(wanted, observations, asked.step)
    name = asked.document.id if asked.document else found.plan.names[0]
    reduction = found.plan.reduction
    rows = []
    for begin, after in periods(start, end, asked.step):
        inside = [each for each in observations if each[0].datetime and begin <= each[0].datetime < after]
        stats = _of_period(scenes, inside, asked, reduction)
        rows.append(
            {
                "interval": {"from": rfc3339(begin), "to": rfc3339(after)},
                "outputs": {name: {"bands": {"B0": {"stats": stats}}}},
            }
        )
    return {
        "status": "OK",
        "collection": ", ".join(wanted.search.collections or ()),
        "indicator": _described(asked.document, name),
        "statistic": asked.statistic,
        "data": rows,
    }


def _limits(wanted: SeriesRequest, observations: Sequence[Seen], step: Step) -> tuple[datetime, datetime]:
    """From where to where periods go: as requested, where that is open from the first to the last scene."""
    times = [record.datetime for record, _ in observations if record.datetime]
    start = wanted.search.start or step.begin(min(times))
    last = wanted.search.end or max(times)
    return start, min(last, datetime.max.replace(tzinfo=UTC) - _TICK) + _TICK


def _described(found: Document | None, name: str) -> dict[str, Any]:
    if found is None:
        return {"id": name, "version": None, "sha256": None, "unit": None}
    unit = found.value.unit or None
    return {"id": found.id, "version": found.version, "sha256": found.fingerprint, "unit": unit}


def _of_period(
    scenes: Scenes, observations: Sequence[Seen], asked: Asked, reduction: Reduction
) -> dict[str, Any]:
    """Statistics of a period; a number that there is none of is null."""
    cloudy = [each for each in observations if is_cloudy(each[1], asked.min_clear)]
    counted = [each for each in observations if _counts(each[1], asked)]
    seen = [one for _, one in counted]
    samples = sum(one.seen for _, one in observations)
    pixels = sum(one.pixels for one in seen)
    combined = _combined(counted, asked, reduction) if counted else None
    ratios = [float(scenes.catalog.info(record)["ratio"]) for record, _ in counted]
    return {
        **_pooled(seen, asked.percentiles, reduction),
        "sampleCount": round(samples, 1),
        "noDataCount": round(samples - pixels, 1),
        "value": None if combined is None else _short(float(combined.values)),
        "uncertainty": None if combined is None else _short(float(combined.errors), 3),
        "dates": len(counted),
        "cloudy_dates": len(cloudy),
        "clear_fraction": _clear(observations),
        "archive_ratio": round(len(ratios) / sum(1 / each for each in ratios), 1) if ratios else None,
    }


def _counts(one: Observation, asked: Asked) -> bool:
    return one.value is not None and one.pixels >= asked.min_pixels and not is_cloudy(one, asked.min_clear)


def _clear(observations: Sequence[Seen]) -> float | None:
    """Share of what was seen, on all dates that tell, that was clear."""
    told = [(one.seen, one.clear) for _, one in observations if one.clear is not None]
    total = sum(seen for seen, _ in told)
    return _short(sum(seen * clear for seen, clear in told) / total, 4) if total else None


def _combined(counted: Sequence[Seen], asked: Asked, reduction: Reduction) -> Combined:
    """One value of those of the dates; a mean of decibels is one of power."""
    values = np.array([_value(one, asked.percentile) for _, one in counted], np.float64)
    shared = asked.document.value.floor_uncertainty if asked.document else 0.0
    if asked.percentile is None:
        errors = np.array([_own_error(one, shared) for _, one in counted])
    else:  # what coding adds to a percentile of pixels is not known
        errors = np.full(len(counted), math.nan)
    days = np.array([record.datetime.timestamp() / _DAY for record, _ in counted if record.datetime])
    of_power = asked.statistic == "mean" and not reduction.is_plain
    found = combine(
        asked.statistic, _powers(values, reduction) if of_power else values,
        errors * _rises(values, reduction) if of_power else errors, days,
        weights=asked.weights, min_dates=asked.min_dates, bias=0.0 if of_power else shared,
    )  # fmt: skip
    if not of_power:
        return found
    back = _values(np.atleast_1d(found.values), reduction)
    own = (found.errors / _rises(back, reduction))[0]
    return Combined(back[0], np.hypot(own, shared), found.dates)


def _value(one: Observation, percentile: float | None) -> float | None:
    """What an area is on a date: its mean, or a percentile of its pixels, between two of its quantiles."""
    if percentile is None:
        return one.value
    return float(np.interp(percentile, np.linspace(0, 100, QUANTILES), one.quantiles))


def _own_error(one: Observation, shared: float) -> float:
    """The part of a mean's uncertainty that is its date's own, not that of sensor and atmosphere."""
    if one.uncertainty is None:
        return math.nan
    return math.sqrt(max(0.0, one.uncertainty**2 - shared**2))


def _powers(values: NDArray[np.float64], reduction: Reduction) -> NDArray[np.float64]:
    """What means are made of: power of decibels, else the values themselves."""
    if reduction.is_plain:
        return values
    return np.asarray(reduction.before(values.astype(np.float32)[None])[0], np.float64)


def _values(powers: NDArray[np.float64], reduction: Reduction) -> NDArray[np.float64]:
    if reduction.is_plain:
        return powers
    return np.asarray(reduction.after(powers.astype(np.float32)[None])[0], np.float64)


def _rises(values: NDArray[np.float64], reduction: Reduction) -> NDArray[np.float64]:
    """How much power rises with each value: what carries uncertainties from one to the other."""
    if reduction.is_plain:
        return np.ones(len(values))
    return (_powers(values + _RISE, reduction) - _powers(values - _RISE, reduction)) / (2 * _RISE)


def _pooled(
    seen: Sequence[Observation], percentiles: Sequence[float], reduction: Reduction
) -> dict[str, Any]:
    """Of all pixels of all dates that count, each by the share of it that lies in the area."""
    if not seen:
        nothing = dict.fromkeys(map(_percent, percentiles))
        return {"min": None, "max": None, "mean": None, "stDev": None, "percentiles": nothing}
    weights = np.array([one.pixels for one in seen])
    weights /= weights.sum()
    values = np.array([one.value for one in seen], np.float64)
    spreads = np.array([one.spread or 0.0 for one in seen])
    mean = _values(np.atleast_1d((_powers(values, reduction) * weights).sum()), reduction)[0]
    centre = (values * weights).sum()
    spread = math.sqrt(float(((np.square(spreads) + np.square(values - centre)) * weights).sum()))
    quantiles = np.array([one.quantiles for one in seen])
    found = _mixed(quantiles, weights, np.array(percentiles, np.float64))
    return {
        "min": _short(float(quantiles[:, 0].min())),
        "max": _short(float(quantiles[:, -1].max())),
        "mean": _short(float(mean)),
        "stDev": _short(spread, 4),
        "percentiles": {
            _percent(percent): _short(float(each)) for percent, each in zip(percentiles, found, strict=True)
        },
    }


def _percent(value: float) -> str:
    """A percentile as Sentinel Hub writes it, `5.0`; 99.99 is no other one."""
    return str(float(value))


def _mixed(
    quantiles: NDArray[np.float64], weights: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Percentiles of pixels of several dates, by the quantiles of each: (dates, 101) to (wanted,).

    The share of all pixels up to a value is the weighted mean of the dates' shares.
    """
    shares = np.linspace(0, 100, QUANTILES)
    if len(quantiles) == 1:
        return np.asarray(np.interp(wanted, shares, quantiles[0]))
    levels = np.unique(quantiles)
    below = sum(
        weight * np.interp(levels, own, shares, left=0.0, right=100.0)
        for own, weight in zip(quantiles, weights, strict=True)
    )
    return np.asarray(np.interp(wanted, below, levels))


def _short(value: float | None, digits: int = _DIGITS) -> float | None:
    return None if value is None or not math.isfinite(value) else significant(value, digits)
