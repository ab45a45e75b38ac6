"""A whole scene's 10 m bands as one GeoTIFF: how long, in how much memory, and what a stopped one costs.

Run with: python -m benchmarks.extracts ARCHIVE [--output FOLDER].
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import rasterio
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from benchmarks.catalogue.__main__ import server
from comeo.archive import open_archive
from comeo.export.cog import PIECE_SIDE, pieces_of

LOOK_SECONDS = 0.1
# Of the group's bands, so that a request is near the bound on what is answered at once.
DIRECT_BANDS = 1
DIRECT_SIDE = 4096


class Meter(threading.Thread):
    """Watches the memory (PSS) of a process and all below it, and the seconds of CPU that they use."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.peak = 0.0

    def run(self) -> None:
        """Look until told otherwise."""
        while not self._over.wait(LOOK_SECONDS):
            self.peak = max(self.peak, sum(map(megabytes, tree(self._pid))))

    def finish(self) -> float:
        """Megabytes at most."""
        self._over.set()
        self.join()
        return self.peak


def tree(pid: int) -> list[int]:
    """A process and all that came of it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, _read(task).split())
    return found


def megabytes(pid: int) -> float:
    """Memory of a process, of what it shares its share."""
    lines = _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1000


def cpu_seconds(pid: int) -> float:
    """What a process and all below it have used, with those that have ended and were waited for."""
    ticks = 0
    for one in tree(pid):
        fields = _read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / 100


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


@contextmanager
def metered(pid: int, found: dict[str, Any], name: str) -> Iterator[None]:
    """Take down seconds and memory of what happens inside."""
    meter = Meter(pid)
    meter.start()
    began = time.perf_counter()
    yield
    found[f"{name}_s"] = time.perf_counter() - began
    found[f"{name}_mb"] = meter.finish()


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST JSON; gives the answer's."""
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return dict(json.load(urlopen(request)))


def job(item: str, bands: str, pid: int, output: Path) -> dict[str, Any]:
    """Let a job make the file, fetch and check it."""
    found: dict[str, Any] = {}
    began = time.perf_counter()
    estimated = post(f"{item}/extracts/estimate", {"bands": bands})
    found.update(estimate_s=time.perf_counter() - began, estimate_bytes=estimated["bytes"])
    with metered(pid, found, "job"):
        answer = post(f"{item}/extracts", {"bands": bands})
        address = answer["links"][0]["href"]
        while answer["status"] in ("accepted", "running"):
            time.sleep(LOOK_SECONDS)
            answer = dict(json.load(urlopen(address)))
    if answer["status"] != "successful":
        raise RuntimeError(answer["message"])
    with metered(pid, found, "fetch"), urlopen(f"{address}/result") as body, output.open("wb") as file:
        while data := body.read(1 << 20):
            file.write(data)
    urlopen(Request(address, method="DELETE")).close()
    found.update(file_bytes=output.stat().st_size, cog=cog_validate(output, strict=True)[0])
    return found


def check(archive_path: Path, group: str, output: Path) -> bool:
    """Whether every pixel of the file is the archive's."""
    with open_archive(archive_path) as archive, rasterio.open(output) as dataset:
        level = archive.groups[group].levels[0]
        return all(
            (
                archive.read(level, place)
                == dataset.read(window=Window(place.col, place.row, place.width, place.height))
            ).all()
            for place in pieces_of(level.height, level.width, 4 * PIECE_SIDE)
        )


def stopped_job(item: str, bands: str, pid: int) -> dict[str, float]:
    """Begin the same and DELETE it: seconds until its process is gone."""
    answer = post(f"{item}/extracts", {"bands": bands})
    address = answer["links"][0]["href"]
    while answer["status"] != "running" or answer["progress"] < 3:
        time.sleep(LOOK_SECONDS)
        answer = dict(json.load(urlopen(address)))
    processes = len(tree(pid))
    began = time.perf_counter()
    urlopen(Request(address, method="DELETE")).close()
    while len(tree(pid)) >= processes:
        time.sleep(0.01)
    return {"job_stopped_s": time.perf_counter() - began}


