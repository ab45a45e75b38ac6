"""Geoservices: list, draw up, read, change, delete."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from comeo.errors import ComeoError
from comeo.indicators.model import Language, Texts
from tileserver.api.geoservices.common import MOST_ROWS, TAG, SlugPath, brief, described, note, of_slug
from tileserver.errors import ConflictError, ForbiddenError
from tileserver.http.context import base_url, scenes
from tileserver.http.database import database
from tileserver.http.session import caller, signed_in
from tileserver.http.shares import opened
from tileserver.http.writes import check_unchanged, state_answer
from tileserver.render.parameters import Parameters
from tileserver.store import accounts, alerts, geoservices, sites
from tileserver.store.accounts import Person
from tileserver.store.geoservices import Geoservice, State
from tileserver.watch.bulletins.content import check_texts, policy_of
from tileserver.watch.document.definition import SLUG, AlertPolicy, BulletinPolicy, Definition, Maps
from tileserver.watch.document.rules import alert_policy_of
from tileserver.watch.maps.keeping import MapMaker
from tileserver.watch.setup.register import check_maps, register

api = APIBlueprint("geoservices", __name__)
log = logging.getLogger(__name__)


class ListQuery(Parameters):
    """Which geoservices."""

    state: State | None = Field(None, description="Those in a state.")
    after: str = Field("", pattern=rf"^$|{SLUG}", description="Slugs after this one: the last of a page.")
    limit: int = Field(100, ge=1, le=MOST_ROWS)


class ChangeBody(BaseModel):
    """What is changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    title: Texts | None = None
    locales: Annotated[list[Language], Field(min_length=1, max_length=8)] | None = None
    alerts: AlertPolicy | None = None
    maps: Maps | None = None
    bulletins: BulletinPolicy | None = None


class VisibilityBody(BaseModel):
    """Who sees it besides those who have a role."""

    model_config = ConfigDict(extra="forbid")

    visibility: Literal["private", "link", "public"]


@api.get("/geoservices", tags=[TAG])
def listed(query: ListQuery) -> Response:
    """Public geoservices, and those in which one has a role, or whose link one has followed."""
    with database().reading() as connection:
        person = caller(connection)
        seen = accounts.seen_by(connection, person.id if person else None, opened(connection))
        going_on = alerts.open_counts(connection)
    rows = [
        {**brief(one, role), "open_alerts": going_on.get(one.id, (0, 0))[0 if role else 1]}
        for one, role in seen
        if query.state in (None, one.state) and (not query.after or one.slug > query.after)
    ]
    page = rows[: query.limit]
    last = page[-1]["slug"] if len(rows) > len(page) else None
    return state_answer({"geoservices": page, "after": last})


@api.post("/geoservices", tags=[TAG], responses={"201": None})
def add(body: Definition) -> Response:
    """Draw a geoservice up, as a draft that one owns."""
    now = datetime.now(UTC)
    with database().writing() as connection:
        person = signed_in(connection)
        settings = scenes().settings
        register(connection, body, person.email, settings.max_vertices, now, settings.webhook_networks)
        return made(connection, body.slug, person)


@api.get("/geoservices/<slug>", tags=[TAG])
def show(path: SlugPath) -> Response:
    """A geoservice."""
    with database().reading() as connection:
        one, _, role = of_slug(connection, path.slug)
        return state_answer(described(connection, one, role))


@api.patch("/geoservices/<slug>", tags=[TAG])
def change(path: SlugPath, body: ChangeBody) -> Response:
    """Change title, languages, alerts' rule, what bulletins say, or maps: null removes them."""
    values = body.model_dump(mode="json", exclude_none=True)
    if "maps" in body.model_fields_set:
        values["maps"] = body.maps and body.maps.model_dump(mode="json")
    if "alerts" in values:
        values["alert_policy"] = values.pop("alerts")
    if "bulletins" in values:
        values["bulletin_policy"] = values.pop("bulletins")
    with database().writing() as connection:
        one, person, role = of_slug(connection, path.slug)
        check_unchanged(described(connection, one, role))
        if one.state == "archived":
            raise ConflictError(f"{one.slug} is archived, and changes no more; copy it")
        if body.bulletins is not None:
            _check_texts(connection, one, body.bulletins)
        rules = _rules_changed(one, body)
        if rules and role == "editor":
            raise ForbiddenError(
                f"only the owner changes {' and '.join(rules)}: who decides, and who approves"
            )
        if values:
            geoservices.change_geoservice(connection, one.id, values)
            note(connection, one, person, "geoservice.changed", fields=" ".join(sorted(values)), **rules)
        changed = geoservices.get_geoservice(connection, one.id)
        if body.maps is not None:
            check_maps(connection, scenes(), changed)
        return state_answer(described(connection, changed, role))


@api.put("/geoservices/<slug>/visibility", tags=[TAG])
def share(path: SlugPath, body: VisibilityBody) -> Response:
    """Say who sees a geoservice besides: nobody, who has followed a link of `shares`, or everybody."""
    with database().writing() as connection:
        one, person, role = of_slug(connection, path.slug)
        check_unchanged(described(connection, one, role))
        geoservices.change_geoservice(connection, one.id, {"visibility": body.visibility})
        note(connection, one, person, "geoservice.visibility", before=one.visibility, after=body.visibility)
        answer = state_answer(described(connection, geoservices.get_geoservice(connection, one.id), role))
    if body.visibility != "public":
        try:
            MapMaker(scenes(), database(), scenes().settings.maps_folder).remove_all(one)
        except (ComeoError, OSError) as error:
            log.warning("maps of %s wait for the worker to remove them: %s", one.slug, error)
    return answer


@api.delete("/geoservices/<slug>", tags=[TAG], responses={"204": None})
def delete(path: SlugPath) -> Response:
    """Delete a draft; what has run is archived instead. Its sites stay."""
    with database().writing() as connection:
        one, person, role = of_slug(connection, path.slug)
        check_unchanged(described(connection, one, role))
        if one.state != "draft":
            raise ConflictError(f"{one.slug} is {one.state}; only a draft is deleted: archive it instead")
        geoservices.delete_draft(connection, one.id)
        note(connection, one, person, "geoservice.deleted", slug=one.slug)
    return Response(status=204)


def _rules_changed(one: Geoservice, body: ChangeBody) -> dict[str, str]:
    """New rules by which things are told without anybody: they are the owner's, for none is called back."""
    found = dict[str, str]()
    before = alert_policy_of(one).moderation
    if body.alerts is not None and body.alerts.moderation != before:
        found["moderation"] = body.alerts.moderation
    if body.bulletins is not None and body.bulletins.visa != policy_of(one).visa:
        found["visa"] = body.bulletins.visa
    return found


def _check_texts(connection: Connection, one: Geoservice, policy: BulletinPolicy) -> None:
    followed = geoservices.followed(connection, one.id)
    names = [each.read().id for each in followed]
    check_texts(policy, len(sites.leaves(connection, one.site)), names)


def made(connection: Connection, slug: str, person: Person, **detail: int) -> Response:
    """The answer to a request that has made a geoservice, whose owner asks; it is written down."""
    one = geoservices.find_geoservice(connection, slug)
    assert one is not None  # noqa: S101 - it was added in this transaction
    note(connection, one, person, "geoservice.added", slug=slug, **detail)
    response = state_answer(described(connection, one, "owner"), 201)
    response.headers["Location"] = f"{base_url()}/geoservices/{slug}"
    return response
