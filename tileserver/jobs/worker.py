"""The process of one job: `python -m tileserver.jobs.worker FOLDER`.

It waits for its turn before it loads anything large, works at low priority so that tiles come first, and
writes how far it has come.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comeo.errors import ComeoError
from tileserver.jobs.queue import ORDER, RESULT, STATE
from tileserver.settings import Settings

LOOK_SECONDS = 0.2
WRITE_SECONDS = 0.5
NICENESS = 5
UNFORESEEN = "the server failed in a way that it did not foresee; its log says how"
log = logging.getLogger(__name__)


class DiskProgress:
    """Writes how far a job has come where every process of the server can read it. See `comeo.progress`.

    Args:
        folder: Of the job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stage = ""
        self._total = self._done = 0
        self._written = 0.0

    def start(self, stage: str, total: int) -> None:
        """See `comeo.progress.Progress`."""
        self._stage, self._total, self._done = stage, total, 0
        self.write("running", self._percent(), stage)

    def advance(self) -> None:
        """See `comeo.progress.Progress`."""
        self._done += 1
        if time.monotonic() - self._written > WRITE_SECONDS:
            self.write("running", self._percent(), self._stage)

    def note(self, message: str) -> None:
        """Nothing: the state says it."""

    def write(self, status: str, progress: int, stage: str) -> None:
        """Replace the state."""
        self._written = time.monotonic()
        state = {"status": status, "progress": progress, "stage": stage, "updated": time.time()}
        new = self._folder / f"{STATE}.new"
        new.write_text(json.dumps(state))
        new.replace(self._folder / STATE)

    def _percent(self) -> int:
        """Packing, which can't tell how far it is, takes about the last third."""
        return 66 if self._stage == "packing" else 66 * self._done // max(1, self._total)


def work(folder: Path) -> None:
    """Do the job of a folder."""
    settings = Settings.model_validate_json((folder / "settings.json").read_text())
    order = json.loads((folder / ORDER).read_text())
    os.nice(NICENESS)
    progress = DiskProgress(folder)
    with _turn(folder.parent, settings.job_processes):
        signal.alarm(settings.job_seconds)  # the system ends the process then, whatever it is doing
        try:
            progress.write("running", 0, "starting")
            _make(settings, order, folder, progress)
            progress.write("successful", 100, "done")
        except ComeoError as error:
            progress.write("failed", 0, str(error))
        except Exception:
            log.exception("job failed")
            progress.write("failed", 0, UNFORESEEN)


def _make(settings: Settings, order: dict[str, Any], folder: Path, progress: DiskProgress) -> None:
    # Imported here: what waits for its turn stays small.
    from tileserver.jobs.orders import make  # noqa: PLC0415

    half = folder / "half"
    extension = make(settings, order, half, progress)
    half.replace(folder / f"{RESULT}.{extension}")


@contextlib.contextmanager
def _turn(folder: Path, slots: int) -> Iterator[None]:
    """Wait until fewer than `slots` jobs work. A slot is a file, locked while its holder lives."""
    while True:
        for slot in range(slots):
            with (folder / f"slot-{slot}").open("ab") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(message)s")
    work(Path(sys.argv[1]))
