"""Bulletins from draft to distribution: composed, submitted, approved or rejected, each step written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from tileserver.errors import ConflictError
from tileserver.store import accounts, geoservices
from tileserver.store import bulletins as stored
from tileserver.store.bulletins import Bulletin, State
from tileserver.store.database import Database
from tileserver.store.geoservices import Geoservice
from tileserver.watch.bulletins.content import Content, Material, canonical, content_of
from tileserver.watch.bulletins.page import Visa
from tileserver.watch.channels.letter import Attachment
from tileserver.watch.document import states
from tileserver.watch.document.calendar import Month


@dataclass(frozen=True, slots=True)
class Draft:
    """What a bulletin should say, and does not say yet.

    Attributes:
        before: The draft that says something else; None if it is a new revision.
        geoservice: Whose bulletin.
        label: Of its period.
        revision: Its number.
        content: Canonical JSON.
        note: Why it is composed.
    """

    before: Bulletin | None
    geoservice: int
    label: str
    revision: int
    content: str
    note: str


def printed(geoservice: Geoservice, one: Bulletin) -> str:
    """Its number as it is printed: `fields-2026-11-r1`."""
    return f"{geoservice.slug}-{one.label}-r{one.revision}"


def of_label(known: Sequence[Bulletin], label: str) -> list[Bulletin]:
    """Revisions of a period, oldest first."""
    return [each for each in known if each.label == label]


def due(
    connection: Connection, material: Material, month: Month, revisions: Sequence[Bulletin]
) -> Draft | None:
    """What is to be composed of a period; None if its newest bulletin stands.

    Args:
        connection: In a transaction that sees one state.
        material: What bulletins are made of.
        month: The period.
        revisions: Of it, oldest first.
    """
    last = revisions[-1] if revisions else None
    if last is not None and last.state in ("submitted", "approved"):
        return None  # somebody relies on it; what has changed comes with the next revision
    before = last if last is not None and last.state == "draft" else None
    revision = 1 if last is None else last.revision if before else last.revision + 1
    sent = _last_sent(connection, revisions)
    content = content_of(material, month, revision, sent)
    text = canonical(content).decode()
    if before is not None and stored.content_of(connection, before.id) == text:
        return None
    if last is not None and last.state == "sent" and not content["erratum"]["changes"]:
        return None
    return Draft(before, material.geoservice.id, month.label, revision, text, _reason(last, before, sent))


def _reason(last: Bulletin | None, before: Bulletin | None, sent: Content | None) -> str:
    if before is not None:
        return "composed anew: what it rests on has changed"
    if last is not None and last.state == "rejected":
        return f"composed after revision {last.revision} was rejected"
    return "composed" if sent is None else f"composed as an erratum to {sent['number']}"


def _last_sent(connection: Connection, revisions: Sequence[Bulletin]) -> Content | None:
    found = next((each for each in reversed(revisions) if each.state == "sent"), None)
    return None if found is None else read(connection, found)


def read(connection: Connection, one: Bulletin) -> Content:
    """What a bulletin says."""
    content: Content = json.loads(stored.content_of(connection, one.id))
    return content


def write(connection: Connection, draft: Draft, now: datetime, actor: int | None = None) -> int | None:
    """Keep a draft; its id, or None if somebody else has been faster: then it is due again, or no longer.

    Args:
        connection: In a transaction that writes.
        draft: It.
        now: Time.
        actor: Account of who composes it by hand, and will not approve it; None of the worker.
    """
    if draft.before is not None:
        one = draft.before
        states.check(states.BULLETIN, one.state, "draft")
        values: dict[str, Any] = {"content": draft.content, "composed": now}
        if actor is not None:
            values["composed_by"] = actor
        if not stored.set_state(connection, one, "draft", values):
            return None
        stored.add_event(connection, one.id, "draft", "draft", draft.note, now, actor)
        return one.id
    made = stored.add_bulletin(
        connection,
        {"geoservice": draft.geoservice, "label": draft.label, "revision": draft.revision,
         "content": draft.content, "composed": now, "composed_by": actor},
    )  # fmt: skip
    if made is not None:
        stored.add_event(connection, made, None, "draft", draft.note, now, actor)
    return made


def recompose(
    connection: Connection, material: Material, month: Month, actor: int | None, now: datetime
) -> Bulletin:
    """Compose a period by hand: a draft in place of the one that is there, else the next revision.

    Args:
        connection: In a transaction that writes.
        material: What bulletins are made of.
        month: The period.
        actor: Account of who does it; None of the operator.
        now: Time.

    Raises:
        ConflictError: If its newest bulletin says all that there is to say, or is being decided on.
    """
    revisions = of_label(stored.bulletins_of(connection, material.geoservice.id), month.label)
    draft = due(connection, material, month, revisions)
    made = None if draft is None else write(connection, draft, now, actor)
    kept = None if made is None else stored.find_bulletin(connection, made)
    if kept is None:
        raise ConflictError(
            f"the bulletin of {month.label} is {revisions[-1].state}, and there is nothing new to say"
        )
    return kept


def move(
    connection: Connection, one: Bulletin, after: State, note: str, now: datetime, actor: int | None = None,
    **values: Any,
) -> Bulletin:  # fmt: skip
    """Bring a bulletin into another state, and write it down; it is returned as it is then.

    Raises:
        ConflictError: If that state cannot follow, or somebody else has changed it meanwhile.
    """
    states.check(states.BULLETIN, one.state, after)
    if not stored.set_state(connection, one, after, values):
        raise ConflictError(f"bulletin {one.id} is no longer what it was; look at it again")
    stored.add_event(connection, one.id, one.state, after, note, now, actor)
    again = stored.find_bulletin(connection, one.id)
    assert again is not None  # noqa: S101 - it was changed in this transaction
    return again


def submit(connection: Connection, one: Bulletin, note: str, actor: int | None, now: datetime) -> Bulletin:
    """Let a draft be decided on; from then on it changes no more.

    Raises:
        ConflictError: See `move`.
    """
    return move(connection, one, "submitted", note or "submitted", now, actor)


def approve(connection: Connection, one: Bulletin, note: str, actor: int | None, now: datetime) -> Bulletin:
    """Give a bulletin its visa.

    Args:
        connection: In a transaction that writes.
        one: It.
        note: Printed with the visa, may be empty.
        actor: Account of who approves; None of the geoservice's rule.
        now: Time.

    Raises:
        ConflictError: If who composed it by hand would approve it; see also `move`.
    """
    states.check(states.BULLETIN, one.state, "approved")
    if actor is not None and actor == one.composed_by:
        raise ConflictError("who composed a bulletin by hand does not approve it; ask another moderator")
    values = {"visa_by": actor, "visa_at": now, "visa_note": note or None}
    return move(connection, one, "approved", note or "approved", now, actor, **values)


def reject(connection: Connection, one: Bulletin, note: str, actor: int | None, now: datetime) -> Bulletin:
    """Refuse a bulletin its visa; the next revision is composed anew.

    Raises:
        ConflictError: If there is no note that says why; see also `move`.
    """
    if not note:
        raise ConflictError("a bulletin is rejected with a note that says what is to change")
    return move(connection, one, "rejected", note, now, actor)


STEPS: Final[Mapping[str, Callable[[Connection, Bulletin, str, int | None, datetime], Bulletin]]] = {
    "submit": submit, "approve": approve, "reject": reject,
}  # fmt: skip
"""What people do with a bulletin, by the last word of its address."""


def visa_of(connection: Connection, one: Bulletin) -> Visa | None:
    """The visa of a bulletin as it is printed; None if it has none."""
    if one.visa_at is None:
        return None
    person = accounts.find_person(connection, one.visa_by) if one.visa_by is not None else None
    name = None
    if person is not None:  # who has set no name is printed as a number: an address is nobody's business
        own = person.name.partition("@")[0].strip()
        name = f"#{person.id}" if own in ("", person.email.partition("@")[0]) else own
    return Visa(name, one.visa_at, one.visa_note or "")


def attachment(database: Database, wanted: Mapping[str, Any]) -> Attachment | None:
    """A file of a bulletin that a message carries; None if there is none."""
    with database.reading() as connection:
        one = stored.find_bulletin(connection, int(wanted.get("bulletin", 0)))
        if one is None:
            return None
        body = stored.file_of(connection, one.id, str(wanted["locale"]), str(wanted["kind"]))
        name = printed(geoservices.get_geoservice(connection, one.geoservice), one)
    kind = "application/pdf" if wanted["kind"] == "pdf" else "text/html"
    return None if body is None else Attachment(f"{name}.{wanted['kind']}", kind, body)
