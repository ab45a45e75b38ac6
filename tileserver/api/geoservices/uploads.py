"""Files of sites in the bodies of requests: the body itself, or the one file of a form."""

from __future__ import annotations

from typing import Any, Final

from flask import request

from comeo.errors import ParameterError
from tileserver.files.sites_file import read_sites
from tileserver.http.context import scenes, state
from tileserver.render.sites import Site, sites_of
from tileserver.watch.setup.register import MOST_SITES

FORM: Final = "multipart/form-data"
_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
KINDS: Final[dict[str, Any]] = {
    "application/geo+json": {"schema": {"type": "object"}},
    "application/vnd.google-earth.kml+xml": _FILE,
    "application/vnd.google-earth.kmz": _FILE,
    "application/geopackage+sqlite3": _FILE,
    "application/zip": _FILE,
    "application/octet-stream": _FILE,
    FORM: {"schema": {"type": "object", "properties": {"file": _FILE["schema"]}, "required": ["file"]}},
}
"""Media types for OpenAPI. What a file is, its first bytes say: browsers and programs name them variously."""


def sites_in_body() -> list[Site]:
    """The sites of the file in the body of the request.

    Raises:
        RequestError: If there is none, or it cannot be read; see `read_sites` and `sites_of`.
    """
    settings = scenes().settings
    request.max_content_length = settings.max_upload_bytes
    with state().gate.enter():
        found = read_sites(_file(), settings.max_vertices, MOST_SITES, settings.max_upload_bytes)
        return sites_of(found, settings.max_vertices, MOST_SITES)


def _file() -> bytes:
    if request.mimetype != FORM:
        return bytes(request.get_data(cache=False))
    files = list(request.files.values())
    if len(files) != 1:
        raise ParameterError(f"the form has {len(files)} files; send one")
    return bytes(files[0].read())
