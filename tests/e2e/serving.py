"""A server of its own for a test: real processes, real sockets, and constants of the program set for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tileserver.catalog.reading import CHILD

SERVE = """
import sys
from pathlib import Path
from tileserver import Settings
from tileserver.cli.gunicorn import run
from tileserver.connections import connection, worker
{prelude}
run(Settings.from_environment(paths=(Path(sys.argv[1]),), port=0, scan_seconds=0.5, log_format="json"))
"""
PATIENT = "connection.HEAD_SECONDS = connection.STALL_SECONDS = 600.0"
HASTY = "connection.HEAD_SECONDS = connection.STALL_SECONDS = connection.LINGER_SECONDS = 1.0"


@dataclass
class Served:
    """A server that listens.

    Attributes:
        address: As `http://127.0.0.1:port`.
        process: Its first one.
    """

    address: str
    process: subprocess.Popen[str]

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self.address.removeprefix("http://").split(":")
        return host, int(port)

    def connect(self, receive_bytes: int = 0) -> socket.socket:
        """A connection; with a receive buffer of a size, which a reader that reads nothing soon fills."""
        connection = socket.socket()
        if receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(60)
        connection.connect(self.place)
        return connection

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Body of an answer."""
        request = urllib.request.Request(self.address + path, headers=dict(headers or {}))
        with urllib.request.urlopen(request, timeout=60) as answer:
            body: bytes = answer.read()
        return body

    def talk(self, *pieces: bytes) -> bytes:
        """Send pieces as they are, and read until the server closes."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return until_end(connection)

    def workers(self) -> list[int]:
        """Numbers of its processes, once they answer."""
        self.get("/healthz")
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = [int(number) for number in task.read_text().split()]
        # The process that reads archives for the first one is a child, too.
        return [one for one in found if CHILD.encode() not in Path(f"/proc/{one}/cmdline").read_bytes()]


@contextlib.contextmanager
def serving(folder: Path, prelude: str = "", **environ: str) -> Iterator[Served]:
    """Start a server, and stop it.

    Args:
        folder: Of archives.
        prelude: Python that is run before.
        **environ: Added to the environment.
    """
    settings = {"COMEO_WORKERS": "1", "COMEO_THREADS": "2", **environ}
    command = [sys.executable, "-c", SERVE.format(prelude=prelude), str(folder)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **settings}
    ) as process:
        assert process.stderr is not None
        try:
            lines = []
            for line in process.stderr:
                lines.append(line)
                if '"listening"' in line:
                    break
            else:
                raise AssertionError("".join(lines))
            yield Served(json.loads(lines[-1])["address"], process)
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=60)
            process.kill()


def until_end(connection: socket.socket) -> bytes:
    """All bytes until the other side closes or resets."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(1 << 16):
            found += data
    return bytes(found)


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has not closed."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        connection.settimeout(60)
