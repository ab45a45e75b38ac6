"""Alerts of geoservices, and decisions on them. Who has no role sees those alone that were confirmed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection

from comeo.indicators.model import Language
from tileserver.accounts.rights import READS
from tileserver.api.geoservices.common import MOST_ROWS, TAG, NumberPath, SlugPath, admitted, of_slug, unseen
from tileserver.api.geoservices.links import MOST_COMMENT
from tileserver.errors import SignInError
from tileserver.http.database import database
from tileserver.http.writes import check_unchanged, state_answer
from tileserver.render.parameters import Parameters
from tileserver.render.temporal import rfc3339
from tileserver.store import accounts, geoservices
from tileserver.store import alerts as stored
from tileserver.store.accounts import Person, Role
from tileserver.store.alerts import Alert, State
from tileserver.store.geoservices import Geoservice
from tileserver.watch.alerts import lifecycle
from tileserver.watch.messages.compose import sentences
from tileserver.watch.messages.tell import Names

api = APIBlueprint("alerts", __name__)


class AlertQuery(Parameters):
    """Which alerts."""

    state: State | None = Field(None, description="Those in a state.")
    before: int = Field(2**31 - 1, ge=1, le=2**31 - 1, description="Ids before this: the last of a page.")
    limit: int = Field(100, ge=1, le=MOST_ROWS)
    lang: Language | None = Field(None, description="Language of `sentences`, which say what happened.")


class DecisionBody(BaseModel):
    """What a moderator decides."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["confirm", "dismiss"]
    reason: lifecycle.Reason | None = None
    comment: Annotated[str, Field(max_length=MOST_COMMENT)] = ""

    @model_validator(mode="after")
    def _reasoned(self) -> DecisionBody:
        if (self.decision == "dismiss") != (self.reason is not None):
            raise ValueError("an alert is dismissed with a reason, and confirmed without one")
        return self


@api.get("/geoservices/<slug>/alerts", tags=[TAG])
def listed(path: SlugPath, query: AlertQuery) -> Response:
    """Alerts, newest first."""
    with database().reading() as connection:
        one, _, role = of_slug(connection, path.slug)
        known = visible(connection, one, role)
        names = Names(connection, one)
    found = [
        each
        for each in sorted(known, key=lambda each: -each.id)
        if each.id < query.before and query.state in (None, each.state)
    ]
    rows = [document_of(each, one, role, names) for each in found[: query.limit]]
    if query.lang is not None:
        for row, each in zip(rows, found, strict=False):
            row["sentences"] = sentences(each, names.of(each), query.lang)
    return state_answer({"alerts": rows, "before": rows[-1]["id"] if len(found) > len(rows) else None})


@api.get("/alerts/<number>", tags=[TAG])
def show(path: NumberPath) -> Response:
    """An alert with what it rests on, and, for those who have a role, what happened to it."""
    with database().reading() as connection:
        alert, one, _, role = alert_of(connection, path.number)
        return state_answer(_whole(connection, alert, one, role))


@api.post("/alerts/<number>/decision", tags=[TAG])
def decide(path: NumberPath, body: DecisionBody) -> Response:
    """Confirm or dismiss an alert."""
    with database().writing() as connection:
        alert, one, person, role = alert_of(connection, path.number)
        if person is None:
            raise SignInError
        check_unchanged(_whole(connection, alert, one, role), required=False)
        decision = body.reason or "confirm"
        now = datetime.now(UTC)
        lifecycle.decide(connection, alert, decision, body.comment.strip(), person.id, now)
        again = stored.find_alert(connection, alert.id)
        return state_answer(_whole(connection, again or alert, one, role))


def visible(connection: Connection, one: Geoservice, role: Role | None) -> list[Alert]:
    """Alerts that somebody with a role, or none, sees."""
    return (stored.alerts_of if role in READS else stored.told_of)(connection, one.id)


def alert_of(connection: Connection, number: int) -> tuple[Alert, Geoservice, Person | None, Role | None]:
    """An alert that the caller may see, its geoservice, who asks, and their role.

    Raises:
        NotFoundError: If there is none, or it is not theirs to see: both look alike.
    """
    alert = stored.find_alert(connection, number)
    of = geoservices.get_geoservice(connection, alert.geoservice) if alert else None
    one, person, role = admitted(connection, of, f"alert {number}")
    if alert is None or alert.id not in {each.id for each in visible(connection, one, role)}:
        raise unseen(f"alert {number}")
    return alert, one, person, role


def document_of(alert: Alert, one: Geoservice, role: Role | None, names: Names) -> dict[str, Any]:
    """An alert in a list."""
    told = {
        "id": alert.id, "geoservice": one.slug, "site": alert.site, "indicator": names.document(alert).id,
        "kind": alert.kind, "state": alert.state, "severity": alert.severity, "score": alert.score,
        "verified": alert.verified,
        "first": {"item": alert.first_item, "datetime": rfc3339(alert.first_at)},
        "last": {"item": alert.last_item, "datetime": rfc3339(alert.last_at)},
        "opened": rfc3339(alert.opened), "closed": alert.closed and rfc3339(alert.closed),
    }  # fmt: skip
    if role is not None:  # what a moderator wrote is for those who work with it
        told |= {"decision": alert.decision, "comment": alert.comment}
    return told


def _whole(connection: Connection, alert: Alert, one: Geoservice, role: Role | None) -> dict[str, Any]:
    told = {**document_of(alert, one, role, Names(connection, one)), "evidence": dict(alert.evidence)}
    if role is not None:
        by = accounts.find_person(connection, alert.moderator) if alert.moderator else None
        told["moderator"] = by and (by.name or by.email)
        told["events"] = [
            {"at": rfc3339(each.at), "before": each.before, "after": each.after, "note": each.note}
            for each in stored.events_of(connection, alert.id)
        ]
    return told
