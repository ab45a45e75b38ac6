"""When the link is open: over midnight, and when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tileserver.relay.plan.offered import ZONES, links, window, windows
from tileserver.relay.plan.definition import Link, Window
from tileserver.relay.plan.windows import link_at

NIGHT = Link(
    timezone="Europe/Berlin",
    windows=(window(**{"days": "mon-fri", "from": "23:00", "to": "05:00", "kbps": 2000}), Window(kbps=64)),
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


def rate(text: str, link: Link = NIGHT) -> float | None:
    moment = datetime.fromisoformat(text).replace(tzinfo=link.zone)
    window = link_at(moment.astimezone(UTC), link).window
    return None if window is None else window.kbps


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    assert rate("2026-06-08T23:00") == 2000  # a Monday
    assert rate("2026-06-08T22:59") == 64
    assert rate("2026-06-09T04:59") == 2000
    assert rate("2026-06-09T05:00") == 64
    assert rate("2026-06-13T01:00") == 2000  # Saturday: it began on Friday
    assert rate("2026-06-14T01:00") == 64
    assert rate("2026-06-08T01:00") == 64  # Monday: it would have begun on Sunday


def test_where_no_window_is_open_the_link_is_not() -> None:
    link = Link(windows=(window(**{"from": "12:00", "to": "24:00"}),))
    assert link_at(datetime(2026, 6, 8, 11, 59, tzinfo=UTC), link).window is None
    assert link_at(datetime(2026, 6, 8, 23, 59, tzinfo=UTC), link).window is not None
    closed = Link(windows=(window(**{"from": "12:00", "to": "13:00", "kbps": 0}), Window()))
    assert link_at(datetime(2026, 6, 8, 12, 30, tzinfo=UTC), closed).window is None


@pytest.mark.parametrize(
    ("begin", "end", "opens", "closes"),
    [
        ("02:30", "06:00", "2026-03-29T01:30", "2026-03-29T04:00"),  # 2:30 is skipped: it begins at 3:30
        ("00:30", "02:30", "2026-03-28T23:30", "2026-03-29T00:30"),  # … and ends at 1:30
        ("02:30", "06:00", "2026-10-25T01:30", "2026-10-25T05:00"),  # twice: it begins at the second
        ("00:30", "02:30", "2026-10-24T22:30", "2026-10-25T00:30"),  # … and ends at the first
    ],
)
def test_a_time_that_is_skipped_or_made_twice_opens_late_and_closes_early(
    begin: str, end: str, opens: str, closes: str
) -> None:
    link = Link(timezone="Europe/Berlin", windows=(window(**{"from": begin, "to": end}),))
    for text, before, after in ((opens, False, True), (closes, True, False)):
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        assert (link_at(moment - timedelta(seconds=1), link).window is not None) is before
        assert (link_at(moment, link).window is not None) is after


@given(moments, windows.filter(lambda each: each.kbps != 0), st.sampled_from(ZONES))
def test_the_link_is_used_inside_the_hours_written_only(moment: datetime, one: Window, zone: str) -> None:
    opened = link_at(moment, Link(timezone=zone, windows=(one,))).window is not None
    local = moment.astimezone(ZoneInfo(zone))
    minutes = local.hour * 60 + local.minute
    begin, end = one.begin, one.end
    assert begin is not None
    assert end is not None
    yesterday = (local - timedelta(days=1)).weekday()
    if begin < end:
        written = local.weekday() in one.days and begin <= minutes < end
    else:
        written = (local.weekday() in one.days and minutes >= begin) or (
            yesterday in one.days and minutes < end
        )
    changes = {
        (local + timedelta(hours=hours)).utcoffset() for hours in range(-48, 49, 3)
    }  # of wall clocks: near enough
    assert opened <= written or len(changes) > 1
    assert opened == written or len(changes) > 1


@given(moments, links, st.floats(0, 1))
def test_nothing_changes_until_it_is_said_to(moment: datetime, link: Link, share: float) -> None:
    opened = link_at(moment, link)
    assert moment < opened.until <= moment + timedelta(hours=26)
    later = moment + share * (opened.until - moment)
    if later < opened.until:
        assert link_at(later, link) == opened
