"""What people have changed of a geoservice: for its owner."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from tileserver.api.geoservices.common import MOST_ROWS, TAG, SlugPath, of_slug
from tileserver.http.database import database
from tileserver.http.writes import state_answer
from tileserver.render.parameters import Parameters
from tileserver.render.temporal import rfc3339
from tileserver.store import audit

api = APIBlueprint("audits", __name__)


class AuditQuery(Parameters):
    """Which changes."""

    before: int = Field(audit.END, ge=1, le=audit.END, description="Ids before this: the last of a page.")
    limit: int = Field(100, ge=1, le=MOST_ROWS)


@api.get("/geoservices/<slug>/audit", tags=[TAG])
def listed(path: SlugPath, query: AuditQuery) -> Response:
    """Who has changed what, newest first; `actor` is null of the operator, and of links in messages."""
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        found = audit.changes_of(connection, "geoservice", one.id, one.created, query.before, query.limit + 1)
    rows = [
        {"id": each.id, "at": rfc3339(each.at), "action": each.action, "detail": dict(each.detail),
         "actor": None if each.actor is None else {"account": each.actor, "name": each.name}}
        for each in found[: query.limit]
    ]  # fmt: skip
    return state_answer({"changes": rows, "before": rows[-1]["id"] if len(found) > len(rows) else None})
