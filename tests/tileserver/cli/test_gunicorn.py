"""gunicorn with two processes: one catalogue, one set of metrics, a clean end."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import pty
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from comeo.errors import ComeoError
from tests.tileserver.places import tile_url
from tileserver import Settings
from tileserver.cli.gunicorn import _prepare_worker, greeting, run

SERVE = """
import sys
from pathlib import Path
from tileserver import Settings
from tileserver.cli.gunicorn import run
run(Settings(paths=(Path(sys.argv[1]),), port=0, workers=2, threads=2, scan_seconds=0.1))
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


def test_an_address_in_use_is_a_sentence(archives: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ComeoError, match=f"127.0.0.1:{port} .*--port"):
            run(Settings(paths=(archives,), workers=1, port=port))


@pytest.mark.slow
def test_a_person_at_a_terminal_reads_where_the_map_is_and_how_to_stop(own_archives: Path) -> None:
    (own_archives / "torn.zarr.zip").write_bytes(b"half of an archive")
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SERVE, str(own_archives)], stderr=theirs) as process:
        os.close(theirs)
        text = ""
        while "Ctrl+C" not in text:
            text += os.read(ours, 4096).decode()
        address = next(word for word in text.split() if word.startswith("http://"))
        assert json.loads(_get(f"{address}readyz"))["archives"] == 5
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the terminal's end
            while more := os.read(ours, 4096):
                text += more.decode()
        assert process.wait(30) == 0
    os.close(ours)
    assert f"The map is at {address} with 5 scenes." in text
    assert "1 archive cannot be read" in text
    assert "torn.zarr.zip: " in text
    assert "{" not in text
    assert "healthz" not in text
    assert "Traceback" not in text


def test_a_signal_that_ends_a_process_does_not_interrupt_its_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled = []

    def compile_kernels(_scenes: object) -> None:
        time.sleep(0.1)  # until the other thread waits
        os.kill(os.getpid(), signal.SIGUSR2)
        for _ in range(100):
            time.sleep(0.001)
        compiled.append(True)

    def end(_number: int, _frame: object) -> None:
        raise SystemExit

    monkeypatch.setattr("tileserver.render.scenes.warm_up", compile_kernels)
    monkeypatch.setattr("tileserver.cli.gunicorn._scenes", lambda application: application)
    before = signal.signal(signal.SIGUSR2, end)
    try:
        with pytest.raises(SystemExit):
            _prepare_worker(SimpleNamespace(app=None))
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert compiled


_FAULTS = """
import resource
import numpy as np
from tileserver.cli.gunicorn import _keep_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    arrays = [np.ones((4, 256, 256), np.float32) for _ in range(4)]

def of_ten():
    work()
    before = faults()
    for _ in range(10):
        work()
    return faults() - before

print(of_ten())
_keep_memory()
print(of_ten())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc")
def test_memory_of_one_tile_serves_the_next() -> None:
    done = subprocess.run([sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before > 2000  # four arrays of 1 MB, 256 pages each
    assert after < 500


@pytest.mark.parametrize(
    ("address", "scenes", "broken", "words"),
    [
        ("http://127.0.0.1:8080", 1, {}, "at http://127.0.0.1:8080/ with 1 scene."),
        ("http://0.0.0.0:80", 3, {}, "at http://localhost:80/ with 3 scenes."),
        ("http://[::]:80", 3, {}, "at http://localhost:80/ "),
        ("https://tiles.example.org/comeo/", 3, {}, "at https://tiles.example.org/comeo/ with"),
        ("http://127.0.0.1:1", 0, {}, "will appear by themselves"),
        ("http://127.0.0.1:1", 0, {"a.zarr.zip": "torn", "b.zarr.zip": "old"}, "2 archives cannot be read:"),
    ],
)
def test_the_greeting(address: str, scenes: int, broken: dict[str, str], words: str) -> None:
    text = greeting(address, scenes, broken)
    assert words in text
    assert all(f"  {name}: {reason}" in text for name, reason in broken.items())
    assert text.endswith("Press Ctrl+C to stop.")


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
    return body
