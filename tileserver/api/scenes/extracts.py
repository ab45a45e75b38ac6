"""Parts of a scene as files: pictures, GeoTIFF, KMZ; at once, or as a job."""

from __future__ import annotations

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from comeo.errors import ParameterError
from tileserver.api.scenes.jobs import job_answer
from tileserver.catalog.sqlite import Record
from tileserver.files.extract import Wish
from tileserver.files.kml import KMZ_MEDIA_TYPE
from tileserver.http import parameters as p
from tileserver.http.context import crs_of, document_answer, extract_answer, scenes, state
from tileserver.http.files import file_answer
from tileserver.jobs import orders
from tileserver.jobs.orders import OrderBody
from tileserver.render import geojson, images
from tileserver.render.encode import MEDIA_TYPES, PICTURES
from tileserver.render.fingerprint import fingerprint

api = APIBlueprint("extracts", __name__, url_prefix="/collections/<collection>/items/<item>")
TAG = Tag(name="Extracts", description="Parts of a scene as files.")
FILE_TYPES = {"tif": MEDIA_TYPES["tif"], "kmz": KMZ_MEDIA_TYPE}


@api.get("/bbox/<west>,<south>,<east>,<north>.<format>", tags=[TAG])
def part(path: p.PartPath, query: p.PartQuery) -> Response:
    """An area in degrees: tif has the scene's own pixels, png and webp are pictures exactly over the area.

    HEAD says in `Comeo-Estimated-Bytes` how large a tif or kmz would be, and makes nothing.
    """
    bbox = (path.west, path.south, path.east, path.north)
    try:
        orders.check_bbox(bbox)
    except ValueError as error:
        raise ParameterError(str(error)) from error
    record = scenes().find(path.collection, path.item)
    size = (query.height, query.width)
    if path.format in PICTURES:
        with state().gate.enter():
            body = images.part(
                scenes(), record, bbox, query.appearance(), path.format, dst_crs=crs_of(query.dst_crs),
                size=size, max_size=query.max_size,
            )  # fmt: skip
        return extract_answer(path.format, record.id, body)
    wish = Wish(query.appearance(), bbox, None, crs_of(query.dst_crs), *size, query.max_size)
    if request.method == "HEAD":
        given = {**orders.as_json(query), "bbox": bbox, "format": path.format}
        return _estimated(record, OrderBody.model_validate(given))
    return _file(record, wish, path.format)


@api.post("/feature.<format>", tags=[TAG])
def feature(path: p.FeaturePath, query: p.FeatureQuery, body: p.GeoJSONBody) -> Response:
    """What a GeoJSON polygon in degrees covers: tif has the scene's own pixels, png and webp are pictures."""
    record = scenes().find(path.collection, path.item)
    shape = geojson.polygon_of(body.model_dump(), scenes().settings.max_vertices)
    if path.format in PICTURES:
        with state().gate.enter():
            image = images.feature(
                scenes(), record, shape, query.appearance(), path.format, dst_crs=crs_of(query.dst_crs),
                max_size=query.max_size,
            )  # fmt: skip
        return extract_answer(path.format, record.id, image)
    wish = Wish(query.appearance(), None, shape, crs_of(query.dst_crs), max_size=query.max_size)
    return _file(record, wish, path.format)


@api.post("/extracts/estimate", tags=[TAG])
def estimate(path: p.ItemPath, body: OrderBody) -> Response:
    """How large a file would be, and whether it is worth a job (`job`): nothing is made."""
    record = scenes().find(path.collection, path.item)
    with state().gate.enter():
        return document_answer(orders.estimate(scenes(), record, body))


@api.post("/extracts", tags=[TAG])
def create(path: p.ItemPath, body: OrderBody) -> Response:
    """Start a job that makes a file of any size; the answer's Location says where to ask how it stands."""
    record = scenes().find(path.collection, path.item)
    with state().gate.enter():
        estimated = orders.estimate(scenes(), record, body)
    order = {
        "collection": record.collection, "item": record.id, "estimate": estimated,
        "body": orders.as_json(body),
    }  # fmt: skip
    job = state().jobs.create(order, orders.disk_bytes(estimated))
    return job_answer(job, 201)


def _file(record: Record, wish: Wish, extension: str) -> Response:
    etag = fingerprint(record.etag, extension, wish)
    return file_answer(
        f"{record.id}.{extension}", FILE_TYPES[extension], etag,
        lambda output, watch: orders.write(scenes(), record, wish, extension, output, watch, job=False),
    )  # fmt: skip


def _estimated(record: Record, order: OrderBody) -> Response:
    found = orders.estimate(scenes(), record, order)
    response = Response(content_type=FILE_TYPES[order.format])
    response.automatically_set_content_length = False  # nobody knows it
    response.headers["Comeo-Estimated-Bytes"] = str(found["bytes"])
    return response
