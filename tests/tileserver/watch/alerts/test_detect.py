"""From verdicts to deviations.

A date is a letter: i inside, n inside by less than u, o outside, g gravely so, h beyond the other side,
? without limits.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tileserver.watch.alerts.baseline import Point, Verdict, judge
from tileserver.watch.alerts.detect import Episode, episodes
from tileserver.watch.document.definition import AlertPolicy, Fixed

VALUES = {"i": 0.6, "n": 0.505, "o": 0.475, "g": 0.3, "h": 0.825}


def verdicts(dates: str) -> list[Verdict]:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    points = [
        Point(begin + timedelta(days=day), str(day), VALUES.get(each, 0.6), 0.01)
        for day, each in enumerate(dates)
    ]
    told = judge(points, Fixed(low=0.5, high=0.8))
    return [Verdict(each.point) if letter == "?" else each for letter, each in zip(dates, told, strict=True)]


def found(dates: str, policy: AlertPolicy | None = None) -> list[Episode]:
    return episodes(verdicts(dates), policy or AlertPolicy())


def told(dates: str, policy: AlertPolicy | None = None, side: str = "low") -> list[tuple[object, ...]]:
    """First, opening, last date and the one by which it was over; whether it was persistent."""
    return [
        (
            int(each.first.point.item), int(each.opening.point.item), int(each.last.point.item),
            int(each.over.point.item) if each.over else None, each.persistent,
        )
        for each in found(dates, policy)
        if each.side == side
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ("", []),
        ("iiii", []),
        ("iioii", []),  # one date is not enough
        ("ioo", [(1, 2, 2, None, True)]),
        ("oio", [(0, 2, 2, None, True)]),  # two of three
        ("oiio", []),  # two of four
        ("ooii", [(0, 1, 1, 3, True)]),  # over after two inside
        ("ooioi", [(0, 1, 3, None, True)]),  # one inside is not enough
        ("oonin", [(0, 1, 1, None, True)]),  # nor are dates just inside
        ("oonii", [(0, 1, 1, 4, True)]),
        ("ooiioo", [(0, 1, 1, 3, True), (4, 5, 5, None, True)]),
        ("ig", [(1, 1, 1, None, False)]),  # a grave one is
        ("gii", [(0, 0, 0, 2, False)]),
        ("gio", [(0, 0, 2, None, True)]),
        ("?o?o", [(1, 3, 3, None, True)]),  # dates that cannot tell neither bear out nor clear
        ("oo?i?i", [(0, 1, 1, 5, True)]),
        ("oohh", [(0, 1, 1, 3, True)]),  # whoever is beyond the other side is not here any more
    ],
)
def test_when_a_deviation_begins_and_ends(dates: str, expected: list[tuple[object, ...]]) -> None:
    assert told(dates) == expected


def test_no_date_is_of_two_deviations() -> None:
    policy = AlertPolicy(dates=2, of=10)
    assert told("ooiioii", policy) == [(0, 1, 1, 3, True)]
    assert told("ooiioio", policy) == [(0, 1, 1, 3, True), (4, 6, 6, None, True)]


def test_both_sides_are_looked_at() -> None:
    assert told("oohh", side="high") == [(2, 3, 3, None, True)]
    assert [each.side for each in found("oohhiioo")] == ["low", "high", "low"]


def test_the_worst_date_is_the_one_of_the_greatest_score() -> None:
    (one,) = found("oogoii")
    assert (one.worst.point.item, one.worst.severity) == ("2", 3)


@given(st.text("inogh?", max_size=40), st.integers(1, 4), st.integers(0, 3))
def test_deviations_of_a_side_follow_each_other(dates: str, least: int, more: int) -> None:
    policy = AlertPolicy(dates=least, of=least + more)
    all_of_them = found(dates, policy)
    assert all_of_them == sorted(all_of_them, key=lambda each: (each.first.point.at, each.side))
    for side in ("low", "high"):
        own = [each for each in all_of_them if each.side == side]
        for each in own:
            assert each.first.side == each.opening.side == each.last.side == each.worst.side == side
            assert each.first.point.at <= each.opening.point.at <= each.last.point.at
            if each.over:
                assert each.over.is_back(each.side)
        for one, after in pairwise(own):
            assert one.over is not None
            assert one.over.point.at < after.first.point.at
    outside = sum(each in "og" for each in dates)
    assert sum(each.side == "low" for each in all_of_them) <= outside


@given(st.text("inogh", max_size=30), st.text("inogh", max_size=5))
def test_more_dates_change_only_what_goes_on(dates: str, more: str) -> None:
    over = [each for each in found(dates) if each.over]
    assert [each for each in found(dates + more) if each in over] == over
