"""A clock that is wrong for a while ends nothing, tells nothing twice and loses nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import repeat
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tileserver.watch.alerts.test_lifecycle import OUT, Case
from tests.tileserver.watch.followed import NOW, follow
from tests.tileserver.watch.mailserver import SENDER, free_port
from tileserver.store import alerts as stored
from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.watch.channels.mail import Smtp
from tileserver.watch.clock import MOST_DOUBT, PACE, Clock, Course
from tileserver.watch.messages import deliver
from tileserver.watch.messages.receipts import Receipts
from tileserver.watch.messages.tell import Teller

JUMPS = st.tuples(
    st.sampled_from([timedelta(minutes=20), timedelta(hours=1), timedelta(days=20), timedelta(days=365),
                     timedelta(days=-1), timedelta(days=-20_000)]),
    st.floats(0, 0.24),
)  # fmt: skip
"""By how much a clock jumps, and for which part of that it stays there; never longer than it is doubted."""
TICK = timedelta(minutes=5)


def away(jump: timedelta, part: float) -> int:
    """Ticks that a clock stays wrong."""
    return int(min(abs(jump) * part, MOST_DOUBT * 0.95) / TICK)


@settings(max_examples=100, deadline=None)
@given(jumps=st.lists(JUMPS, max_size=5), hours=st.integers(1, 30))
def test_the_time_that_is_believed_runs_on_whatever_the_clock_says(
    jumps: list[tuple[timedelta, float]], hours: int
) -> None:
    true, course = NOW, Course(NOW, NOW)
    for jump, part in jumps:
        for _ in range(away(jump, part)):
            true += TICK
            course = course.seen(true + jump)
            assert abs(course.believed - true) <= 2 * PACE
        for _ in range(hours * 12):
            true += TICK
            course = course.seen(true)
            assert abs(course.believed - true) <= 2 * PACE
    true += TICK
    assert course.seen(true).believed == true


def test_a_machine_that_was_off_is_believed_a_while_later() -> None:
    course = Course(NOW, NOW)
    woken = NOW + timedelta(hours=16)
    course = course.seen(woken)
    assert course.believed == NOW
    for minutes in range(0, 4 * 60 + 1, 5):
        course = course.seen(woken + timedelta(minutes=minutes))
    assert course.believed == course.last, "after four hours"
    for _ in range(30):  # nights without power
        woken += timedelta(hours=24)
        for minutes in range(0, 8 * 60, 5):
            course = course.seen(woken + timedelta(minutes=minutes))
        assert course.believed == course.last


def test_a_clock_that_was_wrong_for_long_is_believed_and_taken_back() -> None:
    course, now = Course(NOW, NOW), NOW
    for jump in (timedelta(days=400), timedelta(days=-400)):
        now += jump
        for _ in range(25 * 12):
            now += TICK
            course = course.seen(now)
        assert course.believed == now


def test_another_worker_goes_on_where_the_first_was_killed(database: Database) -> None:
    first = Clock(database)
    for minutes in range(0, 61, 5):
        assert first.believed(NOW + timedelta(minutes=minutes)) == NOW + timedelta(minutes=minutes)
    wrong = NOW + timedelta(days=365)
    assert first.believed(wrong) == NOW + timedelta(hours=1)
    for minutes in range(5, 60, 5):
        second = Clock(database)  # each time another one
        believed = second.believed(wrong + timedelta(minutes=minutes))
        assert believed == NOW + timedelta(hours=1, minutes=minutes)
    assert Clock(database).believed(NOW + timedelta(hours=2)) == NOW + timedelta(hours=2)


def test_a_round_writes_down_how_the_clock_runs_only_now_and_then(sqlite_database: Database) -> None:
    clock = Clock(sqlite_database)
    clock.believed(NOW)
    with sqlite_database.reading() as connection:
        before = connection.exec_driver_sql("PRAGMA data_version").scalar()
        for seconds in range(5, 300, 5):
            clock.believed(NOW + timedelta(seconds=seconds))
        assert connection.exec_driver_sql("PRAGMA data_version").scalar() == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(jumps=st.lists(JUMPS, min_size=1, max_size=4))
def test_nothing_expires_nor_is_told_twice_while_a_clock_is_wrong(
    sqlite_database: Database, tmp_path: Path, jumps: list[tuple[timedelta, float]]
) -> None:
    case = _cases.get(sqlite_database) or Case(sqlite_database)
    _cases[sqlite_database] = case
    case.clear()
    case.now = NOW
    case.see({1: OUT, 2: OUT})
    case.verify()
    course = Course(case.now, case.now)
    absent, receipts = Smtp("127.0.0.1", free_port(), SENDER), Receipts(tmp_path / "sent")

    def look(now: datetime) -> None:
        nonlocal course
        course = course.seen(now)
        with case.database.writing() as connection:
            Teller(connection, case.geoservice, "http://here", now, course.believed).tell()
        deliver.deliver(case.database, absent, receipts, lambda: now, course.believed)

    true = case.now
    look(true)
    for jump, part in jumps:
        for tick in range(away(jump, part)):
            true += TICK
            if tick % 12 == 0 or tick == away(jump, part) - 1:
                look(true + jump)
            else:
                course = course.seen(true + jump)
        true += TICK
        look(true)
    (one,) = case.alerts()
    with case.database.reading() as connection:
        (message,) = outbox.messages(connection)
        assert len(stored.events_of(connection, one.id)) == 2, "opened, and verified"
    assert one.state == "candidate"
    assert message.state == "failed", "it waits for its mail server"
    true += timedelta(days=15)
    look(true)
    for _ in range(25 * 12):
        true += TICK
        course = course.seen(true)
    look(true)
    assert case.states() == ["expired"], "time is up in the end"


_cases: dict[Database, Case] = {}


def test_a_message_is_not_given_up_by_a_clock_that_is_wrong(
    sqlite_database: Database, tmp_path: Path
) -> None:
    follow(sqlite_database)
    with sqlite_database.writing() as connection:
        outbox.post(connection, "k", "email", "a@b.org", "Alert", {"text": "Text\n"}, NOW)
    absent, receipts = Smtp("127.0.0.1", free_port(), SENDER), Receipts(tmp_path / "sent")
    for days in range(400, 420):
        wrong = NOW + timedelta(days=days)
        deliver.deliver(sqlite_database, absent, receipts, repeat(wrong).__next__, NOW)
    with sqlite_database.reading() as connection:
        (message,) = outbox.messages(connection)
    assert (message.state, message.attempts) == ("failed", 20)
