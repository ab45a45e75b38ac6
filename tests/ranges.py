"""A folder served over http as a store of COGs serves it: whole files, and parts of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Served = tuple[str, Path, list[tuple[str, str]]]
"""URL, folder, and path and range of each request so far."""


class RangeHandler(SimpleHTTPRequestHandler):
    """Serves files, and parts of files, as a store of COGs does."""

    requests: list[tuple[str, str]]

    def do_GET(self) -> None:
        """Answer the whole file or the one range asked for, unless the client has gone."""
        with contextlib.suppress(ConnectionError):
            self._answer()

    def _answer(self) -> None:
        asked = self.headers.get("Range")
        self.requests.append((self.path, asked or ""))
        if asked is None:
            super().do_GET()
            return
        content = Path(self.translate_path(self.path)).read_bytes()
        first, last = asked.removeprefix("bytes=").split("-")
        part = content[int(first) : int(last) + 1 if last else None]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Serve a folder."""
    requests: list[tuple[str, str]] = []
    handler = type("Handler", (RangeHandler,), {"requests": requests})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder, requests
    server.shutdown()
    server.server_close()
    thread.join()
