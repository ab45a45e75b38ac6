"""What fails is tried again later, and holds nothing else up."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from comeo.errors import CodecError, OutputError
from tests.tileserver.watch.followed import NOW, follow
from tests.tileserver.watch.test_worker import DAYS, WOOD, Place
from tileserver.render.scenes import Scenes
from tileserver.store import tasks
from tileserver.store.database import Database
from tileserver.store.observed import Observed
from tileserver.store.tables import indicator, site_version
from tileserver.store.tasks import Task, key_of
from tileserver.watch import worker as worker_module
from tileserver.watch.observing.observe import Work, observe
from tileserver.watch.pieces import WAITS, Pieces, is_dead
from tileserver.watch.worker import Worker

BAD = "S2_romania_2017-07-01"
Observe = Callable[[Scenes, Work, str], Iterator[Observed]]


def raising(error: BaseException) -> Observe:
    """Observes, but of one scene."""

    def observing(scenes: Scenes, work: Work, name: str) -> Iterator[Observed]:
        if work.record.id == BAD:
            raise error
        return observe(scenes, work, name)

    return observing


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "place")
    made.give(*DAYS[:3])
    return made


def failures(place: Place) -> list[Task]:
    with place.database.reading() as connection:
        return tasks.failures(connection)


class Time:
    """A clock that is set."""

    def __init__(self, worker: Worker) -> None:
        self.now = NOW
        worker.clock = lambda: self.now

    def go(self, worker: Worker, by: timedelta) -> None:
        """Let time pass, as a machine that runs sees it."""
        end = self.now + by
        while self.now < end:
            self.now = min(end, self.now + timedelta(minutes=5))
            worker._time.believed(self.now)


@pytest.mark.parametrize("error", [CodecError("block 3 cannot be decoded"), ValueError("odd"), MemoryError()])
def test_a_scene_that_fails_waits_longer_each_time_and_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(worker_module, "observe", raising(error))
    with place.worker() as worker:
        time = Time(worker)
        done = worker.round()
        assert done.observed == 2
        assert list(done.failed) == [BAD]
        for wait in WAITS:
            time.go(worker, wait - timedelta(seconds=1))
            assert worker.round().failed == {}, "not before its time"
            time.go(worker, timedelta(seconds=2))
            assert list(worker.round().failed) == [BAD]
        (row,) = failures(place)
        assert (row.kind, row.attempts, is_dead(row)) == ("observe", 1 + len(WAITS), True)
        assert row.error is not None
        assert row.error.startswith(f"{BAD}: ")
        time.go(worker, timedelta(days=3))
        assert worker.round().failed == {}, "it was given up"
        with place.database.writing() as connection:
            assert tasks.forget(connection, 1) == [row]
        monkeypatch.setattr(worker_module, "observe", observe)
        assert worker.round().observed == 1, "somebody asks for it: `comeo geoservice run`"
        assert failures(place) == []


def test_a_success_clears_what_failed_and_another_archive_is_another_piece(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.worker() as worker:
        time = Time(worker)
        with monkeypatch.context() as failing:
            failing.setattr(worker_module, "observe", raising(CodecError("damaged")))
            worker.round()
            (first,) = failures(place)
            path = place.archives / f"{BAD}.zarr.zip"
            path.write_bytes((place.archives / f"{BAD.replace('07-01', '06-06')}.zarr.zip").read_bytes())
            path.unlink()
            worker.scenes.catalog.refresh(force=True)
            worker.round()
            assert failures(place) == [], "the scene has gone"
            place.give(DAYS[1])
            worker.scenes.catalog.refresh(force=True)
            worker.round()
            (again,) = failures(place)
            assert (again.key, again.attempts) == (first.key, 1)
        time.go(worker, WAITS[0])
        assert worker.round().observed == 1
        assert failures(place) == []


def test_a_worker_that_dies_of_a_scene_leaves_it_for_later_but_not_for_good(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a damaged scene takes all memory: the next worker does the others first."""
    monkeypatch.setattr(worker_module, "observe", raising(KeyboardInterrupt()))
    now = NOW
    for number in range(2 * len(WAITS)):
        with place.worker() as worker:
            time = Time(worker)
            time.now = now
            with pytest.raises(KeyboardInterrupt):
                worker.round()
        (row,) = failures(place)
        assert (row.attempts, is_dead(row)) == (number + 1, False)
        with place.worker() as worker:
            time = Time(worker)
            time.now = now
            worker.round()
            time.go(worker, WAITS[min(number, len(WAITS) - 1)])
            now = time.now
    assert len(place.told()[0]) == 2, "the others were observed"
    monkeypatch.setattr(worker_module, "observe", observe)
    with place.worker() as worker:
        Time(worker).now = now
        worker.clock = lambda: now
        assert worker.round().observed == 1
    assert failures(place) == []


