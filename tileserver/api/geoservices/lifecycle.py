"""Geoservices from draft to archive, and copies of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from comeo.indicators.model import Texts
from tileserver.api.geoservices.common import TAG, SlugPath, described, note, of_slug
from tileserver.api.geoservices.services import made
from tileserver.http.context import scenes
from tileserver.http.database import database
from tileserver.http.session import signed_in
from tileserver.http.writes import check_unchanged, state_answer
from tileserver.store import geoservices
from tileserver.store.accounts import Person, Role
from tileserver.store.geoservices import Geoservice, State
from tileserver.watch.document import states
from tileserver.watch.document.definition import SLUG
from tileserver.watch.setup import register

api = APIBlueprint("geoservices_lifecycle", __name__)


class CopyBody(BaseModel):
    """What the copy is called."""

    model_config = ConfigDict(extra="forbid")

    slug: Annotated[str, Field(pattern=SLUG)]
    title: Texts | None = None


@api.post("/geoservices/<slug>/activate", tags=[TAG])
def activate(path: SlugPath) -> Response:
    """Let a geoservice run, if a scene shows one of its sites and its indicators pass their tests."""
    with database().writing() as connection:
        one, person, role = _open(connection, path.slug)
        register.activate(connection, scenes(), one)
        note(connection, one, person, "geoservice.active")
        return _answer(connection, one, role)


@api.post("/geoservices/<slug>/pause", tags=[TAG])
def pause(path: SlugPath) -> Response:
    """Let a geoservice rest: nothing is observed or told until it is activated again."""
    return _step(path.slug, "paused")


@api.post("/geoservices/<slug>/archive", tags=[TAG])
def archive(path: SlugPath) -> Response:
    """End a geoservice for good; what it has observed can be read on."""
    return _step(path.slug, "archived")


@api.post("/geoservices/<slug>/copy", tags=[TAG], responses={"201": None})
def copy(path: SlugPath, body: CopyBody) -> Response:
    """A draft of one's own with the same sites, indicators and rules; nobody else is in it."""
    with database().writing() as connection:
        one, _, _ = of_slug(connection, path.slug)
        person = signed_in(connection)
        values = {
            name: getattr(one, name)
            for name in ("site", "collections", "period", "timezone", "start", "end", "locales",
                         "alert_policy", "bulletin_policy", "maps")
        }  # fmt: skip
        own = {"slug": body.slug, "title": body.title or one.title, "owner": person.id}
        number = geoservices.add_geoservice(
            connection, {**values, **own, "visibility": "private", "created": datetime.now(UTC)}
        )
        for place, each in enumerate(geoservices.followed(connection, one.id)):
            document = each.read()
            geoservices.follow(connection, number, place, document, each.nominal)
        return made(connection, body.slug, person, copy_of=one.id)


def _step(slug: str, state: State) -> Response:
    with database().writing() as connection:
        one, person, role = _open(connection, slug)
        states.check(states.GEOSERVICE, one.state, state)
        geoservices.set_state(connection, one.id, state)
        note(connection, one, person, f"geoservice.{state}")
        return _answer(connection, one, role)


def _open(connection: Connection, slug: str) -> tuple[Geoservice, Person | None, Role | None]:
    one, person, role = of_slug(connection, slug)
    check_unchanged(described(connection, one, role), required=False)
    return one, person, role


def _answer(connection: Connection, one: Geoservice, role: Role | None) -> Response:
    return state_answer(described(connection, geoservices.get_geoservice(connection, one.id), role))
