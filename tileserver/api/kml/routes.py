"""KML of scenes, collections and series, for Google Earth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import AwareDatetime, Field

from comeo.export.request import ExtractRequest
from comeo.globe import checked
from comeo.grid import Bounds
from comeo.view.budget import Limit
from tileserver.api.kml import documents as overlay
from tileserver.catalog import Record, Search
from tileserver.files import scene as scene_files
from tileserver.files.kml import KML_MEDIA_TYPE, KMZ_MEDIA_TYPE
from tileserver.files.pyramid import MATRIX_SET, Node
from tileserver.http import parameters as p
from tileserver.http.conditional import answer_by_content
from tileserver.http.context import collection_address, item_address, scenes
from tileserver.http.files import file_answer
from tileserver.render import images, mosaic
from tileserver.render.fingerprint import code_fingerprint
from tileserver.render.offers import answers, collection_styles
from tileserver.render.parameters import Box, Parameters, RenderParameters
from tileserver.render.plan import RenderRequest
from tileserver.render.styles import Style, styles_for
from tileserver.render.temporal import parse_interval, rfc3339

api = APIBlueprint("kml", __name__, url_prefix="/collections/<collection>")
TAG = Tag(name="Google Earth", description="KML that leads to the server's tiles, and KMZ of series.")


class OverlayQuery(RenderParameters):
    """How a scene is to look."""

    until: AwareDatetime | None = Field(None, description="When the time slider leaves it for the next one.")


class SeriesQuery(p.CollectionQuery):
    """Which dates, and how they are to look."""

    bbox: Box | None = Field(None, description="west,south,east,north in degrees.")


class NodePath(Parameters):
    """A tile of degrees."""

    z: int = Field(ge=0, le=30, description="Zoom level.")
    x: int = Field(ge=0, description="Column.")
    y: int = Field(ge=0, description="Row.")


class ItemNodePath(p.ItemPath, NodePath):
    """A scene's tile."""


class CollectionNodePath(p.CollectionPath, NodePath):
    """A collection's tile."""


class SeriesPath(p.CollectionPath):
    """An area of a collection, in degrees."""

    west: float = Field(ge=-180, le=180)
    south: float = Field(ge=-90, le=90)
    east: float = Field(ge=-180, le=180)
    north: float = Field(ge=-90, le=90)


@api.get("/items/<item>/overlay.kml", tags=[TAG])
def scene(path: p.ItemPath, query: OverlayQuery) -> Response:
    """A scene of any size, loaded tile by tile as the user zooms in."""
    record = scenes().find(path.collection, path.item)
    wanted = query.render_request()
    images.check(scenes(), record, wanted, "png")
    base = item_address(record)
    title, legend = _style(wanted, styles_for(record.bands), base)
    return _document(
        overlay.scene_root(
            scenes(), record, title, legend, lambda part: _carrying(f"{base}/{part}"), query.until
        )
    )


@api.get("/items/<item>/overlay/<z>/<x>/<y>.kml", tags=[TAG])
def scene_node(path: ItemNodePath, query: OverlayQuery) -> Response:
    """A tile of `overlay.kml`, and what leads on."""
    record = scenes().find(path.collection, path.item)
    base, wanted = item_address(record), Node(path.z, path.x, path.y)
    return _document(
        overlay.node(
            overlay.scene_pyramid(scenes(), record), wanted, _picture(base, wanted),
            lambda part: _carrying(f"{base}/{part}"), overlay.scene_span(record, query.until),
        )
    )  # fmt: skip


@api.get("/overlay.kml", tags=[TAG])
def collection(path: p.CollectionPath, query: p.MosaicQuery) -> Response:
    """A collection, newest valid pixel first, loaded tile by tile as the user zooms in."""
    search = _search(path, query.datetime)
    wanted = query.render_request()
    summary = scenes().find_collection(path.collection)
    mosaic.check(scenes(), search, wanted, "png")
    base = collection_address(path.collection)
    title, legend = _style(wanted, collection_styles(summary.band_sets), base)
    return _document(
        overlay.collection_root(scenes(), search, title, legend, lambda part: _carrying(f"{base}/{part}"))
    )


