"""Work that takes longer than a request should: a folder and a process for each job.

All state is on disk, so that every process of the server sees every job, and a crash of any of them leaves
nothing wrong behind. A job's process holds a lock on a file in the job's folder for as long as it lives,
however it ends; a job's state follows from that lock and from the file that its process last wrote. Statuses
are those of OGC API - Processes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from comeo.errors import BoundError, NotFoundError
from tileserver.errors import BusyError, TooManyError
from tileserver.jobs.orders import Order
from tileserver.settings import Settings
from tileserver.temporary import Lifeline

Status = Literal["accepted", "running", "successful", "failed"]
ORDER, STATE, LOCK, RESULT = "order.json", "state.json", "lock", "result"
DIRECT = "direct-"
"""Prefix of folders of files that are made while their requests wait."""
WORKER = "tileserver.jobs.worker"
SPARE_DISK_BYTES = 256 << 20
_ID = re.compile(r"[0-9a-f]{32}")
log = logging.getLogger(__name__)
_INTERRUPTED = "the work stopped before it was done: the server was stopped, or it took longer than jobs may"


@dataclass(frozen=True, slots=True)
class Job:
    """State of a job.

    Attributes:
        id: 32 random hexadecimal digits, which cannot be guessed.
        status: As OGC API - Processes names it.
        progress: Percent.
        stage: The work at hand, or the reason of a failure.
        updated: Seconds since 1970.
        expires: Likewise: when a job that is over will be removed.
        order: The work.
        result: The file, once it is made.
        bytes: Of the file.
    """

    id: str
    status: Status
    progress: int
    stage: str
    updated: float
    expires: float | None
    order: Order
    result: Path | None
    bytes: int


class Jobs:
    """The jobs of a server.

    Args:
        folder: Of all of them.
        settings: Of the server, for its bounds and for the jobs' processes.
        lifeline: By which jobs end with the server; None if they go on without it.
    """

    def __init__(self, folder: Path, settings: Settings, lifeline: Lifeline | None = None) -> None:
        self.folder = folder
        self._lifeline = lifeline
        self._settings = settings
        self._guard = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def create(self, order: Order, check: Callable[[], None] = lambda: None) -> Job:
        """Start a job.

        Args:
            order: The work.
            check: Refuses it, by what it raises, while no other job can begin.

        Raises:
            BoundError: If it would take more disk than one job may.
            TooManyError: If too many jobs are waiting or at work, or the disk is full.
            BusyError: If the system lets no job be started.
        """
        job_id = uuid.uuid4().hex
        with self._on_disk(), self._exclusive_lock():
            self._sweep()
            self._check(order.disk_bytes)
            check()
            folder = self.folder / job_id
            folder.mkdir()
            (folder / ORDER).write_text(order.model_dump_json())
            self._start(folder)
        return self.get(job_id)

    def direct_folder(self) -> Path:
        """Make a folder for a file that is made while its request waits.

        Raises:
            BusyError: If the system does not let it.
        """
        with self._on_disk():
            return Path(tempfile.mkdtemp(prefix=DIRECT, dir=self.folder))

    def get(self, job_id: str) -> Job:
        """State of a job.

        Raises:
            NotFoundError: If the job is unknown: dismissed, expired, or of another version's orders.
        """
        folder = self._folder_of(job_id)
        working = _is_locked(folder / LOCK)  # before the state is read: a job may be over any moment
        try:
            order = Order.model_validate_json((folder / ORDER).read_bytes())
        except (OSError, ValueError) as error:
            raise _unknown(job_id) from error
        state = _state_of(folder)
        result = next(folder.glob(f"{RESULT}.*"), None)
        try:
            size = result.stat().st_size if result else 0
        except OSError as error:  # it is being dismissed at this moment
            raise _unknown(job_id) from error
        status: Status = state.get("status", "accepted")
        if not working and status in ("accepted", "running"):
            status, state["stage"] = "failed", _INTERRUPTED
        updated = float(state.get("updated", order.created))
        over = status in ("successful", "failed")
        return Job(
            job_id, status, int(state.get("progress", 0)), str(state.get("stage", "waiting")),
            updated, updated + self._settings.job_keep_seconds if over else None, order,
            result if status == "successful" else None, size,
        )  # fmt: skip

    def of_kind(self, name: str) -> list[Job]:
        """Jobs of a kind of work, the newest first."""
        found = [job for job in self._all() if job.order.kind == name]
        return sorted(found, key=lambda job: job.order.created, reverse=True)

    def dismiss(self, job_id: str) -> Job:
        """Stop a job, if it still works, and remove all that it has made.

        Raises:
            NotFoundError: If the job is unknown.
        """
        job = self.get(job_id)
        self._remove(self._folder_of(job_id))
        return replace(job, result=None)

    def stop(self) -> None:
        """End the processes of all jobs."""
        for folder in self._folders():
            _stop(folder)

    def _folder_of(self, job_id: str) -> Path:
        folder = self.folder / job_id
        if not _ID.fullmatch(job_id) or not folder.is_dir():
            raise _unknown(job_id)
        return folder

    @contextlib.contextmanager
    def _exclusive_lock(self) -> Iterator[None]:
        """Let one process of the server at a time count and start jobs."""
        with self._guard, (self.folder / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _check(self, disk_bytes: int) -> None:
        settings = self._settings
        if disk_bytes > settings.job_disk_bytes:
            raise BoundError(
                f"this would take {disk_bytes} bytes on disk, more than {settings.job_disk_bytes}; "
                "choose a smaller area or fewer bands", "job_disk_bytes",
            )  # fmt: skip
        jobs = list(self._all())
        working = [job for job in jobs if job.status in ("accepted", "running")]
        if len(working) >= settings.max_jobs:
            raise TooManyError(
                f"{len(working)} jobs are waiting or at work, which is the most; try again later"
            )
        taken = sum(job.order.disk_bytes for job in working)
        taken += sum(job.bytes for job in jobs if job.result)
        free = shutil.disk_usage(self.folder).free - SPARE_DISK_BYTES
        if taken + disk_bytes > settings.job_disk_bytes or disk_bytes > free:
            raise TooManyError(
                "the disk for results of jobs is full; try again later, or DELETE jobs that are done with"
            )

    def _start(self, folder: Path) -> None:
        """Start the job's process. It inherits the lock, so that there is no moment without."""
        (folder / "settings.json").write_text(self._settings.model_dump_json())
        with (folder / LOCK).open("ab") as lock, (folder / "log").open("ab") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            line = [self._lifeline.reading] if self._lifeline else []
            child = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", WORKER, str(folder), *map(str, line)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock.fileno(), *line),
                start_new_session=True,
            )  # fmt: skip
            (folder / "pid").write_text(str(child.pid))
        # Whoever starts a process has to wait for it, or it stays a zombie.
        threading.Thread(target=child.wait, name=f"job {folder.name}", daemon=True).start()

    def _all(self) -> Iterator[Job]:
        """States of all jobs, but for those that are dismissed meanwhile."""
        for folder in self._folders():
            with contextlib.suppress(NotFoundError):
                yield self.get(folder.name)

    @contextlib.contextmanager
    def _on_disk(self) -> Iterator[None]:
        """Have the folder there, which may have been tidied away, and say so where the system refuses.

        Raises:
            BusyError: In words that name no folder of the server.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            log.exception("job or file not begun")
            reason = error.strerror or "the system refuses"
            raise BusyError(f"the server cannot begin the file ({reason}); try again later") from error

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in self.folder.iterdir() if _ID.fullmatch(path.name)]

    def _sweep(self) -> None:
        """Remove jobs that are over for long enough, and what a crash has left of files made at once."""
        now = time.time()
        for left in self.folder.glob(f"{DIRECT}*"):
            with contextlib.suppress(FileNotFoundError):
                if left.stat().st_mtime < now - self._settings.job_seconds:
                    shutil.rmtree(left, ignore_errors=True)
        for folder in self._folders():
            try:
                job = self.get(folder.name)
            except NotFoundError:  # half made, half removed
                self._remove(folder)
                continue
            if job.expires is not None and job.expires < now:
                self._remove(folder)

    def _remove(self, folder: Path) -> None:
        _stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _unknown(job_id: str) -> NotFoundError:
    return NotFoundError(f"there is no job {job_id[:40]}; it may have been dismissed or have expired")


def _state_of(folder: Path) -> dict[str, Any]:
    """State as the job's process last wrote it; each time it replaces the file."""
    try:
        state = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _is_locked(path: Path) -> bool:
    """Whether a living process holds a lock."""
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _stop(folder: Path) -> None:
    """End the job's process, if it lives, and wait until it has let go of its files.

    The lock shows that the process of that number is still the job's own.
    """
    try:
        pid = os.pidfd_open(int((folder / "pid").read_text()))
    except (OSError, ValueError):
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not _is_locked(folder / LOCK):
                return
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pid, number)
            _wait_until_free(folder / LOCK, 2.0)
    finally:
        os.close(pid)


def _wait_until_free(lock: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _is_locked(lock) and time.monotonic() < deadline:
        time.sleep(0.01)
