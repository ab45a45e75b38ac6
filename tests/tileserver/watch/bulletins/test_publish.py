"""The worker's part in bulletins: due, asked for, approved by rule, printed, sent once, corrected."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.tileserver.watch.followed import OWNER
from tests.tileserver.watch.mailserver import SENDER, mail_server
from tests.tileserver.watch.newsroom import BEFORE, DUE, MODERATOR, PDF, Newsroom
from tileserver.store import accounts, outbox
from tileserver.store import bulletins as stored
from tileserver.store.database import Database
from tileserver.store.geoservices import change_geoservice
from tileserver.watch.bulletins import publish, steps
from tileserver.watch.bulletins.pdf import FontError
from tileserver.watch.bulletins.publish import nearest
from tileserver.watch.channels.letter import Enclosures
from tileserver.watch.channels.mail import Smtp
from tileserver.watch.channels.transport import RefusedError
from tileserver.watch.messages.recipients import is_unwanted


def published(room: Newsroom) -> None:
    """February is approved and sent."""
    room.turn()
    room.step("submit")
    room.step("approve")
    room.turn()


def test_a_month_is_composed_some_days_after_its_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(database, monkeypatch)
    room.now = BEFORE
    room.turn()
    assert room.states() == []
    room.now = DUE
    room.turn()
    room.turn()
    assert room.states() == ["2026-02-r1 draft"], "January was over before it was drawn up"
    assert room.all()[0].composed_by is None
    (asked,) = room.mail()
    assert (asked.address, asked.key) == (MODERATOR, f"bulletin:1:visa:a{room.moderator}")
    assert "http://here/follow#geoservice=wood&bulletin=1\n" in asked.body["text"], "where it is decided"
    assert "wood-2026-02-r1" in asked.subject


def test_who_composed_it_is_not_asked(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Newsroom(database, monkeypatch)
    room.compose(room.moderator)
    room.turn()
    assert room.mail() == []


def test_a_draft_follows_the_catalogue(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Newsroom(database, monkeypatch)
    room.turn()
    assert room.content()["indicators"][0]["sites"][0]["outside"] == 2
    room.withdraw("day-40")
    room.turn()
    assert room.content()["indicators"][0]["sites"][0]["outside"] == 1
    assert room.states() == ["2026-02-r1 draft"]


def test_an_idle_turn_looks_at_nothing_twice(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Newsroom(database, monkeypatch)
    for _ in range(3):
        room.turn()
    monkeypatch.setattr(publish, "standing", lambda *_: pytest.fail("the catalogue has not changed"))
    room.turn()


def test_what_is_approved_is_printed_and_sent_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(database, monkeypatch, recipients=[{"email": OWNER, "locale": "fr"}])
    with database.writing() as connection:
        outbox.add_recipient(connection, room.number, "pending@example.org", "en", 1, "pending")
    published(room)
    assert room.states() == ["2026-02-r1 sent"]
    with database.reading() as connection:
        files = [(each.locale, each.kind) for each in stored.files_of(connection, 1)]
        page = stored.file_of(connection, 1, "fr", "html")
    assert files == [("en", "html"), ("en", "pdf"), ("fr", "html"), ("fr", "pdf")]
    assert page is not None
    assert f"Approuvé par #{room.moderator} le 6 mars 2026" in page.decode(), "no part of an address"
    assert "as it should be" in page.decode()
    assert room.all()[0].content_sha in page.decode()
    assert "@example.org" not in page.decode()
    room.turn()
    _, told = room.mail()
    assert told.key == "bulletin:1:r1"
    assert (told.address, told.subject) == (OWNER, "The wood : bulletin de février 2026")
    assert "http://here/bulletins/1.html?locale=fr" in told.body["text"]
    assert told.body["attachments"] == [{"bulletin": 1, "locale": "fr", "kind": "pdf"}]
    assert told.body["unsubscribe"].startswith("http://here/u/")


def test_a_clock_that_is_wrong_for_a_while_approves_nothing(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(sqlite_database, monkeypatch, bulletins={"visa": "automatic"})
    room.turn()
    room.believed = room.now
    room.now += timedelta(days=400)
    room.turn()
    assert [each.state for each in room.all()] == ["draft"]
    room.believed += timedelta(days=8)
    room.turn()
    assert [each.state for each in room.all()] == ["sent"]


def test_a_mail_carries_the_file(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Newsroom(database, monkeypatch)
    published(room)
    told = room.mail()[-1]
    with mail_server() as (inbox, way):
        files = Enclosures(load=lambda wanted: steps.attachment(database, wanted))
        own = Smtp(way.host, way.port, SENDER, enclosures=files)
        own.send(told, "name", DUE)
        ((_, mail),) = inbox.taken
        (part,) = mail.iter_attachments()
        assert (part.get_filename(), part.get_content_type()) == ("wood-2026-02-r1.pdf", "application/pdf")
        assert part.get_content() == PDF
        assert "wood-2026-02-r1" in mail.get_body().get_content()  # type: ignore[union-attr]
        with pytest.raises(RefusedError, match="is not there"):
            way.send(told, "name", DUE)


@pytest.mark.parametrize(
    ("visibility", "size", "carried"),
    [("public", 10, "pdf"), ("private", 10, "pdf"), ("public", (1 << 20) + 1, None),
     ("private", (1 << 20) + 1, "html"), ("private", 0, "html"), ("public", 0, None)],
)  # fmt: skip
def test_a_large_file_is_linked_to(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, visibility: str, size: int,
    carried: str | None,
) -> None:  # fmt: skip
    room = Newsroom(sqlite_database, monkeypatch, visibility=visibility)

    def pdf(*_: Any) -> bytes:
        if not size:
            raise FontError("no font on this machine has 林")
        return b"x" * size

    monkeypatch.setattr(publish, "bulletin_pdf", pdf)
    published(room)
    body = room.mail()[-1].body
    assert [each["kind"] for each in body.get("attachments", [])] == ([carried] if carried else [])
    with sqlite_database.reading() as connection:
        note = stored.events_of(connection, 1)[-1].note
    assert ("no font on this machine has 林" in note) == (not size)


def test_the_rule_approves_what_nobody_rejects(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Newsroom(database, monkeypatch, bulletins={"visa": "automatic", "after_days": 3})
    room.turn()
    assert room.states() == ["2026-02-r1 draft"]
    assert len(room.mail()) == 1, "moderators may still reject it"
    room.now += timedelta(days=3)
    room.turn()
    assert room.states() == ["2026-02-r1 sent"]
    with database.reading() as connection:
        page = stored.file_of(connection, 1, "en", "html")
        events = [(each.before, each.after) for each in stored.events_of(connection, 1)]
    assert page is not None
    assert "Approved by the geoservice" in page.decode()
    steps = ["draft", "submitted", "approved", "sent"]
    assert events == list(zip([None, *steps], steps, strict=False))


def test_the_rule_does_not_approve_what_was_rejected(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(database, monkeypatch, bulletins={"visa": "automatic", "after_days": 3})
    room.turn()
    room.step("submit")
    room.step("reject", note="not so")
    room.turn()
    room.now += timedelta(days=10)
    room.turn()
    assert room.states() == ["2026-02-r1 rejected", "2026-02-r2 draft"]
    assert [each.key for each in room.mail()] == [
        f"bulletin:{number}:visa:a{room.moderator}" for number in (1, 2)
    ]


def test_without_a_visa_it_is_sent_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Newsroom(database, monkeypatch, bulletins={"visa": "none"})
    room.turn()
    assert room.states() == ["2026-02-r1 sent"]
    assert [each.key for each in room.mail()] == ["bulletin:1:r1"]


def test_a_rejection_while_it_is_composed_is_not_forgotten(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(sqlite_database, monkeypatch)
    write = steps.write

    def write_and_reject(*values: Any) -> int | None:
        made = write(*values)
        monkeypatch.setattr(steps, "write", write)
        one = stored.find_bulletin(values[0], made or 0)
        assert one is not None
        one = steps.submit(values[0], one, "", room.owner, room.now)
        steps.reject(values[0], one, "not so", room.owner, room.now)
        return made

    monkeypatch.setattr(steps, "write", write_and_reject)
    room.turn()
    room.turn()
    assert room.states() == ["2026-02-r1 rejected", "2026-02-r2 draft"]


def test_late_scenes_make_an_erratum(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Newsroom(database, monkeypatch)
    published(room)
    room.see((64.0, 0.7))
    room.turn()
    assert room.states() == ["2026-02-r1 sent"], "a scene of March changes no February"
    room.see((52.5, 0.1))
    room.turn()
    assert room.states() == ["2026-02-r1 sent", "2026-02-r2 draft"]
    changes = {
        each["field"]: (each["before"], each["after"]) for each in room.content()["erratum"]["changes"]
    }
    assert changes["scenes"] == (5, 6)
    assert changes["outside"] == (2, 3)
    room.withdraw("day-52.5")
    room.turn()
    assert room.content()["erratum"]["changes"] == [], "it is as it was, and the draft says so"
    room.withdrawn.clear()
    room.position += 1
    room.turn()
    room.step("submit")
    room.step("approve")
    room.turn()
    assert room.states() == ["2026-02-r1 sent", "2026-02-r2 sent"]
    assert room.mail()[-1].key == "bulletin:2:r1"
    assert room.mail()[-1].subject == "The wood: erratum to the bulletin of February 2026"


def test_decisions_after_it_was_sent_make_no_erratum(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(database, monkeypatch)
    published(room)
    with database.writing() as connection:
        change_geoservice(connection, room.number, {"title": {"en": "Another wood"}})
    room.turn()
    assert room.states() == ["2026-02-r1 sent"]


def test_a_kill_between_printing_and_sending_does_no_harm(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(database, monkeypatch)
    room.turn()
    room.step("submit")
    room.step("approve")
    with monkeypatch.context() as broken:
        broken.setattr(steps, "move", lambda *_, **__: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            room.turn()
    assert room.states() == ["2026-02-r1 approved"]
    assert len(room.mail()) == 1, "nobody is told of what was not written"
    room.turn()
    assert room.states() == ["2026-02-r1 sent"]
    assert len(room.mail()) == 2


def test_the_nearest_language() -> None:
    assert nearest("fr", ["en", "fr"]) == "fr"
    assert nearest("pt-BR", ["en", "pt"]) == "pt"
    assert nearest("ar", ["fr", "en"]) == "fr"


def test_who_has_set_no_name_is_printed_as_a_number(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(sqlite_database, monkeypatch)
    room.turn()
    with sqlite_database.writing() as connection:
        accounts.change_person(connection, room.moderator, {"name": MODERATOR.partition("@")[0]})
        submitted = steps.submit(connection, room.all()[0], "", room.moderator, DUE)
        approved = steps.approve(connection, submitted, "", room.moderator, DUE)
        visa = steps.visa_of(connection, approved)
    assert visa is not None
    assert visa.name == f"#{room.moderator}"


def test_nobody_is_asked_for_a_visa_that_is_given(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Newsroom(sqlite_database, monkeypatch)
    room.turn()
    (asked,) = [each for each in room.mail() if ":visa:" in each.key]
    with sqlite_database.writing() as connection:
        assert not is_unwanted(connection, asked)
        steps.submit(connection, room.all()[0], "", room.moderator, DUE)
    with sqlite_database.writing() as connection:
        steps.approve(connection, room.all()[0], "", room.moderator, DUE)
        assert is_unwanted(connection, asked)
