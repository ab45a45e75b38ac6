"""Reading archives in a process that can be ended: see `child`."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any, Final, NamedTuple

from comeo.places import in_bucket
from tileserver.catalog.limits import CPU_SECONDS, SECONDS

CHILD: Final = "tileserver.catalog.child"
_GRACE_SECONDS: Final = 2.0
"""So much longer than the kernel's clock is waited here: for a process that is stopped."""
_START_SECONDS: Final = 60.0
_MOST_BYTES: Final = 64 << 20
_AHEAD: Final = 8
"""Paths sent at once: as many as a pipe takes before they are read."""
# One thread: nothing that is read here is large, and each thread of OpenBLAS takes address space.
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKIO_WORKER_THREADS": "1", "MALLOC_ARENA_MAX": "2",
    "PROJ_NETWORK": "OFF",
}  # fmt: skip
_OWN_DOING: Final = frozenset(
    -number for number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
)
"""Ends that an archive has brought about, and would again."""
_REASONS: Final = {
    -signal.SIGALRM: f"takes longer than {SECONDS} s to read",
    -signal.SIGXCPU: f"takes more than {CPU_SECONDS} s of processor time to read",
    -signal.SIGKILL: "takes more memory or time to read than there is",
}


Question = tuple[str | None, ...]
"""A path, and what else a task takes."""


class Page(NamedTuple):
    """Archives of a bucket.

    Attributes:
        objects: Each one's path and signature.
        seen: Objects that were listed, archives or not.
        next: Key that the next page begins behind; None if there is none.
        error: Why there is no page.
    """

    objects: tuple[tuple[str, str], ...] = ()
    seen: int = 0
    next: str | None = None
    error: str = ""


class Reading(NamedTuple):
    """Result of reading an archive.

    Attributes:
        row: Columns of the table of items, without signature; None if the archive is refused, or, without an
            error, if its head is not here yet.
        left_out: Members of its metadata that are not read.
        error: The reason of a refusal.
        lasting: Whether the refusal is for its bytes alone, so that it need not be read again.
        trace: Of a mistake of the program.
        damaged: Sentences about parts that are damaged and that its pixels do not need.
        passing: Whether the refusal is for the way to its bytes, so that it is to be read again.
    """

    row: tuple[Any, ...] | None
    left_out: tuple[str, ...] = ()
    error: str = ""
    lasting: bool = False
    trace: str = ""
    damaged: tuple[str, ...] = ()
    passing: bool = False


@dataclass(slots=True)
class _Process:
    """A running child, and the pipe that it lives as long as."""

    popen: subprocess.Popen[bytes]
    lifeline: int
    fresh: bool = True


