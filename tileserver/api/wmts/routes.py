"""WMTS 1.0.0: requests in key-value pairs, resources by URL, and their errors."""

from __future__ import annotations

import logging
from datetime import date

from flask import Response, jsonify, render_template, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from comeo.errors import BoundError, ComeoError, NotFoundError, RequestError
from tileserver import metrics
from tileserver.api.wmts import feature_info, tiles
from tileserver.api.wmts import requests as kvp
from tileserver.api.wmts.capabilities import Site, capabilities, unchanged
from tileserver.api.wmts.errors import OwsError, invalid
from tileserver.api.wmts.requests import VERSION, CapabilitiesRequest, TileRequest
from tileserver.api.wmts.xml import exception_report
from tileserver.errors import BusyError, status_of
from tileserver.http import openapi, problems
from tileserver.http.conditional import answer_unless_known
from tileserver.http.context import (
    base_url,
    image_answer,
    picture_budget,
    scenes,
    state,
)
from tileserver.http.openapi import Answers
from tileserver.http.parameters import CollectionPath, Identifier, ItemPath
from tileserver.render.fingerprint import code_fingerprint
from tileserver.render.layers import Layers, Scope
from tileserver.render.parameters import Parameters

FAULT = {"description": "An OWS exception.", "content": {"application/xml": {}, problems.MEDIA_TYPE: {}}}
api = APIBlueprint("wmts", __name__, url_prefix="/wmts", abp_responses={"default": FAULT})
TAG = Tag(name="WMTS", description="OGC WMTS 1.0.0, for GIS.")
DOCUMENT = f"/{VERSION}/WMTSCapabilities.xml"
TILE = "<style>/<time>/<tms>/<matrix>/<row>/<col>"
COLLECTION_TILE = f"/{VERSION}/collections/<collection>/{TILE}"
ITEM_TILE = f"/{VERSION}/items/<collection>/<item>/{TILE}"
_TEXT = {"schema": {"type": "string"}}
_ERRORS: Answers = {
    "default": {
        "description": "OWS exception report; a problem where the address is none.",
        "content": {kvp.XML_TYPES[0]: _TEXT, problems.MEDIA_TYPE: {"schema": openapi.PROBLEM}},
    }
}


def _answers(description: str, *media_types: str) -> Answers:
    return {"200": {"description": description, "content": {key: {} for key in media_types}}, **_ERRORS}


PAIRS = _answers("What the operation gives.", *kvp.XML_TYPES, *kvp.TILE_TYPES, *kvp.INFO_TYPES)
CAPABILITIES = _answers("Capabilities.", *kvp.XML_TYPES)
IMAGE = _answers("Tile.", *kvp.TILE_TYPES)
VALUES = _answers("Values.", *kvp.INFO_TYPES)
log = logging.getLogger(__name__)


class DayPath(CollectionPath):
    """A collection on one day."""

    day: str = Field(max_length=10, description="`2024-05-01`.")


class _Tile(Parameters):
    style: Identifier
    time: str = Field(max_length=40, description="A day, or `current`.")
    tms: Identifier = Field(description="Tile matrix set.")
    matrix: str = Field(max_length=20, description="Tile matrix.")
    row: str = Field(max_length=20, description="From the top.")
    col: str = Field(max_length=20, description="From the left.")
    format: str = Field(max_length=10)


class CollectionTilePath(CollectionPath, _Tile):
    """A collection's tile."""


class ItemTilePath(ItemPath, _Tile):
    """A scene's tile."""


class _Pixel(Parameters):
    j: str = Field(max_length=20, description="Row of the pixel in the tile.")
    i: str = Field(max_length=20, description="Column of the pixel in the tile.")


class CollectionPixelPath(CollectionTilePath, _Pixel):
    """A pixel of a collection's tile."""


class ItemPixelPath(ItemTilePath, _Pixel):
    """A pixel of a scene's tile."""


@api.get("", tags=[TAG], responses=PAIRS)
def service() -> Response:
    """KVP requests over all collections: GetCapabilities, GetTile, GetFeatureInfo; keys in any case."""
    return _pairs(Scope())


@api.get("/collections/<collection>", tags=[TAG], responses=PAIRS)
def collection_service(path: CollectionPath) -> Response:
    """KVP requests over one collection."""
    return _pairs(Scope(path.collection))