def cancelled_client(port: int, path: str, pid: int) -> dict[str, float]:
    """Ask for a file made at once, whole and then only until the client goes; CPU seconds of both."""
    whole = cpu_seconds(pid)
    urlopen(f"http://127.0.0.1:{port}{path}").read()
    whole = cpu_seconds(pid) - whole
    before = cpu_seconds(pid)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {path}&resampling=cubic HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        time.sleep(0.5)
    gone, last = time.perf_counter(), cpu_seconds(pid)
    still = 0.0
    while still < 1.0:  # idle for a second
        time.sleep(LOOK_SECONDS)
        now = cpu_seconds(pid)
        still = still + LOOK_SECONDS if now - last < 0.02 else 0.0
        last = now
    return {
        "direct_cpu_s": whole, "cancelled_cpu_s": last - before,
        "cancelled_idle_after_s": time.perf_counter() - gone - 1.0,
    }  # fmt: skip


def run(archive_path: Path) -> dict[str, Any]:
    """Serve one archive, and measure."""
    with open_archive(archive_path) as archive:
        group, first = next(iter(archive.groups.items()))
        names = [band.name for band in first.bands]
        path = f"/collections/{archive.collection}/items/{archive.id}"
        west, south, east, north = archive.item["bbox"]
    bands, area = ",".join(names), f"{west},{south},{east},{north}"
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "whole.tif"
        with server(archive_path, Path(folder) / "catalog.sqlite") as (port, _, process):
            found = job(f"http://127.0.0.1:{port}{path}", bands, process.pid, output)
            found.update(stopped_job(f"http://127.0.0.1:{port}{path}", bands, process.pid))
            direct = f"{path}/bbox/{area}.tif?bands={','.join(names[:DIRECT_BANDS])}&max_size={DIRECT_SIDE}"
            found.update(cancelled_client(port, direct, process.pid))
        found.update(same_pixels=check(archive_path, group, output), bands=bands)
        with rasterio.open(output) as dataset:
            found.update(width=dataset.width, height=dataset.height, overviews=dataset.overviews(1))
    return found


def table(found: dict[str, Any]) -> str:
    """The figures in words."""
    return "\n".join(
        [
            "# An extract of a whole scene",
            "",
            f"All of the finest bands of a full Sentinel-2 tile, {found['bands']}, {found['width']} × "
            f"{found['height']} pixels, as a job; one worker. Memory is that of all the server's processes.",
            "",
            "| | |",
            "|---|---|",
            f"| estimate: {found['estimate_bytes'] / 1e6:.0f} MB | {found['estimate_s']:.1f} s |",
            f"| job | {found['job_s']:.0f} s, at most {found['job_mb']:.0f} MB |",
            f"| file: {found['file_bytes'] / 1e6:.0f} MB, fetched | {found['fetch_s']:.1f} s, "
            f"at most {found['fetch_mb']:.0f} MB |",
            f"| valid Cloud-Optimized GeoTIFF (rio-cogeo, strict) | {'yes' if found['cog'] else 'no'} |",
            f"| pixels equal to the archive's | {'all' if found['same_pixels'] else 'not all'} |",
            f"| overviews | {', '.join(map(str, found['overviews']))} |",
            f"| job stopped by DELETE, until its process is gone | {found['job_stopped_s']:.2f} s |",
            f"| {DIRECT_SIDE}² pixels of a band at once | {found['direct_cpu_s']:.1f} s of CPU |",
            f"| the same when the client goes after 0.5 s | {found['cancelled_cpu_s']:.1f} s of CPU, idle "
            f"{found['cancelled_idle_after_s']:.1f} s later |",
            "",
        ]
    )


def main() -> None:
    """Measure, print, and write benchmarks/results/extracts.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent / "results")
    arguments = parser.parse_args()
    found = run(arguments.archive.resolve())
    print(table(found))
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "extracts.md").write_text(table(found))


if __name__ == "__main__":
    main()
