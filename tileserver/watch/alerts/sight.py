"""What a site can see by its own history: smallest change, clear dates, false alarms, and what would help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from babel.numbers import format_decimal

from tileserver.store.observed import Observed
from tileserver.watch.alerts.baseline import Verdict, judge
from tileserver.watch.alerts.detect import episodes
from tileserver.watch.document.definition import Fixed, Seasonal
from tileserver.watch.document.rules import Rule
from tileserver.watch.words import language_of, value_words, word

MONTH: Final = 30.44  # days
YEAR: Final = 365.25  # days
SURE: Final = 3.0
"""How many √(MAD² + u²) a change has to have to be seen: JCGM 100:2008 would call it k."""
CHANCE: Final = 0.05
"""Of more alarms than a site is said to have at most."""
Code = Literal["fine", "not-shown", "few-pixels", "never-clear", "learning", "too-small"]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a site can see; None where its history is too short to tell.

    Attributes:
        smallest_change: That is told from chance: 3·√(MAD² + u²).
        coding: The part of it that compression makes: 3·u.
        spread: MAD of its nominal values.
        u: Standard uncertainty of its mean on the median date.
        ratio: Of its archives, the median.
        clear_dates_per_month: That count.
        false_alarms_per_year: Alerts a year, in all years in which limits were known: false ones, unless
            something has really happened.
        false_alarms_at_most: With 95 % confidence there are no more, by chance alone.
    """

    smallest_change: float | None
    coding: float | None
    spread: float | None
    u: float | None
    ratio: float | None
    clear_dates_per_month: float | None
    false_alarms_per_year: float | None
    false_alarms_at_most: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What is to be known of a site before it is followed.

    Attributes:
        code: Kind.
        area_m2: From which on a site here is large enough; None where that is not known.
    """

    code: Code
    area_m2: float | None = None


def sight_of(seen: Sequence[Observed], told: Sequence[Verdict], rule: Rule) -> Sight:
    """What a site can see.

    Args:
        seen: Observations, oldest first.
        told: Verdicts of clear dates.
        rule: What alerts are made by.
    """
    learned = told
    if isinstance(rule.nominal, Fixed):  # limits that are given say nothing of how values scatter
        learned = judge([each.point for each in told], Seasonal())
    spread = _median([each.spread for each in learned if each.middle is not None])
    u = _median([each.point.u for each in told if each.point.u is not None])
    days = (seen[-1].datetime - seen[0].datetime).days if len(seen) > 1 else 0
    alarms, most = _alarms(told, rule)
    return Sight(
        smallest_change=None if spread is None else SURE * math.hypot(spread, u or 0.0),
        coding=None if u is None else SURE * u,
        spread=spread, u=u, ratio=_median([each.ratio for each in seen if each.ratio is not None]),
        clear_dates_per_month=len(told) / (days / MONTH) if days else None,
        false_alarms_per_year=alarms, false_alarms_at_most=most,
    )  # fmt: skip


def advice_of(
    seen: Sequence[Observed], told: Sequence[Verdict], sight: Sight, rule: Rule, enough: float | None
) -> Advice:
    """What is to be known of a site.

    Args:
        seen: Observations.
        told: Verdicts of clear dates.
        sight: What it can see.
        rule: What alerts are made by.
        enough: Area in m² from which on a site here is large enough; None where that is not known.
    """
    if not seen:
        return Advice("not-shown")
    if not told:
        done = [each for each in seen if each.state == "done"]
        few = [each for each in done if each.pixels < rule.policy.min_pixels]
        return Advice("few-pixels" if done and len(few) == len(done) else "never-clear")
    if not any(each.is_known for each in told):
        return Advice("learning")
    return Advice("too-small", enough) if is_too_small(sight) else Advice("fine")


def is_too_small(sight: Sight) -> bool:
    """Whether compression hides more of a site's mean than the site varies by itself."""
    return sight.u is not None and sight.spread is not None and sight.u > sight.spread


def advice_words(advice: Advice, sight: Sight, unit: str, locale: str) -> str:
    """Advice as a sentence."""
    if advice.code != "too-small" or sight.u is None or sight.spread is None:
        return word(locale, f"sight-{advice.code}")
    u, spread = (
        f"{format_decimal(each, '0.000', locale=language_of(locale))} {unit}".rstrip()
        for each in (sight.u, sight.spread)
    )
    facts = {"u": u, "spread": spread, "ratio": f"{sight.ratio or 0:.0f}"}
    key = "sight-too-small" if advice.area_m2 is None else "sight-too-small-area"
    hectares = value_words((advice.area_m2 or 0.0) / 1e4, None, "", locale)
    return word(locale, key, area=hectares, **facts)


def at_most(events: int) -> float:
    """Mean of the Poisson distribution of which so few events or fewer come with a chance of 5 % alone.

    The upper limit of Garwood (1936), Biometrika 28:437, found by bisection.
    """
    low, high = 0.0, 10.0 + 3.0 * events
    for _ in range(60):
        middle = (low + high) / 2
        logs = [n * math.log(middle) - middle - math.lgamma(n + 1) for n in range(events + 1)]
        low, high = (middle, high) if math.fsum(map(math.exp, logs)) > CHANCE else (low, middle)
    return high


def _alarms(told: Sequence[Verdict], rule: Rule) -> tuple[float | None, float | None]:
    """Deviations a year while limits were known, and how many there are at most by chance."""
    known = [each.point.at for each in told if each.is_known]
    years = (known[-1] - known[0]).days / YEAR if known else 0.0
    if years < 1:
        return None, None
    number = len([each for each in episodes(told, rule.policy) if each.persistent])
    return number / years, at_most(number) / years


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None
