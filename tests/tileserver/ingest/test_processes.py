"""Kills: of a worker, and of the whole service, by its command."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comeo.archive import open_archive
from tests.tileserver.ingest.products import archives, document, ingest, name_of, until
from tileserver.ingest.document import read_source
from tileserver.ingest.executors import Processes, executor_of
from tileserver.ingest.journal import Journal
from tileserver.ingest.orders import State
from tileserver.ingest.runner import journal_path


def children(parent: int) -> list[int]:
    """Processes that a process has started to compress."""
    path = Path(f"/proc/{parent}/task/{parent}/children")
    found = map(int, path.read_text().split()) if path.exists() else ()
    return [each for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def test_a_worker_that_is_killed_costs_a_try_of_its_own_product_alone(tmp_path: Path) -> None:
    path = document(tmp_path, "[retry]\nfirst_seconds = 0", filled=3)
    executor = Processes(1)
    submit = executor.submit
    killed: list[int] = []

    def submit_and_kill(order: object) -> object:
        future = submit(order)  # type: ignore[arg-type]
        if not killed:
            (lane,) = executor._busy
            killed.extend(lane._processes)
            os.kill(killed[0], signal.SIGKILL)
        return future

    executor.submit = submit_and_kill  # type: ignore[method-assign, assignment]
    journal = ingest(path, executor)
    assert journal.counts() == {State.PUBLISHED: 3}
    assert sorted(row.tries for row in journal.in_state(State.PUBLISHED)) == [0, 0, 1]
    assert archives(tmp_path) == [name_of(number) for number in range(3)]


@pytest.mark.slow
def test_a_service_that_is_killed_loses_nothing_and_publishes_nothing_twice(tmp_path: Path) -> None:
    path = document(tmp_path, filled=4)
    command = [sys.executable, "-m", "tileserver.cli", "ingest", str(path), "--workers", "1"]
    journal = Journal(journal_path(read_source(path)))
    reached = {
        "begun": journal.counts,
        "work": lambda: journal.in_state(State.FETCHING, State.COMPRESSING),
        "archive": lambda: archives(tmp_path),
    }
    for stage in reached.values():
        service = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            until(stage)
            workers = children(service.pid)
        finally:
            service.kill()
            service.wait()
        until(lambda: not any(Path(f"/proc/{each}").exists() for each in workers))  # noqa: B023
        for archive in (tmp_path / "out").glob("*.zarr.zip"):
            with open_archive(archive) as opened:
                assert not opened.damaged
    done = subprocess.run([*command, "--once"], capture_output=True, text=True, check=True)
    assert done.stdout == "4 published\n"
    assert archives(tmp_path) == [name_of(number) for number in range(4)]
    assert not list((tmp_path / "out").glob(".*"))
    journal.close()


def test_the_command_says_what_became_of_products(tmp_path: Path) -> None:
    path = document(tmp_path, "[retry]\ntries = 1", filled=0)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.tif").write_bytes(b"no TIFF")
    ingest(path)

    def comeo(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tileserver.cli", "ingest", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    said = comeo("status", str(path)).stdout.splitlines()
    assert said[0] == "1 dead"
    assert said[1].startswith("dead        broken.tif  broken.tif cannot be opened")
    assert comeo("retry", str(path)).stdout == "1 archives are tried again\n"
    ended = comeo("--once", str(path))
    assert (ended.returncode, ended.stdout) == (1, "1 dead\n")
    assert "1 products were not compressed; `comeo ingest status" in ended.stderr
    assert comeo("status", str(tmp_path / "no.toml")).returncode == 2
    assert "is no executor" in comeo(str(path), "--executor", "threads").stderr


def test_workers_by_default() -> None:
    executor = executor_of("processes", None, 1_000)
    assert executor.slots == 1
    executor.close()
