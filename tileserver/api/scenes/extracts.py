"""Parts of a scene as files: pictures, GeoTIFF, KMZ; at once, or as a job."""

from __future__ import annotations

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from rasterio.crs import CRS

from comeo.export.request import ExtractRequest
from comeo.globe import checked
from comeo.view.projection import named_crs
from tileserver.catalog import Record
from tileserver.files import scene
from tileserver.files.extract import FileRequest
from tileserver.files.kml import KMZ_MEDIA_TYPE
from tileserver.files.scene import ExtractBody
from tileserver.http import parameters as p
from tileserver.http.context import (
    document_answer,
    extract_answer,
    picture_budget,
    scenes,
    state,
)
from tileserver.http.files import file_answer
from tileserver.http.jobs import job_answer
from tileserver.jobs.kinds import EXTRACT, ExtractOrder
from tileserver.render import geojson, images
from tileserver.render.encode import MEDIA_TYPES, PICTURES
from tileserver.render.fingerprint import code_fingerprint
from tileserver.render.naming import file_name
from tileserver.render.plan import RenderRequest

api = APIBlueprint("extracts", __name__, url_prefix="/collections/<collection>/items/<item>")
TAG = Tag(name="Extracts", description="Parts of a scene as files.")
FILE_TYPES = {"tif": MEDIA_TYPES["tif"], "kmz": KMZ_MEDIA_TYPE}


@api.get("/bbox/<west>,<south>,<east>,<north>.<format>", tags=[TAG])
def part(path: p.PartPath, query: p.PartQuery) -> Response:
    """An area in degrees: tif has the scene's own pixels, png and webp are pictures exactly over the area.

    HEAD says in `Comeo-Estimated-Bytes` how large a tif or kmz would be, and makes nothing.
    """
    bbox = checked((path.west, path.south, path.east, path.north))
    record = scenes().find(path.collection, path.item)
    size = (query.height, query.width)
    if path.format in PICTURES:
        with state().gate.enter():
            body = images.part(
                scenes(), record, bbox, query.render_request(), path.format, picture_budget(path.format),
                dst_crs=_crs(query.dst_crs), size=size, max_size=query.max_size,
            )  # fmt: skip
        return extract_answer(path.format, _name(record, query.render_request()), body)
    wanted = ExtractRequest(query.render_request(), bbox, None, _crs(query.dst_crs), *size, query.max_size)
    if request.method == "HEAD":
        return _estimated(record, wanted, path.format)
    return _file(record, wanted, path.format)


@api.post("/feature.<format>", tags=[TAG])
def feature(path: p.FeaturePath, query: p.FeatureQuery, body: p.GeoJSONBody) -> Response:
    """The area of a GeoJSON polygon in degrees: tif has the scene's own pixels, png and webp are pictures."""
    record = scenes().find(path.collection, path.item)
    shape = geojson.polygon_of(body.root, scenes().settings.max_vertices)
    if path.format in PICTURES:
        with state().gate.enter():
            image = images.feature(
                scenes(), record, shape, query.render_request(), path.format, picture_budget(path.format),
                dst_crs=_crs(query.dst_crs), max_size=query.max_size,
            )  # fmt: skip
        return extract_answer(path.format, _name(record, query.render_request()), image)
    wanted = ExtractRequest(query.render_request(), None, shape, _crs(query.dst_crs), max_size=query.max_size)
    return _file(record, wanted, path.format)


@api.post("/extracts/estimate", tags=[TAG])
def estimate(path: p.ItemPath, body: ExtractBody) -> Response:
    """How large a file would be, and whether it is worth a job (`job`): nothing is made."""
    with state().gate.enter():
        return document_answer(EXTRACT.estimate(scenes(), _order(path, body)).facts)


@api.post("/extracts", tags=[TAG])
def create(path: p.ItemPath, body: ExtractBody) -> Response:
    """Start a job that makes a file of any size; the answer's Location is the address of its state."""
    with state().gate.enter():
        record = scenes().find(path.collection, path.item)
        order = EXTRACT.order(scenes(), _order(path, body), _name(record, body.render_request()))
    return job_answer(state().jobs.create(order), 201)


def _order(path: p.ItemPath, body: ExtractBody) -> ExtractOrder:
    return ExtractOrder.model_validate(
        {**body.model_dump(), "collection": path.collection, "item": path.item}
    )


def _name(record: Record, pixels: RenderRequest) -> str:
    return file_name(record.id, record.datetime, pixels)


def _crs(name: str | None) -> CRS | None:
    return named_crs(name) if name else None


def _file(record: Record, wanted: FileRequest, extension: str) -> Response:
    etag = code_fingerprint(record.etag, extension, wanted)
    return file_answer(
        f"{_name(record, wanted.pixels)}.{extension}", FILE_TYPES[extension], etag,
        lambda output, watch: scene.write(scenes(), record, wanted, extension, output, watch, job=False),
    )  # fmt: skip


def _estimated(record: Record, wanted: FileRequest, extension: str) -> Response:
    found = scene.estimate(scenes(), record, wanted, extension, scenes().budget())
    response = Response(content_type=FILE_TYPES[extension])
    response.automatically_set_content_length = False  # it is only estimated
    response.headers["Comeo-Estimated-Bytes"] = str(found["bytes"])
    return response
