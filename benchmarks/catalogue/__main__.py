"""Run with: python -m benchmarks.catalogue [--scenes N] [--archives FOLDER] [--output FOLDER]."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks.catalogue.generate import generate
from benchmarks.tile_speed.servers import fetch, free_port

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 60
SQUARE = {"type": "Polygon", "coordinates": [[[-20, -30], [50, -30], [50, 40], [-20, 40], [-20, -30]]]}
SEARCHES: dict[str, dict[str, str]] = {
    "newest 10": {},
    "newest 100": {"limit": "100"},
    "bbox": {"bbox": "-20,-30,50,40"},
    "bbox and a year": {"bbox": "-20,-30,50,40", "datetime": "2020-01-01/2020-12-31"},
    "one collection, one month": {"collections": "lakes", "datetime": "2019-06-01/2019-06-30"},
    "polygon": {"intersects": json.dumps(SQUARE)},
    "least clouds first": {"sortby": "eo:cloud_cover"},
    "oldest first": {"sortby": "datetime"},
    "ids": {"ids": "S2_00001,S2_00500,S2_01000"},
    "few fields, 100": {"limit": "100", "fields": "-links,-assets,-geometry"},
}
CAPABILITIES = "/1.0.0/WMTSCapabilities.xml"
DOCUMENTS = {
    "landing page": "/stac",
    "all collections": "/stac/collections",
    "one item": "/stac/collections/{collection}/items/{item}",
    "WMTS capabilities": f"/wmts{CAPABILITIES}",
    "WMTS capabilities of a collection": f"/wmts/collections/{{collection}}{CAPABILITIES}",
    "WMTS capabilities of a scene": f"/wmts/collections/{{collection}}/items/{{item}}{CAPABILITIES}",
}


@contextmanager
def server(folder: Path, catalog: Path) -> Iterator[tuple[int, float, subprocess.Popen[bytes]]]:
    """`comeo serve`, one worker; gives its port, the seconds until it is ready, and its process."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("comeo")), "serve", str(folder), "--port", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--workers", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "COMEO_CATALOG": str(catalog)},
    )  # fmt: skip
    try:
        while not is_ready(port):
            if process.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
        yield port, time.perf_counter() - began, process
    finally:
        process.terminate()
        process.wait(30)


def is_ready(port: int) -> bool:
    """Whether the server answers."""
    try:
        return bool(json.loads(fetch(port, "/readyz"))["archives"])
    except OSError:
        return False


def memory(process: subprocess.Popen[bytes]) -> float:
    """Megabytes that a process and its children share out among themselves (PSS)."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    total = 0
    for pid in (str(process.pid), *children):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


def measure(port: int) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of every kind of request, one client, kinds in turn."""
    first = json.loads(fetch(port, "/stac/search?limit=1"))["features"][0]
    paths = {name: f"/stac/search?{urlencode(query)}" for name, query in SEARCHES.items()}
    second = json.loads(fetch(port, "/stac/search?limit=1000"))
    following = next(link["href"] for link in second["links"] if link["rel"] == "next")
    paths["page after 1000"] = "/" + following.split("/", 3)[3].replace("limit=1000", "limit=10")
    for name, path in DOCUMENTS.items():
        paths[name] = path.format(collection=quote(first["collection"]), item=quote(first["id"]))
    seconds: dict[str, list[float]] = {name: [] for name in paths}
    sizes: dict[str, int] = {}
    for turn in range(REPEATS + 3):
        for name, path in paths.items():
            began = time.perf_counter()
            sizes[name] = len(fetch(port, path))
            if turn >= 3:
                seconds[name].append(time.perf_counter() - began)
    rows = {name: summary(taken, sizes[name]) for name, taken in seconds.items()}
    searches = [value for name in seconds if name not in DOCUMENTS for value in seconds[name]]
    rows["all searches"] = summary(searches, 0)
    return rows


def summary(seconds: list[float], size: int) -> dict[str, float]:
    """Milliseconds and kilobytes."""
    cuts = statistics.quantiles(seconds, n=20)
    return {
        "median_ms": 1000 * statistics.median(seconds),
        "p95_ms": 1000 * cuts[18],
        "kilobytes": size / 1000,
    }


def run(scenes: int, archives: Path) -> dict[str, Any]:
    """Start the server on a folder for the first time and again, and search."""
    have = len(list(archives.glob("*.zarr.zip")))
    began = time.perf_counter()
    if have < scenes:
        generate(sorted((ROOT / "samples").glob("S2_*.zarr.zip")), archives, scenes)
    made = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder) / "catalog.sqlite"
        with server(archives, catalog) as (_, first, _):
            pass
        with server(archives, catalog) as (port, again, process):
            idle = memory(process)
            began = time.perf_counter()
            document = fetch(port, f"/wmts{CAPABILITIES}")
            capabilities = time.perf_counter() - began
            rows = measure(port)
            used = memory(process)
        size = catalog.stat().st_size / 1e6
    facts = {"scenes": scenes, "generated_s": made, "first_start_s": first, "next_start_s": again,
             "idle_mb": idle, "after_searches_mb": used, "catalogue_mb": size,
             "capabilities_ms": 1000 * capabilities, "capabilities_kb": len(document) / 1000,
             "days": document.count(b"<Value>")}  # fmt: skip
    return {"facts": facts, "requests": rows}


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    facts, rows = results["facts"], results["requests"]
    lines = [
        "# A large catalogue",
        "",
        f"{facts['scenes']} small archives made of the samples, with ids, dates and places drawn by chance, "
        "in four collections; one worker, one client, over HTTP.",
        "",
        f"First start, all archives read: {facts['first_start_s']:.1f} s. Next start, nothing changed: "
        f"{facts['next_start_s']:.1f} s. Memory of all processes: {facts['idle_mb']:.0f} MB before the "
        f"searches, {facts['after_searches_mb']:.0f} MB after them. "
        f"Catalogue: {facts['catalogue_mb']:.1f} MB.",
        "",
        f"WMTS capabilities of all, {facts['days']} days, when nothing has been asked for yet: "
        f"{facts['capabilities_kb']:.0f} kB in {facts['capabilities_ms']:.0f} ms. Below they are kept from "
        "before, as they are until the catalogue changes.",
        "",
        "| request | median | 95th percentile | answer |",
        "|---|---|---|---|",
    ]
    for name, row in rows.items():
        size = f"{row['kilobytes']:.0f} kB" if row["kilobytes"] else ""
        lines.append(f"| {name} | {row['median_ms']:.1f} ms | {row['p95_ms']:.1f} ms | {size} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write benchmarks/results/catalogue.*."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--archives", type=Path, help="Keep the archives here for the next time.")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archives = arguments.archives or Path(folder)
        archives.mkdir(parents=True, exist_ok=True)
        results = run(arguments.scenes, archives)
    print(table(results))
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "catalogue.md").write_text(table(results))
    (arguments.output / "catalogue.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
