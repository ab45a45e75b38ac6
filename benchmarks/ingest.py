"""What the compression service costs beside the compressing itself.

Run with: python -m benchmarks.ingest [--products N] [--output FOLDER]

Small products are offered by a STAC API on loopback, and ingested at 1, 2 and 4 workers, by processes and by
Dask; in the same run they are compressed one after the other in one process, without journal, looks or
workers. Each works with one thread, so that workers are what differs. Processor time is of all processes.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from distributed import LocalCluster

from benchmarks import options
from comeo.compression import compress
from comeo.cpus import cpu_count
from comeo.sources import open_source
from tests.tileserver.ingest.products import ingest, write_bands
from tests.tileserver.ingest.stac_api import Api, serving
from tileserver.ingest.compressing import prepare
from tileserver.ingest.executors import executor_of
from tileserver.ingest.orders import State

PRODUCTS: Final = 200
SIDE: Final = 128
KINDS: Final = 8
"""Different products; the others are the same under other ids."""
WORKERS: Final = (1, 2, 4)
QUALITY: Final = '[[quality]]\ncodec = "dct"\nstep = 60\n'


class Row(NamedTuple):
    """Seconds of the clock, until the first archive, and of processors."""

    name: str
    workers: int
    seconds: float
    first: float
    processor: float


def main() -> None:
    """Measure, and write the table."""
    parser = options.parser(__doc__)
    parser.add_argument("--products", type=int, default=PRODUCTS)
    given = parser.parse_args()
    count = given.products
    logging.getLogger("comeo.ingest").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in range(KINDS):
            write_bands(folder / "files", f"kind{kind}-", kind, SIDE)
        with serving(Api(folder / "files")) as api:
            for number in range(count):
                moment = f"2024-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}T10:00:00Z"
                api.add(f"S2A_32TMT_{number:04}_L2A", moment, moment, asset=f"kind{number % KINDS}")
            rows = _measured(api, folder, count)
    text = _table(rows, count)
    (given.output / "ingest.md").write_text(text)
    print(text)


def _measured(api: Api, folder: Path, count: int) -> list[Row]:
    rows = [_alone(api, folder / "alone")]
    for name, made in (("processes", _processes), ("Dask", _cluster)):
        for workers in WORKERS:
            print(f"{name}, {workers}: after {rows[-1].seconds:.1f} s", flush=True)
            rows.append(_ingested(api, folder, name, workers, count, made))
    return rows


def _processor() -> float:
    """Processor time of this process and of those that have ended."""
    return sum(os.times()[:4])


def _alone(api: Api, output: Path) -> Row:
    output.mkdir()
    used, began = _processor(), time.perf_counter()
    prepare(["dct"])
    first = 0.0
    with ThreadPoolExecutor(1) as thread:
        for item in api.items:
            address = f"{api.url}/collections/{item['collection']}/items/{item['id']}"
            with open_source(address, scale=1e-4, offset=0.0) as scene:
                compress(scene, output / f"{scene.id}.zarr.zip", codec="dct", step=60, executor=thread)
            first = first or time.perf_counter() - began
    return Row("compressing alone", 1, time.perf_counter() - began, first, _processor() - used)


@contextmanager
def _processes(workers: int) -> Iterator[Any]:
    yield executor_of("processes", workers, 1, ["dct"])


@contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs="CRITICAL",
    ) as cluster:
        yield executor_of(cluster.scheduler_address, workers, 1, ["dct"])


def _ingested(api: Api, folder: Path, name: str, workers: int, count: int, made: Callable[[int], Any]) -> Row:
    document = folder / "SOURCE.toml"
    document.write_text(
        f'kind = "stac"\nurl = "{api.url}"\noutput = "out"\ncores = 1\n'
        f"[filter]\nsince = 2024-01-01\n[read]\nscale = 1e-4\noffset = 0.0\n{QUALITY}"
    )
    used, began, wall = _processor(), time.perf_counter(), time.time()
    with made(workers) as executor:
        journal = ingest(document, executor)
    seconds = time.perf_counter() - began
    assert journal.counts() == {State.PUBLISHED: count}, journal.counts()
    first = min(row.changed for row in journal.in_state(State.PUBLISHED)) - wall
    journal.close()
    for made_there in ("out", "out.ingest"):
        shutil.rmtree(folder / made_there)
    return Row(name, workers, seconds, first, _processor() - used)


def _table(rows: list[Row], count: int) -> str:
    alone = rows[0]
    lines = [
        "# The compression service beside compressing alone", "",
        f"`python -m benchmarks.ingest`: {count} products of two bands of {SIDE}² pixels, offered by a STAC "
        f"API on loopback, dct at step 60, one thread a worker, on {cpu_count()} processors (load at the end "
        f"{os.getloadavg()[0]:.1f}).",
        "", "| | workers | seconds | until the first | processor s | ÷ alone: seconds | processor s |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {row.name} | {row.workers} | {row.seconds:.1f} | {row.first:.1f} | {row.processor:.1f} "
        f"| {row.seconds / alone.seconds:.2f} | {row.processor / alone.processor:.2f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
