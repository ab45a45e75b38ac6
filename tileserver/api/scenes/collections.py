"""Images and numbers of whole collections, newest valid pixel first."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from comeo.globe import checked
from comeo.view.projection import named_crs
from tileserver.catalog import Search
from tileserver.http import parameters as p
from tileserver.http.context import (
    collection_address,
    document_answer,
    extension_of,
    extract_answer,
    grid_of,
    image_answer,
    matrix_set_of,
    picture_budget,
    scenes,
    state,
    tile_template,
)
from tileserver.render import describe, mosaic, values
from tileserver.render.temporal import parse_interval

api = APIBlueprint("collections", __name__, url_prefix="/collections/<collection>")
TAG = Tag(name="Collections", description="Images and numbers of a collection, newest valid pixel first.")


@api.get("/tiles/<tms>/<z>/<x>/<y>.<format>", tags=[TAG])
def tile(path: p.CollectionTilePath, query: p.MosaicQuery) -> Response:
    """Map tile of a collection. Where no scene has a pixel it is transparent."""
    return _tile(path, query, 1)


@api.get("/tiles/<tms>/<z>/<x>/<y>@<scale>x.<format>", tags=[TAG])
def scaled_tile(path: p.ScaledCollectionTilePath, query: p.MosaicQuery) -> Response:
    """Map tile of a collection for dense screens."""
    return _tile(path, query, path.scale)


def _tile(path: p.CollectionTilePath, query: p.MosaicQuery, scale: int) -> Response:
    search = _search(path, query.datetime)
    grid = grid_of(path.tms, path.z, path.x, path.y, scale)
    request, extension = query.render_request(), extension_of(path.format)
    etag = mosaic.tile_etag(scenes(), search, grid, request, extension)
    return image_answer(
        extension, etag, scenes().settings.mosaic_max_age,
        lambda: mosaic.tile(scenes(), search, grid, request, extension, etag, picture_budget(extension)),
    )  # fmt: skip


@api.get("/tilejson.json", tags=[TAG])
def tilejson(path: p.CollectionPath, query: p.CollectionTilesetQuery) -> Response:
    """TileJSON of a collection."""
    summary = scenes().find_collection(path.collection)
    tms = matrix_set_of(query.tms)
    search = _search(path, query.datetime)
    mosaic.check(scenes(), search, query.render_request(), extension_of(query.tile_format))
    zooms = mosaic.zoom_range(scenes(), search, tms)
    template = tile_template(collection_address(path.collection), query)
    credit = describe.collection_attribution(scenes(), summary)
    return document_answer(describe.tilejson(template, summary.id, summary.bbox, zooms, credit))


@api.get("/bbox/<west>,<south>,<east>,<north>.<format>", tags=[TAG])
def part(path: p.CollectionPartPath, query: p.MosaicPartQuery) -> Response:
    """An area in degrees, as a picture or a GeoTIFF; with `pixel_selection` a composite over `datetime`."""
    bbox = checked((path.west, path.south, path.east, path.north))
    search = _search(path, query.datetime)
    with state().gate.enter():
        body = mosaic.part(
            scenes(), search, bbox, query.render_request(), path.format, picture_budget(path.format),
            crs=named_crs(query.dst_crs), size=(query.height, query.width), max_size=query.max_size,
        )  # fmt: skip
    return extract_answer(path.format, path.collection, body)


@api.get("/point/<lon>,<lat>", tags=[TAG])
def point(path: p.CollectionPointPath, query: p.CollectionQuery) -> Response:
    """Values at a position of the newest scene that has a valid pixel there."""
    search = _search(path, query.datetime)
    return document_answer(
        values.collection_point(
            scenes(), search, path.lon, path.lat, query.render_request(), scenes().budget()
        )
    )


@api.get("/info", tags=[TAG])
def info(path: p.CollectionPath, query: p.LanguageQuery) -> Response:
    """Bands, extent and times of a collection, and the styles that it can be shown in."""
    found = scenes().find_collection(path.collection)
    return document_answer(describe.collection_info(scenes(), found, query.lang))


def _search(path: p.CollectionPath, datetime: str | None) -> Search:
    start, end = parse_interval(datetime)
    return Search(collections=(path.collection,), start=start, end=end)
