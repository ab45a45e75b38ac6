"""Documents from users: checked, kept as drafts, published; and the schema that editors complete by."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field
from pydantic_core import to_json

from comeo.errors import NotFoundError
from comeo.indicators.document import Document
from comeo.indicators.problems import DocumentError
from comeo.indicators.trials import check_published
from tileserver.api.pof.bodies import BODY, Fault, document_in_body, facts, faults, refused
from tileserver.api.pof.routes import TAG, NamePath, given
from tileserver.catalog import Search
from tileserver.errors import ConflictError, ForbiddenError
from tileserver.http.conditional import answer_by_content
from tileserver.http.context import base_url, document_answer, scenes
from tileserver.http.openapi import Answers
from tileserver.render.documents import check_id, current
from tileserver.render.parameters import Parameters

api = APIBlueprint("pof_publishing", __name__)
OFF = "nobody may publish here; the operator allows it with COMEO_POF_WRITE, or puts files into COMEO_POF"


class CheckDocument(BaseModel):
    """What is wrong with a document, what it costs, and how its tests go."""

    valid: bool
    errors: list[Fault]
    cost: dict[str, Any] | None = Field(None, description="Bands, halo in pixels, and terms.")
    tests: list[dict[str, Any]] = Field(default_factory=list)


class DraftDocument(BaseModel):
    """A draft that is kept."""

    id: str = Field(description="Value of `style` for a day.")
    expires: str
    sha256: str
    cost: dict[str, Any]
    tests: list[dict[str, Any]]


class PublishQuery(Parameters):
    """Who sees it."""

    visibility: Literal["public", "link"] = Field("public", description="Whether lists name it.")


class StateBody(BaseModel):
    """The state of a published document."""

    state: Literal["published", "deprecated"]


CHECKED: Answers = {"200": CheckDocument}
DRAFTED: Answers = {"201": DraftDocument}


@api.post("/pof/check", tags=[TAG], responses=CHECKED, openapi_extensions=BODY)
def check() -> Response:
    """What is wrong with the document in the body, with line and place; what it costs; how its tests go."""
    try:
        document = document_in_body()
    except DocumentError as error:
        return document_answer({"valid": False, "errors": faults(error), "cost": None, "tests": []})
    return document_answer({"valid": True, "errors": [], **facts(document)})


@api.post("/pof/drafts", tags=[TAG], responses=DRAFTED, openapi_extensions=BODY)
def draft() -> Response:
    """Keep the document in the body for a day, as a style with a short name."""
    try:
        document = document_in_body()
    except DocumentError as error:
        return refused(error)
    text = given().give_draft(document)
    expires = datetime.fromtimestamp(text.expires, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return _created({**facts(document), "id": text.name, "expires": expires}, text.name)


@api.post("/pof", tags=[TAG], responses={"201": None}, openapi_extensions=BODY)
def publish(query: PublishQuery) -> Response:
    """Publish the document in the body for good: what `id@version` names never changes."""
    _writable()
    try:
        document = document_in_body()
        check_id(document, _band_names())
        check_published(document)
    except DocumentError as error:
        return refused(error)
    _not_taken(document)
    name = f"{document.id}@{document.version}"
    new = given().publish(document, listed=query.visibility == "public")
    answer = _created({"name": name, "sha256": document.fingerprint}, name)
    answer.status_code = 201 if new else 200
    return answer


@api.patch("/pof/<name>", tags=[TAG], responses={"204": None})
def set_state(path: NamePath, body: StateBody) -> Response:
    """Say that a published version is no longer to be used, or that it is again; it runs all the same."""
    _writable()
    if not given().kept.set_state(path.name, body.state):
        raise NotFoundError(f"{path.name} is no published id@version of a user")
    return Response(status=204)


@api.get("/schemas/pof-1.json", tags=[TAG])
def schema() -> Response:
    """The JSON Schema of documents."""
    response = Response(_schema(), content_type="application/schema+json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return answer_by_content(response)


@lru_cache(maxsize=1)
def _schema() -> bytes:
    described = Document.model_json_schema(by_alias=True)
    return to_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **described})


def _writable() -> None:
    """Refuse where nobody may publish, and what a page of somebody else sends by its visitor's browser.

    Raises:
        ForbiddenError: Saying which it is.
    """
    if not scenes().settings.pof_write:
        raise ForbiddenError(OFF)
    origin = request.headers.get("Origin")
    if origin is not None and origin != _origin(base_url()):
        raise ForbiddenError("pages of other sites may not publish here; publish from this server's own page")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _band_names() -> set[str]:
    return {band.name for found in scenes().catalog.band_sets(Search()) for band in found.bands}


def _not_taken(document: Document) -> None:
    """Refuse an id that the server's own documents have.

    Raises:
        ConflictError: Saying so.
    """
    if any(each.id == document.id for each in current().all()):
        raise ConflictError(f"{document.id} is the id of a document of the server; choose another one")


def _created(answer: dict[str, Any], name: str) -> Response:
    response = Response(to_json(answer), 201, content_type="application/json")
    response.headers["Location"] = f"{base_url()}/pof/{quote(name, safe='@')}"
    response.headers["Cache-Control"] = "no-store"
    return response
