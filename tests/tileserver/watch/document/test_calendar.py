"""Months of a geoservice's own time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tileserver.watch.document.calendar import Month, ended

ZONES = st.sampled_from(
    ["UTC", "Africa/Abidjan", "Europe/Bucharest", "America/Sao_Paulo", "Pacific/Kiritimati"]
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, ZONES)
def test_a_moment_lies_in_its_month_and_months_meet(moment: datetime, zone: str) -> None:
    month = Month.of(moment, zone)
    assert month.start <= moment < month.end
    assert month.end == month.next.start
    assert timedelta(days=27) < month.end - month.start < timedelta(days=32)


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=900)), ZONES)
def test_months_that_are_over_follow_one_another_without_a_gap(
    start: datetime, after: timedelta, zone: str
) -> None:
    found = list(ended(start, None, start + after, zone))
    assert all(each.end <= start + after for each in found)
    assert all(one.next == other for one, other in pairwise(found))
    if found:
        assert found[0] == Month.of(start, zone)
        assert found[-1].next.end > start + after


def test_a_geoservice_that_has_ended_has_no_further_months() -> None:
    start, end = datetime(2020, 1, 10, tzinfo=UTC), datetime(2020, 3, 1, tzinfo=UTC)
    found = ended(start, end, datetime(2021, 1, 1, tzinfo=UTC), "UTC")
    assert [each.label for each in found] == ["2020-01", "2020-02"]
