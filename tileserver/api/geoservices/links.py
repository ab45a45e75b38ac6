"""Links in messages: to decide on an alert, to confirm and to end that one is told.

They work without JavaScript, on any phone. Opening one changes nothing: mail servers look at links, too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import Response, redirect, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field
from sqlalchemy import Connection

from comeo.errors import NotFoundError, ParameterError
from comeo.indicators.document import text_in
from tileserver.api.geoservices.pages import page
from tileserver.http.context import base_url
from tileserver.http.database import database
from tileserver.render.parameters import Parameters
from tileserver.store import accounts, audit, geoservices, outbox
from tileserver.store import alerts as stored
from tileserver.store.accounts import Person
from tileserver.store.alerts import Alert
from tileserver.watch.alerts import lifecycle
from tileserver.watch.messages.evidence import evidence_in
from tileserver.watch.words import word

api = APIBlueprint("links", __name__)
TAG = Tag(name="Links in messages", description="Decide on an alert; be told, or no longer.")
MOST_COMMENT: Final = 1000
MOST_TOLD: Final = 1000
"""Alerts on the page of what a recipient was told, the newest first."""


class TokenPath(Parameters):
    """A link's secret."""

    token: str = Field(pattern=r"^[A-Za-z0-9_-]{20,64}$", description="As in the message.")


@api.get("/m/<token>", tags=[TAG])
def moderate(path: TokenPath) -> Response:
    """An alert with its evidence, and the choice between confirming and dismissing it."""
    with database().reading() as connection:
        alert, person = _alert_of(connection, path.token)
        return _alert_page(connection, alert, person.locale)


@api.post("/m/<token>", tags=[TAG])
def decide(path: TokenPath) -> Response:
    """Confirm or dismiss an alert."""
    decision = request.form.get("decision", "")
    if decision == "dismiss":
        decision = request.form.get("reason", "other")
    if decision not in ("confirm", *lifecycle.REASONS):
        raise ParameterError(
            f"a decision is confirm or dismiss, with a reason of {', '.join(lifecycle.REASONS)}"
        )
    comment = request.form.get("comment", "").strip()
    if len(comment) > MOST_COMMENT:
        raise ParameterError(f"the comment has more than {MOST_COMMENT} characters; shorten it")
    now = datetime.now(UTC)
    with database().writing() as connection:
        alert, person = _alert_of(connection, path.token)
        lifecycle.decide(connection, alert, decision, comment, person.id, now)  # type: ignore[arg-type]
    return redirect(f"{base_url()}/m/{path.token}", 303)  # type: ignore[return-value]


@api.get("/r/<token>", tags=[TAG])
def confirm(path: TokenPath) -> Response:
    """Whether one wants to be told of a geoservice."""
    return _recipient_page(path.token, "confirm")


@api.post("/r/<token>", tags=[TAG])
def confirmed(path: TokenPath) -> Response:
    """Be told of a geoservice."""
    return _set_recipient(path.token, "confirmed")


@api.get("/u/<token>", tags=[TAG])
def unsubscribe(path: TokenPath) -> Response:
    """Whether one wants no more messages."""
    return _recipient_page(path.token, "unsubscribe")


@api.post("/u/<token>", tags=[TAG])
def unsubscribed(path: TokenPath) -> Response:
    """Get no more messages; also by the one click of RFC 8058."""
    return _set_recipient(path.token, "unsubscribed")


@api.get("/t/<token>", tags=[TAG])
def told(path: TokenPath) -> Response:
    """What a recipient was told: the link of messages that are too short for more."""
    with database().reading() as connection:
        found = _recipient_of(connection, path.token)
        title = geoservices.get_geoservice(connection, found.geoservice).title
        lines = [each.body["line"] for each in outbox.told(connection, found.id, MOST_TOLD)]
    heading = f"{word(found.locale, 'page-told')}: {text_in(title, found.locale)}"
    return page("told.html", found.locale, heading, lines=lines, unsubscribe=f"{base_url()}/u/{path.token}")


def _alert_of(connection: Connection, token: str) -> tuple[Alert, Person]:
    """Alert of a link, and who decides by it.

    Raises:
        NotFoundError: If it is unknown or too old.
    """
    found = stored.bearer(connection, token, datetime.now(UTC))
    alert = stored.find_alert(connection, found[0]) if found else None
    person = accounts.find_person(connection, found[1]) if found else None
    if alert is None or person is None or person.disabled is not None:
        raise NotFoundError("this link is unknown or too old; a newer message has another one")
    return alert, person


def _alert_page(connection: Connection, alert: Alert, locale: str) -> Response:
    last = stored.events_of(connection, alert.id)[-1]
    shown = evidence_in(connection, alert, locale)
    return page(
        "moderate.html", locale, word(locale, "page-moderate"), page=shown, alert=alert,
        reasons=lifecycle.REASONS, is_open=alert.state == "candidate", most=MOST_COMMENT,
        decided=word(locale, "decided", state=word(locale, f"state-{alert.state}"), note=last.note),
    )  # fmt: skip


def _recipient_page(token: str, kind: str) -> Response:
    with database().reading() as connection:
        found = _recipient_of(connection, token)
        title = geoservices.get_geoservice(connection, found.geoservice).title
    return _answer_page(found.locale, kind, f"{kind}-question", text_in(title, found.locale), asks=True)


def _set_recipient(token: str, state: str) -> Response:
    now = datetime.now(UTC)
    with database().writing() as connection:
        found = _recipient_of(connection, token)
        outbox.set_recipient(connection, found.id, state, now if state == "confirmed" else None)
        told = {"recipient": found.id}  # who has followed the link has no account
        audit.write(connection, now, None, f"recipient.{state}", "geoservice", found.geoservice, **told)
        title = geoservices.get_geoservice(connection, found.geoservice).title
    kind = "confirm" if state == "confirmed" else "unsubscribe"
    return _answer_page(found.locale, kind, f"{state}-now", text_in(title, found.locale), asks=False)


def _recipient_of(connection: Connection, token: str) -> outbox.Recipient:
    found = outbox.find_recipient(connection, token)
    if found is None:
        raise NotFoundError("this link is unknown; the newest message has one that works")
    return found


def _answer_page(locale: str, kind: str, sentence: str, geoservice: str, *, asks: bool) -> Response:
    title = word(locale, f"page-{kind}", geoservice=geoservice)
    text = word(locale, sentence, geoservice=geoservice)
    return page("answer.html", locale, title, sentence=text, asks=asks)
