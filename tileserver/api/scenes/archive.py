"""The archive of a scene, whole or by ranges of bytes: for readers over HTTP, which take single blocks."""

from __future__ import annotations

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from werkzeug.datastructures import ContentRange
from werkzeug.http import http_date
from werkzeug.wsgi import wrap_file

from tileserver.catalog import Record
from tileserver.files.download import CHUNK_BYTES, MEDIA_TYPE, ArchiveFile, Section, open_file
from tileserver.http import parameters as p
from tileserver.http.conditional import answer_unless_known, may_continue
from tileserver.http.context import scenes
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
    try:
        answer = _answer(record, file)
    except BaseException:
        file.stream.close()
        raise
    if not answer.direct_passthrough:
        file.stream.close()
    return answer


def _answer(record: Record, file: ArchiveFile) -> Response:
    if request.if_match and not request.if_match.contains(record.etag):
        answer = problem(412, f"the archive of {record.id} has changed")
        answer.set_etag(record.etag)
    else:
        answer = answer_unless_known(record.etag, lambda: _content(record, file))
    answer.headers["Last-Modified"] = http_date(file.modified)
    answer.headers["Accept-Ranges"] = "bytes"
    # A client with a copy revalidates it.
    answer.headers.setdefault("Cache-Control", "public, no-cache")
    return answer


def _content(record: Record, file: ArchiveFile) -> Response:
    """The file, or the one requested range of it; of several ranges the file, as HTTP allows."""
    wanted = request.range if may_continue(record.etag) else None
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return _section(file, 0, file.size, 200)
    first, _ = wanted.ranges[0]
    # A suffix longer than the file is the file (RFC 9110, 14.1.2), which Werkzeug does not know.
    found = (0, file.size) if first < -file.size else wanted.range_for_length(file.size)
    if found is None:
        answer = problem(416, f"the archive has {file.size} bytes")
        answer.headers["Content-Range"] = f"bytes */{file.size}"
        return answer
    start, stop = found
    answer = _section(file, start, stop - start, 206)
    answer.content_range = ContentRange("bytes", start, stop, file.size)
    return answer


def _section(file: ArchiveFile, start: int, length: int, status: int) -> Response:
    body = wrap_file(request.environ, Section(file.stream, start, length), CHUNK_BYTES)  # type: ignore[arg-type]
    answer = Response(body, status, content_type=MEDIA_TYPE, direct_passthrough=True)
    answer.content_length = length
    answer.headers.set("Content-Disposition", "attachment", filename=file.name)
    return answer
