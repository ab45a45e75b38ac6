"""What routes of geoservices share: who may go on, and how a geoservice is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import request
from flask_openapi3.models.tag import Tag
from pydantic import Field
from sqlalchemy import Connection

from comeo.errors import NotFoundError
from tileserver.accounts.rights import allowed
from tileserver.http.session import caller
from tileserver.http.shares import scope_of
from tileserver.render.parameters import Parameters
from tileserver.store import accounts, audit, geoservices
from tileserver.store.accounts import Person, Role
from tileserver.store.geoservices import Geoservice
from tileserver.watch.bulletins.content import policy_of
from tileserver.watch.document.definition import SLUG

TAG = Tag(name="Geoservices", description="Places that are followed: docs/geoservices.md.")
MOST_ROWS: Final = 1000


class SlugPath(Parameters):
    """A geoservice."""

    slug: str = Field(pattern=SLUG, description="Its short name.")


class NumberPath(Parameters):
    """What has a number."""

    number: int = Field(ge=1, le=2**31 - 1, description="Its id.")


class SlugNumberPath(SlugPath, NumberPath):
    """Something of a geoservice."""


def admitted(
    connection: Connection, found: Geoservice | None, what: str
) -> tuple[Geoservice, Person | None, Role | None]:
    """A geoservice, who asks, and the role that they have in it.

    Args:
        connection: In a transaction.
        found: The geoservice, if there is one.
        what: It, in words.

    Raises:
        NotFoundError: If there is none, or the caller may not: both look alike.
        ForbiddenError: If the CSRF token is missing.
    """
    person = caller(connection)
    if found is not None and request.url_rule is not None:
        role = accounts.role_of(connection, found.id, person.id) if person else None
        is_public = found.visibility == "public"
        scope = scope_of(connection, found) if role is None else None
        own = request.method, request.url_rule.rule
        if allowed(*own, role, is_public=is_public, scope=scope, form=request.args.get("f")):
            return found, person, role
    raise unseen(what)


def unseen(what: str) -> NotFoundError:
    """What is missing and what is somebody else's look alike."""
    return NotFoundError(f"there is no {what}, or it is not yours to see or to change")


def of_slug(connection: Connection, slug: str) -> tuple[Geoservice, Person | None, Role | None]:
    """See `admitted`, of a slug."""
    return admitted(connection, geoservices.find_geoservice(connection, slug), f"geoservice {slug}")


def note(
    connection: Connection, one: Geoservice, person: Person | None, action: str, **detail: int | str | None
) -> None:
    """Write down what the caller changes of a geoservice; see `store.audit`."""
    actor = person.id if person else None
    audit.write(connection, datetime.now(UTC), actor, action, "geoservice", one.id, **detail)


def described(connection: Connection, one: Geoservice, role: Role | None) -> dict[str, Any]:
    """A geoservice as it is told to whoever may read it: without any person."""
    zone = ZoneInfo(one.timezone)
    last = None if one.end is None else (one.end - timedelta(microseconds=1)).astimezone(zone).date()
    indicators = []
    for each in geoservices.followed(connection, one.id):
        document = each.read()
        indicators.append(
            {"id": document.id, "version": document.version, "sha256": each.sha256,
             "title": dict(document.title), "unit": document.value.unit, "nominal": dict(each.nominal)}
        )  # fmt: skip
    return {
        **brief(one, role), "site": one.site, "timezone": one.timezone, "locales": list(one.locales),
        "start": one.start.astimezone(zone).date().isoformat(), "end": last and last.isoformat(),
        "alerts": dict(one.alert_policy), "bulletins": policy_of(one).model_dump(mode="json"),
        "indicators": indicators, "revision": one.revision,
        "maps": one.maps,
    }  # fmt: skip


def brief(one: Geoservice, role: Role | None) -> dict[str, Any]:
    """A geoservice in a list."""
    return {
        "slug": one.slug, "title": dict(one.title), "state": one.state, "visibility": one.visibility,
        "collections": list(one.collections), "role": role,
    }  # fmt: skip
