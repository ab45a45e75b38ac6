"""Jobs: what is on disk tells how they stand, whoever looks, and however their processes end."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comeo.errors import BoundError, NotFoundError
from tileserver.errors import TooManyError
from tileserver.jobs import queue as module
from tileserver.jobs.orders import Order
from tileserver.jobs.queue import Job, Jobs
from tileserver.settings import Settings

Make = Callable[..., Jobs]
KIBIBYTE = 1024


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes servers' views of one folder of jobs whose processes just sleep."""
    monkeypatch.setattr(module, "WORKER", "tests.tileserver.jobs.sleeper")
    made = []

    def new(**settings: object) -> Jobs:
        jobs = Jobs(tmp_path / "jobs", Settings.model_validate(settings))
        made.append(jobs)
        return jobs

    yield new
    for jobs in made:
        jobs.stop()


def order(disk_bytes: int = KIBIBYTE) -> Order:
    """An order of work that sleeps."""
    return Order(kind="sleep", body={}, name="dream", disk_bytes=disk_bytes)


def test_every_process_of_the_server_sees_and_stops_a_job(make: Make) -> None:
    one, other = make(), make()
    job = one.create(order())
    assert job.status == "accepted"
    running = _eventually(lambda: other.get(job.id), "running")
    assert (running.progress, running.stage) == (10, "sleeping")
    pid = _pid(one, job)
    dismissed = other.dismiss(job.id)
    assert dismissed.id == job.id
    assert not _lives(pid)
    assert not (one.folder / job.id).exists()
    with pytest.raises(NotFoundError, match="dismissed"):
        one.get(job.id)


def test_a_job_whose_process_is_killed_has_failed(make: Make) -> None:
    jobs = make()
    job = jobs.create(order())
    _eventually(lambda: jobs.get(job.id), "running")
    os.kill(_pid(jobs, job), signal.SIGKILL)
    failed = _eventually(lambda: jobs.get(job.id), "failed")
    assert "stopped before it was done" in failed.stage
    assert failed.expires is not None


def test_stopping_the_server_ends_its_jobs(make: Make) -> None:
    jobs = make()
    job = jobs.create(order())
    pid = _pid(jobs, job)
    jobs.stop()
    assert not _lives(pid)


def test_as_many_jobs_as_may_and_no_more(make: Make) -> None:
    jobs = make(max_jobs=2, job_disk_bytes=10 * KIBIBYTE)
    with pytest.raises(BoundError, match="10240"):
        jobs.create(order(11 * KIBIBYTE))
    first = jobs.create(order(4 * KIBIBYTE))
    with pytest.raises(TooManyError, match="disk"):
        jobs.create(order(7 * KIBIBYTE))
    jobs.create(order())
    with pytest.raises(TooManyError, match="2 jobs"):
        jobs.create(order())
    jobs.dismiss(first.id)
    assert jobs.create(order()).status == "accepted"


def test_what_is_over_goes_when_its_time_has_come(make: Make) -> None:
    jobs = make(job_keep_seconds=1000)
    kept, old = (_finished(jobs, seconds_ago=age) for age in (10, 2000))
    (jobs.folder / ("0" * 32)).mkdir()  # half made by a process that crashed
    for name, age in (("direct-old", 7200), ("direct-new", 60)):
        (jobs.folder / name).mkdir()
        os.utime(jobs.folder / name, (time.time() - age,) * 2)
    jobs.dismiss(jobs.create(order()).id)
    found = jobs.get(kept)
    assert found.status == "successful"
    assert found.result is not None
    assert found.result.read_bytes() == b"pixels"
    assert sorted(path.name for path in jobs.folder.iterdir() if path.is_dir()) == sorted(
        [kept, "direct-new"]
    )
    with pytest.raises(NotFoundError):
        jobs.get(old)


@pytest.mark.parametrize("name", ["..", "../jobs", "", "lock", "0" * 31, "G" * 32, "0" * 32 + "\n", "0" * 32])
def test_a_name_never_becomes_a_path(make: Make, name: str) -> None:
    jobs = make()
    (jobs.folder / "lock").touch()
    for action in (jobs.get, jobs.dismiss):
        with pytest.raises(NotFoundError):
            action(name)
    assert jobs.folder.is_dir()


def test_a_state_that_is_no_json_is_no_crash(make: Make) -> None:
    jobs = make()
    job_id = _finished(jobs, seconds_ago=1)
    (jobs.folder / job_id / "state.json").write_text("{half")
    assert jobs.get(job_id).status == "failed"
    (jobs.folder / job_id / "state.json").write_text("[1]")
    assert jobs.get(job_id).status == "failed"


def _finished(jobs: Jobs, seconds_ago: float) -> str:
    """A job that is over."""
    job_id = os.urandom(16).hex()
    folder = jobs.folder / job_id
    folder.mkdir()
    then = time.time() - seconds_ago
    (folder / "order.json").write_text(order(1).model_copy(update={"created": then}).model_dump_json())
    state = {"status": "successful", "progress": 100, "stage": "done", "updated": then}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "result.tif").write_bytes(b"pixels")
    (folder / "lock").touch()
    return job_id


def _pid(jobs: Jobs, job: Job) -> int:
    return int((jobs.folder / job.id / "pid").read_text())


def _lives(pid: int) -> bool:
    """Whether a process works still; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _eventually(look: Callable[[], Job], status: str, seconds: float = 30) -> Job:
    deadline = time.monotonic() + seconds
    while (job := look()).status != status:
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job


def test_a_job_that_goes_while_it_is_looked_at_is_unknown(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = make()
    job = jobs.create(order())
    result = jobs.folder / job.id / "result.tif"
    result.write_bytes(b"1234")
    assert jobs.get(job.id).bytes == 4
    found = [result]
    result.unlink()
    monkeypatch.setattr(Path, "glob", lambda *_: iter(found))
    with pytest.raises(NotFoundError, match="dismissed"):
        jobs.get(job.id)
