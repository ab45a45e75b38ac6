"""STAC API 1.0.0 documents: landing page, collections, items, search."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import shapely
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from tileserver.catalog import CollectionSummary, Cursor, Record, Search, cursor_of
from tileserver.errors import NotFoundError, ParameterError
from tileserver.services.describe import collection_attribution
from tileserver.services.scenes import Scenes
from tileserver.services.styles import styles_for
from tileserver.services.temporal import rfc3339

STAC_VERSION = "1.1.0"
GEOJSON = "application/geo+json"
JSON = "application/json"
WEB_MAP_LINKS = "https://stac-extensions.github.io/web-map-links/v1.2.0/schema.json"
CONFORMANCE = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
)
DEFAULT_TILES = "WebMercatorQuad"
# Items looked at for one page of a search by geometry.
MAX_SCANNED = 10_000
_NO_GEOMETRY = (ValueError, TypeError, KeyError, AttributeError, IndexError)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of a search.

    Attributes:
        search: What to look for.
        intersects: GeoJSON geometry that items have to meet, or None.
        limit: Items on the page.
        token: Of the page before, or None.
    """

    search: Search
    intersects: Mapping[str, Any] | None
    limit: int
    token: str | None


def landing_page(scenes: Scenes, base: str) -> dict[str, Any]:
    """Catalogue's landing page."""
    collections = scenes.catalog.collections()
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": "comeo",
        "title": "COMEO",
        "description": "Sentinel-1 and Sentinel-2 scenes, compressed a hundredfold and decoded on the fly.",
        "conformsTo": list(CONFORMANCE),
        "links": [
            _link("self", f"{base}/stac", JSON),
            _link("root", f"{base}/stac", JSON),
            _link("conformance", f"{base}/stac/conformance", JSON),
            _link("data", f"{base}/stac/collections", JSON),
            {**_link("search", f"{base}/stac/search", GEOJSON), "method": "GET"},
            {**_link("search", f"{base}/stac/search", GEOJSON), "method": "POST"},
            _link("service-desc", f"{base}/openapi.json", "application/vnd.oai.openapi+json;version=3.1"),
            _link("service-doc", f"{base}/docs", "text/html"),
            *(
                _link("child", _collection_address(base, one.id), JSON, title=_title(one.id))
                for one in collections
            ),
        ],
    }


def collections_document(scenes: Scenes, base: str) -> dict[str, Any]:
    """All collections."""
    found = [collection_document(scenes, one, base) for one in scenes.catalog.collections()]
    return {
        "collections": found,
        "links": [
            _link("self", f"{base}/stac/collections", JSON),
            _link("root", f"{base}/stac", JSON),
        ],
        "numberMatched": len(found),
        "numberReturned": len(found),
    }


def find_collection(scenes: Scenes, name: str) -> CollectionSummary:
    """Sum up a collection.

    Raises:
        NotFoundError: If there is none.
    """
    summary = scenes.catalog.collection(name)
    if summary is None:
        raise NotFoundError(f"there is no collection {name}")
    return summary


def collection_document(scenes: Scenes, summary: CollectionSummary, base: str) -> dict[str, Any]:
    """STAC Collection, as its scenes make it."""
    own = _collection_address(base, summary.id)
    tiles = f"{base}/collections/{quote(summary.id, safe='')}"
    credit = collection_attribution(scenes, summary)
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [WEB_MAP_LINKS],
        "id": summary.id,
        "title": _title(summary.id),
        "description": f"{summary.count} compressed scenes. {credit}".strip(),
        "license": "other",
        "extent": {
            "spatial": {"bbox": [list(summary.bbox)]},
            "temporal": {"interval": [[rfc3339(summary.start), rfc3339(summary.end)]]},
        },
        "summaries": summary.properties,
        "links": [
            _link("self", own, JSON),
            _link("root", f"{base}/stac", JSON),
            _link("parent", f"{base}/stac", JSON),
            _link("items", f"{own}/items", GEOJSON),
            *_tile_links(tiles, styles_for(summary.bands)),
        ],
    }


