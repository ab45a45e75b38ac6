"""Bulletins that are kept, what happened to each, and the files that were published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, func, insert, select, update

from tileserver.store.database import insert_new
from tileserver.store.tables import bulletin, bulletin_event, bulletin_file, geoservice

State = Literal["draft", "submitted", "approved", "rejected", "sent"]
FileKind = Literal["html", "pdf"]
MOST_NOTE: Final = 1000
"""Characters of a note."""
_COLUMNS: Final = [each for each in bulletin.c if each.name != "content"]


@dataclass(frozen=True, slots=True)
class Bulletin:
    """A row of the table without its content: see there."""

    id: int
    geoservice: int
    label: str
    revision: int
    state: State
    content_sha: str
    composed: datetime
    composed_by: int | None
    visa_by: int | None
    visa_at: datetime | None
    visa_note: str | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Published:
    """A file that was published.

    Attributes:
        locale: Its language.
        kind: Its format.
        size: In bytes.
        sha256: Of its bytes.
    """

    locale: str
    kind: FileKind
    size: int
    sha256: str


def bulletins_of(connection: Connection, of: int) -> list[Bulletin]:
    """All bulletins of a geoservice, by period and revision."""
    query = (
        select(*_COLUMNS).where(bulletin.c.geoservice == of).order_by(bulletin.c.label, bulletin.c.revision)
    )
    return [_row(each) for each in connection.execute(query)]


def find_bulletin(connection: Connection, number: int) -> Bulletin | None:
    """The bulletin of an id."""
    found = connection.execute(select(*_COLUMNS).where(bulletin.c.id == number)).first()
    return None if found is None else _row(found)


def find_printed(connection: Connection, slug: str, label: str, revision: int) -> Bulletin | None:
    """The bulletin of a number as it is printed, in its parts."""
    query = (
        select(*_COLUMNS)
        .join(geoservice, geoservice.c.id == bulletin.c.geoservice)
        .where(geoservice.c.slug == slug, bulletin.c.label == label, bulletin.c.revision == revision)
    )
    found = connection.execute(query).first()
    return None if found is None else _row(found)


def content_of(connection: Connection, number: int) -> str:
    """What a bulletin says, as canonical JSON."""
    return str(connection.execute(select(bulletin.c.content).where(bulletin.c.id == number)).scalar_one())


def add_bulletin(connection: Connection, values: Mapping[str, Any]) -> int | None:
    """Add a draft; its id, or None if there is one of its period and revision."""
    values = {"state": "draft", "content_sha": _digest(values["content"]), **values}
    if not insert_new(connection, bulletin, values):
        return None
    own = bulletin.c
    query = select(own.id).where(
        own.geoservice == values["geoservice"], own.label == values["label"],
        own.revision == values["revision"],
    )  # fmt: skip
    return int(connection.execute(query).scalar_one())


def set_state(connection: Connection, one: Bulletin, after: State, values: Mapping[str, Any]) -> bool:
    """Bring a bulletin into another state, or a draft to another content.

    Returns:
        False if somebody else has changed its state or its content meanwhile.
    """
    own = dict(values)
    if "content" in own:
        own["content_sha"] = _digest(own["content"])
    query = update(bulletin).where(
        bulletin.c.id == one.id, bulletin.c.state == one.state, bulletin.c.content_sha == one.content_sha
    )
    return connection.execute(query.values(state=after, **own)).rowcount == 1


def add_event(
    connection: Connection, number: int, before: State | None, after: State, note: str, now: datetime,
    actor: int | None = None,
) -> None:  # fmt: skip
    """Write down what happened to a bulletin."""
    values = {
        "bulletin": number, "at": now, "actor": actor, "before": before, "after": after,
        "note": note[:MOST_NOTE],
    }  # fmt: skip
    connection.execute(insert(bulletin_event).values(values))


def events_of(connection: Connection, number: int) -> list[Row[Any]]:
    """What happened to a bulletin, oldest first."""
    query = select(bulletin_event).where(bulletin_event.c.bulletin == number).order_by(bulletin_event.c.id)
    return list(connection.execute(query))


def keep_file(connection: Connection, number: int, locale: str, kind: FileKind, body: bytes) -> None:
    """Keep what is published; a file that is there stays as it is."""
    values = {
        "bulletin": number, "locale": locale, "kind": kind, "body": body,
        "sha256": hashlib.sha256(body).hexdigest(),
    }  # fmt: skip
    insert_new(connection, bulletin_file, values)


def files_of(connection: Connection, number: int) -> list[Published]:
    """Files of a bulletin, without their bytes."""
    own = bulletin_file.c
    size = func.length(own.body)  # of bytes on SQLite and PostgreSQL alike
    query = select(own.locale, own.kind, size, own.sha256).where(own.bulletin == number)
    found = connection.execute(query.order_by(own.locale, own.kind))
    return [Published(*row) for row in found]


def file_of(connection: Connection, number: int, locale: str, kind: str) -> bytes | None:
    """The bytes of a file."""
    own = bulletin_file.c
    query = select(own.body).where(own.bulletin == number, own.locale == locale, own.kind == kind)
    found = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _row(row: Row[Any]) -> Bulletin:
    return Bulletin(**row._mapping)
