"""STAC API 1.0.0 documents: landing page, collections, items, search."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from affine import Affine

from comeo.archive.stores import ZIP_SUFFIX
from comeo.compression.item import EO, PROCESSING, PROJECTION, SAR, SAT, extensions_of
from comeo.crs import parse_crs
from comeo.scene import Band, pixel_size
from tileserver.api.stac.cql2 import queryables
from tileserver.api.stac.search import PageRequest, find_page, select_fields
from tileserver.catalog import CollectionSummary, Record
from tileserver.files import download
from tileserver.render.describe import collection_attribution, interval
from tileserver.render.naming import collection_title
from tileserver.render.offers import collection_styles
from tileserver.render.scenes import Scenes
from tileserver.render.styles import styles_for

STAC_VERSION = "1.1.0"
GEOJSON = "application/geo+json"
JSON = "application/json"
# The file: a ZIP, and in it a Zarr hierarchy. Neither name is registered.
EXTENSIONS = "https://stac-extensions.github.io"
FILE = f"{EXTENSIONS}/file/v2.1.0/schema.json"
RASTER = f"{EXTENSIONS}/raster/v2.0.0/schema.json"
WEB_MAP_LINKS = f"{EXTENSIONS}/web-map-links/v1.2.0/schema.json"
CONFORMANCE = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#sort",
    "https://api.stacspec.org/v1.0.0/item-search#fields",
    "https://api.stacspec.org/v1.0.0/ogcapi-features#sort",
    "https://api.stacspec.org/v1.0.0/ogcapi-features#fields",
    "https://api.stacspec.org/v1.0.0/item-search#query",
    "https://api.stacspec.org/v1.0.0/ogcapi-features#query",
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    *(
        f"http://www.opengis.net/spec/cql2/1.0/conf/{name}"
        for name in (
            "cql2-text",
            "cql2-json",
            "basic-cql2",
            "advanced-comparison-operators",
            "case-insensitive-comparison",
            "basic-spatial-functions",
            "basic-spatial-functions-plus",
            "array-functions",
            "property-property",
        )
    ),
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
)
DEFAULT_TILES = "WebMercatorQuad"
MAX_ALTERNATES = 8
# The EO extension's own; it refuses others.
COMMON_NAMES = frozenset(
    ("pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075",
     "rededge078", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12")
)  # fmt: skip
Fields = tuple[Sequence[str], Sequence[str]]


def landing_page(scenes: Scenes, base: str) -> dict[str, Any]:
    """Catalogue's landing page."""
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
            _link(queryables.RELATION, f"{base}/stac/queryables", queryables.SCHEMA_TYPE, title="Queryables"),
            _link("service-desc", f"{base}/openapi.json", "application/vnd.oai.openapi+json;version=3.1"),
            _link("service-doc", f"{base}/docs", "text/html"),
            *(
                _link("child", _collection_address(base, name), JSON, title=collection_title(name))
                for name in scenes.catalog.collection_names()
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


def collection_document(scenes: Scenes, summary: CollectionSummary, base: str) -> dict[str, Any]:
    """STAC Collection, as its scenes make it."""
    own = _collection_address(base, summary.id)
    credit = collection_attribution(scenes, summary)
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [WEB_MAP_LINKS, *_summarised(summary.properties)],
        "id": summary.id,
        "title": collection_title(summary.id),
        "description": f"{summary.count} compressed scenes. {credit}".strip(),
        "license": "other",
        "extent": {
            "spatial": {"bbox": [list(summary.bbox)]},
            "temporal": {"interval": [interval(summary)]},
        },
        "summaries": summary.properties,
        "links": [
            _link("self", own, JSON),
            _link("root", f"{base}/stac", JSON),
            _link("parent", f"{base}/stac", JSON),
            _link("items", f"{own}/items", GEOJSON),
            _link(queryables.RELATION, f"{own}/queryables", queryables.SCHEMA_TYPE, title="Queryables"),
            *_map_links(
                base,
                f"collections/{quote(summary.id, safe='')}",
                summary.id,
                collection_styles(summary.band_sets),
            ),
        ],
    }


