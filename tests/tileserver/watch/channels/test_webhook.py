"""Events reach programs signed and once; what programs answer is minded, within bounds."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.tileserver.watch.alerts.test_lifecycle import Case
from tests.tileserver.watch.followed import NOW
from tests.tileserver.watch.receiver import Receiver, receiver
from tileserver.outgoing.guard import Guard
from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message, Recipient
from tileserver.watch.channels.transport import Channels
from tileserver.watch.channels.webhook import Webhooks, new_secret
from tileserver.watch.messages import deliver
from tileserver.watch.messages.receipts import Receipts
from tileserver.watch.messages.recipients import shown

OUT = {1: 0.6, 2: 0.3, 3: 0.3}


class Hooked:
    """A geoservice that tells a program, and what sends."""

    def __init__(self, database: Database, folder: Path, url: str, guard: Guard, **changes: Any) -> None:
        told = {"recipients": [{"webhook": url}], "alerts": {"moderation": "none"}, **changes}
        self.case = Case(database, **told)
        self.case.now = datetime.now(UTC)  # receivers compare
        self.transport = Channels({"webhook": Webhooks(database, guard, "http://here")})
        self.receipts = Receipts(folder / "sent")
        self.database = database

    def send(self) -> int:
        return deliver.deliver(self.database, self.transport, self.receipts, lambda: self.case.now)

    def tell(self) -> int:
        self.case.tell()
        return self.send()

    def alarm(self, series: Mapping[int, float] = OUT) -> None:
        """An alert that is told to who is told by then."""
        self.case.now -= timedelta(hours=1)  # which seeing takes
        self.case.see(series)
        self.case.verify()
        self.case.tell()
        self.case.tell()

    def recipient(self) -> Recipient:
        with self.database.reading() as connection:
            return outbox.recipients_of(connection, self.case.geoservice.id)[0]

    def messages(self, channel: str = "webhook") -> list[Message]:
        with self.database.reading() as connection:
            return [each for each in outbox.messages(connection) if each.channel == channel]


@pytest.fixture
def taker() -> Iterator[tuple[Receiver, Guard]]:
    with receiver() as running:
        yield running


@pytest.fixture
def hooked(sqlite_database: Database, tmp_path: Path, taker: tuple[Receiver, Guard]) -> Hooked:
    return Hooked(sqlite_database, tmp_path, taker[0].url, taker[1])


def test_a_program_is_tried_and_then_told(
    database: Database, tmp_path: Path, taker: tuple[Receiver, Guard]
) -> None:
    state, guard = taker
    hooked = Hooked(database, tmp_path, state.url, guard)
    assert hooked.recipient().state == "pending"
    assert hooked.tell() == 1
    assert hooked.recipient().state == "confirmed"
    hooked.alarm()
    assert hooked.tell() == 1
    hooked.case.now += timedelta(days=1)
    assert hooked.tell() == 0, "once"
    test, alert = state.events()
    assert (test.get_type(), test.get_source()) == ("comeo.test", "http://here/geoservices/wood")
    assert alert.get_type() == "comeo.alert.confirmed"
    assert alert.get_id() == f"alert:1:confirmed:r{hooked.recipient().id}"
    assert alert.get_specversion() == "1.0"
    data = alert.get_data()
    assert isinstance(data, dict)
    assert (data["geoservice"], data["value"], data["limit"], data["kind"]) == ("wood", 0.3, 0.5, "low")
    assert data["site"] == {"id": 1, "name": "Site 1"}
    secret = hooked.recipient().secret
    assert secret is not None
    for headers, body in state.taken:
        Webhook(secret).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(new_secret()).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body.replace(b"wood", b"farm"), headers)
    sent = {name.lower(): value for name, value in state.taken[0][0].items()}
    assert sent["content-type"] == "application/cloudevents+json"


def test_an_event_that_is_sent_again_has_the_same_id(hooked: Hooked, taker: tuple[Receiver, Guard]) -> None:
    hooked.tell()
    with hooked.database.writing() as connection:  # as if neither database nor receipt had been written
        connection.exec_driver_sql("UPDATE message SET state = 'queued'")
    hooked.case.now += timedelta(minutes=5)
    hooked.send()
    assert len(set(taker[0].ids())) == 1
    assert len(taker[0].ids()) == 2


def test_who_wants_no_more_is_told_no_more(hooked: Hooked, taker: tuple[Receiver, Guard]) -> None:
    hooked.tell()
    hooked.alarm()
    taker[0].answers = [(410, {})]
    assert hooked.send() == 0
    assert hooked.recipient().state == "unsubscribed"
    assert hooked.messages()[-1].error == "410: the receiver wants no more"
    assert hooked.messages("email") == [], "nobody is told: it was the receiver's wish"


@pytest.mark.parametrize(
    ("status", "wish", "minutes"),
    [
        (429, "600", 10), (503, "600", 10), (429, "5", 1), (429, "999999999999", 720), (429, "-5", 1),
        (429, "soon", 1), (429, "", 1), (500, "600", 1), (404, "", 1), (307, "", 1),
        (429, format_datetime(NOW + timedelta(minutes=30), usegmt=True), 30),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", 720), (429, "Thu, 01 Jan 1970 00:00:00 GMT", 1),
        (429, "Mon, 01 Jan 2030 00:00:00", 1),
    ],
)  # fmt: skip
def test_what_is_not_taken_waits(
    hooked: Hooked, taker: tuple[Receiver, Guard], status: int, wish: str, minutes: int
) -> None:
    hooked.case.now = NOW
    taker[0].answers = [(status, {"Retry-After": wish} if wish else {})]
    assert hooked.tell() == 0
    (one,) = hooked.messages()
    assert (one.state, one.next_at - NOW) == ("failed", timedelta(minutes=minutes))
    hooked.case.now = one.next_at
    assert hooked.send() == 1
    assert hooked.recipient().state == "confirmed"


def test_one_receiver_that_is_away_keeps_no_other_waiting(
    sqlite_database: Database, tmp_path: Path, taker: tuple[Receiver, Guard]
) -> None:
    away = "http://127.0.0.1:9/"
    hooked = Hooked(
        sqlite_database, tmp_path, "", taker[1], recipients=[{"webhook": away}, {"webhook": taker[0].url}]
    )
    assert hooked.tell() == 1
    one, two = hooked.messages()
    assert (one.state, two.state) == ("failed", "sent")
    assert "refused" in str(one.error)


def test_an_address_that_leads_inside_is_not_reached(hooked: Hooked, taker: tuple[Receiver, Guard]) -> None:
    """Though it was let in when the operator had other settings."""
    hooked.transport = Channels({"webhook": Webhooks(hooked.database, Guard(), "http://here")})
    assert hooked.tell() == 0
    assert taker[0].taken == []
    assert "by https, not by http" in str(hooked.messages()[0].error)


def test_who_takes_nothing_for_a_week_twice_is_told_no_more(
    hooked: Hooked, taker: tuple[Receiver, Guard]
) -> None:
    hooked.tell()
    hooked.alarm()
    hooked.alarm({**OUT, 10: 0.6, 11: 0.6})
    taker[0].answers = [(500, {})] * 100
    while any(each.state in {"failed", "queued"} for each in hooked.messages()):
        hooked.send()
        hooked.case.now += timedelta(hours=6)
    assert [each.state for each in hooked.messages()] == ["sent", "dead", "dead"]
    assert (hooked.recipient().state, hooked.recipient().bounces) == ("bouncing", 2)
    (told,) = hooked.messages("email")
    assert "127.0.0.1" in told.body["text"]
    assert "secret-path" not in told.subject + told.body["text"]


def test_secrets_are_in_no_log_and_no_error(
    hooked: Hooked, taker: tuple[Receiver, Guard], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    taker[0].answers = [(500, {})]
    hooked.tell()
    hooked.case.now += timedelta(minutes=1)
    hooked.tell()
    secret = hooked.recipient().secret
    assert secret is not None
    ours = " ".join(each.getMessage() for each in caplog.records if each.name.startswith(("comeo", "tile")))
    said = (
        ours
        + repr([each.error for each in hooked.messages()])
        + repr([each.body for each in hooked.messages()])
    )
    assert secret not in said
    assert "secret-path" not in said
    assert shown(hooked.recipient()).endswith("/…")
