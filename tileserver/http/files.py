"""Files made for one request: written to disk, sent, removed; abandoned when the client disconnects."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Response, request
from werkzeug.wsgi import wrap_file

from comeo.progress import Progress
from tileserver.errors import ClientGoneError
from tileserver.http.conditional import answer_unless_known
from tileserver.http.context import state
from tileserver.jobs.queue import DIRECT

CHUNK_BYTES = 1 << 16


class ClientWatch:
    """Progress that ends the work when the client has disconnected. See `comeo.progress`.

    WSGI has no means for this, but gunicorn and Werkzeug hand on the connection, whose end can be seen.
    Behind a proxy it is the proxy's connection, which nginx and others close when their client disconnects.

    Args:
        environ: Of the request.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self._socket: socket.socket | None = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")

    def start(self, _stage: str, _total: int) -> None:
        """See `comeo.progress.Progress`."""
        self.advance()

    def advance(self) -> None:
        """See `comeo.progress.Progress`.

        Raises:
            ClientGoneError: If the client has disconnected.
        """
        if self._socket is not None and _has_ended(self._socket):
            raise ClientGoneError("the client has disconnected")

    def note(self, _message: str) -> None:
        """Do nothing: a response has no place for notes."""


def file_answer(name: str, media_type: str, etag: str, make: Callable[[Path, Progress], None]) -> Response:
    """Answer with a file that is made now, or with 304 if the client has it.

    Args:
        name: To save it under.
        media_type: Of the file.
        etag: Of everything that the file depends on.
        make: Writes it.
    """
    response = answer_unless_known(etag, lambda: _made(name, media_type, make))
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _made(name: str, media_type: str, make: Callable[[Path, Progress], None]) -> Response:
    watch = ClientWatch(request.environ)
    with state().gate.enter():
        watch.advance()  # it may have disconnected while waiting for its slot
        folder = Path(tempfile.mkdtemp(prefix=DIRECT, dir=state().jobs.folder))
        try:
            path = folder / "file"
            make(path, watch)
            stream = path.open("rb")
        finally:
            # The open file lives on without a name: whatever happens, nothing stays on disk.
            shutil.rmtree(folder, ignore_errors=True)
    size = stream.seek(0, 2)
    stream.seek(0)
    body = wrap_file(request.environ, stream, CHUNK_BYTES)
    response = Response(body, content_type=media_type, direct_passthrough=True)
    response.content_length = size
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except (BlockingIOError, InterruptedError):
        return False
    except ValueError:  # TLS sockets cannot be peeked into
        return False
    except OSError:
        return True
