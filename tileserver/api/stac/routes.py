"""STAC API."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from comeo.errors import ParameterError
from tileserver.api.stac import documents as stac
from tileserver.api.stac import parameters as q
from tileserver.api.stac import search as stac_search
from tileserver.api.stac.cql2 import filters, queryables
from tileserver.catalog import Search
from tileserver.http import parameters as p
from tileserver.http.context import base_url, document_answer, scenes
from tileserver.http.openapi import Answers
from tileserver.render import geojson
from tileserver.render.temporal import parse_interval

api = APIBlueprint("stac", __name__, url_prefix="/stac")
FEATURES: Answers = {
    "200": {"description": "GeoJSON.", "content": {stac.GEOJSON: {"schema": {"type": "object"}}}}
}
DOCUMENT: Answers = {"200": {"description": "JSON.", "content": {stac.JSON: {"schema": {"type": "object"}}}}}
SCHEMA: Answers = {
    "200": {
        "description": "JSON Schema.", "content": {queryables.SCHEMA_TYPE: {"schema": {"type": "object"}}},
    }
}  # fmt: skip
TAG = Tag(name="STAC", description="SpatioTemporal Asset Catalog API.")


@api.get("", tags=[TAG], responses=DOCUMENT)
def landing_page() -> Response:
    """Landing page."""
    return document_answer(stac.landing_page(scenes(), base_url()))


@api.get("/conformance", tags=[TAG], responses=DOCUMENT)
def conformance() -> Response:
    """Conformance classes of the API."""
    return document_answer({"conformsTo": list(stac.CONFORMANCE)})


@api.get("/collections", tags=[TAG], responses=DOCUMENT)
def collections() -> Response:
    """All collections."""
    return document_answer(stac.collections_document(scenes(), base_url()))


@api.get("/collections/<collection>", tags=[TAG], responses=DOCUMENT)
def collection(path: p.CollectionPath) -> Response:
    """One collection."""
    summary = scenes().find_collection(path.collection)
    return document_answer(stac.collection_document(scenes(), summary, base_url()))


@api.get("/queryables", tags=[TAG], responses=SCHEMA)
def all_queryables() -> Response:
    """Properties that a search can be filtered by."""
    address = f"{base_url()}/stac/queryables"
    return document_answer(queryables.document(address, "Queryables"), queryables.SCHEMA_TYPE)


@api.get("/collections/<collection>/queryables", tags=[TAG], responses=SCHEMA)
def collection_queryables(path: p.CollectionPath) -> Response:
    """Properties that the items of a collection can be filtered by."""
    scenes().find_collection(path.collection)
    address = f"{base_url()}/stac/collections/{quote(path.collection, safe='')}/queryables"
    return document_answer(
        queryables.document(address, f"Queryables of {path.collection}"), queryables.SCHEMA_TYPE
    )


@api.get("/collections/<collection>/items", tags=[TAG], responses=FEATURES)
def items(path: p.CollectionPath, query: q.ItemsQuery) -> Response:
    """Items of a collection, newest first unless sorted otherwise."""
    scenes().find_collection(path.collection)
    address = f"{base_url()}/stac/collections/{quote(path.collection, safe='')}/items"
    return _page(query, _search(query, (path.collection,), None), None, address)


@api.get("/collections/<collection>/items/<item>", tags=[TAG], responses=FEATURES)
def item(path: p.ItemPath) -> Response:
    """One item."""
    record = scenes().find(path.collection, path.item)
    return document_answer(stac.item_document(scenes(), record, base_url()), stac.GEOJSON)


@api.get("/search", tags=[TAG], responses=FEATURES)
def search(query: q.SearchQuery) -> Response:
    """Search for items, newest first unless sorted otherwise."""
    return _search_page(query, _read_json(query.intersects))


@api.post("/search", tags=[TAG], responses=FEATURES)
def search_by_post(body: q.SearchBody) -> Response:
    """Search for items, newest first unless sorted otherwise."""
    return _search_page(body, body.intersects)


def _search_page(query: q.SearchQuery | q.SearchBody, intersects: Any) -> Response:
    if query.bbox and intersects is not None:
        raise ParameterError("bbox and intersects exclude each other")
    found = _search(query, tuple(query.collections or ()), tuple(query.ids or ()))
    return _page(query, found, intersects, f"{base_url()}/stac/search")


def _search(
    query: q.ItemsQuery | q.SearchBody, collections: tuple[str, ...] | None, ids: tuple[str, ...] | None
) -> Search:
    start, end = parse_interval(query.datetime)
    bbox = query.bbox and (query.bbox[0], query.bbox[1], query.bbox[2], query.bbox[3])
    condition = filters.read(
        query.filter, query.filter_lang, query.filter_crs, query.query, scenes().settings.max_vertices
    )
    return Search(collections or None, ids or None, bbox or None, start, end, condition)


def _page(query: q.ItemsQuery | q.SearchBody, search: Search, intersects: Any, address: str) -> Response:
    """Answer with a page of a search, and links to itself and the next one."""
    settings = scenes().settings
    area = None if intersects is None else geojson.geometry_of(intersects, settings.max_vertices)
    limit = min(query.limit, settings.max_page_items)
    order = stac_search.order_of(query.sort_keys())
    wanted = stac_search.PageRequest(search, limit, area, order, query.token)
    page, token = stac.item_page(scenes(), wanted, base_url(), query.selection())
    links: list[dict[str, Any]] = [
        {"rel": "self", "type": stac.GEOJSON, "href": address},
        {"rel": "root", "type": stac.JSON, "href": f"{base_url()}/stac"},
    ]
    if token:
        links.append(stac.next_link(address, _parameters(), token))
    return document_answer({**page, "links": links}, stac.GEOJSON)


def _parameters() -> list[tuple[str, str]] | dict[str, Any]:
    """Parameters of the request, to be carried on."""
    if request.method == "POST":
        body = request.get_json(silent=True)
        return body if isinstance(body, dict) else {}
    return list(request.args.items(multi=True))


def _read_json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParameterError("intersects is not JSON") from error
