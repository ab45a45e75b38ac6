"""Uploads that go on where they were cut: tus 1.0.0, its core with creation, termination and expiration."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import BinaryIO, Final, cast

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from comeo.errors import ParameterError
from tileserver.errors import ChangedError
from tileserver.http.context import base_url, scenes
from tileserver.http.database import database
from tileserver.http.session import signed_in
from tileserver.ingest.compressions import uploads_of
from tileserver.ingest.uploads import Upload, Uploads
from tileserver.render.parameters import Parameters
from tileserver.settings import MEBIBYTE

api = APIBlueprint("product_uploads", __name__, url_prefix="/compressions/uploads")
TAG = Tag(name="Compressions", description="Products of one's own become archives: docs/ingest.md.")
VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,termination,expiration"
PIECE_BYTES: Final = 16 * MEBIBYTE
"""Of one request: clients send larger products in several."""
_OFFSETS: Final = "application/offset+octet-stream"


class UploadPath(Parameters):
    """An upload."""

    upload: str = Field(min_length=1, max_length=64, description="Its id, as its address ends.")


@api.after_request
def _speak_tus(response: Response) -> Response:
    """Say on every answer, refusals too, which version is spoken."""
    response.headers["Tus-Resumable"] = VERSION
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        response.headers["Tus-Version"] = VERSION
    return response


@api.post("", tags=[TAG], provide_automatic_options=False)
def create() -> Response:
    """Begin an upload of Upload-Length bytes; Upload-Metadata has the product's filename, in Base64."""
    person = _person()
    length = _number("Upload-Length")
    return _answer(201, _uploads().create(person, length, _filename()), created=True)


@api.get("/<upload>", tags=[TAG])
def look(path: UploadPath) -> Response:
    """How much of an upload is here; by HEAD."""
    return _answer(200, _uploads().get(path.upload, _person()))


@api.patch("/<upload>", tags=[TAG])
def append(path: UploadPath) -> Response:
    """Send the bytes of an upload from Upload-Offset on, at most 16 MiB at once."""
    uploads, upload = _uploads(), _uploads().get(path.upload, _person())
    if request.mimetype != _OFFSETS:
        raise ParameterError(f"the body is to be of the type {_OFFSETS}")
    request.max_content_length = PIECE_BYTES
    offset = _number("Upload-Offset")
    return _answer(204, uploads.append(upload, offset, cast("BinaryIO", request.stream)))


@api.delete("/<upload>", tags=[TAG])
def remove(path: UploadPath) -> Response:
    """Forget an upload."""
    uploads = _uploads()
    upload = uploads.get(path.upload, _person())
    with uploads.held(upload):
        uploads.remove(upload)
    return _answer(204, None)


@api.route("", methods=["OPTIONS"])
def options() -> Response:
    """What is understood, for tus."""
    response = _answer(204, None)
    response.headers["Tus-Version"] = VERSION
    response.headers["Tus-Extension"] = EXTENSIONS
    response.headers["Tus-Max-Size"] = str(scenes().settings.max_product_bytes)
    response.headers["Allow"] = "POST, OPTIONS"
    response.headers["Cache-Control"] = "no-cache"
    return response


def _person() -> int:
    """Who sends, in words of tus that are understood.

    Raises:
        ChangedError: If they are of another version.
        RequestError: See `signed_in`.
    """
    with database().reading() as connection:
        person = signed_in(connection)
    if request.headers.get("Tus-Resumable") != VERSION:
        raise ChangedError(f"send the header Tus-Resumable: {VERSION}; other versions are not understood")
    return person.id


def _uploads() -> Uploads:
    return uploads_of(scenes().settings)


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ParameterError(f"the header {header} is missing, or no number of bytes")
    return int(text)


def _filename() -> str:
    """The product's name: acquisitions, missions and levels are read from it."""
    for pair in request.headers.get("Upload-Metadata", "")[:4096].split(","):
        key, _, value = pair.strip().partition(" ")
        if key == "filename":
            try:
                return base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError) as error:
                raise ParameterError("filename in Upload-Metadata is no text in Base64") from error
    raise ParameterError("Upload-Metadata has no filename; send the product's own name, in Base64")


def _answer(status: int, upload: Upload | None, *, created: bool = False) -> Response:
    response = Response(status=status)
    response.headers["Cache-Control"] = "no-store"
    if upload is not None:
        response.headers["Upload-Offset"] = str(upload.offset)
        response.headers["Upload-Length"] = str(upload.facts.length)
        expires = datetime.fromtimestamp(upload.expires, UTC)
        response.headers["Upload-Expires"] = format_datetime(expires, usegmt=True)
    if created and upload is not None:
        response.headers["Location"] = f"{base_url()}/compressions/uploads/{upload.id}"
    return response
