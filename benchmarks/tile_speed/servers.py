"""Starting the two servers, one worker each, and asking them for tiles."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

START_SECONDS = 120.0


class Running(NamedTuple):
    """A server that answers: its port, and the process that was started."""

    port: int
    pid: int


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def comeo_server(folder: Path, bin_folder: Path | None = None) -> Iterator[Running]:
    """`comeo serve` of a folder of archives.

    Args:
        folder: Of the archives.
        bin_folder: Of the `comeo` command; that of this Python by default.
    """
    port = free_port()
    executable = (bin_folder or Path(sys.executable).parent) / "comeo"
    command = [str(executable), "serve", str(folder), "--port", str(port), "--workers", "1"]
    with _running(command, port, "/healthz") as pid:
        yield Running(port, pid)


@contextmanager
def titiler_server() -> Iterator[Running]:
    """TiTiler under uvicorn."""
    port = free_port()
    app = "benchmarks.tile_speed.titiler_app:app"
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning"]
    with _running(command, port, "/openapi.json") as pid:
        yield Running(port, pid)


@contextmanager
def _running(command: Sequence[str], port: int, probe: str) -> Iterator[int]:
    environment = {**os.environ, "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_CACHEMAX": "200"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                fetch(port, probe)
                break
            except OSError as error:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(f"{command[0]} did not start: {error}") from error
                time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


_connections = threading.local()


def fetch(port: int, path: str) -> bytes:
    """GET a path over a kept connection.

    Raises:
        RuntimeError: If the answer is not 200.
    """
    connections: dict[int, http.client.HTTPConnection] = _connections.__dict__.setdefault("of", {})
    try:
        status, body = _ask(connections, port, path)
    except (http.client.RemoteDisconnected, ConnectionError):  # kept for too long, as any browser meets it
        status, body = _ask(connections, port, path)
    if status != 200:
        raise RuntimeError(f"{path}: {status} {body[:200]!r}")
    return body


def _ask(connections: dict[int, http.client.HTTPConnection], port: int, path: str) -> tuple[int, bytes]:
    """Status and body, over the connection that is kept or a new one."""
    connection = connections.get(port)
    if connection is None:
        connection = connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, OSError):
        connection.close()
        connections.pop(port)
        raise


def time_all(port: int, paths: Sequence[str], clients: int) -> tuple[list[float], list[int], float]:
    """Ask for every path once.

    Returns:
        Seconds and bytes of each answer, and seconds of the whole.
    """

    def one(path: str) -> tuple[float, int]:
        began = time.perf_counter()
        body = fetch(port, path)
        return time.perf_counter() - began, len(body)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(one, paths))
    return [seconds for seconds, _ in answers], [size for _, size in answers], time.perf_counter() - began
