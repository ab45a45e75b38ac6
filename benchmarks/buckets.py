"""How soon the servers of one bucket have a new scene.

An object store (moto) and two servers, one process each, on loopback. A scene is published; from then on both
servers are asked for it again and again. It has to be there within 5 s.

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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

from benchmarks import options
from comeo.archive.stores.objects import publish
from comeo.places import address_of

BUCKET: Final = "scenes"
PAUSE: Final = 0.05
SAMPLES: Final = options.ROOT / "samples"


def main() -> None:
    """Measure, and write the table."""
    parser = options.parser(__doc__)
    parser.add_argument("--scenes", type=int, default=20, help="How many are published, one after the other.")
    parser.add_argument("--objects", type=int, default=0, help="Others in the bucket, that are no archives.")
    arguments = parser.parse_args()
    paths = sorted(SAMPLES.glob("S2_romania_*.zarr.zip"))[: arguments.scenes]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(object_store())
        for number in range(arguments.objects):
            ask(f"{store}/{BUCKET}/other/{number:06}", b"")
        servers = [stack.enter_context(server(folder / f"{name}.sqlite")) for name in ("one", "other")]
        times = [seen_after(path, servers) for path in paths]
    slowest = [max(each) for each in times]
    rows = [f"| {name} | {statistics.median(each):.2f} | {max(each):.2f} |"
            for name, each in (*zip(("one server", "the other"), zip(*times, strict=True), strict=True),
                               ("both", slowest))]  # fmt: skip
    text = "\n".join([
        "# Servers of one bucket", "",
        f"{len(paths)} scenes, published one after the other beside {arguments.objects} other objects; "
        f"asked every {PAUSE * 1000:.0f} ms, `COMEO_SCAN_SECONDS` as it is (2).", "",
        "| seconds until a new scene is found | median | most |", "|---|---|---|", *rows, "",
    ])  # fmt: skip
    print(text)
    (arguments.output / "buckets.md").write_text(text)


def seen_after(path: Path, servers: list[str]) -> tuple[float, ...]:
    """Publish a scene; return after how many seconds each server has it."""
    scene = path.name.removesuffix(".zarr.zip")
    time.sleep(random.uniform(0, 2))  # servers look every two seconds: at no moment of theirs
    publish(path, address_of(f"s3://{BUCKET}/{path.name}"))
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
def server(catalog: Path) -> Iterator[str]:
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
        env={**os.environ, "COMEO_CATALOG": str(catalog)},
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
