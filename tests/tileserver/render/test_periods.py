"""Periods that follow one another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import ParameterError
from tileserver.render.periods import parse_step, periods

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.timedeltas(timedelta(seconds=1), timedelta(days=2000)), st.sampled_from("DWMY"), st.integers(1, 40))
def test_they_lie_end_to_end(start: datetime, length: timedelta, unit: str, number: int) -> None:
    found = list(periods(start, start + length, parse_step(f"P{number}{unit}")))
    assert found[0][0] == start
    assert found[-1][1] == start + length
    assert all(one[1] == other[0] for one, other in zip(found, found[1:], strict=False))
    assert all(begin < after for begin, after in found)


def test_months_end_with_their_last_day() -> None:
    start = datetime(2023, 12, 31, tzinfo=UTC)
    found = [begin.date().isoformat() for begin, _ in periods(start, datetime(2024, 5, 1, tzinfo=UTC), parse_step("P1M"))]
    assert found == ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]


def test_the_end_of_time() -> None:
    start = datetime(9999, 6, 1, tzinfo=UTC)
    assert len(list(periods(start, datetime(9999, 12, 31, tzinfo=UTC), parse_step("P9999Y")))) == 1


@pytest.mark.parametrize("text", ["", "P0D", "P1", "1D", "P1H", "PT1H", "P1M2D", "P-1D", "p1d", "P١D"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ParameterError, match="P10D"):
        parse_step(text)
