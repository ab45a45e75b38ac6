"""The end of a connection: at once where the client asked for it, else with patience for the last bytes."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from tileserver.connections.connection import Connection


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    """The server's and the client's end of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2), 1000), theirs


@pytest.mark.parametrize(
    ("request_text", "behind", "expected"),
    [
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"", True),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", b"", True),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"", False),
        # More than was announced: a close would let the system throw away what the client has not read.
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"more", False),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nmore", b"", False),
    ],
)
def test_a_client_that_asks_for_the_end_gets_it_at_once(
    ends: tuple[Connection, socket.socket], request_text: str, behind: bytes, expected: bool
) -> None:
    connection, client = ends
    assert not connection.expects_end
    connection.incoming.feed(request_text.encode())
    connection.hand_over()
    next(connection.parser)
    client.sendall(behind)
    assert connection.expects_end is expected


def test_a_client_that_has_closed_expects_no_more(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    connection.incoming.feed(b"GET / HTTP/1.0\r\n\r\n")
    connection.hand_over()
    next(connection.parser)
    client.close()
    assert connection.expects_end