@api.get("/collections/<collection>/dates/<day>", tags=[TAG], responses=PAIRS)
def day_service(path: DayPath) -> Response:
    """KVP requests over one collection on one day, for clients that cannot choose TIME."""
    return _pairs(_on(path))


@api.get("/collections/<collection>/items/<item>", tags=[TAG], responses=PAIRS)
def item_service(path: ItemPath) -> Response:
    """KVP requests over one scene."""
    return _pairs(Scope(path.collection, None, path.item))


@api.get(DOCUMENT, tags=[TAG], responses=CAPABILITIES)
def service_document() -> Response:
    """Capabilities of all collections. `?crs=epsg` names coordinate systems `EPSG:n`, for ArcMap."""
    return _capabilities(Scope(), CapabilitiesRequest())


@api.get(f"/collections/<collection>{DOCUMENT}", tags=[TAG], responses=CAPABILITIES)
def collection_document(path: CollectionPath) -> Response:
    """Capabilities of one collection."""
    return _capabilities(Scope(path.collection), CapabilitiesRequest())


@api.get(f"/collections/<collection>/dates/<day>{DOCUMENT}", tags=[TAG], responses=CAPABILITIES)
def day_document(path: DayPath) -> Response:
    """Capabilities of one collection on one day, for clients that cannot choose TIME."""
    return _capabilities(_on(path), CapabilitiesRequest())


@api.get(f"/collections/<collection>/items/<item>{DOCUMENT}", tags=[TAG], responses=CAPABILITIES)
def item_document(path: ItemPath) -> Response:
    """Capabilities of one scene."""
    return _capabilities(Scope(path.collection, None, path.item), CapabilitiesRequest())


@api.get(f"{COLLECTION_TILE}.<format>", tags=[TAG], responses=IMAGE)
def collection_tile(path: CollectionTilePath) -> Response:
    """Tile of a collection."""
    return _tile(Scope(path.collection), _tile_request(path, path.collection))


@api.get(f"{ITEM_TILE}.<format>", tags=[TAG], responses=IMAGE)
def item_tile(path: ItemTilePath) -> Response:
    """Tile of a scene."""
    scope = Scope(path.collection, None, path.item)
    return _tile(scope, _tile_request(path, f"{path.collection}/{path.item}"))


@api.get(f"{COLLECTION_TILE}/<j>/<i>.<format>", tags=[TAG], responses=VALUES)
def collection_pixel(path: CollectionPixelPath) -> Response:
    """Values at a pixel of a collection's tile, as html, json or txt."""
    return _feature_info(Scope(path.collection), _pixel_values(path, path, path.collection))


@api.get(f"{ITEM_TILE}/<j>/<i>.<format>", tags=[TAG], responses=VALUES)
def item_pixel(path: ItemPixelPath) -> Response:
    """Values at a pixel of a scene's tile, as html, json or txt."""
    scope = Scope(path.collection, None, path.item)
    return _feature_info(scope, _pixel_values(path, path, f"{path.collection}/{path.item}"))


def layers() -> Layers:
    """Layers of the application that answers."""
    return state().part(Layers)


def _pairs(scope: Scope) -> Response:
    if not request.args:  # an address as it is copied: GDAL, for one, asks for just that
        return _capabilities(scope, CapabilitiesRequest())
    values = kvp.parameters(request.args.items(multi=True))
    operation = kvp.operation(values)
    if operation == "GetCapabilities":
        return _capabilities(scope, kvp.capabilities_request(values))
    if operation == "GetTile":
        return _tile(scope, kvp.tile_request(values))
    return _feature_info(scope, values)


def _on(path: DayPath) -> Scope:
    try:
        if len(path.day) == 10:
            return Scope(path.collection, date.fromisoformat(path.day))
    except ValueError:
        pass
    raise NotFoundError("a day is written 2024-05-01")


def _capabilities(scope: Scope, wanted: CapabilitiesRequest) -> Response:
    short = any(key.upper() == "CRS" and value.lower() == "epsg" for key, value in request.args.items())
    site = Site(base_url(), scope, short, scenes().catalog.revision(), scenes().settings.provider)
    if _has_it(wanted.update_sequence, site.revision):
        return Response(unchanged(site), content_type=wanted.media_type)
    etag = code_fingerprint("wmts", site, sorted(wanted.sections), wanted.media_type)

    def make() -> Response:
        body = state().documents.get(etag, lambda: capabilities(site, layers().of(scope), wanted.sections))
        return Response(body, content_type=wanted.media_type)

    return answer_unless_known(etag, make)


