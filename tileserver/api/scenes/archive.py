"""The archive of a scene, whole or by ranges of bytes: for readers over HTTP, which take single blocks."""

from __future__ import annotations

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from werkzeug.http import http_date

from tileserver.catalog import Record
from tileserver.files.download import MEDIA_TYPE, OpenFile, open_file
from tileserver.http import parameters as p
from tileserver.http.conditional import answer_unless_known
from tileserver.http.context import scenes
from tileserver.http.files import file_or_range, sending
from tileserver.http.openapi import Answers
from tileserver.http.problems import problem

api = APIBlueprint("archive", __name__, url_prefix="/collections/<collection>/items/<item>")
FILE = {"schema": {"type": "string", "format": "binary"}}
ANSWERS: Answers = {
    "200": {"description": "The whole file.", "content": {MEDIA_TYPE: FILE}},
    "206": {"description": "The requested range.", "content": {MEDIA_TYPE: FILE}},
}
TAG = Tag(name="Archives", description="Compressed scenes as they are.")


@api.get("/archive", tags=[TAG], responses=ANSWERS)
def archive(path: p.ItemPath) -> Response:
    """The scene's archive, a Zarr hierarchy in a ZIP. Takes Range, If-Range, If-Match and If-None-Match."""
    record = scenes().find(path.collection, path.item)
    file = open_file(record)
    return sending(file.stream, lambda: _answer(record, file))


def _answer(record: Record, file: OpenFile) -> Response:
    if request.if_match and not request.if_match.contains(record.etag):
        answer = problem(412, f"the archive of {record.id} has changed")
        answer.set_etag(record.etag)
    else:
        answer = answer_unless_known(record.etag, lambda: file_or_range(file, record.etag, MEDIA_TYPE))
    answer.headers["Last-Modified"] = http_date(file.modified)
    answer.headers["Accept-Ranges"] = "bytes"
    # A client with a copy revalidates it.
    answer.headers.setdefault("Cache-Control", "public, no-cache")
    return answer
