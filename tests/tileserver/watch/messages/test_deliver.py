"""Mail leaves once, whatever its server, the disk and the clock do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from comeo.errors import ComeoError
from comeo.settings import SettingsError
from tests.tileserver.watch.followed import NOW
from tests.tileserver.watch.mailserver import SENDER, Inbox, free_port, mail_server, odd_server
from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message
from tileserver.watch.channels import mail
from tileserver.watch.channels.mail import Smtp
from tileserver.watch.messages import deliver
from tileserver.watch.messages.deliver import GIVEN_UP, LEAST_TRIES, LONGEST_WAIT, SENDING
from tileserver.watch.messages.receipts import Receipts

HELLO = ("220 here", "250 here", "250 sender", "250 recipient", "354 go on")


class Post:
    """An outbox, its receipts and a clock."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.receipts = Receipts(folder / "receipts")
        self.now = NOW

    def clock(self) -> datetime:
        return self.now

    def put(self, to: str = "a@b.org", key: str = "k", subject: str = "Alert", **body: str) -> None:
        with self.database.writing() as connection:
            outbox.post(connection, key, "email", to, subject, {"text": "Text\n", **body}, self.now)

    def send(self, transport: Smtp) -> int:
        return deliver.deliver(self.database, transport, self.receipts, self.clock)

    def messages(self) -> list[Message]:
        with self.database.reading() as connection:
            return outbox.messages(connection)

    def one(self) -> Message:
        (found,) = self.messages()
        return found

    def left(self) -> list[str]:
        """Receipts that are left."""
        return sorted(os.listdir(self.receipts.folder))  # noqa: PTH208


@pytest.fixture
def post(sqlite_database: Database, tmp_path: Path) -> Post:
    return Post(sqlite_database, tmp_path)


@pytest.fixture
def server() -> Iterator[tuple[Inbox, Smtp]]:
    with mail_server() as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For servers that never answer; of others a busy machine would make the same."""
    monkeypatch.setattr(mail, "_PATIENCE", 0.3)


def test_a_message_leaves_once(database: Database, tmp_path: Path, server: tuple[Inbox, Smtp]) -> None:
    inbox, transport = server
    post = Post(database, tmp_path)
    post.put(unsubscribe="http://here/u/token", text="Grün € مرحبا\n")
    assert post.send(transport) == 1
    post.now += timedelta(days=30)
    assert post.send(transport) == 0
    ((recipients, mail),) = inbox.taken
    assert recipients == ["a@b.org"]
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, "a@b.org", "Alert")
    assert parsedate_to_datetime(mail["Date"]) == NOW
    assert mail["List-Unsubscribe"] == "<http://here/u/token>"  # RFC 8058: an address, and its one click
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail.get_content() == "Grün € مرحبا\r\n"
    assert (post.one().state, post.one().attempts, post.left()) == ("sent", 1, [])


def test_message_ids_are_of_the_message(post: Post, server: tuple[Inbox, Smtp]) -> None:
    """The same when it is sent again; no other's, not even of a database made anew."""
    post.put(key="one")
    (one,) = post.messages()
    post.put(key="two")
    names = [deliver.name_of(each) for each in post.messages()]
    assert len(set(names)) == 2
    assert names[0] == deliver.name_of(one)
    with post.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM message")
    post.now += timedelta(seconds=1)
    post.put(key="one")
    assert deliver.name_of(post.one()) not in names


def test_a_receipt_of_a_database_before_says_nothing(post: Post, server: tuple[Inbox, Smtp]) -> None:
    post.put()
    name = deliver.name_of(post.one())
    post.receipts.prepare(name)
    post.receipts.write(name)
    with post.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM message")
    post.now += timedelta(seconds=1)
    post.put()
    assert post.send(server[1]) == 1
    assert len(server[0].taken) == 1


@pytest.mark.parametrize("where", ["to_recipient", "to_data"])
def test_what_is_refused_for_good_is_not_sent_again(
    post: Post, server: tuple[Inbox, Smtp], where: str
) -> None:
    inbox, transport = server
    getattr(inbox, where)["gone@b.org"] = "550 no such user"
    post.put("gone@b.org", "one")
    post.put("here@b.org", "two")
    assert post.send(transport) == 1
    gone, here = post.messages()
    assert (gone.state, gone.error, here.state) == ("dead", "550 no such user", "sent")
    post.now += timedelta(days=1)
    assert post.send(transport) == 0


