"""Answers that a client takes when it likes."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tileserver.connections.outbox import Outbox

PARTS = st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=200_000)), max_size=6)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's and the client's end of a connection."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@settings(max_examples=30)
@given(PARTS)
def test_all_arrives_in_order(parts: list[tuple[bool, bytes]]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        outbox = Outbox(ours)
        for on_disk, data in parts:
            if on_disk:
                with tempfile.TemporaryFile() as file:
                    file.write(b"before" + data + b"behind")
                    file.flush()
                    assert outbox.sendfile(file, 6, len(data)) == len(data)
            else:
                outbox.sendall(data)
        found, done = b"", False
        while not done:
            done = outbox.flush()
            found += _take(theirs)
        assert found == b"".join(data for _, data in parts)
        assert outbox.held == 0


def test_what_nobody_takes_is_kept_and_then_forgotten(ends: tuple[socket.socket, socket.socket]) -> None:
    outbox = Outbox(ends[0])
    outbox.sendall(bytes(1 << 22))
    before = set(Path("/proc/self/fd").iterdir())
    with tempfile.TemporaryFile() as file:
        file.truncate(100)
        outbox.sendfile(file)
    assert not outbox.flush()
    assert outbox.held > 0
    outbox.discard()
    assert outbox.held == 0
    assert outbox.flush()
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_file_that_became_shorter_is_an_error(ends: tuple[socket.socket, socket.socket]) -> None:
    outbox = Outbox(ends[0])
    with tempfile.TemporaryFile() as file:
        outbox.sendfile(file, 0, 10)
        with pytest.raises(ConnectionAbortedError):
            outbox.flush()
    outbox.discard()


def _take(connection: socket.socket) -> bytes:
    found = b""
    try:
        while data := connection.recv(1 << 16):
            found += data
    except BlockingIOError:
        pass
    return found