def _summarised(properties: Mapping[str, Any]) -> list[str]:
    """Extensions that a collection's summaries are of; those of radar ask nothing of a collection."""
    return [
        schema
        for prefix, schema in (("sar:", SAR), ("sat:", SAT))
        if any(k.startswith(prefix) for k in properties)
    ]


def _extension(schema: str) -> str:
    """The name of an extension by its schema's address."""
    return schema.removeprefix(f"{EXTENSIONS}/").partition("/")[0]


def item_document(scenes: Scenes, record: Record, base: str) -> dict[str, Any]:
    """STAC Item as its archive carries it, with what the archive's grids say, and links and assets."""
    item, info = scenes.catalog.item(record), scenes.catalog.info(record)
    collection, name = quote(record.collection, safe=""), quote(record.id, safe="")
    own = _collection_address(base, record.collection)
    path = f"collections/{collection}/items/{name}"
    day = record.datetime.date().isoformat() if record.datetime else None
    properties = {**item.get("properties", {}), **_facts(record, info)}
    bands = _bands(record, info)
    listed = item.get("stac_extensions")
    stated = {entry for entry in listed if isinstance(entry, str)} if isinstance(listed, list) else set()
    extensions = {entry for entry in stated if _extension(entry) not in ("eo", "sar")}
    extensions.update(extensions_of(properties))
    if any(key.startswith("eo:") for facts in bands for key in facts):
        extensions.add(EO)
    return {
        **item,
        "stac_version": STAC_VERSION,
        "stac_extensions": sorted({*extensions, PROJECTION, RASTER, FILE, PROCESSING, WEB_MAP_LINKS}),
        "properties": properties,
        "links": [
            _link("self", f"{own}/items/{name}", GEOJSON),
            _link("root", f"{base}/stac", JSON),
            _link("parent", own, JSON),
            _link("collection", own, JSON),
            *_alternates(scenes, properties.get("comeo:alternates"), base),
            *_map_links(base, path, f"{record.collection}/{record.id}", styles_for(record.bands), day),
        ],
        "assets": {**_data(record, info, bands, f"{base}/{path}"), **_views(f"{base}/{path}")},
    }


def _alternates(scenes: Scenes, stated: Any, base: str) -> list[dict[str, Any]]:
    """Links to the same product in other qualities, as far as the catalogue has them."""
    found = []
    for each in stated[:MAX_ALTERNATES] if isinstance(stated, list) else ():
        collection, name = (
            (each.get("collection"), each.get("id")) if isinstance(each, dict) else (None, None)
        )
        if isinstance(collection, str) and isinstance(name, str) and scenes.catalog.get(collection, name):
            address = f"{_collection_address(base, collection)}/items/{quote(name, safe='')}"
            found.append(_link("alternate", address, GEOJSON, title=name))
    return found


def _data(
    record: Record, info: Mapping[str, Any], bands: Sequence[Mapping[str, Any]], images: str
) -> dict[str, Any]:
    """The archive itself, where it is one file, and what its coding has lost, where that is known."""
    assets: dict[str, Any] = {}
    if record.path.endswith(ZIP_SUFFIX):
        assets["archive"] = {
            "href": f"{images}/archive", "type": download.MEDIA_TYPE,
            "title": "Compressed scene (Zarr in a ZIP)", "roles": ["data"],
            "file:size": info["archive_bytes"], "bands": bands,
        }  # fmt: skip
    if info.get("certificate"):
        assets["certificate"] = {
            "href": f"{images}/certificate", "type": JSON, "title": "Quality certificate: expected errors",
            "roles": ["metadata"],
        }  # fmt: skip
    return assets


def _views(images: str) -> dict[str, Any]:
    """Pictures and documents that the server makes of a scene."""
    return {
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
    }  # fmt: skip


