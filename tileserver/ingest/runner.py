"""The service itself: looks at a source, has what it finds compressed, and keeps the journal of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from comeo.errors import ArchiveError, ComeoError
from comeo.leftovers import remove
from tileserver.ingest.compressing import FETCHING
from tileserver.ingest.document import CdseSource, FolderSource, StacSource, area_of
from tileserver.ingest.executors import Executor, words_of
from tileserver.ingest.finding import Finder, Look
from tileserver.ingest.journal import Journal, Row
from tileserver.ingest.orders import OPEN, DiskFullError, Done, FilteredError, Order, State, digest_of
from tileserver.ingest.pressure import Pressure
from tileserver.ingest.shelves import shelf_of

TICK_SECONDS: Final = 0.25
AGAIN_SECONDS: Final = 1.0
"""Until the next look at a folder after one that was not complete: what changes there may then be still."""
PUBLISH_SECONDS: Final = 15.0
"""Until a bucket that did not answer is asked again."""
MOST_AWAY_SECONDS: Final = 900.0
"""Between two looks at a source that does not answer."""
_DAY: Final = 86_400
_NO_WORKER: Final = "no worker of Dask is there; start one (`dask worker`), or see why they have ended"
log = logging.getLogger("comeo.ingest")


def journal_path(source: FolderSource | StacSource | CdseSource) -> Path:
    """File of a source's journal."""
    return source.state / "journal.sqlite"


