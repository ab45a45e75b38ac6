"""Whoever wants digests, or gets too much at once, is told of each alert once, alone or in one digest."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from tests.tileserver.databases import hurry
from tests.tileserver.watch.followed import NOW, follow
from tileserver.store import alerts as stored
from tileserver.store import geoservices, outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message, Recipient
from tileserver.watch.alerts import lifecycle
from tileserver.watch.channels.transport import PostponedError
from tileserver.watch.messages import deliver, digest
from tileserver.watch.messages.deliver import LONGEST_WAIT
from tileserver.watch.messages.digest import (
    CALM,
    HOUR,
    MOST_EVENTS,
    MOST_LINES,
    STORM,
    next_digest,
    tell_digests,
)
from tileserver.watch.messages.receipts import Receipts
from tileserver.watch.messages.tell import Teller

ZONE = "Africa/Abidjan"
DATE = {"item": "day-2", "datetime": "2026-01-03T00:00:00Z", "value": 0.3, "u": 0.01, "low": 0.5,
        "high": None, "middle": None, "spread": 0.0, "side": "low", "score": 3.0}  # fmt: skip


class Taker:
    """Takes what it is sent, if it is open."""

    channels = ("email", "webhook", "apprise")

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.is_open = True

    def send(self, one: Message, _name: str, _now: datetime) -> None:
        if not self.is_open:
            raise PostponedError("later")
        self.taken.append(one)


class Told:
    """A geoservice with recipients, and alerts that come and go."""

    def __init__(self, database: Database, folder: Path, *recipients: dict[str, Any]) -> None:
        self.database = database
        self.taker = Taker()
        self.receipts = Receipts(folder / "sent")
        self.now = NOW
        self.geoservice = follow(database, recipients=list(recipients), timezone=ZONE)
        with database.writing() as connection:
            for each in outbox.recipients_of(connection, self.geoservice.id):
                outbox.set_recipient(connection, each.id, "confirmed", NOW)
            self.indicator = geoservices.followed(connection, self.geoservice.id)[0].id
        self.raised = 0

    def alarm(self, severity: int = 2, value: float = 0.3) -> None:
        """An alert that is told, and over, which is told, too."""
        values = {
            "geoservice": self.geoservice.id, "site": 1, "gs_indicator": self.indicator, "kind": "low",
            "state": "confirmed", "severity": severity, "score": 3.0, "first_item": "day-1", "first_at": NOW,
            "last_item": "day-2", "last_at": NOW, "opened": self.now, "closed": None, "verified": "holds",
            "evidence": {"rule": {}, "over": None, "dates": [DATE], "worst": {**DATE, "value": value}},
        }  # fmt: skip
        with self.database.writing() as connection:
            made = stored.add_alert(connection, values)
            self.teller(connection).tell()
            found = stored.find_alert(connection, made)
            assert found is not None
            assert found.state == "notified"
            stored.change_alert(connection, made, {"closed": self.now})
            lifecycle.move(connection, found, "closed", "over", self.now)
            self.teller(connection).tell()
        self.raised += 1

    def teller(self, connection: Any) -> Teller:
        return Teller(connection, self.geoservice, "http://here", self.now)

    def round(self) -> None:
        with self.database.writing() as connection:
            self.teller(connection).tell()
        tell_digests(self.database, "http://here", self.now)
        deliver.deliver(self.database, self.taker, self.receipts, lambda: self.now)

    def recipients(self) -> list[Recipient]:
        with self.database.reading() as connection:
            return outbox.recipients_of(connection, self.geoservice.id)

    def messages(self) -> list[Message]:
        with self.database.reading() as connection:
            return outbox.messages(connection)

    def told(self) -> Counter[str]:
        """How often each alert was told, alone or in a digest."""
        return Counter(key for each in self.taker.taken for key in each.body.get("tells", [each.key]))

    def should(self) -> Counter[str]:
        """Each alert to each recipient, its beginning and its end, once."""
        with self.database.reading() as connection:
            numbers = [each.id for each in stored.alerts_of(connection, self.geoservice.id)]
        return Counter(
            f"alert:{number}:{kind}:r{to.id}"
            for number in numbers
            for kind in ("confirmed", "closed")
            for to in self.recipients()
        )


RHYTHMS = ("each", "daily", "weekly")
STEPS = st.one_of(
    st.tuples(st.just("alarm"), st.integers(1, 8)),
    st.tuples(st.just("minutes"), st.integers(1, 90)),
    st.tuples(st.just("hours"), st.integers(1, 40)),
    st.tuples(
        st.just("jump"), st.sampled_from([-20_000, -400, -3, 400, 5000])
    ),  # days: a clock that is wrong
    st.tuples(st.just("round"), st.just(1)),
    st.tuples(st.just("closed"), st.integers(0, 1)),
)


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=st.lists(STEPS, min_size=1, max_size=14), rhythms=st.sets(st.sampled_from(RHYTHMS), min_size=1))
def test_each_alert_is_told_once(
    sqlite_template: Path, steps: list[tuple[str, int]], rhythms: set[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(str(shutil.copy(sqlite_template, Path(folder) / "comeo.sqlite")))
        event.listen(database.engine, "connect", hurry)
        people = [{"email": f"{each}@example.org", "rhythm": each} for each in sorted(rhythms)]
        case = Told(database, Path(folder), *people)
        drift = timedelta()
        for step, number in steps:
            if step == "alarm":
                for _ in range(number):
                    case.alarm()
            elif step == "round":
                case.round()
            elif step == "closed":
                case.taker.is_open = not number
            else:
                change = timedelta(**{"days" if step == "jump" else step: number})
                drift += change if step == "jump" else timedelta()
                case.now += change
        case.taker.is_open = True
        case.now -= drift  # the clock is right again
        for _ in range(20):
            case.now += timedelta(days=1)
            case.round()
        assert {each.state for each in case.messages()} <= {"sent", "folded"}
        assert case.told() == case.should()
        database.close()


def one(database: Database, tmp_path: Path, **recipient: Any) -> Told:
    return Told(database, tmp_path, {"email": "chief@example.org", **recipient})


def run_to(case: Told, end: datetime, step: timedelta = timedelta(minutes=10)) -> None:
    while case.now < end:
        case.now = min(case.now + step, end)
        case.round()


def test_a_storm_ends_in_one_digest(database: Database, tmp_path: Path) -> None:
    case = one(database, tmp_path)
    for _ in range(20):
        case.alarm()
        case.round()
    assert len(case.taker.taken) == STORM
    assert [each.state for each in case.messages()].count("held") == 30
    run_to(case, NOW + CALM)
    assert len(case.taker.taken) == STORM + 1
    last = case.taker.taken[-1]
    assert len(last.body["tells"]) == 30
    assert last.subject == "30 messages: The wood"
    assert last.body["text"].count("\n• ") == 30
    assert case.told() == case.should()
    case.alarm()
    case.round()
    assert len(case.taker.taken) == STORM + 3, "after the storm they are told one by one"
    run_to(case, NOW + timedelta(days=10), timedelta(hours=1))
    assert case.told() == case.should()


def test_no_hour_has_more_than_eleven_messages(sqlite_database: Database, tmp_path: Path) -> None:
    case = one(sqlite_database, tmp_path)
    at: list[datetime] = []
    for _ in range(40):
        case.alarm()
        before = len(case.taker.taken)
        case.round()
        at += [case.now] * (len(case.taker.taken) - before)
        case.now += timedelta(minutes=5)
    assert len(at) > 2 * STORM, "in three hours and twenty minutes"
    for each in at:
        assert sum(each - CALM < other <= each for other in at) <= STORM + 1


def test_one_that_waits_alone_is_told_as_itself(sqlite_database: Database, tmp_path: Path) -> None:
    case = one(sqlite_database, tmp_path, rhythm="daily")
    case.alarm()
    (first, second) = (each.id for each in case.messages())
    with sqlite_database.writing() as connection:
        outbox.take_held(connection, [second], "folded", None)
    run_to(case, NOW + timedelta(days=1), timedelta(hours=1))
    (told,) = case.taker.taken
    assert (told.id, told.key) == (first, "alert:1:confirmed:r1")


def test_a_digest_comes_at_seven_where_the_geoservice_is(sqlite_database: Database, tmp_path: Path) -> None:
    case = Told(
        sqlite_database, tmp_path, {"email": "day@b.org", "rhythm": "daily"},
        {"email": "week@b.org", "rhythm": "weekly"},
    )  # fmt: skip
    case.now = datetime(2026, 3, 4, 9, tzinfo=UTC)  # a Wednesday
    case.alarm()
    came: dict[str, datetime] = {}
    while len(came) < 2:
        case.now += timedelta(minutes=30)
        case.round()
        for each in case.taker.taken:
            came.setdefault(each.address, case.now)
    assert came == {
        "day@b.org": datetime(2026, 3, 5, 7, tzinfo=UTC), "week@b.org": datetime(2026, 3, 9, 7, tzinfo=UTC),
    }  # fmt: skip
    assert case.told() == case.should()


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(
        ["UTC", "Africa/Abidjan", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia", "Europe/Paris"]
    ),
    st.sampled_from(["daily", "weekly"]),
)
def test_the_next_digest_is_near_and_at_its_hour(now: datetime, zone: str, rhythm: str) -> None:
    found = next_digest(rhythm, zone, now)
    local = found.astimezone(ZoneInfo(zone))
    days = 7 if rhythm == "weekly" else 1
    assert now < found <= now + timedelta(days=days + 1)  # a day that was left out where the date line moved
    assert local.time() == HOUR
    if rhythm == "weekly":
        assert local.weekday() == 0


def test_who_has_left_meanwhile_is_told_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    case = one(sqlite_database, tmp_path, rhythm="daily")
    case.alarm()
    case.alarm()
    with sqlite_database.writing() as connection:
        outbox.set_recipient(connection, 1, "unsubscribed", None)
    run_to(case, NOW + timedelta(days=2), timedelta(hours=6))
    assert case.taker.taken == []
    assert {each.state for each in case.messages()} == {"dead"}


def test_what_was_queued_when_they_left_is_not_sent(sqlite_database: Database, tmp_path: Path) -> None:
    case = one(sqlite_database, tmp_path)
    case.alarm()
    with sqlite_database.writing() as connection:
        outbox.set_recipient(connection, 1, "unsubscribed", None)
    case.round()
    assert case.taker.taken == []
    assert {each.error for each in case.messages()} == {"it is no longer wanted"}


def test_a_pause_keeps_nothing_back(sqlite_database: Database, tmp_path: Path) -> None:
    """A geoservice that is paused raises no alerts; what was held before is told."""
    case = one(sqlite_database, tmp_path, rhythm="daily")
    case.alarm()
    tell_digests(sqlite_database, "http://here", NOW + timedelta(days=1))
    deliver.deliver(sqlite_database, case.taker, case.receipts, lambda: NOW + timedelta(days=1))
    assert case.told() == case.should()


def test_a_digest_names_the_gravest_and_counts_the_rest(sqlite_database: Database, tmp_path: Path) -> None:
    case = one(sqlite_database, tmp_path, rhythm="daily")
    for number in range(MOST_LINES):
        case.alarm(*((3, 0.125) if number == 30 else (1, 0.3)))
    run_to(case, NOW + timedelta(days=1), timedelta(hours=6))
    (told,) = case.taker.taken
    assert "was 0.125" in told.body["page"]["rows"][1]
    assert told.body["text"].count("\n• ") == MOST_LINES
    assert f"{MOST_LINES} more are on the page below" in told.body["text"]
    assert f"http://here/t/{case.recipients()[0].token}" in told.body["text"]
    assert case.told() == case.should()


def test_programs_are_told_all_in_events_of_some_size(sqlite_database: Database, tmp_path: Path) -> None:
    case = Told(sqlite_database, tmp_path, {"webhook": "http://127.0.0.1:1/"})
    for _ in range(MOST_EVENTS):
        case.alarm()
    run_to(case, NOW + CALM)
    sizes = [len(each.body["event"]["data"]["alerts"]) for each in case.taker.taken if "tells" in each.body]
    assert sizes == [MOST_EVENTS, MOST_EVENTS - STORM]
    assert case.told() == case.should()


def test_lists_and_severities(sqlite_database: Database, tmp_path: Path) -> None:
    case = Told(
        sqlite_database, tmp_path, {"email": "b@b.org", "list": "bulletins"},
        {"email": "a@b.org", "list": "alerts"}, {"email": "s@b.org", "min_severity": 3},
    )  # fmt: skip
    case.alarm(2)
    case.round()
    assert {each.address for each in case.taker.taken} == {"a@b.org"}


def test_bounds_fit_each_other() -> None:
    assert timedelta(days=7) < digest.LONGEST_HOLD
    assert digest.LONGEST_HOLD > LONGEST_WAIT
