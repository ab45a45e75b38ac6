"""A relay over a bad line, beside rsync and plain HTTP: what it costs, and when there is a map.

Each downloads the same archive of a whole Sentinel-2 product at ×100 from the same machine over the same line
(`tests.badline`: rate, 300 ms each way, cuts). `comeo relay run` takes it from `comeo serve`, rsync from its
daemon, curl from a plain server of files with ranges; rsync and curl are started again whenever they fail, as
a script would, and go on where they were.

First map: from the moment at which the origin has the archive until the relay shows it (head and overview
are published). The others show nothing before the archive is whole; where that takes longer than is waited
for, it is what their rate comes to, and marked with ~.

Run with: python -m benchmarks.relay line [--data FOLDER] [--output FOLDER]
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from benchmarks.full_product import full_scene
from benchmarks.tile_speed.servers import free_port
from tests.badline import BadLine, Weather, bad_line
from tests.ranges import serving

RATES: Final = (64.0, 256.0, 1000.0)  # kbit/s
LATENCY: Final = 0.3
CUTS: Final = Weather(kbps=1000.0, latency=LATENCY, cut_every=30.0, down=1.0)
PATIENCE: Final = 120.0  # seconds at a rate at which the whole archive would take longer
COLUMNS: Final = ("first map", "whole", "bytes on the wire ÷ of the archive", "connections")
NAME: Final = "scene.zarr.zip"
COMEO: Final = str(Path(sys.executable).with_name("comeo"))


@dataclass(frozen=True, slots=True)
class Took:
    """What a download took.

    Attributes:
        first: Seconds to the first map; None: never.
        whole: Seconds to the end; None: it was not waited for.
        wire: Bytes both ways.
        connections: Made.
        resumed: Seconds after each cut until bytes came again.
    """

    first: float | None
    whole: float | None
    wire: int
    connections: int
    resumed: tuple[float, ...] = ()


Program = Callable[[BadLine, Path], subprocess.Popen[bytes]]


@contextmanager
def origin(folder: Path) -> Iterator[tuple[int, str, Path]]:
    """A server that publishes what is put into its folder: port, key, folder."""
    archives = folder / "origin"
    archives.mkdir(parents=True)
    port = free_port()
    feed = folder / "feed"
    own = {**os.environ, "COMEO_RELAY": "1", "COMEO_RELAY_FOLDER": str(feed), "COMEO_SCAN_SECONDS": "0.2"}
    with (folder / "origin.log").open("wb") as log:
        server = subprocess.Popen(
            [COMEO, "serve", str(archives), "--port", str(port), "--workers", "1"], env=own, stdout=log,
            stderr=log,
        )  # fmt: skip
    try:
        if wait_until(lambda: answers(port), server, 600.0) is None:
            raise RuntimeError("the origin does not answer")
        with urlopen(f"http://127.0.0.1:{port}/relay/v1/", timeout=10) as answer:
            key = str(json.load(answer)["key"])
        yield port, key, archives
    finally:
        server.terminate()
        server.wait()


def relay(archive: Path, folder: Path, weather: Weather, patience: float) -> Took:
    """`comeo relay run`, which waits for scenes when the archive is published."""
    with origin(folder) as (port, key, archives), bad_line(port, weather) as line:
        home = folder / "relay"
        document = folder / "RELAY.toml"
        document.write_text(
            f'folder = "{home}"\n[origin]\nurl = "{line.address}"\nkey = "{key}"\n'
            '[[subscription]]\nname = "all"\nlayers = ["all"]\n'
        )
        with (folder / "relay.log").open("wb") as log:
            program = subprocess.Popen([COMEO, "relay", "run", str(document)], stdout=log, stderr=log)
        try:
            wait_until(lambda: line.connections > 0, program)
            time.sleep(10.0)  # it has read the feed and waits, as long as to be no exception
            before = line.up_bytes + line.down_bytes
            hidden = archives / f".{NAME}"
            shutil.copy(archive, hidden)
            began = time.monotonic()
            hidden.rename(archives / NAME)
            first = wait_until(lambda: has_layer(home, "coarse"), program, patience)
            whole = wait_until(lambda: any(home.rglob("*.zarr.zip")), program, patience)
            wire = line.up_bytes + line.down_bytes - before
            return Took(since(began, first), since(began, whole), wire, line.connections, tuple(line.resumed))
        finally:
            program.terminate()
            program.wait()


def peer(archive: Path, folder: Path, weather: Weather, patience: float, name: str) -> Took:
    """Rsync or curl, started again whenever it fails."""
    source, target = folder / "source", folder / "target"
    source.mkdir(parents=True)
    target.mkdir()
    shutil.copy(archive, source / NAME)
    with serve_files(name, source, folder) as port, bad_line(port, weather) as line:
        began = time.monotonic()
        whole = None
        while time.monotonic() - began < patience:
            left = patience - (time.monotonic() - began)
            try:
                done = subprocess.run(
                    command(name, line, target), capture_output=True, check=False, timeout=left
                )
            except subprocess.TimeoutExpired:
                break
            if done.returncode == 0:
                whole = time.monotonic() - began
                break
            time.sleep(0.2)
        wire = line.up_bytes + line.down_bytes
        if whole is None:  # what its rate comes to
            rate = line.down_bytes / (time.monotonic() - began)
            return Took(archive.stat().st_size / rate, None, wire, line.connections, tuple(line.resumed))
        if (target / NAME).read_bytes() != archive.read_bytes():
            raise RuntimeError(f"{name} has brought something else")
        return Took(whole, whole, wire, line.connections, tuple(line.resumed))


@contextmanager
def serve_files(name: str, source: Path, folder: Path) -> Iterator[int]:
    """The server of a peer; its port."""
    if name == "curl":
        with serving(source) as (url, *_):
            yield int(url.rpartition(":")[2])
        return
    port = free_port()
    settings = folder / "rsyncd.conf"
    settings.write_text(f"use chroot = no\n[all]\npath = {source}\nread only = yes\n")
    daemon = subprocess.Popen(
        ["rsync", "--daemon", "--no-detach", f"--port={port}", f"--config={settings}", "--address=127.0.0.1"]
    )
    try:
        wait_until(lambda: answers(port), daemon)
        yield port
    finally:
        daemon.terminate()
        daemon.wait()


def command(name: str, line: BadLine, target: Path) -> list[str]:
    """One try of a peer, which goes on where the last one ended."""
    if name == "curl":
        return ["curl", "-sS", "-f", "-C", "-", "--speed-time", "10", "-o", str(target / NAME),
                f"{line.address}/{NAME}"]  # fmt: skip
    return [
        "rsync", "--partial", "--append", "--timeout=10", f"rsync://127.0.0.1:{line.port}/all/{NAME}",
        str(target / NAME),
    ]  # fmt: skip


def has_layer(home: Path, layer: str) -> bool:
    """Whether a scene of the relay is on the map so far."""
    if any(home.rglob("*.zarr.zip")):
        return True
    return any(layer in json.loads(each.read_text())["layers"] for each in home.rglob("*.zarr.part.map"))


def since(began: float, ended: float | None) -> float | None:
    """Seconds."""
    return None if ended is None else ended - began


def wait_until(
    holds: Callable[[], bool], program: subprocess.Popen[bytes], patience: float = 60.0
) -> float | None:
    """Wait until something holds; when it did, or None if it did not in time."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        if holds():
            return time.monotonic()
        if program.poll() is not None:
            raise RuntimeError(f"{program.args!r} has ended")
        time.sleep(0.05)
    return None


