"""Files as answers, whole or a range of bytes, and those made for one request.

The latter are written to disk, sent and removed, and abandoned when the client disconnects.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from flask import Response, request
from werkzeug.datastructures import ContentRange
from werkzeug.wsgi import wrap_file

from comeo.progress import Progress
from tileserver.errors import ClientGoneError
from tileserver.files.download import CHUNK_BYTES, OpenFile, Section
from tileserver.http.conditional import answer_unless_known, may_continue
from tileserver.http.context import state
from tileserver.http.problems import problem


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
        folder = state().jobs.direct_folder()
        try:
            path = folder / "file"
            make(path, watch)
            stream = path.open("rb")
        finally:
            # The open file lives on without a name: whatever happens, nothing stays on disk.
            shutil.rmtree(folder, ignore_errors=True)
    status = os.fstat(stream.fileno())
    return _section(
        OpenFile(stream, status.st_size, status.st_mtime, name), 0, status.st_size, 200, media_type
    )


def sending(stream: BinaryIO, make: Callable[[], Response]) -> Response:
    """Make an answer that sends an open file, and close the file if it turns out not to."""
    try:
        answer = make()
    except BaseException:
        stream.close()
        raise
    if not answer.direct_passthrough:
        stream.close()
    return answer


def file_or_range(file: OpenFile, etag: str, media_type: str) -> Response:
    """Answer with a file, or the one requested range of it; of several ranges the file, as HTTP allows.

    Args:
        file: That a server with `sendfile` sends without threads that wait.
        etag: Of the file.
        media_type: Likewise.
    """
    wanted = request.range if may_continue(etag) else None
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return _section(file, 0, file.size, 200, media_type)
    first, _ = wanted.ranges[0]
    # A suffix longer than the file is the file (RFC 9110, 14.1.2), which Werkzeug does not know.
    found = (0, file.size) if first < -file.size else wanted.range_for_length(file.size)
    if found is None:
        answer = problem(416, f"the file has {file.size} bytes")
        answer.headers["Content-Range"] = f"bytes */{file.size}"
        return answer
    start, stop = found
    answer = _section(file, start, stop - start, 206, media_type)
    answer.content_range = ContentRange("bytes", start, stop, file.size)
    return answer


def _section(file: OpenFile, start: int, length: int, status: int, media_type: str) -> Response:
    body = wrap_file(request.environ, Section(file.stream, start, length), CHUNK_BYTES)  # type: ignore[arg-type]
    answer = Response(body, status, content_type=media_type, direct_passthrough=True)
    answer.content_length = length
    answer.headers.set("Content-Disposition", "attachment", filename=file.name)
    return answer


def _has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except (BlockingIOError, InterruptedError):
        return False
    except ValueError:  # TLS sockets cannot be peeked into
        return False
    except OSError:
        return True
