"""Who is told of a geoservice, and who has a role in it. Neither is ever public."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from comeo.errors import BoundError, NotFoundError
from tileserver.api.geoservices.common import TAG, SlugNumberPath, SlugPath, note, of_slug
from tileserver.errors import ConflictError
from tileserver.http.context import scenes
from tileserver.http.database import database
from tileserver.http.writes import check_unchanged, state_answer
from tileserver.store import accounts, geoservices, outbox
from tileserver.store.geoservices import Geoservice
from tileserver.watch.channels.webhook import new_secret
from tileserver.watch.document.definition import Email, Told
from tileserver.watch.messages.recipients import shown
from tileserver.watch.setup.register import add_told

api = APIBlueprint("people", __name__)
MOST_PEOPLE: Final = 1000


class RoleBody(BaseModel):
    """A role of somebody."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    role: Literal["viewer", "moderator", "editor"]


class TransferBody(BaseModel):
    """Who is to own it."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[int, Field(ge=1, le=2**31 - 1)]


@api.get("/geoservices/<slug>/recipients", tags=[TAG])
def recipients(path: SlugPath) -> Response:
    """Who is told of alerts."""
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        return state_answer(_recipients(connection, one))


@api.post("/geoservices/<slug>/recipients", tags=[TAG], responses={"201": None})
def tell(path: SlugPath, body: Told) -> Response:
    """Add somebody who is told once they confirm; one who has left stays so.

    A webhook confirms by taking a first event; what its events are signed with is answered this once.
    """
    with database().writing() as connection:
        one, who, _ = of_slug(connection, path.slug)
        check_unchanged(_recipients(connection, one), required=False)
        _not_too_many(len(outbox.recipients_of(connection, one.id)))
        before = {each.id for each in outbox.recipients_of(connection, one.id)}
        networks = scenes().settings.webhook_networks
        secret = add_told(connection, one.id, body, "pending", networks)
        added = (each.id for each in outbox.recipients_of(connection, one.id) if each.id not in before)
        note(connection, one, who, "recipient.added", recipient=next(added, None))
        return state_answer(
            _recipients(connection, one), 201, shown_once={"secret": secret} if secret else {}
        )


@api.delete("/geoservices/<slug>/recipients/<number>", tags=[TAG], responses={"204": None})
def no_longer_tell(path: SlugNumberPath) -> Response:
    """Let somebody no longer be told; only they themselves can come back."""
    with database().writing() as connection:
        one, who, _ = of_slug(connection, path.slug)
        check_unchanged(_recipients(connection, one))
        if path.number not in {each.id for each in outbox.recipients_of(connection, one.id)}:
            raise NotFoundError(f"{one.slug} has no recipient {path.number}")
        outbox.set_recipient(connection, path.number, "unsubscribed", None)
        note(connection, one, who, "recipient.removed", recipient=path.number)
    return Response(status=204)


@api.post("/geoservices/<slug>/recipients/<number>/secret", tags=[TAG])
def renew_secret(path: SlugNumberPath) -> Response:
    """Have a webhook's events signed with a new secret from now on; it is answered this once."""
    with database().writing() as connection:
        one, who, _ = of_slug(connection, path.slug)
        check_unchanged(_recipients(connection, one), required=False)
        known = {each.id: each for each in outbox.recipients_of(connection, one.id)}
        if path.number not in known or known[path.number].channel != "webhook":
            raise NotFoundError(f"{one.slug} has no webhook {path.number}")
        secret = new_secret()
        outbox.set_secret(connection, path.number, secret)
        note(connection, one, who, "recipient.secret", recipient=path.number)
        return state_answer(_recipients(connection, one), shown_once={"secret": secret})


@api.get("/geoservices/<slug>/roles", tags=[TAG])
def roles(path: SlugPath) -> Response:
    """Who has a role."""
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        return state_answer(_roles(connection, one))


@api.put("/geoservices/<slug>/roles", tags=[TAG])
def give_role(path: SlugPath, body: RoleBody) -> Response:
    """Give somebody a role instead of the one that they have; they sign in by their address."""
    now = datetime.now(UTC)
    with database().writing() as connection:
        one, who, _ = of_slug(connection, path.slug)
        check_unchanged(_roles(connection, one))
        _not_too_many(len(accounts.roles_of(connection, one.id)))
        number = accounts.add_person(connection, body.email, one.locales[0], now)
        if number == one.owner:
            raise ConflictError("the owner keeps that role; transfer the geoservice to somebody else first")
        accounts.set_role(connection, one.id, number, body.role)
        note(connection, one, who, "role.given", account=number, role=body.role)
        return state_answer(_roles(connection, one))


@api.delete("/geoservices/<slug>/roles/<number>", tags=[TAG], responses={"204": None})
def take_role(path: SlugNumberPath) -> Response:
    """Take somebody's role."""
    with database().writing() as connection:
        one, who, _ = of_slug(connection, path.slug)
        check_unchanged(_roles(connection, one))
        if path.number == one.owner:
            raise ConflictError("the owner keeps that role; transfer the geoservice to somebody else first")
        if not accounts.drop_role(connection, one.id, path.number):
            raise NotFoundError(f"account {path.number} has no role in {one.slug}")
        note(connection, one, who, "role.taken", account=path.number)
    return Response(status=204)


@api.post("/geoservices/<slug>/transfer", tags=[TAG])
def transfer(path: SlugPath, body: TransferBody) -> Response:
    """Let somebody who has a role own it; who did becomes an editor."""
    with database().writing() as connection:
        one, who, _ = of_slug(connection, path.slug)
        check_unchanged(_roles(connection, one), required=False)
        known = {each.id: each for each, _ in accounts.roles_of(connection, one.id)}
        person = known.get(body.account)
        if person is None or person.disabled is not None:
            raise NotFoundError(f"account {body.account} has no role in {one.slug}; give it one first")
        accounts.set_role(connection, one.id, one.owner, "editor")
        accounts.set_role(connection, one.id, person.id, "owner")
        geoservices.change_geoservice(connection, one.id, {"owner": person.id})
        note(connection, one, who, "geoservice.transferred", before=one.owner, after=person.id)
        return Response(status=204)


def _not_too_many(number: int) -> None:
    if number >= MOST_PEOPLE:
        raise BoundError(f"there are {MOST_PEOPLE} people already; take some out first", "max_people")


def _recipients(connection: Connection, one: Geoservice) -> dict[str, Any]:
    return {
        "recipients": [
            {"id": each.id, each.channel: shown(each), "locale": each.locale, "state": each.state,
             "list": each.list, "rhythm": each.rhythm, "min_severity": each.min_severity}
            for each in outbox.recipients_of(connection, one.id)
        ]
    }  # fmt: skip


def _roles(connection: Connection, one: Geoservice) -> dict[str, Any]:
    return {
        "roles": [
            {"account": person.id, "email": person.email, "name": person.name, "role": role}
            for person, role in accounts.roles_of(connection, one.id)
        ]
    }
