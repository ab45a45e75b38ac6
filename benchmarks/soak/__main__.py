"""Run with: python -m benchmarks.soak [--seconds N] [--json FILE]; exits with 1 if a figure is off."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.soak.churn import churn, put, stock
from benchmarks.soak.clients import Answers, run_client
from benchmarks.soak.memory import Memory
from benchmarks.soak.requests import NO_DOCUMENT, Known
from benchmarks.soak.verdict import Verdict, judge
from benchmarks.tile_speed.servers import START_SECONDS, fetch, free_port

ROOT: Final = Path(__file__).resolve().parents[2]
_LINE_SECONDS: Final = 30.0


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long clients ask [default: 3600]")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--workers", type=int, help="processes of the server; its own choice by default")
    parser.add_argument("--pause", type=float, default=0.4, help="seconds between two changes of archives")
    parser.add_argument("--json", type=Path, help="all figures and samples, for programs")
    parser.add_argument("--archives", type=Path, default=ROOT / "samples", help="what is served all along")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="comeo-soak-") as folder:
        verdict = soak(arguments, Path(folder))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(verdict.document, indent=1) + "\n")
    say(verdict.table())
    return 0 if verdict.holds else 1


def soak(arguments: argparse.Namespace, folder: Path) -> Verdict:
    """Serve, ask and change archives for the time given; Ctrl-C ends it early, with the figures so far."""
    samples = sorted(arguments.archives.glob("*.zarr.zip"))
    if not samples:
        raise SystemExit(f"{arguments.archives} has no archives to serve")
    served = folder / "served"
    served.mkdir()
    for sample in samples:
        (served / sample.name).symlink_to(sample.resolve())
    versions = stock(samples, folder / "stock")
    for of_one in versions:
        put(of_one[0], served)
    answers, changes, stop = Answers(), Counter[str](), threading.Event()
    with server(served, folder, arguments.workers) as (port, process):
        known = Known(port)
        memory = Memory(process.pid)
        work = [
            threading.Thread(target=run_client, args=(known, seed, answers, stop), daemon=True)
            for seed in range(arguments.clients)
        ]
        work.append(
            threading.Thread(
                target=churn, args=(versions, served, arguments.pause, changes, stop), daemon=True
            )
        )
        work.append(threading.Thread(target=memory.watch, args=(stop,), daemon=True))
        work.append(threading.Thread(target=known.renew, args=(stop,), daemon=True))
        began = time.monotonic()
        for thread in work:
            thread.start()
        with contextlib.suppress(KeyboardInterrupt):
            _wait(began, arguments.seconds, answers, memory, process)
        stop.set()
        seconds = time.monotonic() - began
        verdict = judge(answers, memory, changes, seconds)
        for thread in work:
            thread.join(130)
    for line in answers.bad[:10]:
        say(line)
    if answers.bad:
        say((folder / "server.log").read_text()[-3000:])
    return verdict


def _wait(
    began: float, seconds: float, answers: Answers, memory: Memory, process: subprocess.Popen[bytes]
) -> None:
    """Wait until the time is over or the server has ended, with a line now and then."""
    said = 0
    while (left := began + seconds - time.monotonic()) > 0 and process.poll() is None:
        time.sleep(min(_LINE_SECONDS, left))
        taken, statuses = answers.snapshot()
        recent = sorted(taken[said:]) or [0.0]
        said = len(taken)
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        say(
            f"{time.monotonic() - began:6.0f} s  {said} requests ({counts}), {answers.wrong} wrong; p50 "
            f"{1000 * recent[len(recent) // 2]:.0f} ms, p99 {1000 * recent[int(len(recent) * 0.99)]:.0f} ms; "
            f"{memory.now:.0f} MB"
        )
    if process.poll() is not None:
        say(f"the server has ended with code {process.returncode}")
        answers.wrong += 1


@contextmanager
def server(served: Path, folder: Path, workers: int | None) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`comeo serve` with its defaults; gives its port and its process."""
    port = free_port()
    command = [sys.executable, "-m", "tileserver.cli", "serve", str(served), "--port", str(port)]
    command += ["--workers", str(workers)] if workers else []
    environment = {**os.environ, "COMEO_CATALOG": str(folder / "catalog.sqlite")}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _is_ready(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((folder / "server.log").read_text()[-3000:])
                time.sleep(0.2)
            yield port, process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(port: int) -> bool:
    try:
        return bool(json.loads(fetch(port, "/readyz"))["archives"])
    except NO_DOCUMENT:
        return False


def say(text: str) -> None:
    """Print at once, for whoever follows a log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
