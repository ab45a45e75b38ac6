"""Images and numbers of one scene."""

from __future__ import annotations

import contextlib

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from comeo.export.provenance import attribution
from tileserver.http import parameters as p
from tileserver.http.context import (
    document_answer,
    extension_of,
    grid_of,
    image_answer,
    item_address,
    matrix_set_of,
    picture_budget,
    scene_max_age,
    scenes,
    state,
    tile_template,
)
from tileserver.render import describe, geojson, images, values
from tileserver.render.compared_point import compared_point
from tileserver.render.parameters import RenderParameters

api = APIBlueprint("items", __name__, url_prefix="/collections/<collection>/items/<item>")
# Thumbnails are requested by the dozen, and cost no more than a few tiles.
LIGHT_PREVIEW = 1024
TAG = Tag(name="Scenes", description="Images and numbers of one scene.")


@api.get("/tiles/<tms>/<z>/<x>/<y>.<format>", tags=[TAG])
def tile(path: p.TilePath, query: RenderParameters) -> Response:
    """Map tile. Where the scene has no pixel the tile is transparent."""
    return _tile(path, query, 1)


@api.get("/tiles/<tms>/<z>/<x>/<y>@<scale>x.<format>", tags=[TAG])
def scaled_tile(path: p.ScaledTilePath, query: RenderParameters) -> Response:
    """Map tile for dense screens."""
    return _tile(path, query, path.scale)


def _tile(path: p.TilePath, query: RenderParameters, scale: int) -> Response:
    record = scenes().find(path.collection, path.item)
    grid = grid_of(path.tms, path.z, path.x, path.y, scale)
    wanted = images.SceneTile(scenes(), record, grid, query.render_request(), extension_of(path.format))

    def render() -> bytes:
        return wanted.render(picture_budget(wanted.extension))

    answer = image_answer(wanted.extension, wanted.etag, scene_max_age(query.style), render)
    if answer.status_code != 304:  # a client that has the tile has these headers, too
        answer.headers.update(wanted.coding())
    return answer


@api.get("/tilejson.json", tags=[TAG])
def tilejson(path: p.ItemPath, query: p.TilesetQuery) -> Response:
    """TileJSON of a scene."""
    record = scenes().find(path.collection, path.item)
    images.check(scenes(), record, query.render_request(), extension_of(query.tile_format))
    template = tile_template(item_address(record), query)
    zooms = describe.zoom_range(describe.scene_grid(scenes(), record), matrix_set_of(query.tms))
    credit = attribution(scenes().catalog.item(record), record.datetime)
    return document_answer(describe.tilejson(template, record.id, record.bbox, zooms, credit))


@api.get("/preview.<format>", tags=[TAG])
def preview(path: p.PreviewPath, query: p.PreviewQuery) -> Response:
    """The whole scene in its own projection."""
    record = scenes().find(path.collection, path.item)
    request, extension = query.render_request(), extension_of(path.format)
    etag = images.preview_etag(scenes(), record, query.max_size, request, extension)

    def render() -> bytes:
        light = query.max_size <= LIGHT_PREVIEW
        with contextlib.nullcontext() if light else state().gate.enter():
            budget = picture_budget(extension)
            return images.preview(scenes(), record, query.max_size, request, extension, budget)

    return image_answer(extension, etag, scene_max_age(query.style), render)


@api.get("/point/<lon>,<lat>", tags=[TAG])
def point(path: p.PointPath, query: RenderParameters) -> Response:
    """Values of all bands, or of the requested ones, at a position: stored numbers and physical values.

    With `against` the second result is the difference from another scene, and whether it is significant.
    """
    record = scenes().find(path.collection, path.item)
    request = query.render_request()
    read = values.point if request.against is None else compared_point
    return document_answer(read(scenes(), record, path.lon, path.lat, request, scenes().budget()))


@api.get("/statistics", tags=[TAG])
def statistics(path: p.ItemPath, query: p.StatisticsQuery) -> Response:
    """Statistics by band or expression."""
    record = scenes().find(path.collection, path.item)
    with state().gate.enter():
        found = values.statistics(
            scenes(), record, query.render_request(), scenes().budget(), max_size=query.max_size,
            percentiles=query.p, bins=query.histogram_bins,
        )  # fmt: skip
    return document_answer(found)


@api.post("/statistics", tags=[TAG])
def area_statistics(path: p.ItemPath, query: p.StatisticsQuery, body: p.GeoJSONBody) -> Response:
    """Statistics by band or expression of the pixels inside a GeoJSON polygon in degrees."""
    record = scenes().find(path.collection, path.item)
    shape = geojson.polygon_of(body.root, scenes().settings.max_vertices)
    with state().gate.enter():
        found = values.statistics(
            scenes(), record, query.render_request(), scenes().budget(), max_size=query.max_size,
            percentiles=query.p, bins=query.histogram_bins, shape=shape,
        )  # fmt: skip
    return document_answer(found)


@api.get("/info", tags=[TAG])
def info(path: p.ItemPath, query: p.LanguageQuery) -> Response:
    """Facts about the archive, and the styles that it can be shown in."""
    record = scenes().find(path.collection, path.item)
    return document_answer(describe.info(scenes(), record, query.lang))
