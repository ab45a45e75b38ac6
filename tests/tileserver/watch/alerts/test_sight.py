"""What a site can see by its own history, and what would help it to see more."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tileserver.watch.followed import observation
from tileserver.store.observed import Observed
from tileserver.watch.alerts.counting import verdicts
from tileserver.watch.alerts.sight import (
    Advice,
    Sight,
    advice_of,
    advice_words,
    at_most,
    is_too_small,
    sight_of,
)
from tileserver.watch.document.definition import AlertPolicy, Fixed, Nominal, Seasonal
from tileserver.watch.document.rules import Rule
from tileserver.watch.words import LANGUAGES

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def rule(nominal: Nominal | None = None) -> Rule:
    return Rule(0, 1, 0, nominal or Seasonal(), AlertPolicy(), BEGIN)


def years(number: int, values: tuple[float, ...], **changes: Any) -> list[Observed]:
    """Twenty days of each of so many years, whose values go round."""
    return [
        observation(365.25 * year + 2 * day, values[day % len(values)], **changes)
        for year in range(number)
        for day in range(20)
    ]


def seen_by(seen: list[Observed], of: Rule) -> Sight:
    return sight_of(seen, verdicts(seen, of), of)


def advised(seen: list[Observed], of: Rule, enough: float | None = None) -> Advice:
    told = verdicts(seen, of)
    return advice_of(seen, told, sight_of(seen, told, of), of, enough)


def test_the_smallest_change_is_of_scatter_and_compression() -> None:
    seen = years(4, (0.68, 0.70, 0.72))
    sight = seen_by(seen, rule())
    assert sight.spread == pytest.approx(0.02)
    assert sight.u == pytest.approx(0.01)
    assert sight.smallest_change == pytest.approx(3 * math.hypot(0.02, 0.01))
    assert sight.coding == pytest.approx(0.03)
    days = (seen[-1].datetime - seen[0].datetime).days
    assert sight.clear_dates_per_month == pytest.approx(80 / (days / 30.44))


def test_limits_that_are_given_do_not_change_what_is_seen() -> None:
    seen = years(4, (0.68, 0.70, 0.72))
    assert seen_by(seen, rule(Fixed(low=0.1))).smallest_change == seen_by(seen, rule()).smallest_change


def test_false_alarms_are_those_of_all_years_with_limits() -> None:
    quiet = seen_by(years(4, (0.68, 0.70, 0.72)), rule(Fixed(low=0.5)))
    assert quiet.false_alarms_per_year == 0
    assert quiet.false_alarms_at_most is not None
    assert quiet.false_alarms_at_most == pytest.approx(2.996 / 3.1, rel=0.02)
    noisy = years(4, (0.7,) * 8 + (0.3,) * 4)
    per_year = seen_by(noisy, rule(Fixed(low=0.5))).false_alarms_per_year
    assert per_year is not None
    assert 1 < per_year < 3
    assert seen_by(years(1, (0.7,)), rule(Fixed(low=0.5))).false_alarms_per_year is None


def test_advice() -> None:
    assert advised([], rule()).code == "not-shown"
    assert advised(years(1, (0.7,), pixels=2.0), rule()).code == "few-pixels"
    assert advised(years(1, (0.7,), clear=0.1), rule()).code == "never-clear"
    assert advised(years(1, (0.7,)), rule()).code == "learning"
    assert advised(years(4, (0.68, 0.70, 0.72)), rule()) == Advice("fine")
    small = years(4, (0.68, 0.70, 0.72), u=0.03)
    assert is_too_small(seen_by(small, rule()))
    assert advised(small, rule(), 2e4) == Advice("too-small", 2e4)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_advice_names_area_and_ratio(locale: str) -> None:
    seen = [replace(each, ratio=98.7) for each in years(4, (0.68, 0.70, 0.72), u=0.03)]
    sight = seen_by(seen, rule())
    sentence = advice_words(Advice("too-small", 2e4), sight, "", locale)
    assert "×99" in sentence
    assert {"0.030", "0,030"} & set(sentence.replace(":", " ").replace(",", ",").split()) or "030" in sentence
    assert "2.00" in sentence or "2,00" in sentence
    assert advice_words(Advice("too-small"), sight, "", locale) != sentence


@given(st.integers(0, 300))
def test_at_most_is_the_poisson_limit(events: int) -> None:
    limit = at_most(events)
    chance = math.fsum(math.exp(n * math.log(limit) - limit - math.lgamma(n + 1)) for n in range(events + 1))
    assert chance == pytest.approx(0.05, rel=1e-6)


def test_a_history_of_a_day_tells_no_rate() -> None:
    sight = seen_by([observation(0, 0.7)], rule())
    assert (sight.smallest_change, sight.clear_dates_per_month) == (None, None)
    assert timedelta(0) == observation(0, 0.7).datetime - BEGIN
