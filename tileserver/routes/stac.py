"""STAC API."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from tileserver.catalog import Search
from tileserver.routes import parameters as p
from tileserver.routes.context import base_url, document_answer, scenes
from tileserver.services import geojson, stac
from tileserver.services.temporal import parse_interval

api = APIBlueprint("stac", __name__, url_prefix="/stac")
TAG = Tag(name="STAC", description="SpatioTemporal Asset Catalog API.")


@api.get("", tags=[TAG])
def landing_page() -> Response:
    """Landing page."""
    scenes().catalog.refresh()
    return document_answer(stac.landing_page(scenes(), base_url()))


@api.get("/conformance", tags=[TAG])
def conformance() -> Response:
    """What the API conforms to."""
    return document_answer({"conformsTo": list(stac.CONFORMANCE)})


@api.get("/collections", tags=[TAG])
def collections() -> Response:
    """All collections."""
    scenes().catalog.refresh()
    return document_answer(stac.collections_document(scenes(), base_url()))


@api.get("/collections/<collection>", tags=[TAG])
def collection(path: p.CollectionPath) -> Response:
    """One collection."""
    scenes().catalog.refresh()
    summary = stac.find_collection(scenes(), path.collection)
    return document_answer(stac.collection_document(scenes(), summary, base_url()))


@api.get("/collections/<collection>/items", tags=[TAG])
def items(path: p.CollectionPath, query: p.ItemsQuery) -> Response:
    """Items of a collection, newest first."""
    scenes().catalog.refresh()
    stac.find_collection(scenes(), path.collection)
    own = f"{base_url()}/stac/collections/{path.collection}/items"
    return _page(query, own, collections=(path.collection,))


@api.get("/collections/<collection>/items/<item>", tags=[TAG])
def item(path: p.ItemPath) -> Response:
    """One item."""
    record = scenes().find(path.collection, path.item)
    return document_answer(stac.item_document(scenes(), record, base_url()), stac.GEOJSON)


@api.get("/search", tags=[TAG])
def search(query: p.SearchQuery) -> Response:
    """Search for items, newest first."""
    return _page(query, f"{base_url()}/stac/search")


@api.post("/search", tags=[TAG])
def search_by_post(body: p.SearchBody) -> Response:
    """Search for items, newest first; `intersects` takes a GeoJSON geometry."""
    return _page(body, f"{base_url()}/stac/search")


def _page(query: p.ItemsQuery, address: str, collections: tuple[str, ...] | None = None) -> Response:
    """Answer with a page of a search, and links to itself and the next one."""
    start, end = parse_interval(query.datetime)
    wanted = query.collections if isinstance(query, p.SearchQuery) else None
    ids = query.ids if isinstance(query, p.SearchQuery) else None
    intersects = query.intersects if isinstance(query, p.SearchBody) else None
    if intersects is not None:
        geojson.check_size(intersects, scenes().settings.max_vertices)
    bbox = query.bbox and (query.bbox[0], query.bbox[1], query.bbox[2], query.bbox[3])
    names = tuple(wanted) if wanted else collections
    found = Search(names, tuple(ids) if ids else None, bbox or None, start, end)
    limit = min(query.limit, scenes().settings.max_page_items)
    page, token = stac.item_page(
        scenes(), stac.PageRequest(found, intersects, limit, query.token), base_url()
    )
    links = [
        {"rel": "self", "type": stac.GEOJSON, "href": address},
        {"rel": "root", "type": stac.JSON, "href": f"{base_url()}/stac"},
    ]
    if token:
        links.append(stac.next_link(address, _parameters(), token, post=request.method == "POST"))
    return document_answer({**page, "links": links}, stac.GEOJSON)


def _parameters() -> dict[str, Any]:
    """Parameters of the request, to be carried on."""
    if request.method == "POST":
        body = request.get_json()
        return body if isinstance(body, dict) else {}
    return request.args.to_dict()
