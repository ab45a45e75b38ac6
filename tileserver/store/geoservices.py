"""Geoservices, and the indicators that they follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from comeo.indicators.document import Document, canonical, read_document
from tileserver.errors import ConflictError
from tileserver.store.database import insert_new
from tileserver.store.tables import geoservice, gs_indicator, indicator, recipient, role, share

State = Literal["draft", "active", "paused", "archived"]


@dataclass(frozen=True, slots=True)
class Geoservice:
    """A row of the table: see there."""

    id: int
    slug: str
    title: Mapping[str, str]
    owner: int
    state: State
    site: int
    collections: Sequence[str]
    period: str
    timezone: str
    start: datetime
    end: datetime | None
    locales: Sequence[str]
    alert_policy: Mapping[str, Any]
    bulletin_policy: Mapping[str, Any]
    maps: Mapping[str, Any] | None
    visibility: Literal["private", "link", "public"]
    revision: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Followed:
    """An indicator of a geoservice.

    Attributes:
        id: Of the row.
        sha256: Digest of the document.
        document: Canonical JSON.
        nominal: Its nominal values.
    """

    id: int
    sha256: str
    document: str
    nominal: Mapping[str, Any]

    def read(self) -> Document:
        """The document, parsed."""
        return read_document(self.document.encode(), "json")


def add_geoservice(connection: Connection, values: Mapping[str, Any]) -> int:
    """Add a geoservice as a draft, whose owner has that role; its id is returned.

    Raises:
        ConflictError: If another one has its slug.
    """
    query = insert(geoservice).values(state="draft", revision=1, **values).returning(geoservice.c.id)
    try:
        with connection.begin_nested():
            made = int(connection.execute(query).scalar_one())
    except IntegrityError as error:
        raise ConflictError(f"there is a geoservice {values['slug']}; choose another slug") from error
    connection.execute(insert(role).values(geoservice=made, account=values["owner"], role="owner"))
    return made


def follow(
    connection: Connection, of: int, place: int, document: Document, nominal: Mapping[str, Any]
) -> None:
    """Have a geoservice follow an indicator."""
    values = {
        "sha256": document.fingerprint, "id": document.id, "version": document.version,
        "document": canonical(document).decode(),
    }  # fmt: skip
    insert_new(connection, indicator, values)
    row = {"geoservice": of, "place": place, "sha256": document.fingerprint, "nominal": dict(nominal)}
    connection.execute(insert(gs_indicator).values(row))


def followed(connection: Connection, of: int) -> list[Followed]:
    """Indicators of a geoservice, in their order."""
    query = (
        select(gs_indicator.c.id, gs_indicator.c.sha256, indicator.c.document, gs_indicator.c.nominal)
        .join(indicator, indicator.c.sha256 == gs_indicator.c.sha256)
        .where(gs_indicator.c.geoservice == of)
        .order_by(gs_indicator.c.place)
    )
    return [Followed(*row) for row in connection.execute(query)]


def geoservices(connection: Connection, state: State | None = None) -> list[Geoservice]:
    """All of them, or those in a state, by slug."""
    query = select(geoservice).order_by(geoservice.c.slug)
    if state is not None:
        query = query.where(geoservice.c.state == state)
    return [_row(each) for each in connection.execute(query)]


def find_geoservice(connection: Connection, slug: str) -> Geoservice | None:
    """The geoservice of a slug."""
    found = connection.execute(select(geoservice).where(geoservice.c.slug == slug)).first()
    return None if found is None else _row(found)


def get_geoservice(connection: Connection, number: int) -> Geoservice:
    """The geoservice of an id that another row refers to."""
    return _row(connection.execute(select(geoservice).where(geoservice.c.id == number)).one())


def set_state(connection: Connection, of: int, state: State) -> None:
    """Set the state of a geoservice; whether that is allowed is for `watch.document.states` to say."""
    values = {"state": state, "revision": geoservice.c.revision + 1}
    connection.execute(update(geoservice).where(geoservice.c.id == of).values(values))


def change_geoservice(connection: Connection, of: int, values: Mapping[str, Any]) -> None:
    """Change fields of a geoservice that are not its state."""
    own = {**values, "revision": geoservice.c.revision + 1}
    connection.execute(update(geoservice).where(geoservice.c.id == of).values(own))


def delete_draft(connection: Connection, of: int) -> None:
    """Delete a geoservice that never ran; its sites stay."""
    for table in (gs_indicator, role, recipient, share):
        connection.execute(delete(table).where(table.c.geoservice == of))
    connection.execute(delete(geoservice).where(geoservice.c.id == of))


def _row(row: Row[Any]) -> Geoservice:
    return Geoservice(**row._mapping)