@contextlib.contextmanager
def only_runner(source: FolderSource | StacSource | CdseSource) -> Iterator[None]:
    """Be the only service of a journal and of a folder of archives, for as long as this process lives.

    Raises:
        ComeoError: If there is another one.
    """
    source.state.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as kept:
        lock = kept.enter_context((source.state / "lock").open("ab"))
        _lock(lock.fileno(), source.state.name.removesuffix(".ingest"))
        if isinstance(source.output, Path):
            source.output.mkdir(parents=True, exist_ok=True)
            folder = os.open(source.output, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            kept.callback(os.close, folder)
            with contextlib.suppress(OSError):  # of file systems on which folders cannot be locked
                _lock(folder, source.output.name)
        yield


def _lock(descriptor: int, name: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ComeoError(f"another `comeo ingest` works on {name}; end that one first") from error


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An archive that is being made, for those who watch: the row, its stage and percent."""

    row: Row
    stage: str
    percent: int


class Runner:
    """Compresses what a source has.

    Args:
        source: See `tileserver.ingest.document`.
        journal: Of its folder, which nothing else works on: see `only_runner`.
        finder: Looks at it.
        executor: Carries out orders.
        show: Is called several times a second with what is under way, and why nothing is begun, if so.
    """

    def __init__(
        self, source: FolderSource | StacSource | CdseSource, journal: Journal, finder: Finder,
        executor: Executor, show: Callable[[list[UnderWay], str], None] = lambda _under_way, _waiting: None,
    ) -> None:  # fmt: skip
        self._source = source
        self._journal = journal
        self._finder = finder
        self._executor = executor
        self._show = show
        self._progress = source.state / "progress"
        self._shelf = shelf_of(source.output)
        self._pressure = Pressure(self._shelf, source.limits)
        self._running: dict[Future[Done], Row] = {}
        self._begun = self._backfilled = 0
        self._cut = False  # whether the last look ended because enough was waiting
        self._unpublished, self._publish_due = "", 0.0
        self._qualities = {each.name: each for each in source.quality}

    def run(self, *, once: bool = False) -> None:
        """Work until the process is told to end; or once: until all that there is has had its try.

        Raises:
            ComeoError: If the source cannot be looked at, and it is once only.
        """
        self._shelf.prepare()
        self._progress.mkdir(parents=True, exist_ok=True)
        self._follow_document()
        if count := self._journal.recover():
            log.info("%d archives were under way when the last run ended, and are begun again", count)
        self._publish_all()
        with ThreadPoolExecutor(1, thread_name_prefix="comeo-look") as looking:
            try:
                self._loop(self._looking(looking), once=once)
            finally:
                self._executor.close()
                for row in self._running.values():
                    self._journal.waiting(row.key, "")

    def _follow_document(self) -> None:
        chosen = self._source.filter
        names = [each.name for each in self._source.quality]
        wanted = digest_of([chosen.model_dump(mode="json"), area_of(chosen), sorted(names)])
        self._journal.follow(wanted, names)

    def _looking(self, thread: ThreadPoolExecutor) -> _Looking:
        every = self._source.every_seconds
        again = min(every, AGAIN_SECONDS) if isinstance(self._source, FolderSource) else every
        return _Looking(self._look, thread, every, again)

    def _loop(self, looking: _Looking, *, once: bool) -> None:
        while True:
            looking.tick()
            waiting = self._begin_all() or self._unpublished
            self._watch()
            self._show(self._under_way(), waiting or looking.fault)
            if once and not self._running and looking.over:
                if looking.fault:
                    raise ComeoError(looking.fault)
                if waiting:
                    raise ComeoError(waiting)
                return
            wait(self._running, TICK_SECONDS, FIRST_COMPLETED) if self._running else time.sleep(TICK_SECONDS)
            for future in [each for each in self._running if each.done()]:
                self._settle(future, self._running.pop(future))
                if not self._cut:
                    looking.soon()
            if self._unpublished and time.monotonic() >= self._publish_due:
                self._publish_all()

    def _look(self) -> bool:
        """Enter what there is into the journal; whether that was all, for now."""
        source, counts = self._source, self._journal.counts()
        backlog = sum(counts.get(state, 0) for state in OPEN if state is not State.FAILED)
        most = source.limits.max_backlog
        if backlog >= most:
            return False
        look = Look(past=not self._cut or backlog <= most // 2)
        fresh_after = time.time() - source.fresh_days * _DAY
        for product in self._finder.products(look):
            if backlog >= most:
                self._cut = True
                return False
            backlog += self._journal.add(self._finder.name, product, source.quality, fresh_after)
        self._cut = not look.past
        return look.complete

    def _begin_all(self) -> str:
        """Begin as many as there is room for; why no more, if something is in the way."""
        if not self._executor.slots:
            return _NO_WORKER if self._journal.counts().get(State.FOUND) else ""
        while len(self._running) < self._executor.slots:
            if fault := self._pressure.fault(len(self._running)):
                return fault if self._journal.counts().get(State.FOUND) else ""
            row = self._next()
            if row is None:
                return ""
            try:
                self._running[self._executor.submit(self._order(row))] = row
            except ComeoError as error:
                self._failed(row, str(error))
            except BaseException:
                self._journal.waiting(row.key, "")
                raise
        return ""

    def _next(self) -> Row | None:
        """The newest one; or of the backfill, if that has had less than its share."""
        owed = self._backfilled < self._source.backfill_share * (self._begun + 1)
        row = self._journal.next(backfill=owed) or self._journal.next(backfill=not owed)
        if row is not None:
            self._begun += 1
            self._backfilled += row.backfill
        return row

    def _order(self, row: Row) -> Order:
        source = self._source
        return Order(
            place=row.place, identity=f"{row.scene}\n{row.version}", output=str(source.output),
            quality=self._qualities[row.quality], qualities=source.quality, wanted=source.filter,
            reading=source.read,
            replaces=self._journal.earlier_archives(row), progress=str(self._progress_of(row)),
            cores=source.cores, max_seconds=source.limits.max_seconds, download=self._finder.download(row),
        )  # fmt: skip

    def _progress_of(self, row: Row) -> Path:
        return self._progress / f"{row.key}.json"

    def _under_way(self) -> list[UnderWay]:
        return [progress_of(self._source.state, row) for row in self._running.values()]

    def _watch(self) -> None:
        """Note which of those that are under way have been fetched."""
        for future, row in self._running.items():
            if row.state is State.FETCHING and progress_of(self._source.state, row).stage not in (
                "",
                FETCHING,
            ):
                self._journal.compressing(row.key)
                self._running[future] = replace(row, state=State.COMPRESSING)

    def _settle(self, future: Future[Done], row: Row) -> None:
        """Note what came of an order."""
        remove(self._progress_of(row))
        error = future.exception() if not future.cancelled() else ComeoError("its work was cancelled")
        if error is None:
            done = future.result()
            self._pressure.note(0 if done.was_there else done.bytes)
            self._journal.verified(row.key, done)
            self._publish(self._journal.row(row.key))
            return
        if isinstance(error, FilteredError):
            self._journal.skipped(row.key, str(error))
            log.info("%s is left out: %s", row.scene, error)
        elif isinstance(error, DiskFullError):
            self._journal.waiting(row.key, str(error))
            log.warning("%s: %s; it is begun again when there is room", row.scene, error)
        else:
            self._failed(row, words_of(error))

    def _failed(self, row: Row, words: str) -> None:
        state = self._journal.failed(row.key, words, self._source.retry)
        dead = "it is dead: `comeo ingest retry` tries it again"
        log.warning("%s: %s; %s", row.scene, words, dead if state is State.DEAD else "it is tried again")

    def _publish_all(self) -> None:
        """Publish what is verified: what a killed service, or a bucket that did not answer, has left."""
        self._unpublished = ""
        for row in self._journal.in_state(State.VERIFIED, limit=1_000_000):
            self._publish(row)

    def _publish(self, row: Row) -> None:
        """Have an archive that is verified stand for its product alone; may be done again."""
        made = [each for each in self._journal.versions(row) if each.archive]
        kept = made[0].archive
        for each in made[1:]:
            if each.archive != kept and not self._journal.is_shared(each):
                try:
                    self._shelf.remove(each.archive)
                except ArchiveError as error:  # of a bucket
                    self._unpublished = f"{each.archive}, which is replaced, could not be removed: {error}"
                    self._publish_due = time.monotonic() + PUBLISH_SECONDS
                    return
            self._journal.forget_archive(each.key)
        self._journal.published(row.key)  # last: a service that is killed before it goes on here
        log.info(
            "%s is published: %s, %s bytes, %.0f s", row.scene, row.archive, f"{row.bytes:,}", row.seconds
        )


class _Looking:
    """When to look at a source: in a thread of its own, seldom, and more seldom while it does not answer."""

    def __init__(
        self, look: Callable[[], bool], thread: ThreadPoolExecutor, every: float, again: float
    ) -> None:
        self._look = look
        self._thread = thread
        self._every = every
        self._again = again
        self._future: Future[bool] | None = None
        self._next = 0.0
        self._away = 0
        self._complete = False
        self.fault = ""

    @property
    def over(self) -> bool:
        """Whether the last look has seen all, or could not be taken."""
        return self._future is None and (self._complete or bool(self.fault))

    def soon(self) -> None:
        """Look again before long, if the last look was not complete: there is room for more now."""
        if not self._complete and not self.fault:
            self._next = min(self._next, time.monotonic())

    def tick(self) -> None:
        """Begin a look if it is time, or note what came of one."""
        if self._future is None:
            if time.monotonic() >= self._next:
                self._future = self._thread.submit(self._look)
            return
        if not self._future.done():
            return
        future, self._future = self._future, None
        error = future.exception()
        if error is not None and not isinstance(error, ComeoError):
            raise error
        if error is not None:
            self._away += 1
            pause = min(MOST_AWAY_SECONDS, self._every * 2 ** min(self._away, 20))
            if str(error) != self.fault:
                log.warning("%s; looked at again in %.0f s", error, pause)
            self.fault, self._complete = str(error), False
            self._next = time.monotonic() + pause
            return
        if self.fault:
            log.info("the source answers again")
        self._away, self.fault, self._complete = 0, "", future.result()
        self._next = time.monotonic() + (self._every if self._complete else self._again)


def progress_of(state: Path, row: Row) -> UnderWay:
    """How far an archive is, as its worker last wrote it.

    Args:
        state: Folder of the journal.
        row: Of it.
    """
    try:
        found = json.loads((state / "progress" / f"{row.key}.json").read_text())
        return UnderWay(row, str(found["stage"])[:60], int(found["percent"]))
    except (OSError, ValueError, KeyError, TypeError):
        return UnderWay(row, "", 0)
