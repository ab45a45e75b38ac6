"""Limits against a reference in NumPy; what comes later never changes what was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tileserver.watch.alerts.baseline import Point, Verdict, judge
from tileserver.watch.document.definition import Change, Fixed, Nominal, Seasonal

BEGIN = datetime(2016, 1, 1, tzinfo=UTC)
SIDES: tuple[Literal["low", "high", "both"], ...] = ("low", "high", "both")


def point(day: float, value: float, u: float | None = 0.01, orbit: int | None = None) -> Point:
    return Point(BEGIN + timedelta(days=day), f"day-{day:g}", value, u, orbit)


def series() -> SearchStrategy[list[Point]]:
    """Dates of some years, oldest first."""
    days = st.lists(st.integers(0, 2000), unique=True, max_size=60).map(sorted)
    values = st.integers(-40, 40).map(lambda each: each / 40)
    us = st.none() | st.integers(0, 10).map(lambda each: each / 100)
    orbits = st.sampled_from([None, 7, 8])
    one = st.tuples(values, us, orbits)
    return days.flatmap(
        lambda found: st.lists(one, min_size=len(found), max_size=len(found)).map(
            lambda rest: [point(day, *each) for day, each in zip(found, rest, strict=True)]
        )
    )


def nominals() -> SearchStrategy[Nominal]:
    return st.one_of(
        st.builds(Fixed, low=st.just(0.2), high=st.none() | st.just(0.6)),
        st.builds(
            Seasonal, side=st.sampled_from(SIDES), days=st.integers(5, 90), min_dates=st.integers(3, 6)
        ),
        st.builds(Change, side=st.sampled_from(SIDES), k=st.floats(1, 5), dates=st.integers(3, 8)),
    )


def limits(points: list[Point], nominal: Nominal) -> list[tuple[float | None, float | None]]:
    """Limits of each date, by the words of the specification and brute force."""
    found: list[tuple[float | None, float | None]] = []
    for one in points:
        if isinstance(nominal, Fixed):
            found.append((nominal.low, nominal.high))
            continue
        if isinstance(nominal, Seasonal):
            least, values = (
                nominal.min_dates,
                [each.value for each in points if same_season(one, each, nominal)],
            )
        else:
            before = zip(points, found, strict=False)
            normal = [
                each.value for each, own in before if each.orbit == one.orbit and inside(each.value, own)
            ]
            least, values = nominal.dates, normal[-nominal.dates :]
        if len(values) < least:
            found.append((None, None))
            continue
        middle = np.median(values)
        mad = np.median(np.abs(np.asarray(values) - middle))
        reach = nominal.k * np.sqrt(mad**2 + (one.u or 0.0) ** 2)
        low, high = float(middle - reach), float(middle + reach)
        found.append((low if nominal.side != "high" else None, high if nominal.side != "low" else None))
    return found


def same_season(one: Point, other: Point, nominal: Seasonal) -> bool:
    days = (one.at - other.at).total_seconds() / 86_400
    return any(abs(days - years * 365.2425) <= nominal.days for years in range(1, 20))


def inside(value: float, own: tuple[float | None, float | None]) -> bool:
    low, high = own
    return (low is None or value >= low) and (high is None or value <= high)


@given(series(), nominals())
def test_limits_are_those_of_the_specification(points: list[Point], nominal: Nominal) -> None:
    told = judge(points, nominal)
    assert [each.point for each in told] == points
    for verdict, (low, high) in zip(told, limits(points, nominal), strict=True):
        assert verdict.low == pytest.approx(low, abs=1e-12)
        assert verdict.high == pytest.approx(high, abs=1e-12)
        value, u = verdict.point.value, verdict.point.u or 0.0
        tolerance = 2 * u if isinstance(nominal, Fixed) else 0.0  # which learned limits have in them
        below = low is not None and value < low - tolerance
        above = high is not None and value > high + tolerance
        near = min((abs(value - each) for each in (low, high) if each is not None), default=1.0)
        if abs(near - tolerance) > 1e-9:
            assert verdict.side == ("low" if below else "high" if above else None)


@given(series(), nominals(), st.integers(0, 60))
def test_a_later_date_changes_no_earlier_verdict(points: list[Point], nominal: Nominal, count: int) -> None:
    assert judge(points[:count], nominal) == judge(points, nominal)[:count]


def test_seasons_are_those_of_years_before() -> None:
    """The same days of this year, of other seasons and of years to come teach nothing."""
    years = [point(365 * year + day, 0.8) for year in range(2) for day in (0, 10, 20, 180)]
    told = judge(
        [*years, point(365 * 2 + 10, 0.1), *[point(365 * 3 + day, 0.1) for day in (0, 10)]], Seasonal()
    )
    assert [each.learned for each in told] == [0, 0, 0, 0, 3, 3, 3, 1, 6, 7, 7]
    assert told[8].side == "low"
    assert (told[8].middle, told[8].spread) == (0.8, 0.0)
    assert told[8].low == pytest.approx(0.77)


def test_a_deviation_teaches_nothing_while_it_lasts() -> None:
    told = judge([point(day, 0.8 if day < 6 else 0.2) for day in range(60)], Change())
    assert [each.side for each in told] == [None] * 6 + ["low"] * 54
    assert {each.middle for each in told[6:]} == {0.8}


def test_each_orbit_has_its_own_normal() -> None:
    told = judge(
        [point(day, -10.0 if day % 2 else -14.0, 0.1, day % 2) for day in range(30)], Change(side="both")
    )
    assert {each.side for each in told} == {None}


@pytest.mark.parametrize(
    ("value", "u", "severity"),
    [(0.5, 0.01, 0), (0.481, 0.01, 0), (0.48, 0.01, 1), (0.471, 0.01, 1), (0.469, 0.01, 2), (0.449, 0.01, 3),
     (0.499, None, 1), (0.1, None, 1), (0.499, 0.0, 1)],
)  # fmt: skip
def test_severity_is_by_how_many_u_beyond_a_fixed_limit(value: float, u: float | None, severity: int) -> None:
    (told,) = judge([point(0, value, u)], Fixed(low=0.5))
    assert told.severity == severity
    assert (told.side == "low") == (severity > 0)


def test_back_inside_is_by_one_u_and_of_the_side() -> None:
    def back(value: float, low: float | None, high: float | None) -> tuple[bool, bool]:
        told = Verdict(point(0, value, 0.05), low, high)
        return told.is_back("low"), told.is_back("high")

    assert back(0.54, 0.5, None) == (False, False)
    assert back(0.56, 0.5, None) == (True, False)
    assert back(0.44, None, 0.5) == (False, True)
    assert back(0.55, 0.5, 0.56) == (True, False)  # limits are closer to each other than 2 u
    assert back(0.9, 0.5, 0.6) == (True, False)  # and beyond the other one
    assert back(0.9, None, None) == (False, False)


def test_of_no_date_nothing_is_said() -> None:
    assert judge([], Seasonal()) == []
