"""Bulletins of geoservices: read, submitted, approved, rejected, composed anew.

Who has no role sees those alone that were sent, as the files that were published then.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from comeo.errors import NotFoundError
from comeo.indicators.model import Language
from tileserver.accounts.rights import READS
from tileserver.api.geoservices.common import (
    MOST_ROWS,
    TAG,
    NumberPath,
    SlugPath,
    admitted,
    note,
    of_slug,
    unseen,
)
from tileserver.errors import ConflictError, SignInError
from tileserver.http.conditional import answer_by_content
from tileserver.http.context import scenes
from tileserver.http.database import database
from tileserver.http.writes import check_unchanged, state_answer
from tileserver.render.parameters import Parameters
from tileserver.render.temporal import rfc3339
from tileserver.store import bulletins as stored
from tileserver.store import geoservices, sites
from tileserver.store.accounts import Person, Role
from tileserver.store.bulletins import MOST_NOTE, Bulletin, State
from tileserver.store.geoservices import Geoservice
from tileserver.watch.bulletins import steps
from tileserver.watch.bulletins.content import material_of
from tileserver.watch.bulletins.page import bulletin_page
from tileserver.watch.bulletins.publish import nearest
from tileserver.watch.document.calendar import Month
from tileserver.watch.observing.observe import standing

api = APIBlueprint("bulletins", __name__)
POLICY: Final = (
    "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class ListQuery(Parameters):
    """Which bulletins."""

    state: State | None = Field(None, description="Those in a state.")
    before: int = Field(2**31 - 1, ge=1, le=2**31 - 1, description="Ids before this: the last of a page.")
    limit: int = Field(100, ge=1, le=MOST_ROWS)


class FileQuery(Parameters):
    """In which language."""

    locale: Language | None = Field(None, description="By default what the reader's browser asks for.")


class NoteBody(BaseModel):
    """A step of a bulletin."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=MOST_NOTE)] = ""


@api.get("/geoservices/<slug>/bulletins", tags=[TAG])
def listed(path: SlugPath, query: ListQuery) -> Response:
    """Bulletins, newest first."""
    with database().reading() as connection:
        one, _, role = of_slug(connection, path.slug)
        found = [
            each
            for each in sorted(stored.bulletins_of(connection, one.id), key=lambda each: -each.id)
            if _visible(each, role) and each.id < query.before and query.state in (None, each.state)
        ]
        rows = [_document(connection, each, one, role) for each in found[: query.limit]]
    return state_answer({"bulletins": rows, "before": rows[-1]["id"] if len(found) > len(rows) else None})


@api.get("/bulletins/<number>.json", tags=[TAG])
def show(path: NumberPath) -> Response:
    """A bulletin with its content, and, for those who have a role, what happened to it."""
    with database().reading() as connection:
        bulletin, one, role, _ = _bulletin(connection, path.number)
        return state_answer(_whole(connection, bulletin, one, role))


@api.get("/bulletins/<number>.html", tags=[TAG], responses={"200": {"content": {"text/html": {}}}})
def page(path: NumberPath, query: FileQuery) -> Response:
    """A bulletin as a page: as it was published, or as it would be."""
    with database().reading() as connection:
        bulletin, one, _, _ = _bulletin(connection, path.number)
        locale = _locale(one, query.locale)
        body = stored.file_of(connection, bulletin.id, locale, "html")
        if body is None:
            content, visa = steps.read(connection, bulletin), steps.visa_of(connection, bulletin)
            body = bulletin_page(content, locale, visa).encode()
    response = Response(body, content_type="text/html; charset=utf-8")
    style = _STYLE.search(body.decode())
    digest = hashlib.sha256((style.group(1) if style else "").encode()).digest()
    response.headers["Content-Security-Policy"] = POLICY.format(digest=base64.b64encode(digest).decode())
    response.vary.add("Accept-Language")
    return answer_by_content(response)


@api.get("/bulletins/<number>.pdf", tags=[TAG], responses={"200": {"content": {"application/pdf": {}}}})
def pdf(path: NumberPath, query: FileQuery) -> Response:
    """A bulletin as PDF/A, as it was published."""
    with database().reading() as connection:
        bulletin, one, _, _ = _bulletin(connection, path.number)
        locale = _locale(one, query.locale)
        body = stored.file_of(connection, bulletin.id, locale, "pdf")
    if body is None:
        why = f"it is {bulletin.state}, and printed when it is sent"
        if bulletin.state == "sent":
            why = "none could be made of it; its page is there"
        raise NotFoundError(f"there is no PDF of bulletin {bulletin.id} in {locale}: {why}")
    response = Response(body, content_type="application/pdf")
    name = steps.printed(one, bulletin)
    response.headers["Content-Disposition"] = f'inline; filename="{name}-{locale}.pdf"'
    response.vary.add("Accept-Language")
    return answer_by_content(response)


