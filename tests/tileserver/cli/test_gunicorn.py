"""gunicorn with two processes: one catalogue, one set of metrics, a clean end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comeo.errors import ComeoError
from tests.tileserver.places import tile_url
from tileserver import Settings
from tileserver.cli.gunicorn import run

SERVE = """
import sys
from pathlib import Path
from tileserver import Settings
from tileserver.cli.gunicorn import run
run(Settings(paths=(Path(sys.argv[1]),), threads=2, scan_seconds=0.1), port=0, workers=2)
"""


@pytest.mark.slow
def test_two_processes_serve_one_catalogue(own_archives: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(own_archives)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        address = ""
        for line in process.stderr:
            if '"listening"' in line:
                address = json.loads(line)["address"]
                break
        assert address, "the server did not start"
        with ThreadPoolExecutor(8) as pool:
            tiles = set(pool.map(_get, [address + tile_url()] * 40))
        assert len(tiles) == 1
        counted = _get(f"{address}/metrics").decode()
        served = [
            line
            for line in counted.splitlines()
            if line.startswith("comeo_requests_total{") and "tiles" in line
        ]
        assert sum(float(line.rsplit(" ", 1)[1]) for line in served) == 40
        (own_archives / "old.zarr.zip").unlink()
        until = time.monotonic() + 20
        while json.loads(_get(f"{address}/readyz"))["archives"] != 4:
            assert time.monotonic() < until, "a removed archive is still served"
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        code = process.wait(30)
        process.stderr.close()
    assert code == 0, rest
    assert "Traceback" not in rest
    assert list(temporary.glob("comeo-*")) == []


@pytest.mark.slow
def test_slow_clients_keep_nobody_waiting_for_long(own_archives: Path) -> None:
    serve = SERVE.replace("run(", "from tileserver.cli import gunicorn\ngunicorn.PATIENCE_SECONDS = 1\nrun(")
    process = subprocess.Popen(
        [sys.executable, "-c", serve, str(own_archives)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    slow = []
    try:
        address = next(json.loads(line)["address"] for line in process.stderr if '"listening"' in line)
        host, port = address.removeprefix("http://").split(":")
        for _ in range(12):  # thrice the threads that there are
            slow.append(socket.create_connection((host, int(port))))
            slow[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: slow\r\nX-Half: ")
        time.sleep(0.5)
        began = time.monotonic()
        assert _get(f"{address}/healthz")
        assert time.monotonic() - began < 15
    finally:
        for connection in slow:
            connection.close()
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        process.wait(30)
        process.stderr.close()


def test_an_address_in_use_is_a_sentence(archives: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ComeoError, match=f"127.0.0.1:{port} .*--port"):
            run(Settings(paths=(archives,), workers=1), port=port)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
    return body