def item_document(scenes: Scenes, record: Record, base: str) -> dict[str, Any]:
    """STAC Item as its archive carries it, with links and assets of this server."""
    item = scenes.catalog.item(record)
    collection, name = quote(record.collection, safe=""), quote(record.id, safe="")
    own = _collection_address(base, record.collection)
    images = f"{base}/collections/{collection}/items/{name}"
    extensions = [entry for entry in item.get("stac_extensions", []) if isinstance(entry, str)]
    return {
        **item,
        "stac_version": STAC_VERSION,
        "stac_extensions": sorted({*extensions, WEB_MAP_LINKS}),
        "links": [
            _link("self", f"{own}/items/{name}", GEOJSON),
            _link("root", f"{base}/stac", JSON),
            _link("parent", own, JSON),
            _link("collection", own, JSON),
            *_tile_links(images, styles_for(record.bands)),
        ],
        "assets": {
            "thumbnail": {
                "href": f"{images}/preview.webp?max_size=512", "type": "image/webp", "title": "Thumbnail",
                "roles": ["thumbnail"],
            },
            "overview": {
                "href": f"{images}/preview.png?max_size=2048", "type": "image/png", "title": "Overview",
                "roles": ["overview"],
            },
            "tilejson": {
                "href": f"{images}/tilejson.json", "type": JSON, "title": "Map tiles", "roles": ["tiles"],
            },
            "info": {
                "href": f"{images}/info", "type": JSON, "title": "Bands, styles and compression",
                "roles": ["metadata"],
            },
        },
    }  # fmt: skip


def item_page(scenes: Scenes, request: PageRequest, base: str) -> tuple[dict[str, Any], str | None]:
    """Return a page of a search as a GeoJSON FeatureCollection without links, and the next page's token."""
    scenes.catalog.refresh()
    after = _read_token(request.token) if request.token else None
    records = _matching(scenes, request, after)
    page = records[: request.limit]
    token = _write_token(cursor_of(page[-1])) if len(records) > request.limit else None
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [item_document(scenes, record, base) for record in page],
        "numberReturned": len(page),
    }
    if request.intersects is None:
        document["numberMatched"] = scenes.catalog.count(request.search)
    return document, token


def next_link(address: str, parameters: Mapping[str, Any], token: str, *, post: bool) -> dict[str, Any]:
    """Link to the next page of a search with these parameters."""
    if post:
        body = {**parameters, "token": token}
        return {"rel": "next", "type": GEOJSON, "method": "POST", "href": address, "body": body}
    query = urlencode({**parameters, "token": token})
    return {"rel": "next", "type": GEOJSON, "method": "GET", "href": f"{address}?{query}"}


def _matching(scenes: Scenes, request: PageRequest, after: Cursor | None) -> list[Record]:
    """Find one record more than the page holds, if there is one."""
    wanted = request.limit + 1
    if request.intersects is None:
        return scenes.catalog.search(request.search, wanted, after)
    area = _geometry(request.intersects)
    shapely.prepare(area)
    found: list[Record] = []
    scanned = 0
    while len(found) < wanted and scanned < MAX_SCANNED:
        batch = scenes.catalog.search(request.search, 500, after)
        found += [record for record in batch if area.intersects(_footprint(scenes, record))]
        scanned += len(batch)
        if len(batch) < 500:
            break
        after = cursor_of(batch[-1])
    return found[:wanted]


def _geometry(geometry: Mapping[str, Any]) -> BaseGeometry:
    try:
        found = shape(dict(geometry))
    except (*_NO_GEOMETRY, shapely.errors.ShapelyError) as error:
        raise ParameterError("intersects is no GeoJSON geometry") from error
    if found.is_empty:
        raise ParameterError("intersects is an empty geometry")
    return found


def _footprint(scenes: Scenes, record: Record) -> BaseGeometry:
    try:
        return _geometry(scenes.catalog.item(record).get("geometry", {}))
    except ParameterError:
        return box(*record.bbox)


def _tile_links(address: str, styles: Mapping[str, Any]) -> list[dict[str, Any]]:
    tiles = f"{address}/tiles/{DEFAULT_TILES}/{{z}}/{{x}}/{{y}}.webp"
    return [
        _link("tilejson", f"{address}/tilejson.json", JSON, title="Map tiles"),
        *(
            _link("xyz", f"{tiles}?style={name}", "image/webp", title=style.title)
            for name, style in list(styles.items())[:8]
        ),
    ]


def _collection_address(base: str, collection: str) -> str:
    return f"{base}/stac/collections/{quote(collection, safe='')}"


def _link(rel: str, href: str, media_type: str, *, title: str | None = None) -> dict[str, Any]:
    link = {"rel": rel, "href": href, "type": media_type}
    return {**link, "title": title} if title else link


def _title(name: str) -> str:
    """`sentinel-2-l2a` → `Sentinel-2 L2A`."""
    words = name.replace("_", "-").split("-")
    if words[0] == "sentinel" and len(words) > 1:
        return " ".join([f"Sentinel-{words[1].upper()}", *(word.upper() for word in words[2:])])
    return name


def _write_token(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode().rstrip("=")


def _read_token(token: str) -> Cursor:
    try:
        microseconds, collection, item = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if abs(int(microseconds)) < 1 << 62:
            return Cursor(int(microseconds), str(collection), str(item))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        pass
    raise ParameterError("token is not one that this server gave; start the search anew")