@api.get("/overlay/<z>/<x>/<y>.kml", tags=[TAG])
def collection_node(path: CollectionNodePath, query: p.MosaicQuery) -> Response:
    """A tile of `overlay.kml`, and what leads on."""
    base, wanted = collection_address(path.collection), Node(path.z, path.x, path.y)
    pyramid = overlay.collection_pyramid(scenes(), _search(path, query.datetime))
    picture = _picture(base, wanted)
    return _document(overlay.node(pyramid, wanted, picture, lambda part: _carrying(f"{base}/{part}"), None))


@api.get("/series.kml", tags=[TAG])
def series(path: p.CollectionPath, query: SeriesQuery) -> Response:
    """All dates of a collection, for the time slider; each is loaded tile by tile as the user zooms in."""
    search = _search(path, query.datetime, _bounds(query))
    wanted = query.render_request()
    summary = scenes().find_collection(path.collection)
    chosen = answers(scenes(), search, wanted, picture=True)
    styles = collection_styles(summary.band_sets)
    title, legend = _style(chosen.request, styles, collection_address(path.collection))

    def address(record: Record, until: datetime | None) -> str:
        return _carrying(f"{item_address(record)}/overlay.kml", until, style=chosen.request.style)

    most = Limit(scenes().settings.max_page_items, "max_page_items")
    return _document(overlay.series(scenes(), search, chosen, most, title, legend, address))


@api.get("/bbox/<west>,<south>,<east>,<north>.kmz", tags=[TAG])
def series_file(path: SeriesPath, query: SeriesQuery) -> Response:
    """All dates of a collection over an area in degrees, a picture each, for the time slider."""
    bbox = checked((path.west, path.south, path.east, path.north))
    search = _search(path, query.datetime, bbox)
    scenes().find_collection(path.collection)
    request = ExtractRequest(query.render_request(), bbox)
    limits = scene_files.series_limits(scenes())
    etags = [record.etag for record in scenes().catalog.search(search, limits.tiles + 1)]
    return file_answer(
        f"{path.collection}.kmz", KMZ_MEDIA_TYPE, code_fingerprint(etags, "series", request),
        lambda output, watch: scene_files.write_series(scenes(), search, request, output, watch),
    )  # fmt: skip


def _search(path: p.CollectionPath, interval: str | None, bbox: Bounds | None = None) -> Search:
    start, end = parse_interval(interval)
    return Search(collections=(path.collection,), bbox=bbox, start=start, end=end)


def _bounds(query: SeriesQuery) -> Bounds | None:
    return (query.bbox[0], query.bbox[1], query.bbox[2], query.bbox[3]) if query.bbox else None


def _style(wanted: RenderRequest, styles: Mapping[str, Style], base: str) -> tuple[str, str | None]:
    """Title and URL of the legend, of a style that has one."""
    if wanted.bands or wanted.expression:
        return wanted.expression or ", ".join(wanted.bands or ()), None
    style = styles.get(wanted.style) if wanted.style else next(iter(styles.values()), None)
    return (style.title, f"{base}/styles/{style.name}/legend.png") if style else (wanted.style or "", None)


def _picture(base: str, node: Node) -> str:
    return _carrying(f"{base}/tiles/{MATRIX_SET}/{node.z}/{node.x}/{node.y}.png", tiles=True)


def _carrying(
    address: str, until: datetime | None = None, *, style: str | None = None, tiles: bool = False
) -> str:
    """A URL that carries on the parameters of the request, and a style that it leaves open."""
    left = {"bbox", "until"} if tiles or until else {"bbox"}
    carried = [(key, value) for key, value in request.args.items(multi=True) if key not in left]
    if style and "style" not in request.args:
        carried.append(("style", style))
    if until:
        carried = [(key, value) for key, value in carried if key != "datetime"]
        carried.append(("until", rfc3339(until)))
    return f"{address}?{urlencode(carried)}" if carried else address


def _document(body: bytes) -> Response:
    return answer_by_content(Response(body, content_type=KML_MEDIA_TYPE))