def _has_it(sequence: str | None, revision: int) -> bool:
    """Whether a client has the document as it is."""
    if sequence is None:
        return False
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 18):
        raise invalid("UPDATESEQUENCE", "updateSequence is a number, as the document carries it")
    if int(sequence) > revision:
        raise OwsError("InvalidUpdateSequence", None, f"the document's updateSequence is {revision}")
    return int(sequence) == revision


def _tile(scope: Scope, wanted: TileRequest) -> Response:
    found = tiles.target(layers(), scope, wanted)
    etag = found.etag(scenes())
    settings = scenes().settings
    max_age = settings.mosaic_max_age if found.layer.record is None else settings.tile_max_age
    budget = picture_budget(found.extension)
    return image_answer(found.extension, etag, max_age, lambda: found.render(scenes(), etag, budget))


def _feature_info(scope: Scope, values: dict[str, str]) -> Response:
    wanted = kvp.feature_info_request(values)
    found = tiles.target(layers(), scope, wanted.tile)
    answer = tiles.feature_info(scenes(), found, wanted, scenes().budget())
    if wanted.extension == "json":
        return jsonify(feature_info.as_feature(answer, found.layer.identifier))
    if wanted.extension == "txt":
        return Response(feature_info.as_text(answer), content_type="text/plain; charset=utf-8")
    page = render_template("feature_info.html", layer=found.layer.title, rows=feature_info.as_rows(answer))
    return Response(page, content_type="text/html; charset=utf-8")


def _tile_request(path: CollectionTilePath | ItemTilePath, layer: str) -> TileRequest:
    return kvp.tile_request(_tile_values(path, layer, _media_type(kvp.TILE_TYPES, path.format)))


def _tile_values(path: _Tile, layer: str, media_type: str) -> dict[str, str]:
    """Resource as the request that it stands for; what it has no place for is in its query."""
    query = kvp.parameters(request.args.items(multi=True))
    kvp.check_others(query)
    return {
        **{name: query[name] for name in kvp.OWN if name in query},
        "VERSION": VERSION, "LAYER": layer, "STYLE": path.style, "TIME": path.time,
        "TILEMATRIXSET": path.tms, "TILEMATRIX": path.matrix, "TILEROW": path.row, "TILECOL": path.col,
        "FORMAT": media_type,
    }  # fmt: skip


def _pixel_values(path: _Tile, pixel: _Pixel, layer: str) -> dict[str, str]:
    media_type = _media_type(kvp.INFO_TYPES, path.format)
    tile = _tile_values(path, layer, next(iter(kvp.TILE_TYPES)))
    return {**tile, "INFOFORMAT": media_type, "I": pixel.i, "J": pixel.j}


def _media_type(known: dict[str, str], extension: str) -> str:
    """Media type of an extension; of an unknown one the extension, which is then refused by name."""
    return next((kind for kind, name in known.items() if name == extension), extension)


def _report(code: str, locator: str | None, message: str, status: int) -> Response:
    response = Response(exception_report(code, locator, message), status, content_type="application/xml")
    response.headers["Cache-Control"] = "no-store"
    return response


def _ows_error(error: OwsError) -> Response:
    """Report; a resource that there is not is 404, as the standard leaves that to HTTP: not so its query."""
    rule = request.url_rule.rule if request.url_rule else ""
    is_resource = f"/{VERSION}/" in rule and error.http_status == 400 and error.locator not in kvp.IN_QUERY
    return _report(error.code, error.locator, str(error), 404 if is_resource else error.http_status)


def _refused(error: RequestError) -> Response:
    response = _report("NoApplicableCode", None, str(error), status_of(error))
    if isinstance(error, BusyError):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, BoundError):
        metrics.count_refused(error.bound)
    return response


def _failed(error: ComeoError) -> Response:
    log.error("request failed", extra={"fields": {"path": request.path, "error": str(error)}})
    return _report("NoApplicableCode", None, problems.FAILED, 500)


api.register_error_handler(OwsError, _ows_error)
api.register_error_handler(RequestError, _refused)
api.register_error_handler(ComeoError, _failed)
