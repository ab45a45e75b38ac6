"""An HTTP server of one file that gives ranges, and misbehaves on demand."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What the server says, and does."""

    status: int
    headers: dict[str, str]
    body: bytes
    pause: float = 0
    """Seconds between one byte and the next; 0 sends all at once."""


Misdeed = Callable[[Answer, int], Answer]


@dataclass
class RangeServer:
    """The file, what is done to answers, and what has been asked for."""

    content: bytes
    misdeed: Misdeed = lambda answer, _: answer
    url: str = ""
    ranges: list[tuple[int, int]] = field(default_factory=list)
    sent: int = 0

    def answer(self, wanted: str) -> Answer:
        size = len(self.content)
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
        assert match is not None
        first, last = match.groups()
        start = int(first) if first else max(0, size - int(last))
        stop = min(size, int(last) + 1) if first and last else size
        self.ranges.append((start, stop))
        headers = {"Content-Range": f"bytes {start}-{stop - 1}/{size}", "ETag": '"one"'}
        answer = self.misdeed(Answer(206, headers, self.content[start:stop]), len(self.ranges))
        self.sent += len(answer.body)
        return answer


@contextmanager
def serving(content: bytes, misdeed: Misdeed = lambda answer, _: answer) -> Iterator[RangeServer]:
    """Serve a file until the block ends; the misdeed is given each answer and its number from 1."""
    state = RangeServer(content, misdeed)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = state.answer(self.headers["Range"])
            self.send_response(answer.status)
            headers = {"Content-Length": str(len(answer.body)), **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.send_body(answer)
            self.close_connection = headers["Content-Length"] != str(len(answer.body))

        def send_body(self, answer: Answer) -> None:
            if not answer.pause:
                self.wfile.write(answer.body)
                return
            with contextlib.suppress(OSError):  # the client has gone
                for byte in answer.body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.pause)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/scene.zarr.zip?signature=secret"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
