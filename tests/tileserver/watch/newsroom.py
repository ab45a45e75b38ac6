"""Bulletins of tests: a geoservice whose observations are made up, and a worker's press."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Connection, select

from tests.tileserver.watch.followed import OWNER, follow, observation
from tileserver.store import accounts, observed, outbox
from tileserver.store import bulletins as stored
from tileserver.store.bulletins import Bulletin
from tileserver.store.database import Database
from tileserver.store.geoservices import Geoservice, get_geoservice
from tileserver.store.observed import Archived
from tileserver.store.outbox import Message
from tileserver.store.tables import observation as table
from tileserver.watch.bulletins import publish, steps
from tileserver.watch.bulletins.content import Content, Material, material_of
from tileserver.watch.bulletins.publish import Press
from tileserver.watch.document.calendar import Month

FEBRUARY = Month(2026, 2, "UTC")
BEFORE = datetime(2026, 3, 4, tzinfo=UTC)
"""February is over, and not yet due."""
DUE = datetime(2026, 3, 6, 1, tzinfo=UTC)
MODERATOR = "moderator@example.org"
PDF = b"%PDF-1.7 of a test"


class Newsroom:
    """A geoservice that was drawn up in January, and follows a wood that is low on two days of February."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch | None, **changes: Any) -> None:
        self.database = database
        self.now = DUE
        self.believed: datetime | None = None
        self.withdrawn: set[str] = set()
        self.position = 0
        one = follow(database, **{"locales": ["en", "fr"], **changes})
        with database.writing() as connection:
            from tileserver.store.geoservices import change_geoservice

            change_geoservice(connection, one.id, {"created": datetime(2026, 2, 1, tzinfo=UTC)})
            self.moderator = accounts.add_person(connection, MODERATOR, "fr", self.now)
            accounts.change_person(connection, self.moderator, {"name": MODERATOR})
            accounts.set_role(connection, one.id, self.moderator, "moderator")
            self.owner = accounts.add_person(connection, OWNER, "en", self.now)
        self.number = one.id
        self.see(*((day, 0.3 if day in (40, 45) else 0.7) for day in range(0, 60, 5)))
        scenes = SimpleNamespace(catalog=SimpleNamespace(position=lambda: self.position))
        self.press = Press(cast("Any", scenes), database, "http://here")
        if monkeypatch is not None:
            monkeypatch.setattr(publish, "standing", lambda *_: self.archives())
            monkeypatch.setattr(publish, "bulletin_pdf", lambda *_: PDF)

    def see(self, *found: tuple[float, float]) -> None:
        """Scenes come."""
        with self.database.writing() as connection:
            observed.keep(connection, [observation(day, value) for day, value in found])
        self.position += 1

    def withdraw(self, *items: str) -> None:
        """Scenes go."""
        self.withdrawn.update(items)
        self.position += 1

    def archives(self) -> set[Archived]:
        with self.database.reading() as connection:
            found = list(connection.execute(select(table.c.collection, table.c.item, table.c.etag)))
        return {(row.collection, row.item, row.etag) for row in found if row.item not in self.withdrawn}

    @property
    def geoservice(self) -> Geoservice:
        with self.database.reading() as connection:
            return get_geoservice(connection, self.number)

    def turn(self) -> None:
        """A round of the worker."""
        self.press.turn(self.geoservice, self.now, self.believed or self.now)

    def material(self, connection: Connection) -> Material:
        return material_of(connection, get_geoservice(connection, self.number), self.archives())

    def all(self) -> list[Bulletin]:
        with self.database.reading() as connection:
            return stored.bulletins_of(connection, self.number)

    def states(self) -> list[str]:
        """Of each bulletin: `2026-02-r1 draft`."""
        return [f"{each.label}-r{each.revision} {each.state}" for each in self.all()]

    def content(self) -> Content:
        """Of the newest."""
        with self.database.reading() as connection:
            return steps.read(connection, self.all()[-1])

    def step(self, name: str, actor: int | None = None, note: str = "as it should be") -> Bulletin:
        """What somebody does with the newest."""
        with self.database.writing() as connection:
            one = stored.bulletins_of(connection, self.number)[-1]
            return steps.STEPS[name](connection, one, note, actor or self.moderator, self.now)

    def compose(self, actor: int | None = None) -> int | None:
        """Compose February by hand."""
        with self.database.writing() as connection:
            revisions = steps.of_label(stored.bulletins_of(connection, self.number), FEBRUARY.label)
            draft = steps.due(connection, self.material(connection), FEBRUARY, revisions)
            return None if draft is None else steps.write(connection, draft, self.now, actor)

    def mail(self, key: str = "bulletin:") -> list[Message]:
        with self.database.reading() as connection:
            return [each for each in outbox.messages(connection) if each.key.startswith(key)]
