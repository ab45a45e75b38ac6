"""A program that takes events: it verifies and reads them with the libraries that receivers use."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event

from tests.tileserver.watch.followed import HERE
from tileserver.outgoing.guard import Guard


@dataclass
class Receiver:
    """What it was sent, and what it answers.

    Attributes:
        url: Its address.
        taken: Headers and bodies of what it took.
        answers: Statuses and headers of the next answers; then 204.
    """

    url: str = ""
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def events(self) -> list[BaseCloudEvent]:
        return [from_structured_event(HTTPMessage(headers, body)) for headers, body in self.taken]

    def ids(self) -> list[str]:
        return [str(json.loads(body)["id"]) for _, body in self.taken]


@contextlib.contextmanager
def receiver() -> Iterator[tuple[Receiver, Guard]]:
    """A receiver that runs, and a guard that lets it be reached."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = state.answers.pop(0) if state.answers else (204, {})
            if status == 204:
                state.taken.append((dict(self.headers), body))
            self.send_response(status)
            for each in {**headers, "Content-Length": "0"}.items():
                self.send_header(*each)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/hook/secret-path"
    try:
        yield state, Guard(HERE)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
