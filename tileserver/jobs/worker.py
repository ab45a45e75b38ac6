"""The process of one job: `python -m tileserver.jobs.worker FOLDER [LIFELINE]`.

It waits for a slot before it loads anything large, works at low priority so that tiles come first, and writes
its progress. It knows no kinds of work and no HTTP.
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

from comeo.errors import ComeoError, RequestError
from comeo.settings import configure
from tileserver.errors import ConflictError
from tileserver.jobs.orders import Order
from tileserver.jobs.queue import ORDER, RESULT, STATE
from tileserver.render.fingerprint import installed_code
from tileserver.settings import MEBIBYTE, Settings
from tileserver.temporary import Lifeline

LOOK_SECONDS = 0.2
WRITE_SECONDS = 0.5
NICENESS = 5
TROUBLE = "the server could not do the work; the job's log says why"
UNFORESEEN = "the work failed by a mistake in the program; the job's log has the details"
CACHE_BYTES = 128 * MEBIBYTE
OTHER_CODE = (
    "the job was ordered from another version of the program than the one that is installed by now; "
    "restart the server, then order it again"
)
log = logging.getLogger(__name__)


class DiskProgress:
    """Writes a job's progress to where every process of the server can read it. See `comeo.progress`.

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
        """Do nothing: the state has all that clients see."""

    def write(self, status: str, progress: int, stage: str) -> None:
        """Replace the state."""
        self._written = time.monotonic()
        state = {"status": status, "progress": progress, "stage": stage, "updated": time.time()}
        new = self._folder / f"{STATE}.new"
        new.write_text(json.dumps(state))
        new.replace(self._folder / STATE)

    def _percent(self) -> int:
        """Percent done. Packing, whose progress is unknown, takes about the last third."""
        return 66 if self._stage == "packing" else 66 * self._done // max(1, self._total)


def work(folder: Path) -> None:
    """Do the job of a folder."""
    settings = Settings.model_validate_json((folder / "settings.json").read_text())
    order = Order.model_validate_json((folder / ORDER).read_bytes())
    os.nice(NICENESS)
    configure(settings.codecs)
    progress = DiskProgress(folder)
    with _wait_for_slot(folder.parent, settings.job_processes):
        signal.alarm(settings.job_seconds)  # the system ends the process then, whatever it is doing
        try:
            progress.write("running", 0, "starting")
            _do(settings, order, folder, progress)
            progress.write("successful", 100, "done")
        except RequestError as error:
            progress.write("failed", 0, str(error))
        except ComeoError:  # of the server itself: its words may name folders, which are not for clients
            log.exception("job failed")
            progress.write("failed", 0, TROUBLE)
        except Exception:
            log.exception("job failed")
            progress.write("failed", 0, UNFORESEEN)


def _do(settings: Settings, order: Order, folder: Path, progress: DiskProgress) -> None:
    """Do the work of an order, if the program that took it is still the one installed.

    Raises:
        RequestError: If it is another, or the work cannot be done.
        ComeoError: If the server is at fault.
    """
    if order.code != installed_code():
        raise ConflictError(OTHER_CODE)
    # Imported here: a process that waits for its slot stays small.
    from tileserver.catalog import open_catalog  # noqa: PLC0415
    from tileserver.jobs.kinds import kind_of  # noqa: PLC0415
    from tileserver.relay.indexing.index import bucket_index  # noqa: PLC0415
    from tileserver.render.scenes import Scenes  # noqa: PLC0415

    if settings.catalog is None:
        raise ComeoError("the settings of the job lack the catalogue")
    kind = kind_of(order.kind)
    small = settings.model_copy(
        update={"workers": 1, "block_cache_bytes": CACHE_BYTES, "tile_cache_bytes": 0}
    )
    scenes = Scenes.open(small, open_catalog(settings, index=bucket_index(settings)))
    half = folder / "half"
    extension = kind.do(scenes, order, half, progress)
    half.replace(folder / f"{RESULT}.{extension}")


@contextlib.contextmanager
def _wait_for_slot(folder: Path, slots: int) -> Iterator[None]:
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
    for descriptor in sys.argv[2:]:
        Lifeline.hold_on_to(int(descriptor))
    work(Path(sys.argv[1]))
