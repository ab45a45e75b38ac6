"""A server that answers as it is told, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Answer = Callable[[str, dict[str, str]], Iterable[bytes]]
"""What is sent to a request, by its path and headers; the connection is closed behind it."""


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve in a thread; yields the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    _talk(connection, answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        done.set()
        thread.join()
        listener.close()


def _talk(connection: socket.socket, answer: Answer) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        more = connection.recv(1 << 16)
        if not more:
            return
        request += more
    first, *rest = request.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest if ": " in line)
    for piece in answer(first.split(" ")[1], headers):
        connection.sendall(piece)


def ok(body: bytes, status: str = "200 OK", **headers: str) -> list[bytes]:
    """An answer of its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join([*lines, "", ""]).encode(), body]


def files_of(folder: Path) -> Answer:
    """What any web server does with a folder: files by their paths, and ranges of them."""

    def answer(path: str, headers: dict[str, str]) -> Iterable[bytes]:
        file = folder / path.partition("?")[0].lstrip("/")
        if not file.is_file():
            return ok(b"", "404 Not Found")
        data, tag = file.read_bytes(), f'"{file.stat().st_mtime_ns:x}"'
        wanted = headers.get("range")
        if wanted is None or headers.get("if-range", tag) != tag:
            return ok(data, ETag=tag)
        first, last = (int(each) for each in wanted.removeprefix("bytes=").split("-"))
        if first >= len(data):
            return ok(b"", "416 Range Not Satisfiable")
        part = data[first : last + 1]
        stated = f"bytes {first}-{first + len(part) - 1}/{len(data)}"
        return ok(part, "206 Partial Content", ETag=tag, Content_Range=stated)

    return answer
