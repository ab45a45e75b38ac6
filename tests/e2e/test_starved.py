"""A server that is short of files, or killed, or told lies."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.serving import Served, is_open, serving
from tileserver.temporary import PREFIX

FEW_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 400))
"""
CONNECTIONS = (400 - 256) // 2
TILEJSON = "/collections/fields/items/colours/tilejson.json"
BEHIND = {"For": "192.0.2.1", "Proto": "https", "Host": "spoofed.example", "Prefix": "/spoofed"}
LONG = """
import tileserver.jobs.queue
tileserver.jobs.queue.WORKER = "tests.tileserver.jobs.sleeper"
"""


@pytest.fixture(scope="module")
def poor(archives: Path) -> Iterator[Served]:
    """A server that may open few files, and trusts nobody."""
    with serving(archives, FEW_FILES) as served:
        yield served


def test_idle_connections_make_room_for_honest_ones(poor: Served) -> None:
    with contextlib.ExitStack() as stack:
        poor.get("/healthz")
        idle = [stack.enter_context(poor.connect()) for _ in range(3 * CONNECTIONS)]
        assert json.loads(poor.get("/healthz")) == {"status": "ok"}
        assert poor.get(TILEJSON)
        assert sum(map(is_open, idle)) < CONNECTIONS
        assert is_open(idle[-1])  # those that have waited longest were closed
        assert not is_open(idle[0])


def test_invented_methods_are_counted_together(poor: Served) -> None:
    def send(method: str) -> None:
        head = f"{method} /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert poor.talk(head.encode()).startswith(b"HTTP/1.1 405 ")

    send("INVENTED")
    before = poor.get("/metrics").count(b"\n")
    for number in range(50):
        send(f"INVENT-{number}")
    text = poor.get("/metrics").decode()
    assert text.count("\n") <= before + 40  # of /metrics itself, which is counted by now
    assert "INVENT" not in text
    found = re.search(r'comeo_requests_total{method="other",route="[^"]*",status="405"} ([0-9.]+)', text)
    assert found
    assert float(found.group(1)) == 51


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "Script-Name", "X-Forwarded-Ssl", "X-Forwarded-Protocol"])
def test_headers_of_gunicorn_are_not_believed(poor: Served, header: str) -> None:
    value = {"X-Forwarded-Ssl": "on", "X-Forwarded-Protocol": "ssl"}.get(header, "/collections")
    assert _first_tile(poor, {header: value}).startswith(f"{poor.address}/collections/fields/")


@pytest.mark.parametrize("name", ["Proto", "Host", "Prefix"])
def test_nothing_is_trusted_that_is_not_configured(poor: Served, name: str) -> None:
    headers = {f"X-Forwarded-{name}": BEHIND[name], "Forwarded": "proto=https;host=spoofed.example"}
    assert _first_tile(poor, headers).startswith(f"{poor.address}/collections/fields/")


@pytest.mark.parametrize(
    ("names", "start", "client"),
    [
        (("For", "Proto"), "https://{place}/collections/", "192.0.2.1"),
        (("Host", "Prefix"), "http://spoofed.example/spoofed/collections/", "127.0.0.1"),
    ],
)
def test_what_is_configured_is_trusted_and_nothing_beside_it(
    archives: Path, names: tuple[str, ...], start: str, client: str
) -> None:
    trusted = {f"COMEO_PROXY_{name.upper()}": "1" for name in names}
    with serving(archives, COMEO_ACCESS_LOG="1", **trusted) as served:
        # Of two values the last is the proxy's, the first the client's.
        headers = {f"X-Forwarded-{each}": f"client, {value}" for each, value in BEHIND.items()}
        found = _first_tile(served, headers)
        place = served.address.removeprefix("http://")
        assert found.startswith(start.format(address=served.address, place=place))
        assert served.process.stderr is not None
        line = next(line for line in served.process.stderr if '"request"' in line)
        assert json.loads(line)["client"] == client


def test_a_killed_server_leaves_nothing(archives: Path, tmp_path: Path) -> None:
    with serving(archives, LONG, TMPDIR=str(tmp_path), COMEO_WORKERS="2") as served:
        served.get("/healthz")
        order = json.dumps({"format": "tif"}).encode()
        head = (
            "POST /collections/fields/items/colours/extracts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(order)}\r\n\r\n"
        )
        assert served.talk(head.encode() + order).startswith(b"HTTP/1.1 201 ")
        job = int(next(tmp_path.glob(f"{PREFIX}jobs-*/*/pid")).read_text())
        processes = [*_children(served.process.pid), job]
        assert len(processes) >= 3
        # On a full disk the system kills who writes to a mapped file. (SQLite fills its own before.)
        mapped = [line for each in processes for line in Path(f"/proc/{each}/maps").read_text().splitlines()]
        shared = [line for line in mapped if " rw-s " in line and str(tmp_path) in line]
        assert all(line.endswith("-shm") for line in shared), shared
        os.kill(served.process.pid, signal.SIGKILL)
        _wait(lambda: not any(map(_lives, processes)))
    left = list(tmp_path.glob(f"{PREFIX}*"))
    assert left
    for folder in left:
        os.utime(folder, (time.time() - 1000,) * 2)
    with serving(archives, TMPDIR=str(tmp_path)):
        assert not any(folder.exists() for folder in left)
        running = list(tmp_path.glob(f"{PREFIX}*"))
        for folder in running:
            os.utime(folder, (time.time() - 1000,) * 2)
        with serving(archives, TMPDIR=str(tmp_path)):
            assert all(folder.exists() for folder in running)
    assert list(tmp_path.glob(f"{PREFIX}*")) == []


def _first_tile(served: Served, headers: dict[str, str]) -> str:
    """URL of tiles, as a document gives it."""
    return str(json.loads(served.get(TILEJSON, headers))["tiles"][0])


def _children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(path.parent.name))
    return found


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait(until: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.05)