class ArchiveReaderProcess:
    """Reads archives in a process of its own, started when it is needed, and again when it died.

    Threads take turns. A process forked from this one starts its own.

    Args:
        child: Module of the process, if it is another one than `CHILD`.
    """

    def __init__(self, child: str | None = None) -> None:
        self._child = child
        self._process: _Process | None = None
        self._turn = threading.Lock()
        os.register_at_fork(after_in_child=self._forget)
        atexit.register(self.close)

    def read(
        self, paths: Sequence[str], task: str = "read", about: Mapping[str, str] | None = None
    ) -> Generator[Reading, None, None]:
        """Read archives, in their order.

        Args:
            paths: Of the archives.
            task: Of the process.
            about: What else the task takes, by path.
        """
        questions = [(path,) if about is None else (path, about[path]) for path in paths]
        for start in range(0, len(questions), _AHEAD):
            for out in self._ask(task, questions[start : start + _AHEAD]):
                if "row" in out:
                    row = None if out["row"] is None else tuple(out["row"])
                    yield Reading(row, tuple(out["left_out"]), damaged=tuple(out["damaged"]))
                else:
                    yield Reading(
                        None, (), out["error"], out["lasting"], out.get("trace", ""),
                        passing=out.get("passing", False),
                    )  # fmt: skip

    def digest(self, path: str) -> str | None:
        """Digest of an archive's bytes, or None if they cannot be read."""
        (out,) = self._ask("digest", [(path,)])
        digest: str | None = out.get("digest")
        return digest

    def page(self, folder: str, after: str | None = None) -> Page:
        """List archives of a folder of a bucket, or one archive there, behind a key."""
        (out,) = self._ask("list", [(folder, after)])
        if "error" in out:
            return Page(error=out["error"])
        return Page(tuple((path, signature) for path, signature in out["objects"]), out["seen"], out["next"])

    def ask(self, task: str, path: str, *more: str) -> dict[str, Any]:
        """The answer to another task of the process; with `error` where there is none."""
        (out,) = self._ask(task, [(path, *more)])
        return out

    def keep_ready(self) -> None:
        """Have the process run, and not end for having nothing to do: its start takes a second."""
        if not self._turn.locked():  # else it has something to do
            self.ask("ready", "")

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.popen.kill()
            process.popen.communicate()
            os.close(process.lifeline)

    def _forget(self) -> None:
        """In a forked process: let go of the other's pipes, so that its child ends with it."""
        process, self._process, self._turn = self._process, None, threading.Lock()
        if process is not None:
            process.popen.returncode = 0
            for stream in (process.popen.stdin, process.popen.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]
            os.close(process.lifeline)

    def _ask(self, task: str, asked: Sequence[Question]) -> Iterator[dict[str, Any]]:
        """Answers to a task on a few paths; a path that ends the process has an error for its answer."""
        left = deque(asked)
        with self._turn:
            try:
                yield from self._answers(task, left)
            finally:
                if left:  # the other answers would be taken for those of the next question
                    self.close()

    def _answers(self, task: str, left: deque[Question]) -> Iterator[dict[str, Any]]:
        again: set[Question] = set()
        while left:
            process = self._running()
            fresh, process.fresh = process.fresh, False
            questions = [[task, *question] for question in left]
            for line in _exchange(process.popen, questions, fresh):
                fresh = True
                left.popleft()
                yield json.loads(line)
            if left:
                self.close()
                code = process.popen.returncode
                if (code == 0 and not fresh) or (code == -signal.SIGKILL and left[0] not in again):
                    again.add(left[0])  # it was idle and ended just as this came, or was killed from outside
                    continue
                reason = _REASONS.get(code, f"ended the process that read it (status {code})")
                yield _end_of(left.popleft()[0] or "", reason, own_doing=code in _OWN_DOING)

    def _running(self) -> _Process:
        process = self._process
        if process is not None and process.popen.poll() is not None:
            self.close()
            process = None
        if process is None:
            process = self._process = _start(self._child or CHILD)
        return process


def _end_of(path: str, reason: str, *, own_doing: bool) -> dict[str, Any]:
    """The answer about a path that has ended the process: of one far away, the way may be to blame."""
    far = in_bucket(path)
    return {"error": f"{Path(path).name} {reason}", "lasting": own_doing and not far, "passing": far}


def _exchange(
    popen: subprocess.Popen[bytes], questions: Sequence[Sequence[str | None]], fresh: bool
) -> Iterator[bytes]:
    """Send lines and wait for as many; there are fewer if the process ended or had to be ended."""
    assert popen.stdin is not None  # noqa: S101 - for the type checker
    assert popen.stdout is not None  # noqa: S101
    lines = [json.dumps(question, ensure_ascii=False) + "\n" for question in questions]
    with contextlib.suppress(BrokenPipeError):
        popen.stdin.write("".join(lines).encode())
        popen.stdin.flush()
    patience = SECONDS + (_START_SECONDS if fresh else _GRACE_SECONDS)
    waiting = b""
    for _ in questions:
        deadline = time.monotonic() + patience
        while b"\n" not in waiting:
            wait = max(0.0, deadline - time.monotonic())
            ready = wait_for([popen.stdout.fileno()], wait)
            piece = os.read(popen.stdout.fileno(), 1 << 16) if ready else b""
            waiting += piece
            if not piece or len(waiting) > _MOST_BYTES:
                if not ready or piece:
                    popen.kill()
                popen.wait()
                return
        line, _, waiting = waiting.partition(b"\n")
        patience = SECONDS + _GRACE_SECONDS
        yield line


def _start(child: str) -> _Process:
    theirs, ours = os.pipe()
    try:
        popen = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", child, str(theirs)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(theirs,),
            env={**os.environ, **_ENVIRONMENT},
        )  # fmt: skip
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return _Process(popen, ours)


READER: Final = ArchiveReaderProcess()
"""The one of this process, for all its catalogues."""
