"""What a map shows of a pixel: pure functions of its values over time."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.decibel import DECIBEL, to_decibels, to_power
from comeo.figures import significant
from comeo.indicators.combine import Combined, Weights, combine, parse_statistic
from comeo.indicators.document import Document
from comeo.missions import QUANTITIES, Range
from comeo.scene import Band
from tileserver.watch.document.definition import Layer, Maps

Values = NDArray[np.float32]
_FINEST: Final = 512.0  # steps of the range that values are shown in
_COARSEST: Final = 32.0
_UNKNOWN: Final = 128.0  # where the uncertainty of values is unknown
_APART: Final = 8.0  # steps from one date, or day, to the next: rounded, they come back
_NEPER: Final = math.log(10.0) / 10.0
_UNCERTAIN: Final = 0.1  # of the range of values, that uncertainties are shown in
_SHOWN: Final[dict[str, tuple[Range, str]]] = {
    "dates": ((0.0, 12.0), "blues"),
    "day-of-minimum": ((1.0, 31.0), "viridis"),
    "first-below": ((1.0, 31.0), "plasma_r"),
}
_OF_VALUES: Final = ("mean", "median", "min", "max", "latest", "percentile")
"""Statistics whose results lie in the range of the values."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is made of the values of a pixel.

    Attributes:
        document: The indicator.
        statistic: Over time.
        layers: Beside the value, its uncertainty and how many dates it is of.
        low: Lower limit of nominal values that are fixed; None without one.
    """

    document: Document
    statistic: str
    layers: tuple[Layer, ...]
    low: float | None

    @classmethod
    def of(cls, document: Document, maps: Maps, low: float | None) -> Recipe:
        """The recipe of an indicator: what is said of maps, else what its document says, else the median."""
        stated = document.temporal.statistic if document.temporal else "median"
        chosen = maps.statistic or ("median" if stated == "count" else stated)
        layers = [each for each in dict.fromkeys(maps.layers) if each != "first-below" or low is not None]
        return cls(document, chosen, tuple(layers), low)

    @property
    def weights(self) -> Weights:
        """Of a mean, as the document has them."""
        temporal = self.document.temporal
        return temporal.weights if temporal and self.statistic == "mean" else "equal"

    @property
    def min_dates(self) -> int:
        """Where there are fewer, there is no value."""
        return self.document.temporal.min_dates if self.document.temporal else 1

    @property
    def names(self) -> tuple[str, ...]:
        """What the results are, in their order."""
        return ("value", "u", "dates", *self.layers)

    @property
    def unit(self) -> str:
        """Of the value."""
        kind, own = parse_statistic(self.statistic)[0], self.document.value.unit
        own = "" if own == "1" else own
        if kind == "days-above":
            return "d"
        return f"{own or 1}/a" if kind == "slope" else own


def results(recipe: Recipe, values: Values, errors: Values, days: Values, numbers: Values) -> Values:
    """All results of pixels.

    Args:
        recipe: What is made.
        values: (dates, y, x), oldest first; NaN is no value.
        errors: Their standard uncertainties; NaN is unknown.
        days: (dates,) times in days.
        numbers: (dates,) day of the month of each.

    Returns:
        (results, y, x) in the order of `Recipe.names`; NaN where there is none.
    """
    combined = _combined(recipe, values, errors, days)
    found = [combined.values, combined.errors, combined.dates]
    there = combined.dates > 0
    for layer in recipe.layers:
        if layer == "day-of-minimum":
            place = np.where(np.isnan(values), np.inf, values).argmin(axis=0)
            found.append(np.where(there, numbers[place], np.nan))
        else:
            with np.errstate(invalid="ignore"):
                below = values < (-math.inf if recipe.low is None else recipe.low)
            found.append(np.where(below.any(axis=0), numbers[below.argmax(axis=0)], np.nan))
    return np.stack(found).astype(np.float32)


def _combined(recipe: Recipe, values: Values, errors: Values, days: Values) -> Combined:
    """A statistic, and its uncertainty; a mean of decibels is one of power.

    The document's uncertainty of sensor and atmosphere is one that all dates share: no averaging removes it.
    """
    shared = recipe.document.value.floor_uncertainty
    own = np.sqrt(np.maximum(np.square(errors, dtype=np.float64) - shared**2, 0.0))
    of = functools.partial(combine, weights=recipe.weights, min_dates=recipe.min_dates)
    if recipe.statistic != "mean" or recipe.document.value.unit != DECIBEL:
        return of(recipe.statistic, values, own, days, bias=shared)
    power = to_power(values)
    mean = of("mean", power, own * power * _NEPER, days)
    back = to_decibels(mean.values.astype(np.float32)).astype(np.float64)
    with np.errstate(all="ignore"):
        uncertain = np.hypot(mean.errors / (mean.values * _NEPER), shared)
    return Combined(back, uncertain, mean.dates)


def step_of(recipe: Recipe, found: Values) -> float:
    """Step that a map is coded in, in the value's unit: how uncertain half of its pixels at least are.

    The RMSE of such a step is about a third of it, which adds a twentieth to the uncertainty.

    Args:
        recipe: What was made.
        found: Results.
    """
    low, high = _shown(recipe, found)
    errors = found[1][~np.isnan(found[1])]
    wanted = float(np.median(errors)) if errors.size else (high - low) / _UNKNOWN
    step = min((high - low) / _COARSEST, max((high - low) / _FINEST, wanted))
    return min(1e6, max(1e-6, significant(step, 4) or 1.0))


def bands_of(recipe: Recipe, found: Values) -> tuple[Band, ...]:
    """Bands of the results, named by the indicator: those of other indicators lie in the same collection.

    Values and uncertainties are stored as they are; dates and days so that a step is an eighth of one.

    Args:
        recipe: What was made.
        found: Results.
    """
    low, high = _shown(recipe, found)
    whole = significant(1.0 / (_APART * step_of(recipe, found)), 6) or 1.0
    stem = re.sub(r"\W", "_", recipe.document.id, flags=re.ASCII)
    palette = recipe.document.display.colormap if recipe.document.display else None
    plain = "" if recipe.unit in QUANTITIES else recipe.unit  # errors of decibels are none
    value = Band(
        f"{stem}_{_suffix(recipe.statistic)}", unit=recipe.unit, display=(low, high), colormap=palette or ""
    )
    most = significant(_UNCERTAIN * (high - low), 3) or 1.0
    errors = Band(f"{stem}_u", unit=plain, display=(0.0, most), colormap="ylorrd")
    counts = (
        Band(f"{stem}_{name.replace('-', '_')}", whole, display=_SHOWN[name][0], colormap=_SHOWN[name][1])
        for name in recipe.names[2:]
    )
    return value, errors, *counts


def _shown(recipe: Recipe, found: Values) -> Range:
    """Range to show values in: the document's, else that of what was found."""
    display, limits = recipe.document.display, recipe.document.value.range
    stated = display.rescale if display and display.rescale else limits
    if parse_statistic(recipe.statistic)[0] in _OF_VALUES and stated:
        return stated[0] if isinstance(stated, list) else stated
    known = found[0][~np.isnan(found[0])]
    low, high = (float(each) for each in np.percentile(known, (2, 98))) if known.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))


def _suffix(statistic: str) -> str:
    """`median`, `p90`, `days_above_0_5`: what formulas take for a name."""
    kind, number = parse_statistic(statistic)
    if math.isnan(number):
        return kind
    text = f"{number:g}".replace("-", "minus_").replace(".", "_").replace("+", "")
    return f"p{text}" if kind == "percentile" else f"{kind.replace('-', '_')}_{text}"
