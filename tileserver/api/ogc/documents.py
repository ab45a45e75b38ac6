"""OGC API – Tiles (OGC 20-057): map tilesets of collections, over the same layers as WMTS has."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from morecantile import TileMatrixSet

from comeo.globe import WORLD
from tileserver.render.encode import MEDIA_TYPES
from tileserver.render.layers import Layer
from tileserver.render.links import Link
from tileserver.render.matrixsets import matrix_set, matrix_sets

JSON = "application/json"
RELATION = "http://www.opengis.net/def/rel/ogc/1.0"
TILE_FORMATS = ("png", "webp", "jpg")
CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/landing-page",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tilesets-list",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/geodata-tilesets",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/datetime",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/png",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/jpeg",
    "http://www.opengis.net/spec/tms/2.0/conf/tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/tilematrixsetlimits",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixsetlimits",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilesetmetadata",
)


def landing_page(base: str) -> dict[str, Any]:
    """Where to go from here."""
    own = f"{base}/ogc"
    return {
        "title": "COMEO",
        "description": "Map tiles of Sentinel-1 and Sentinel-2 scenes, compressed a hundredfold.",
        "links": [
            _link("self", own, JSON, "This document"),
            _link(
                "service-desc",
                f"{base}/openapi.json",
                "application/vnd.oai.openapi+json;version=3.1",
                "The interface",
            ),
            _link("service-doc", f"{base}/docs", "text/html", "The interface, to be tried"),
            _link("conformance", f"{own}/conformance", JSON, "What this API conforms to"),
            _link("data", f"{own}/collections", JSON, "Collections"),
            _link(f"{RELATION}/conformance", f"{own}/conformance", JSON, "What this API conforms to"),
            _link(f"{RELATION}/data", f"{own}/collections", JSON, "Collections"),
            _link(f"{RELATION}/tiling-schemes", f"{own}/tileMatrixSets", JSON, "Tile matrix sets"),
        ],
    }


def collections_document(layers: list[Layer], base: str) -> dict[str, Any]:
    """All collections that can be shown."""
    return {
        "links": [_link("self", f"{base}/ogc/collections", JSON, "This document")],
        "collections": [collection_document(layer, base) for layer in layers],
    }


def collection_document(layer: Layer, base: str) -> dict[str, Any]:
    """A collection: where and when, and which styles it has tiles in."""
    own = _address(layer, base)
    start, end = (layer.days[0], layer.days[-1]) if layer.days else (None, None)
    return {
        "id": layer.identifier,
        "title": layer.title,
        "description": layer.abstract,
        "extent": {
            "spatial": {"bbox": [list(layer.bbox)]},
            "temporal": {"interval": [[start and f"{start}T00:00:00Z", end and f"{end}T23:59:59Z"]]},
        },
        "links": [
            _link("self", own, JSON, layer.title),
            _link(f"{RELATION}/tilesets-map", tilesets_address(layer, None, base), JSON, "Map tiles"),
        ],
        "styles": [
            {
                "id": name,
                "title": style.title,
                "links": [
                    _link(f"{RELATION}/tilesets-map", tilesets_address(layer, name, base), JSON, style.title)
                ],
            }
            for name, style in layer.styles.items()
        ],
    }


def tilesets_address(layer: Layer, style: str | None, base: str) -> str:
    """URL of a collection's tilesets, in a style or in the default one."""
    styled = "" if style is None else f"/styles/{quote(style, safe='')}"
    return f"{_address(layer, base)}{styled}/map/tiles"


def tilesets_document(layer: Layer, style: str | None, base: str) -> dict[str, Any]:
    """Tilesets of a collection: one a tile matrix set."""
    own = tilesets_address(layer, style, base)
    return {
        "links": [_link("self", own, JSON, "This document")],
        "tilesets": [
            {**_summary(layer, style, link, base), "links": _tileset_links(layer, style, link, base)[:2]}
            for link in layer.links.values()
        ],
    }


def tileset_document(layer: Layer, style: str | None, link: Link, base: str) -> dict[str, Any]:
    """A tileset: which tiles there are, and their address."""
    west, south, east, north = layer.bbox
    if east < west:
        west, east = WORLD[0], WORLD[2]
    limits = []
    for zoom in range(link.tms.minzoom, link.finest + 1):
        found = link.limits(zoom)
        limits.append(
            {
                "tileMatrix": link.tms.matrix(zoom).id,
                "minTileRow": found.min_row, "maxTileRow": found.max_row,
                "minTileCol": found.min_col, "maxTileCol": found.max_col,
            }
        )  # fmt: skip
    return {
        **_summary(layer, style, link, base),
        "tileMatrixSetLimits": limits,
        "boundingBox": {
            "lowerLeft": [west, south], "upperRight": [east, north],
            "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        },
        "links": _tileset_links(layer, style, link, base),
    }  # fmt: skip


def matrix_sets_document(base: str) -> dict[str, Any]:
    """All tile matrix sets but those of single UTM zones, which their tilesets lead to."""
    return {
        "links": [_link("self", f"{base}/ogc/tileMatrixSets", JSON, "This document")],
        "tileMatrixSets": [
            {
                "id": name,
                "title": matrix_set(name).title or name,
                "links": [_link("self", f"{base}/ogc/tileMatrixSets/{name}", JSON, name)],
            }
            for name in matrix_sets()
        ],
    }


def matrix_set_document(tms: TileMatrixSet) -> dict[str, Any]:
    """A tile matrix set as OGC 17-083r4 has it in JSON."""
    document: dict[str, Any] = tms.model_dump(mode="json", exclude_none=True)
    return document


def _summary(layer: Layer, style: str | None, link: Link, base: str) -> dict[str, Any]:
    tms = link.tms
    title = layer.styles[style].title if style else next(iter(layer.styles.values())).title
    known = {"tileMatrixSetURI": str(tms.uri)} if tms.uri else {}
    return {
        "title": f"{layer.title}, {title}, {tms.title or tms.id}",
        "dataType": "map",
        "crs": matrix_set_document(tms)["crs"],
        **known,
        "tileMatrixSetDefinition": f"{base}/ogc/tileMatrixSets/{tms.id}",
    }


def _tileset_links(layer: Layer, style: str | None, link: Link, base: str) -> list[dict[str, Any]]:
    own = f"{tilesets_address(layer, style, base)}/{link.name}"
    tiles = f"{own}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
    return [
        _link("self", own, JSON, "This tileset"),
        _link(f"{RELATION}/tiling-scheme", f"{base}/ogc/tileMatrixSets/{link.name}", JSON, link.name),
        *(
            {
                **_link("item", f"{tiles}?f={name}", MEDIA_TYPES[name], name),
                "templated": True,
            }
            for name in TILE_FORMATS
        ),
    ]


def _address(layer: Layer, base: str) -> str:
    return f"{base}/ogc/collections/{quote(layer.identifier, safe='')}"


def _link(relation: str, href: str, media_type: str, title: str) -> dict[str, Any]:
    return {"rel": relation, "href": href, "type": media_type, "title": title}