def answers(port: int) -> bool:
    """Whether something listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cells(name: str, took: Took, size: int) -> list[str]:
    """A row of a table."""
    first = "–" if took.first is None else f"{'' if took.whole or name == 'relay' else '~'}{took.first:.1f} s"
    whole = "–" if took.whole is None else f"{took.whole:.0f} s"
    share = "–" if took.whole is None else f"{took.wire / size:.3f}"
    return [name, first, whole, share, str(took.connections)]


def header(*names: str) -> list[str]:
    """The first two rows of a table."""
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def measured(archive: Path, weather: Weather, patience: float) -> Iterator[tuple[str, Took]]:
    """Relay and peers over one kind of line."""
    with tempfile.TemporaryDirectory() as folder:
        yield "relay", relay(archive, Path(folder), weather, patience)
    for name in ("curl", "rsync"):
        with tempfile.TemporaryDirectory() as folder:
            yield name, peer(archive, Path(folder), weather, patience, name)


def report(data: Path) -> Iterator[str]:
    """Tables: of rates, and of a line that is cut.

    Args:
        data: Folder of the shared data.
    """
    if missing := " ".join(each for each in ("curl", "rsync") if shutil.which(each) is None):
        raise SystemExit(f"Missing: {missing}. On Debian: apt install {missing}")
    archive = full_scene(data)
    size = archive.stat().st_size
    yield f"An archive of {size:,} bytes, {LATENCY:.1f} s each way."
    yield ""
    yield from header("kbit/s", "", *COLUMNS)
    for rate in RATES:
        patience = 1.3 * size * 8 / (rate * 1000) if rate == max(RATES) else PATIENCE
        for name, took in measured(archive, Weather(kbps=rate, latency=LATENCY), patience):
            yield f"| {rate:.0f} | {' | '.join(cells(name, took, size))} |"
    yield ""
    yield f"A line of {CUTS.kbps:.0f} kbit/s that is cut every {CUTS.cut_every:.0f} s, for {CUTS.down:.0f} s:"
    yield ""
    yield from header("", *COLUMNS, "bytes more, a cut", "until bytes came again, at most")
    for name, took in measured(archive, CUTS, 400.0):
        more = (took.wire - size) / max(1, len(took.resumed))
        worst = max(took.resumed, default=0.0)
        yield f"| {' | '.join(cells(name, took, size))} | {more:,.0f} | {worst:.2f} s |"
