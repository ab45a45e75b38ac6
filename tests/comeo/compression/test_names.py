"""Who gets a name that several want, and what becomes of what killed processes leave."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from comeo.archive import open_archive
from comeo.archive.stores import open_sink, sweep
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.progress import Silent
from comeo.scene import Scene
from tests.comeo.archive.contract import OBJECTS, content, write
from tests.comeo.sources.conftest import write_tif
from tests.scenes import array_group, array_scene, landscape

SUFFIXES = (".zarr.zip", ".zarr")


def small_scene() -> Scene:
    return array_scene(array_group(landscape(1, 40, 40)))


class _Together(Silent):
    """Progress of compressions that wait for each other before their archives get their names."""

    def __init__(self, barrier: threading.Barrier) -> None:
        self._barrier = barrier

    def start(self, stage: str, total: int) -> None:
        if stage == "verifying":
            self._barrier.wait(60)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("links", [True, False])
def test_of_several_that_want_a_name_one_gets_it(
    tmp_path: Path, suffix: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    final = tmp_path / f"a{suffix}"
    progress = _Together(threading.Barrier(3))

    def work(step: float) -> float | str:
        try:
            compress(small_scene(), final, codec="dct", step=step, progress=progress)
        except ArchiveError as error:
            return str(error)
        return step

    with ThreadPoolExecutor(3) as threads:
        outcomes = list(threads.map(work, (9.0, 19.0, 29.0)))
    (won,) = (outcome for outcome in outcomes if isinstance(outcome, float))
    for outcome in outcomes:
        assert outcome == won or f"{final} exists already" in str(outcome)
        assert outcome == won or "--force" in str(outcome)
    with open_archive(final) as archive:
        assert archive.step == won
    assert list(tmp_path.iterdir()) == [final]


def test_of_two_commands_one_succeeds(tmp_path: Path) -> None:
    source = write_tif(tmp_path / "S2A_20200501_T32TMT.tif", landscape(1, 40, 40), ["B04"])
    final = tmp_path / "out" / "a.zarr.zip"
    command = [
        sys.executable, "-m", "tileserver.cli", "compress", str(source), "--output", str(final), "--step", "50",
        "--codec", "dct",
    ]  # fmt: skip
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    messages = [process.communicate(timeout=120)[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1], messages
    assert "exists already" in messages[0] + messages[1]
    assert list(final.parent.iterdir()) == [final]


HOLDER = """
import sys
from pathlib import Path
from comeo.archive.stores import open_sink
sink = open_sink(Path(sys.argv[1]))
sink.write("zarr.json", b"{}")
if sys.argv[2]:
    sink.finish()
print(sink.path, flush=True)
sys.stdin.read()
"""


@contextmanager
def somebody_writing(final: Path, *, finished: bool = False) -> Iterator[Path]:
    """Another process that writes an archive, and is killed at the end; gives the unfinished archive."""
    arguments = [sys.executable, "-c", HOLDER, str(final), "finished" if finished else ""]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Path(process.stdout.readline().strip())
        process.kill()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("finished", [False, True])
def test_what_a_killed_process_leaves_is_swept_and_what_a_running_one_has_is_not(
    tmp_path: Path, suffix: str, finished: bool
) -> None:
    with somebody_writing(tmp_path / f"a{suffix}", finished=finished) as partial:
        os.utime(partial, (0, 0))
        compress(small_scene(), tmp_path / "b.zarr.zip", codec="dct", step=9.0)
        assert partial.exists()
    assert partial.exists()
    compress(small_scene(), tmp_path / "c.zarr.zip", codec="dct", step=9.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.zarr.zip", "c.zarr.zip"]


def test_other_names_are_left_alone(tmp_path: Path) -> None:
    kept = (".a.zarr.zip.1234abcd.part", ".a.tif.1234abcd.partial", "a.zarr.zip.1234abcd.partial", ".partial")
    for name in kept:
        (tmp_path / name).touch()
    (tmp_path / ".b.zarr.zip.1234abcd.partial").touch()
    (tmp_path / ".b.zarr.1234abcd.partial").symlink_to(tmp_path / kept[0])
    sweep(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*kept, ".b.zarr.1234abcd.partial"}


@pytest.mark.parametrize("taken", [False, True])
def test_an_archive_that_was_being_replaced_comes_back(tmp_path: Path, taken: bool) -> None:
    """A process that was killed between two renamings of folders."""
    final = tmp_path / "a.zarr"
    write(final).rename(tmp_path / ".a.zarr.1234abcd.old")
    if taken:
        write(final, {"zarr.json": b"newer"})
    sweep(tmp_path)
    assert content(final) == ({"zarr.json": b"newer"} if taken else OBJECTS)
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_where_nothing_can_be_locked_only_what_is_old_is_swept(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    sink = open_sink(tmp_path / f"a{suffix}")
    sweep(tmp_path)
    assert sink.path.exists()
    os.utime(sink.path, (0, 0))
    sweep(tmp_path)
    assert not sink.path.exists()
    sink.discard()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_signals_interrupt_nothing(tmp_path: Path, suffix: str) -> None:
    """Calls that a signal interrupts are repeated."""
    heard = 0

    def hear(*_: object) -> None:
        nonlocal heard
        heard += 1

    before = signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        for _ in range(20):
            assert content(write(tmp_path / f"a{suffix}")) == OBJECTS
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert heard


def test_a_command_that_may_write_no_more_says_so(tmp_path: Path) -> None:
    source = write_tif(tmp_path / "S2A_20200501_T32TMT.tif", landscape(4, 300, 300), list("ABCD"))
    command = [
        sys.executable, "-m", "tileserver.cli", "compress", str(source), "--output", str(tmp_path / "out"), "--step",
        "2", "--codec", "jpeg2000",
    ]  # fmt: skip

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
