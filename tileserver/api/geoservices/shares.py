"""Links by which a geoservice is seen without an account: given, listed, ended, followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote

from flask import Response, redirect
from flask_openapi3.blueprint import APIBlueprint
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.indicators.model import OneLine
from tileserver.api.geoservices.common import TAG, SlugPath, note, of_slug
from tileserver.api.geoservices.links import TokenPath
from tileserver.errors import ConflictError
from tileserver.http import shares as cookie
from tileserver.http.context import base_url, scenes
from tileserver.http.database import database
from tileserver.http.writes import check_unchanged, state_answer
from tileserver.render.temporal import rfc3339
from tileserver.store import geoservices, shares
from tileserver.store.geoservices import Geoservice
from tileserver.store.shares import NAME_LENGTH, Scope, Share

api = APIBlueprint("shares", __name__)
MOST: Final = 200
"""Links of a geoservice."""
GOOD_FOR: Final = timedelta(days=90)
LONGEST: Final = timedelta(days=731)
UNKNOWN: Final = "this link is unknown, ended or too old; ask who gave it to you for another one"


class ShareBody(BaseModel):
    """Whom a geoservice is shared with, and how far."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope = "view"
    note: Annotated[OneLine, Field(max_length=200)] = ""
    expires: AwareDatetime | None = Field(None, description="By default in 90 days; in two years at most.")


class SharePath(SlugPath):
    """A link of a geoservice."""

    name: str = Field(pattern=rf"^[0-9a-f]{{{NAME_LENGTH}}}$", description="As in the list.")


@api.get("/geoservices/<slug>/shares", tags=[TAG])
def listed(path: SlugPath) -> Response:
    """Links by which a geoservice is seen; their secrets are not kept."""
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        return state_answer(_document(connection, one))


@api.post("/geoservices/<slug>/shares", tags=[TAG], responses={"201": None})
def give(path: SlugPath, body: ShareBody) -> Response:
    """Make a link by which a geoservice is seen without an account; it is told this once."""
    now = datetime.now(UTC)
    try:
        expires = (body.expires or now + GOOD_FOR).astimezone(UTC)
    except OverflowError:  # at the ends of the calendar
        expires = now
    if not now < expires <= now + LONGEST:
        raise ParameterError("expires: give a time in the next two years")
    with database().writing() as connection:
        one, person, _ = of_slug(connection, path.slug)
        check_unchanged(_document(connection, one), required=False)
        if one.visibility == "private":
            raise ConflictError(f"{one.slug} is private; set its visibility to link first")
        if len(shares.shares_of(connection, one.id)) >= MOST:
            raise BoundError(f"there are {MOST} links already; end some first", "max_shares")
        token, made = shares.give(connection, one.id, body.scope, body.note, now, expires)
        note(connection, one, person, "share.given", share=made.name, scope=made.scope)
    link = f"{scenes().settings.own_address}/s/{token}"
    return _unkept(state_answer({**_told(made), "link": link}, 201))


@api.delete("/geoservices/<slug>/shares/<name>", tags=[TAG], responses={"204": None})
def end(path: SharePath) -> Response:
    """End a link: from now on it opens nothing."""
    with database().writing() as connection:
        one, person, _ = of_slug(connection, path.slug)
        check_unchanged(_document(connection, one))
        if not shares.end(connection, one.id, path.name):
            raise NotFoundError(f"{one.slug} has no link {path.name}")
        note(connection, one, person, "share.ended", share=path.name)
    return Response(status=204)


@api.get("/s/<token>", tags=[TAG], responses={"303": None})
def follow(path: TokenPath) -> Response:
    """See what a link was given for: the browser keeps it, and goes to the page without its secret."""
    with database().reading() as connection:
        found = shares.opened_by(connection, [path.token], datetime.now(UTC))
        known = [geoservices.get_geoservice(connection, number) for number in found]
    if not known or known[0].visibility == "private":
        raise NotFoundError(UNKNOWN)
    page = f"{base_url()}/follow#geoservice={quote(known[0].slug)}"
    response: Response = redirect(page, 303)  # type: ignore[assignment]
    cookie.keep(response, path.token)
    return _unkept(response)


def _unkept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # its address is a secret
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _document(connection: Connection, one: Geoservice) -> dict[str, Any]:
    return {"shares": [_told(each) for each in shares.shares_of(connection, one.id)]}


def _told(one: Share) -> dict[str, Any]:
    return {
        "name": one.name, "scope": one.scope, "note": one.note, "created": rfc3339(one.created),
        "expires": rfc3339(one.expires),
    }  # fmt: skip