@api.post("/bulletins/<number>/submit", tags=[TAG])
def submit(path: NumberPath, body: NoteBody) -> Response:
    """Let a draft be decided on; from then on it changes no more."""
    return _step(path.number, "submit", body.note)


@api.post("/bulletins/<number>/approve", tags=[TAG])
def approve(path: NumberPath, body: NoteBody) -> Response:
    """Give a bulletin its visa: it is printed and sent. Who composed it by hand may not."""
    return _step(path.number, "approve", body.note)


@api.post("/bulletins/<number>/reject", tags=[TAG])
def reject(path: NumberPath, body: NoteBody) -> Response:
    """Refuse a bulletin its visa, with a note that says why; the next revision is composed anew."""
    return _step(path.number, "reject", body.note)


@api.post("/bulletins/<number>/recompose", tags=[TAG])
def recompose(path: NumberPath) -> Response:
    """Compose a period anew by hand: a draft in its place, of what was rejected or sent the next revision."""
    now = datetime.now(UTC)
    with database().writing() as connection:
        bulletin, one, role, person = _bulletin(connection, path.number)
        check_unchanged(_whole(connection, bulletin, one, role))
        revisions = steps.of_label(stored.bulletins_of(connection, one.id), bulletin.label)
        if revisions[-1].id != bulletin.id:
            raise ConflictError(f"bulletin {bulletin.id} has a later revision: {revisions[-1].id}")
        material = material_of(connection, one, standing(scenes(), one, sites.leaves(connection, one.site)))
        month = Month.labelled(bulletin.label, one.timezone)
        again = steps.recompose(connection, material, month, person.id if person else None, now)
        note(connection, one, person, "bulletin.composed", bulletin=again.id)
        return state_answer(_whole(connection, again, one, role))


def _step(number: int, step: Literal["submit", "approve", "reject"], words: str) -> Response:
    now = datetime.now(UTC)
    with database().writing() as connection:
        bulletin, one, role, person = _bulletin(connection, number)
        check_unchanged(_whole(connection, bulletin, one, role))
        made = steps.STEPS[step](connection, bulletin, words.strip(), person.id if person else None, now)
        note(connection, one, person, f"bulletin.{made.state}", bulletin=made.id)
        return state_answer(_whole(connection, made, one, role))


def _visible(bulletin: Bulletin, role: Role | None) -> bool:
    return role in READS or bulletin.state == "sent"


def _bulletin(connection: Connection, number: int) -> tuple[Bulletin, Geoservice, Role | None, Person | None]:
    """A bulletin, its geoservice, the caller's role in it, and the caller: somebody, if they change it."""
    bulletin = stored.find_bulletin(connection, number)
    of = geoservices.get_geoservice(connection, bulletin.geoservice) if bulletin else None
    one, person, role = admitted(connection, of, f"bulletin {number}")
    if bulletin is None or not _visible(bulletin, role):
        raise unseen(f"bulletin {number}")
    if person is None and request.method not in ("GET", "HEAD"):
        raise SignInError
    return bulletin, one, role, person


def _locale(one: Geoservice, wanted: str | None) -> str:
    """The language of a file: of those that the geoservice has."""
    locales = list(one.locales)
    if wanted is not None:
        if wanted not in locales:
            raise NotFoundError(f"{one.slug} has bulletins in {', '.join(locales)}, and not in {wanted}")
        return wanted
    asked = [each for each, _ in request.accept_languages]
    return nearest(asked[0], locales) if asked else locales[0]


def _document(
    connection: Connection, bulletin: Bulletin, one: Geoservice, role: Role | None
) -> dict[str, Any]:
    """A bulletin in a list; of people no more than is printed in it."""
    visa = steps.visa_of(connection, bulletin)
    told = {
        "id": bulletin.id, "geoservice": one.slug, "number": steps.printed(one, bulletin),
        "period": bulletin.label, "revision": bulletin.revision, "state": bulletin.state,
        "composed": rfc3339(bulletin.composed), "sent": bulletin.sent_at and rfc3339(bulletin.sent_at),
        "sha256": bulletin.content_sha,
        "visa": visa and {"name": visa.name, "at": rfc3339(visa.at), "note": visa.note},
        "files": [
            {"locale": each.locale, "kind": each.kind, "bytes": each.size, "sha256": each.sha256,
             "href": f"/bulletins/{bulletin.id}.{each.kind}?locale={each.locale}"}
            for each in stored.files_of(connection, bulletin.id)
        ],
    }  # fmt: skip
    if role is not None:
        told["by_hand"] = bulletin.composed_by is not None
    return told


def _whole(connection: Connection, bulletin: Bulletin, one: Geoservice, role: Role | None) -> dict[str, Any]:
    told = {**_document(connection, bulletin, one, role), "content": steps.read(connection, bulletin)}
    if role is not None:
        told["events"] = [
            {"at": rfc3339(each.at), "before": each.before, "after": each.after, "note": each.note}
            for each in stored.events_of(connection, bulletin.id)
        ]
    return told
