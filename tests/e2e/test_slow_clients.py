"""Slow clients cost nobody else anything, and are closed in the end."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.serving import HASTY, PATIENT, Served, is_open, serving, until_end

SLOW = 24
"""Twelve times the threads that there are."""
ARCHIVE = "/collections/fields/items/colours/archive"
TILE = "/collections/fields/items/colours/preview.png?max_size=64"
HEAD = b"POST /stac/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"
EXPECTING = CHUNKED + b"Expect: 100-continue\r\n"
FILE_BYTES = 64 << 20
LARGE = f"""
import tileserver.api.scenes.archive as archive, tileserver.files.download as download, tempfile
def large(record, made=[]):
    stream = tempfile.TemporaryFile()
    stream.truncate({FILE_BYTES})
    return download.OpenFile(stream, {FILE_BYTES}, 0.0, "large.zip")
archive.open_file = large
"""
"""Archives so large that the system's buffers cannot hold them."""


@pytest.fixture(scope="module")
def patient(archives: Path) -> Iterator[Served]:
    """A server that closes no slow client while a test runs."""
    with serving(archives, f"{PATIENT}\n{LARGE}", COMEO_WORKERS="1", COMEO_THREADS="2") as served:
        yield served


@pytest.fixture(scope="module")
def hasty(archives: Path) -> Iterator[Served]:
    """A server that closes slow clients soon."""
    with serving(archives, f"{HASTY}\n{LARGE}") as served:
        yield served


def half_a_head(served: Served) -> socket.socket:
    """A client that sends its header byte by byte."""
    connection = served.connect()
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half: ")
    return connection


def half_a_body(served: Served) -> socket.socket:
    """A client that sends its body byte by byte."""
    connection = served.connect()
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    return connection


def half_a_chunk(served: Served) -> socket.socket:
    """The same in chunks."""
    connection = served.connect()
    connection.sendall(CHUNKED + b"\r\n1\r\n{\r\n5")
    return connection


def zero_window(served: Served) -> socket.socket:
    """A client that asks for a large file and reads nothing."""
    connection = served.connect(receive_bytes=2048)
    connection.sendall(f"GET {ARCHIVE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def zero_window_of_a_range(served: Served) -> socket.socket:
    """The same for a range of it."""
    connection = served.connect(receive_bytes=2048)
    head = f"GET {ARCHIVE} HTTP/1.1\r\nHost: x\r\nRange: bytes=100-\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def lingering(served: Served) -> socket.socket:
    """A client that has its answer and doesn't close."""
    connection = served.connect()
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return connection


KINDS = [half_a_head, half_a_body, half_a_chunk, zero_window, zero_window_of_a_range, lingering]


def test_a_server_full_of_slow_clients_serves_the_others(patient: Served) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(kind(patient)) for kind in KINDS for _ in range(SLOW)]
        for _ in range(3):
            for connection in slow[:SLOW]:
                connection.sendall(b"a")
            assert json.loads(patient.get("/healthz")) == {"status": "ok"}
            assert patient.get(TILE).startswith(b"\x89PNG")
        # They were served beside them, not after them.
        assert all(is_open(connection) for connection in slow[: 5 * SLOW])


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_request_that_does_not_come_on_is_given_up(
    hasty: Served, kind: Callable[[Served], socket.socket]
) -> None:
    with kind(hasty) as connection:
        assert until_end(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("kind", KINDS[3:5])
def test_an_answer_that_nobody_reads_is_given_up(
    hasty: Served, kind: Callable[[Served], socket.socket]
) -> None:
    with kind(hasty) as connection:
        worker = hasty.workers()[0]
        while not _sends_file(worker):
            time.sleep(0.01)
        while _sends_file(worker):
            assert hasty.get("/healthz")
        assert len(until_end(connection)) < FILE_BYTES


def test_a_client_that_keeps_the_connection_open_is_closed_in_the_end(hasty: Served) -> None:
    with lingering(hasty) as connection:
        assert until_end(connection).endswith(b'{"status":"ok"}\n')
        hasty.get("/healthz")


def test_a_slow_reader_that_comes_on_gets_all(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(f"GET {ARCHIVE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert len(until_end(connection).partition(b"\r\n\r\n")[2]) == FILE_BYTES


@pytest.mark.parametrize(
    ("pieces", "answers"),
    [
        ((b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n",), [200, 200]),
        ((b"GET /healthz HTTP/1.1\r\nHo", b"st: x\r\nConnection: close\r", b"\n\r\n"), [200]),
        ((b"GET /healthz HTTP/1.0\n\n",), [400]),
        ((b"\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n",), [400]),
        ((b"GET /healthz HTTP/1.1\r\nA: " + b"a" * 70_000,), [431]),
        ((HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n", b"{", b"}"), [200]),
        ((CHUNKED + b"Connection: close\r\n\r\n2\r", b"\n{}\r\n0\r\n\r", b"\n"), [200]),
        ((HEAD + b"Content-Length: 9999999\r\n\r\n",), [413]),
        ((HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",), [413]),
        ((HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",), [400]),
        ((CHUNKED + b"\r\n" + b"9" * 9000,), [400]),
        ((CHUNKED + b"\r\nfffffff\r\n",), [413]),
        ((CHUNKED + b"\r\nnonsense\r\n",), [400]),
        ((CHUNKED + b"\r\n2;" + b"a" * 100_000,), [400]),
        ((CHUNKED + b"\r\n2\r\n{}nonsense",), [400]),
        ((b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",), [414]),
        ((b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n",), [431]),
        ((HEAD + b"Expect: more\r\nContent-Length: 2\r\n\r\n{}",), [417]),
        ((HEAD + b"Transfer-Encoding: novel\r\n\r\n0\r\n\r\n",), [501]),
    ],
)  # fmt: skip
def test_requests_however_they_arrive(patient: Served, pieces: tuple[bytes, ...], answers: list[int]) -> None:
    found = patient.talk(*pieces)
    assert [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", found)] == answers, found
    assert found.count(b"Content-Type: application/problem+json") == sum(code >= 400 for code in answers)


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(patient: Served) -> None:
    with patient.connect() as connection:
        connection.sendall(EXPECTING + b"Connection: close\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"2\r\n{}\r\n0\r\n\r\n")
        assert until_end(connection).startswith(b"HTTP/1.1 200 ")


def _sends_file(worker: int) -> bool:
    """Whether a process has the large file open."""
    return any(_size(path) == FILE_BYTES for path in Path(f"/proc/{worker}/fd").iterdir())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
