"""Documents of indicators: the list, each of them, and each in other languages."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from comeo.errors import ComeoError, NotFoundError, ParameterError
from comeo.indicators.compiled import compile_for
from comeo.indicators.description import describe
from comeo.indicators.document import MEDIA_TYPE, Document, canonical, text_in
from comeo.indicators.indices import ORIGIN, offered
from comeo.indicators.translate import export_document, to_toml
from tileserver.http.conditional import answer_by_content
from tileserver.http.context import base_url, document_answer, scenes
from tileserver.render.documents import current
from tileserver.render.legend import legend
from tileserver.render.parameters import Parameters
from tileserver.render.styles import document_style
from tileserver.store.documents import GivenDocuments
from tileserver.store.kept import Kept

api = APIBlueprint("pof", __name__)
TAG = Tag(name="Indicators", description="Documents that describe indicators (POF): docs/pof.md.")
LANGUAGES: Final = ("en", "fr", "pt", "es", "ar")
EXPORTS: Final = {
    "openeo.json": ("openeo", "application/json"),
    "evalscript.js": ("evalscript", "text/javascript; charset=utf-8"),
    "render.json": ("render", "application/json"),
    "qgis.txt": ("qgis", "text/plain; charset=utf-8"),
    "snap.txt": ("snap", "text/plain; charset=utf-8"),
    "gdal.txt": ("gdal", "text/plain; charset=utf-8"),
}
_Language = Field(None, max_length=35, description="Of titles, `fr`; by default that of Accept-Language.")


class NamePath(Parameters):
    """A document."""

    name: str = Field(max_length=100, description="`id`, `id@version` or the name of a draft.")


class ExportPath(NamePath):
    """A document in another language."""

    export: str = Field(max_length=40, description=f"`{'`, `'.join(EXPORTS)}` or `legend`.")


class ListQuery(Parameters):
    """Which documents."""

    collection: str | None = Field(None, max_length=200, description="Those that its scenes have bands for.")
    origin: str | None = Field(None, max_length=40, description="Where they come from, as `asi`.")
    lang: str | None = _Language


class DocumentQuery(Parameters):
    """How to answer."""

    f: str = Field("json", pattern="^(json|toml|facts)$", description="The document, or facts of it.")
    lang: str | None = _Language


def given() -> GivenDocuments:
    """Documents that users have given to the application that answers."""
    store = scenes().settings.store
    if store is None:
        raise NotFoundError("this server keeps nothing")
    return GivenDocuments(_kept(store))


@lru_cache(maxsize=8)
def _kept(path: Path) -> Kept:
    return Kept(path)


def language_of(wanted: str | None) -> str:
    """The language that is asked for, by parameter or header; else English."""
    accepted = (each.partition("-")[0] for each in request.accept_languages.values())
    return wanted or next((each for each in accepted if each in LANGUAGES), "en")


def find(name: str) -> Document:
    """A document by its name.

    Raises:
        NotFoundError: If there is none.
    """
    found = current().find(name)
    if found is None:
        what = "drafts are kept for a day" if name.startswith("draft-") else "/pof lists those that there are"
        raise NotFoundError(f"there is no document {name}; {what}")
    return found


@api.get("/pof", tags=[TAG])
def documents(query: ListQuery) -> Response:
    """Documents of indicators: predefined ones, those of the operator's folder, and public ones of users.

    Those of the index catalogue are listed where `origin=asi` requests them, and are styles in any case.
    """
    language = language_of(query.lang)
    found = [(each, "published") for each in current().all()]
    known = {each.id for each, _ in found}
    found += [(each, text.state) for text, each in given().listed() if each.id not in known]
    if query.origin == ORIGIN:
        found += [(each, "published") for each in _indices()]
    rows = [
        _entry(each, state, language)
        for each, state in found
        if query.origin in (None, each.origin or "") and _fits(each, query.collection)
    ]
    return _of_language(document_answer({"documents": rows, "links": [_link("self", f"{base_url()}/pof")]}))


@api.get("/pof/<name>", tags=[TAG])
def document(path: NamePath, query: DocumentQuery) -> Response:
    """A document, as JSON or TOML, or facts of it: bands, halo, cost, classes, tests."""
    found = find(path.name)
    if query.f == "facts":
        return _of_language(document_answer(describe(found, language_of(query.lang))))
    body, kind = (
        (to_toml(found).encode(), "application/toml; charset=utf-8")
        if query.f == "toml"
        else (canonical(found), MEDIA_TYPE)
    )
    return _kept_answer(Response(body, content_type=kind), path.name)


@api.get("/pof/<name>/<export>", tags=[TAG])
def export(path: ExportPath) -> Response:
    """A document in another language, or its legend as a picture."""
    found = find(path.name)
    if path.export in ("legend", "legend.png"):
        return _kept_answer(Response(legend(document_style(found)), content_type="image/png"), path.name)
    if path.export not in EXPORTS:
        raise NotFoundError(
            f"there is no {path.export} of a document; there are {', '.join(EXPORTS)}, legend"
        )
    language, kind = EXPORTS[path.export]
    return _kept_answer(Response(export_document(found, language), content_type=kind), path.name)


def _indices() -> tuple[Document, ...]:
    """Documents of the index catalogue.

    Raises:
        NotFoundError: If its package is not installed, saying how it is.
    """
    try:
        return offered()
    except ComeoError as error:
        raise NotFoundError(str(error)) from error


def _fits(document: Document, collection: str | None) -> bool:
    """Whether a scene of the collection has the bands of a document.

    Raises:
        NotFoundError: If there is no such collection.
    """
    if collection is None:
        return True
    for each in scenes().find_collection(collection).band_sets:
        try:
            compile_for(document, each.bands, collection)
        except ParameterError:
            continue
        return True
    return False


def _entry(document: Document, state: str, language: str) -> dict[str, Any]:
    address = f"{base_url()}/pof/{quote(document.id, safe='')}"
    pinned = f"{address}@{document.version}"
    return {
        "id": document.id,
        "version": document.version,
        "title": document.title_in(language),
        "description": text_in(document.description, language) if document.description else None,
        "abbreviation": document.abbreviation,
        "origin": document.origin or "",
        "state": state,
        "unit": document.value.unit,
        "collections": [each.collection for each in document.inputs.values() if each.collection],
        "links": [
            _link("item", pinned, MEDIA_TYPE),
            _link("legend", f"{pinned}/legend", "image/png"),
            *(_link("alternate", f"{pinned}/{name}", kind) for name, (_, kind) in EXPORTS.items()),
        ],
    }


def _link(relation: str, address: str, kind: str = "application/json") -> dict[str, str]:
    return {"rel": relation, "href": address, "type": kind}


def _of_language(response: Response) -> Response:
    response.headers["Vary"] = "Accept-Language"
    return response


def _kept_answer(response: Response, name: str) -> Response:
    """An answer that caches may keep: for long where a version is named, which never changes."""
    pinned = "@" in name or name.startswith("draft-")
    seconds = scenes().settings.tile_max_age if pinned else 60
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return answer_by_content(response)