@pytest.mark.parametrize("where", ["to_recipient", "to_data"])
def test_what_is_refused_for_now_waits_longer_each_time(
    post: Post, server: tuple[Inbox, Smtp], where: str
) -> None:
    inbox, transport = server
    getattr(inbox, where)["a@b.org"] = "451 greylisted"
    post.put()
    waits = []
    for _ in range(14):
        assert post.send(transport) == 0
        one = post.one()
        assert (one.state, one.error) == ("failed", "451 greylisted")
        waits.append((one.next_at - post.now) // timedelta(minutes=1))
        post.now = one.next_at - timedelta(seconds=1)
        assert post.send(transport) == 0
        assert post.one().attempts == one.attempts, "not before its time"
        post.now = one.next_at
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 720, 720, 720, 720]
    getattr(inbox, where).clear()
    assert post.send(transport) == 1
    assert len(inbox.taken) == 1


def test_it_is_given_up_after_seven_days(post: Post, server: tuple[Inbox, Smtp]) -> None:
    inbox, transport = server
    inbox.to_data["a@b.org"] = "451 later"
    post.put()
    while post.one().state != "dead":
        post.send(transport)
        post.now = post.one().next_at
    assert timedelta(days=7) < post.now - NOW < timedelta(days=8)


def test_no_clock_that_jumps_loses_a_message(post: Post, server: tuple[Inbox, Smtp]) -> None:
    """A machine without battery begins in 1970; another had no power for a month, and has no network yet."""
    inbox, transport = server
    absent = Smtp("127.0.0.1", free_port(), SENDER)
    post.put()
    post.now += timedelta(days=365)
    assert post.send(absent) == 0
    assert post.one().state == "failed"
    post.now = NOW - timedelta(days=20_000)  # what was put off is not put off for fifty years
    assert post.send(absent) == 0
    assert post.one().attempts == 2
    post.now = NOW + timedelta(hours=2)
    assert post.send(transport) == 1
    assert len(inbox.taken) == 1
    post.now -= timedelta(days=10)
    assert post.send(transport) == 0


def test_what_was_being_sent_when_its_sender_ended_is_sent_later(
    post: Post, server: tuple[Inbox, Smtp]
) -> None:
    inbox, transport = server
    post.put()
    with post.database.writing() as connection:
        assert outbox.claim(connection, post.one(), post.now + SENDING)
    assert post.send(transport) == 0, "somebody is at it"
    post.now += SENDING
    assert post.send(transport) == 1
    assert len(inbox.taken) == 1


def test_only_one_takes_a_message(database: Database, tmp_path: Path) -> None:
    post = Post(database, tmp_path)
    post.put()
    one = post.one()
    with database.writing() as connection:
        assert outbox.claim(connection, one, post.now + SENDING)
    with database.writing() as connection:
        assert not outbox.claim(connection, one, post.now + SENDING)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((None,), "Connection unexpectedly closed"),
        (("",), "timed out"),
        (("554 go away",), "554 go away"),
        (("220 here", "250 here", "550 sender unknown"), "550 sender unknown"),
        ((*HELLO[:4], "421 too busy"), "421 too busy"),
        ((*HELLO, None), "Connection unexpectedly closed"),
        ((*HELLO, ""), "timed out"),
    ],
    ids=["hangs up", "stalls", "refuses us", "refuses our address", "is busy", "ends late", "stalls late"],
)  # fmt: skip
def test_a_server_that_takes_nothing_has_all_wait(
    post: Post, server: tuple[Inbox, Smtp], answers: tuple[str | None, ...], reason: str
) -> None:
    """A server that stalls, or does not want us, is no message's fault: none is lost, one try is enough."""
    post.put(key="one")
    post.put(key="two")
    with odd_server(*answers) as (_, transport):
        assert post.send(transport) == 0
    one, two = post.messages()
    assert one.state in {"failed", "dead"}
    assert one.state == "failed"
    assert one.error is not None
    assert reason in one.error
    assert two.attempts == (1 if "421" in reason else 0)
    post.now += timedelta(hours=1)
    assert post.send(server[1]) == 2


def test_a_wrong_password_loses_nothing(post: Post) -> None:
    post.put()
    with odd_server("220 here", "250-here\r\n250 AUTH PLAIN LOGIN", "535 wrong", "535 wrong", "221") as (
        _,
        open_,
    ):
        assert post.send(Smtp(open_.host, open_.port, SENDER, "user", "secret")) == 0
    assert post.one().state == "failed"
    assert "secret" not in str(post.one().error)


