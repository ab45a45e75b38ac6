"""How soon the servers of one bucket have a new scene, and what it takes to find all that there are.

An object store (moto) and two servers, one process each, on loopback. A scene is published; from then on both
servers are asked for it again and again. It has to be there within 5 s: where servers list the bucket, and
where they read its feed. Then a catalogue is made of many small scenes, either way.

Run with: python -m benchmarks.buckets [--scenes N] [--objects N] [--output FOLDER]
"""

from __future__ import annotations

import json
import logging
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.request import Request, urlopen

from benchmarks import options
from comeo.archive.stores.objects import publish
from comeo.places import address_of

if TYPE_CHECKING:
    from tileserver.catalog import Catalog

BUCKET: Final = "scenes"
PAUSE: Final = 0.05
SAMPLES: Final = options.ROOT / "samples"


def main() -> None:
    """Measure, and write the table."""
    parser = options.parser(__doc__)
    parser.add_argument("--scenes", type=int, default=20, help="How many are published, one after the other.")
    parser.add_argument("--objects", type=int, default=0, help="Others in the bucket, that are no archives.")
    parser.add_argument("--small", type=int, default=500, help="Small scenes that a catalogue is made of.")
    arguments = parser.parse_args()
    paths = sorted(SAMPLES.glob("S2_romania_*.zarr.zip"))[: arguments.scenes]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(object_store())
        for number in range(arguments.objects):
            ask(f"{store}/{BUCKET}/other/{number:06}", b"")
        with ExitStack() as running:
            servers = [running.enter_context(server(folder / f"{name}.sqlite")) for name in ("one", "other")]
            times = [seen_after(path, servers) for path in paths]
        published = folder / "private"
        tell(published)
        with ExitStack() as running:
            fed = [running.enter_context(server(folder / f"fed-{name}.sqlite", "feed")) for name in "ab"]
            told = [
                seen_after(small(path, folder, f"told-{number}"), fed, published)
                for number, path in enumerate(paths[: arguments.scenes // 4])
            ]
        looks = compared(folder, paths[0], arguments.small)
    rows = [f"| {name} | {statistics.median(each):.2f} | {max(each):.2f} |"
            for name, each in (*zip(("one server", "the other"), zip(*times, strict=True), strict=True),
                               ("both", [max(each) for each in times]),
                               ("both, by the feed, once it is published", [max(each) for each in told])
                               )]  # fmt: skip
    text = "\n".join([
        "# Servers of one bucket", "",
        f"{len(paths)} scenes, published one after the other beside {arguments.objects} other objects; "
        f"asked every {PAUSE * 1000:.0f} ms, `COMEO_SCAN_SECONDS` as it is (2).", "",
        "| seconds until a new scene is found | median | most |", "|---|---|---|", *rows, "",
        f"A catalogue of {arguments.small} small scenes, and a look when nothing has changed:", "",
        "| by | requests | seconds | requests of a look | its seconds |", "|---|---|---|---|---|", *looks, "",
    ])  # fmt: skip
    print(text)
    (arguments.output / "buckets.md").write_text(text)


def small(path: Path, folder: Path, name: str) -> Path:
    """A copy of an archive under another id."""
    former = path.name.removesuffix(".zarr.zip")
    target = folder / f"{name}.zarr.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("zarr.json"):
                data = data.replace(former.encode(), name.encode())
            new.writestr(zipfile.ZipInfo(info.filename, info.date_time), data)
    return target


def tell(private: Path, prefix: str = "") -> float:
    """Publish the feed of the bucket; how long that took."""
    began = time.monotonic()
    words = ["relay", "publish", f"s3://{BUCKET}/{prefix}", "--private", str(private)]
    subprocess.run([sys.executable, "-m", "tileserver.cli", *words], check=True, capture_output=True)
    return time.monotonic() - began


def compared(folder: Path, path: Path, count: int) -> list[str]:
    """What it takes to make a catalogue of scenes of a prefix, and to look again."""
    from tileserver.catalog import SqliteCatalog  # noqa: PLC0415 - takes a while
    from tileserver.relay.indexing.index import FeedIndex  # noqa: PLC0415

    for number in range(count):
        made = small(path, folder, f"small-{number:05}")
        publish(made, address_of(f"s3://{BUCKET}/many/{made.name}"))
        made.unlink()
    tell(folder / "many", "many")
    rows = []
    for name, index in (("listing", None), ("feed", FeedIndex(folder / "feeds"))):
        catalog = SqliteCatalog((f"s3://{BUCKET}/many",), folder / f"many-{name}.sqlite", 0.0, index=index)
        numbers = [_looked(catalog) for _ in range(2)]
        assert catalog.count() == count
        (requests, seconds), (again, short) = numbers
        rows.append(f"| {name} | {requests} | {seconds:.1f} | {again} | {short:.3f} |")
    return rows


def _looked(catalog: Catalog) -> tuple[int, float]:
    """Requests and seconds of a look."""
    with Requests() as seen:
        began = time.monotonic()
        catalog.refresh(force=True)
        return seen.count, time.monotonic() - began


class Requests:
    """Counts what the object store, which runs in this process, answers."""

    count = 0

    def __enter__(self) -> Requests:
        from werkzeug.serving import WSGIRequestHandler  # noqa: PLC0415 - likewise

        self._kept = WSGIRequestHandler.log_request
        seen = self

        def note(*_: object) -> None:
            seen.count += 1

        WSGIRequestHandler.log_request = note  # type: ignore[method-assign, assignment]
        self._handler = WSGIRequestHandler
        return self

    def __exit__(self, *_: object) -> None:
        self._handler.log_request = self._kept  # type: ignore[method-assign]


def seen_after(path: Path, servers: list[str], private: Path | None = None) -> tuple[float, ...]:
    """Publish a scene, and tell of it where there is a feed; after how many seconds each server has it."""
    scene = path.name.removesuffix(".zarr.zip")
    time.sleep(random.uniform(0, 2))  # servers look every two seconds: at no moment of theirs
    publish(path, address_of(f"s3://{BUCKET}/{path.name}"))
    if private is not None:
        tell(private)
    began = time.monotonic()
    times: dict[str, float] = {}
    while len(times) < len(servers):
        for each in servers:
            if each not in times and f'"{scene}"' in ask(f"{each}/stac/search?ids={scene}"):
                times[each] = time.monotonic() - began
        time.sleep(PAUSE)
    return tuple(times[each] for each in servers)


def ask(address: str, put: bytes | None = None) -> str:
    """What is at an address, or put there."""
    request = Request(address, put, method="GET" if put is None else "PUT")
    with urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content.decode()


@contextmanager
def object_store() -> Iterator[str]:
    """A store with an empty bucket, which the environment names; gives its address."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - takes seconds

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    address = f"http://127.0.0.1:{running.get_host_and_port()[1]}"
    os.environ.update(
        AWS_ENDPOINT_URL=address, AWS_ALLOW_HTTP="true", AWS_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="benchmark", AWS_SECRET_ACCESS_KEY="benchmark",
    )  # fmt: skip
    ask(f"{address}/{BUCKET}", b"")
    try:
        yield address
    finally:
        running.stop()


@contextmanager
def server(catalog: Path, index: str = "listing") -> Iterator[str]:
    """`comeo serve` of the bucket, one worker; gives its address."""
    command = [
        sys.executable,
        "-m",
        "tileserver.cli",
        "serve",
        f"s3://{BUCKET}",
        "--port=0",
        "--workers=1",
    ]
    process = subprocess.Popen(
        [*command, "--log-format", "json"], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "COMEO_CATALOG": str(catalog), "COMEO_BUCKET_INDEX": index},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said = json.loads(line)
            if said["message"] == "listening":
                yield said["address"]
                return
        raise RuntimeError("the server did not start")
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