@pytest.mark.parametrize("error", [
    OSError(errno.ENOSPC, "No space left on device"),
    OutputError("window.zarr.zip", "No space left on device"),
])  # fmt: skip
def test_a_full_disk_is_no_scenes_fault(
    place: Place, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    if isinstance(error, OutputError):
        error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    with place.worker() as worker:
        with monkeypatch.context() as failing:
            failing.setattr(worker_module, "observe", raising(error))
            for _ in range(10):
                assert list(worker.round().failed) == [BAD]
        assert failures(place) == []
        assert worker.round().observed == 1


def broken_document(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(update(indicator).where(indicator.c.id == "ndwi").values(document="{"))


def broken_site(database: Database) -> None:
    with database.writing() as connection:
        broken = {"type": "Polygon", "coordinates": "none"}
        connection.execute(update(site_version).where(site_version.c.id == 2).values(geometry=broken))


def nothing(_database: Database) -> None:
    """The collection has gone."""


@pytest.mark.parametrize(("collections", "damage"), [
    (["romania-forest"], broken_document), (["romania-forest"], broken_site), (["gone"], nothing),
])  # fmt: skip
def test_one_broken_geoservice_holds_nothing_up(
    place: Place, collections: Sequence[str], damage: Callable[[Database], None]
) -> None:
    other: dict[str, Any] = {"indicator": "ndwi", "nominal": {"kind": "fixed", "low": -1}}
    follow(place.database, slug="a-broken-one", sites=WOOD, collections=list(collections), indicators=[other])
    damage(place.database)
    with place.worker() as worker:
        time = Time(worker)
        done = worker.round()
        assert done.observed == 3
        assert "a-broken-one" in done.failed
        assert worker.round().failed == {}, "said once, until it is tried again"
        (row,) = failures(place)
        assert row.key.startswith("2/")
        for _ in range(10):
            time.go(worker, WAITS[-1])
            assert "a-broken-one" in worker.round().failed, "what is no scene is never given up"


def test_a_step_that_fails_holds_no_other_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("nobody has thought of this")

    follow(place.database, slug="another", sites=WOOD, collections=["romania-forest"], start="2017-01-01")
    monkeypatch.setattr(Worker, "_judge", fail)
    with place.worker() as worker:
        done = worker.round()
        assert done.observed == 6
        assert set(done.failed) == {"wood", "another"}
        assert done.failed["wood"] == "RuntimeError: nobody has thought of this"
        monkeypatch.undo()
        place.give(DAYS[3])
        worker.scenes.catalog.refresh(force=True)
        assert worker.round().failed == {}, "there is a new scene: it does not wait"
        assert failures(place) == []


def test_a_time_that_a_wrong_clock_wrote_holds_nothing_up(sqlite_database: Database) -> None:
    def fail() -> None:
        raise ValueError("odd")

    def pieces(now: datetime) -> Pieces:
        return Pieces(sqlite_database, now)

    assert not pieces(NOW + timedelta(days=400)).attempt("tell", "1/", "wood", fail)
    assert pieces(NOW).attempt("tell", "1/", "wood", int)
    assert pieces(NOW).of(1) == []


def test_keys_fit_and_differ() -> None:
    long = [key_of(1, 2, "c" * 200, "i" * 299 + end, "e" * 64) for end in "ab"]
    assert len(set(long)) == 2
    assert {len(each) for each in long} == {400}
    assert key_of(1) == "1/"
    assert key_of(1, 2, "c", "i", "e") == "1/2/c/i/e"