def test_nobody_there(post: Post) -> None:
    post.put()
    assert post.send(Smtp("127.0.0.1", free_port(), SENDER)) == 0
    assert post.one().state == "failed"
    assert "refused" in str(post.one().error)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("farewell", ["", None, "500 what"])
def test_what_was_taken_is_sent_whatever_the_farewell(post: Post, farewell: str | None) -> None:
    post.put()
    with odd_server(*HELLO, "250 taken", farewell) as (heard, transport):
        assert post.send(transport) == 1
    assert post.one().state == "sent"
    assert sum(b"Subject: Alert" in each for each in heard) == 1


NASTY = [
    "a@b.org\r\nBcc: x@y.org",
    "a@b.org\nX: y",
    "a@b.org\r\n\r\nText",
    "a@b.org, x@y.org",
    "<a@b.org> BODY=8BITMIME",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_no_header_can_be_smuggled_in(post: Post, server: tuple[Inbox, Smtp], nasty: str) -> None:
    """Neither by what is entered (see test_register), nor by what is in the database nevertheless."""
    inbox, transport = server
    post.put(to=nasty, key="address")
    post.put(subject=nasty, key="subject")
    post.put(key="unsubscribe", unsubscribe=nasty)
    post.put(key="good")
    post.send(transport)
    for recipients, sent in inbox.taken:
        assert recipients == ["a@b.org"]
        assert sent["Bcc"] is None
        assert sent["X"] is None
        assert sent.get_content() == "Text\r\n"
    states = {each.key: each.state for each in post.messages()}
    assert states["good"] == "sent"
    assert set(states.values()) <= {"sent", "dead"}
    if "\n" in nasty:
        assert states == {"address": "dead", "subject": "dead", "unsubscribe": "dead", "good": "sent"}


def test_a_full_disk_shows_before_a_message_leaves(
    post: Post, server: tuple[Inbox, Smtp], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    post.put()
    with monkeypatch.context() as limited:
        limited.setattr(os, "write", full)
        with pytest.raises(
            ComeoError, match=r"nothing is sent while .*receipts cannot be written: No space left"
        ):
            post.send(server[1])
    assert (server[0].taken, post.one().attempts) == ([], 0)
    assert post.send(server[1]) == 1


def test_a_receipt_that_fails_all_the_same_has_nothing_sent_twice(
    post: Post, server: tuple[Inbox, Smtp], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    post.put()
    with monkeypatch.context() as limited:
        limited.setattr(Receipts, "write", full)
        assert post.send(server[1]) == 1
    post.now += timedelta(days=1)
    assert post.send(server[1]) == 0
    assert len(server[0].taken) == 1


def test_a_database_that_is_full_has_nothing_sent_twice(
    post: Post, server: tuple[Inbox, Smtp], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise ComeoError("comeo.sqlite cannot be written: database or disk is full")

    post.put()
    with monkeypatch.context() as limited:
        limited.setattr(outbox, "settle", full)
        with pytest.raises(ComeoError, match="disk is full"):
            post.send(server[1])
    assert post.one().state == "sending"
    post.now += SENDING
    assert post.send(server[1]) == 1, "known by its receipt"
    assert len(server[0].taken) == 1
    assert (post.one().state, post.left()) == ("sent", [])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("smtp://localhost", ("localhost", 25, "", "", "")),
        ("smtp+starttls://me%40x:p%3Aw@h:2525", ("h", 2525, "me@x", "p:w", "starttls")),
        ("smtps://h", ("h", 465, "", "", "tls")),
    ],
)
def test_addresses_of_servers(address: str, expected: tuple[object, ...]) -> None:
    made = Smtp.of(address, SENDER)
    assert (made.host, made.port, made.user, made.password, made.secure) == expected


@pytest.mark.parametrize("address", ["mail.example.org", "http://h", "smtp://", "smtp://h:x", "smtp://[h"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(SettingsError, match="COMEO_SMTP is smtp://host:25"):
        Smtp.of(address, SENDER)


def test_bounds_fit_each_other() -> None:
    assert timedelta(minutes=2**LEAST_TRIES) > LONGEST_WAIT
    assert GIVEN_UP > LONGEST_WAIT > SENDING