def _facts(record: Record, info: Mapping[str, Any]) -> dict[str, Any]:
    """Properties that follow from the archive: its finest grid, and how it was made."""
    finest = next(iter(info["groups"].values()))
    a, b, c, d, e, f = finest["transform"]
    height, width = finest["shape"][1:]
    xs, ys = zip(
        *((a * x + b * y + c, d * x + e * y + f) for x in (0, width) for y in (0, height)), strict=True
    )
    facts = {
        **_reference(finest["crs"]),
        "proj:shape": [height, width],
        "proj:transform": finest["transform"],
        "proj:bbox": [min(xs), min(ys), max(xs), max(ys)],
        "processing:lineage": f"Lossily compressed ×{info['ratio']:g} with COMEO's codec {info['codec']}, "
        f"quantisation step {info['step']:g}, from {info['source']['name'] or 'an unnamed source'}",
    }
    if record.datetime is None:
        facts["description"] = "The time of acquisition of this scene is unknown; 1970 stands for that."
    return facts


@lru_cache(maxsize=256)
def _reference(crs: str) -> dict[str, str | None]:
    """Projection in STAC's words: by its code, or written out where it has none."""
    if re.fullmatch(r"[A-Za-z0-9_]+:[A-Za-z0-9_.]+", crs):
        return {"proj:code": crs}
    return {"proj:code": None, "proj:wkt2": crs}


def _bands(record: Record, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Bands of all groups in STAC 1.1's words."""
    known = {band.name: band for band in record.bands}
    return [_band(known[name], group) for group in info["groups"].values() for name in group["bands"]]


def _band(band: Band, group: Mapping[str, Any]) -> dict[str, Any]:
    metres = round(_pixel_size(*group["transform"][:6], group["crs"]), 3)
    facts = {
        "name": band.name,
        "data_type": group["dtype"],
        "nodata": group["nodata"],
        "unit": band.unit or None,
        "gsd": metres,
        "raster:spatial_resolution": metres,
        "raster:scale": band.scale,
        "raster:offset": band.offset,
        "eo:common_name": band.common_name if band.common_name in COMMON_NAMES else None,
        "eo:center_wavelength": band.center_wavelength,
    }
    return {key: value for key, value in facts.items() if value is not None}


@lru_cache(maxsize=256)
def _pixel_size(a: float, b: float, c: float, d: float, e: float, f: float, crs: str) -> float:
    """In metres."""
    return pixel_size(Affine(a, b, c, d, e, f), parse_crs(crs))


def item_page(
    scenes: Scenes, request: PageRequest, base: str, fields: Fields | None
) -> tuple[dict[str, Any], str | None]:
    """Return a page of a search as a GeoJSON FeatureCollection without links, and the next page's token."""
    page = find_page(scenes, request)
    features = [item_document(scenes, record, base) for record in page.records]
    if fields is not None:
        features = [select_fields(item, *fields) for item in features]
    document: dict[str, Any] = {
        "type": "FeatureCollection", "features": features, "numberReturned": len(features),
    }  # fmt: skip
    if page.matched is not None:
        document["numberMatched"] = page.matched
    return document, page.token


def next_link(
    address: str, parameters: Sequence[tuple[str, str]] | Mapping[str, Any], token: str
) -> dict[str, Any]:
    """Link to the next page of a search: by GET for pairs of a query, by POST for a body."""
    if isinstance(parameters, Mapping):
        body = {**parameters, "token": token}
        return {"rel": "next", "type": GEOJSON, "method": "POST", "href": address, "body": body}
    query = urlencode([*(pair for pair in parameters if pair[0] != "token"), ("token", token)])
    return {"rel": "next", "type": GEOJSON, "method": "GET", "href": f"{address}?{query}"}


def _map_links(
    base: str, path: str, layer: str, styles: Mapping[str, Any], day: str | None = None
) -> list[dict[str, Any]]:
    """Links to tiles and to WMTS, as the Web Map Links extension has them; `path` is that of the images."""
    tiles = f"{base}/{path}/tiles/{DEFAULT_TILES}/{{z}}/{{x}}/{{y}}.webp"
    service = {**_link("wmts", f"{base}/wmts/{path}", "image/png", title="WMTS"), "wmts:layer": layer}
    if day:
        service["wmts:dimensions"] = {"TIME": day}
    return [
        _link("tilejson", f"{base}/{path}/tilejson.json", JSON, title="Map tiles"),
        *([service] if styles else []),
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
