"""States of bulletins: nothing happens outside their table, and each step is written down."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.tileserver.watch.newsroom import Newsroom
from tileserver.errors import ConflictError
from tileserver.store import bulletins as stored
from tileserver.store.database import Database
from tileserver.store.tables import bulletin_event
from tileserver.watch.bulletins import steps
from tileserver.watch.document import states

STEPS = st.lists(
    st.sampled_from(["compose", "submit", "approve", "reject", "send", "late", "back"]), max_size=14
)


def do(room: Newsroom, step: str) -> None:
    """Whatever somebody might try."""
    if step == "late":
        room.see((50.5 + len(room.all()), 0.1))
    elif step == "back":
        room.withdrawn.clear() if room.withdrawn else room.withdraw("day-40")
    elif step == "compose":
        room.compose(room.owner)
    elif step == "send":
        with room.database.writing() as connection:
            one = stored.bulletins_of(connection, room.number)[-1]
            steps.move(connection, one, "sent", "sent", room.now, sent_at=room.now)
    else:
        room.step(step)


@settings(max_examples=40)
@given(steps=STEPS)
def test_nothing_happens_outside_the_table(sqlite_template: Path, steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comeo.sqlite"
        shutil.copy(sqlite_template, path)
        room = Newsroom(Database(str(path)), None)
        room.compose()
        for step in steps:
            before = room.all()
            try:
                do(room, step)
            except ConflictError:
                assert room.all() == before, "a refused step changes nothing"
        with room.database.reading() as connection:
            events = connection.execute(select(bulletin_event).order_by(bulletin_event.c.id)).all()
        last: dict[int, str] = {}
        for each in events:
            assert each.before == last.get(each.bulletin)
            if each.before is None:
                assert each.after == "draft"
            else:
                assert each.after in states.BULLETIN[each.before]
            last[each.bulletin] = each.after
        known = room.all()
        assert last == {each.id: each.state for each in known}, "each step is written down"
        assert [each.revision for each in known] == list(range(1, len(known) + 1))
        assert all(each.state in ("rejected", "sent") for each in known[:-1]), "one at a time is open"
        room.database.close()


def test_who_composes_by_hand_does_not_approve(database: Database) -> None:
    room = Newsroom(database, None)
    room.compose(room.moderator)
    room.step("submit", room.moderator)
    with pytest.raises(ConflictError, match="ask another moderator"):
        room.step("approve", room.moderator)
    assert room.states() == ["2026-02-r1 submitted"]
    assert room.step("approve", room.owner).state == "approved"


def test_a_visa_names_nobody_by_address(database: Database) -> None:
    room = Newsroom(database, None)
    room.compose()
    room.step("submit")
    one = room.step("approve", note="Seen")
    with database.reading() as connection:
        visa = steps.visa_of(connection, one)
    assert visa is not None
    assert (visa.name, visa.at, visa.note) == (f"#{room.moderator}", room.now, "Seen")


def test_what_was_rejected_comes_again_as_another_revision(database: Database) -> None:
    room = Newsroom(database, None)
    room.compose()
    room.step("submit")
    with pytest.raises(ConflictError, match="with a note"):
        room.step("reject", note="")
    room.step("reject", note="name the site")
    room.compose()
    assert room.states() == ["2026-02-r1 rejected", "2026-02-r2 draft"]
    assert room.content()["number"] == "wood-2026-02-r2"
    assert "erratum" not in room.content(), "nothing was sent"


def test_what_was_submitted_stays_as_it_was_read(database: Database) -> None:
    room = Newsroom(database, None)
    room.compose()
    first = room.all()[-1]
    room.see((50.5, 0.1))
    room.compose()
    again = room.all()[-1]
    assert (again.id, again.state) == (first.id, "draft")
    assert again.content_sha != first.content_sha, "a draft follows what is observed"
    room.step("submit")
    room.see((51.5, 0.1))
    assert room.compose() is None
    assert room.all()[-1].content_sha == again.content_sha


def test_two_who_act_at_once_do_not_both_succeed(database: Database) -> None:
    room = Newsroom(database, None)
    room.compose()
    old = room.all()[-1]
    room.see((50.5, 0.1))
    room.compose()
    with pytest.raises(ConflictError, match="no longer what it was"), database.writing() as connection:
        steps.submit(connection, old, "", room.owner, room.now)
    assert room.states() == ["2026-02-r1 draft"]
