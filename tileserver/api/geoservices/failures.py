"""What of a geoservice fails, for those who can change it."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from tileserver.api.geoservices.common import MOST_ROWS, TAG, SlugPath, of_slug
from tileserver.http.database import database
from tileserver.http.writes import state_answer
from tileserver.render.temporal import rfc3339
from tileserver.store import tasks
from tileserver.store.tasks import Task
from tileserver.watch.pieces import is_dead

api = APIBlueprint("failures", __name__)


@api.get("/geoservices/<slug>/failures", tags=[TAG])
def failures(path: SlugPath) -> Response:
    """What fails, why, and when it is tried again; what was given up waits for `comeo geoservice run`."""
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        found = tasks.failures_of(connection, one.id)
    rows = [_row(each) for each in found[:MOST_ROWS]]
    return state_answer({"failures": rows, "number": len(found)})


def _row(one: Task) -> dict[str, Any]:
    dead = is_dead(one)
    return {
        "step": one.kind, "error": one.error, "attempts": one.attempts, "given_up": dead,
        "next": None if dead else rfc3339(one.next_at),
    }  # fmt: skip
