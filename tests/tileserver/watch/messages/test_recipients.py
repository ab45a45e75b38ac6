"""Who is not reached is told no more, and the owner is told once; who works again begins anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.tileserver.watch.followed import NOW, OWNER
from tests.tileserver.watch.mailserver import Inbox, mail_server
from tests.tileserver.watch.messages.test_digest import Told
from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.store.outbox import Message, Recipient
from tileserver.watch.channels.mail import Smtp
from tileserver.watch.messages import deliver
from tileserver.watch.messages.recipients import BOUNCES

LOST = "lost@b.org"


class Mailing(Told):
    """One recipient, by a mail server."""

    def __init__(self, database: Database, folder: Path, transport: Smtp, *more: dict[str, str]) -> None:
        super().__init__(database, folder, {"email": LOST}, *more)
        self.transport = transport

    def round(self) -> None:
        with self.database.writing() as connection:
            self.teller(connection).tell()
        deliver.deliver(self.database, self.transport, self.receipts, lambda: self.now)

    def lost(self) -> Recipient:
        return next(each for each in self.recipients() if each.address == LOST)

    def to(self, address: str) -> list[Message]:
        return [each for each in self.messages() if each.address == address]


@pytest.fixture
def server() -> Iterator[tuple[Inbox, Smtp]]:
    with mail_server() as running:
        yield running


def test_two_refusals_in_a_row_end_it(database: Database, tmp_path: Path, server: tuple[Inbox, Smtp]) -> None:
    inbox, transport = server
    case = Mailing(database, tmp_path, transport, {"email": "here@b.org"})
    inbox.to_recipient[LOST] = "550 5.1.1 no such user"
    case.alarm()  # two messages: of its beginning, and its end
    case.alarm()
    case.round()
    assert (case.lost().state, case.lost().bounces) == ("bouncing", BOUNCES)
    errors = [(each.state, each.error) for each in case.to(LOST)]
    assert errors[:2] == [("dead", "550 5.1.1 no such user")] * 2
    assert errors[2:] == [("dead", "it is no longer wanted")] * 2
    case.alarm()
    for _ in range(3):
        case.now += timedelta(days=1)
        case.round()
    assert len(case.to(LOST)) == 4, "nothing more is written to them"
    assert len(case.to("here@b.org")) == 6, "nor are others kept from it"
    (told,) = case.to(OWNER)
    assert told.state == "sent"
    assert LOST in told.subject
    assert "550 5.1.1 no such user" in told.body["text"]


def test_a_message_that_is_taken_begins_the_count_anew(
    sqlite_database: Database, tmp_path: Path, server: tuple[Inbox, Smtp]
) -> None:
    inbox, transport = server
    case = Mailing(sqlite_database, tmp_path, transport)
    for answers in (["550 full", "250 OK"], ["550 full", "250 OK"]):
        for answer in answers:
            with sqlite_database.writing() as connection:
                outbox.post(connection, f"k{case.raised}", "email", LOST, "S", {"text": "x\n"}, case.now, 1)
            case.raised += 1
            inbox.to_recipient.clear()
            if answer.startswith("550"):
                inbox.to_recipient[LOST] = answer
            case.round()
    assert (case.lost().state, case.lost().bounces) == ("confirmed", 0)
    assert case.to(OWNER) == []


@pytest.mark.parametrize(("where", "answer"), [("to_data", "554 spam"), ("to_recipient", "451 later")])
def test_what_is_no_fault_of_the_address_counts_not(
    sqlite_database: Database, tmp_path: Path, server: tuple[Inbox, Smtp], where: str, answer: str
) -> None:
    inbox, transport = server
    case = Mailing(sqlite_database, tmp_path, transport)
    getattr(inbox, where)[LOST] = answer
    case.alarm()
    case.alarm()
    case.round()
    assert (case.lost().state, case.lost().bounces) == ("confirmed", 0)


def test_a_mail_server_that_is_away_for_weeks_is_nobodys_fault(
    sqlite_database: Database, tmp_path: Path
) -> None:
    case = Mailing(sqlite_database, tmp_path, Smtp("127.0.0.1", 9, "c@example.org"))
    case.alarm()
    for _ in range(60):
        case.now += timedelta(hours=12)
        case.round()
    assert {each.state for each in case.to(LOST)} == {"dead"}
    assert (case.lost().state, case.lost().bounces) == ("confirmed", 0)


def test_who_is_added_again_is_asked_again(
    sqlite_database: Database, tmp_path: Path, server: tuple[Inbox, Smtp]
) -> None:
    inbox, transport = server
    case = Mailing(sqlite_database, tmp_path, transport)
    inbox.to_recipient[LOST] = "550 gone"
    case.alarm()
    case.round()
    assert case.lost().state == "bouncing"
    inbox.to_recipient.clear()
    with sqlite_database.writing() as connection:
        assert outbox.add_recipient(connection, case.geoservice.id, LOST, "fr", 2, "pending")
    case.round()
    assert (case.lost().state, case.lost().bounces, case.lost().locale) == ("pending", 0, "fr")
    ((_, mail),) = [each for each in inbox.taken if each[0] == [LOST]]
    assert "Confirmez" in mail["Subject"] or "Confirmer" in mail["Subject"]
    case.round()
    assert len([each for each in inbox.taken if each[0] == [LOST]]) == 1
    with sqlite_database.writing() as connection:
        outbox.set_recipient(connection, case.lost().id, "confirmed", NOW)
        assert not outbox.add_recipient(connection, case.geoservice.id, LOST, "en", 1, "pending")
    assert case.lost().state == "confirmed"
