"""Answers in the fewest bytes: the viewer as its build compressed it, documents compressed when sent.

flask-compress 1.25 is not used: it compresses for a client that refuses that (`br;q=0, gzip;q=0`), adds
`Vary: Accept-Encoding` to images, so that a proxy keeps a tile once for each kind of client, and gives each
encoding an ETag of its own, which is only compared after the document has been made and compressed again.
"""

from __future__ import annotations

import gzip
import mimetypes
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import brotli
from flask import Response, g, request, send_from_directory
from werkzeug.security import safe_join

from tileserver.http.sharing import BARE

STORED = {"br": ".br", "gzip": ".gz"}
ENCODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda data: brotli.compress(data, mode=brotli.MODE_TEXT, quality=5),
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
}
"""The better one first."""
SMALLEST = 500
"""Bytes; what is smaller fits into one packet either way."""


def send_smallest(folder: Path, name: str) -> Response:
    """Send the smallest form of a file that the client takes: `name.br`, `name.gz`, or `name` itself.

    Raises:
        NotFound: If there is no such file in the folder.
    """
    _leave_odd_ranges()
    for encoding, suffix in STORED.items():
        path = safe_join(str(folder), name + suffix)
        # Path.is_file raises an error of names that are too long for the disk
        if path and request.accept_encodings[encoding] > 0 and os.path.isfile(path):  # noqa: PTH113
            media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            response = send_from_directory(folder, name + suffix, mimetype=media_type)
            response.headers.set("Content-Disposition", "inline")
            response.content_encoding = encoding
            break
    else:
        response = send_from_directory(folder, name)
    response.vary.add("Accept-Encoding")
    return response


def _leave_odd_ranges() -> None:
    """Forget a range that the whole file answers: Werkzeug refuses what RFC 9110, 14.2, tells to ignore.

    That is one that cannot be read, of another unit than bytes, or several at once.
    """
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        request.environ.pop("HTTP_RANGE", None)


def compress(response: Response) -> Response:
    """Compress text for clients that take that. Its ETag becomes a weak one: the bytes differ by encoding."""
    if response.direct_passthrough or response.content_encoding or not _is_text(response.mimetype):
        return response
    if g.get(BARE):
        return response
    response.vary.add("Accept-Encoding")
    encoding = request.accept_encodings.best_match([*ENCODERS, "identity"], "identity")
    if encoding not in ENCODERS or (response.content_length or 0) < SMALLEST:
        return response
    response.set_data(ENCODERS[encoding](response.get_data()))
    response.content_encoding = encoding
    tag, _ = response.get_etag()
    if tag:
        response.set_etag(tag, weak=True)
    return response


def _is_text(mimetype: str | None) -> bool:
    kind = mimetype or ""
    return kind.startswith("text/") or kind.endswith(("json", "xml", "javascript"))
