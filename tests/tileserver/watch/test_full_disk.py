"""A disk that is full at any write: all goes on once there is room, nothing is lost or told twice."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import event

from comeo.errors import ComeoError
from tests.tileserver.databases import hurry
from tests.tileserver.watch.kills import PUT_OFF, STAGES, Case, observe, prepare, present
from tests.tileserver.watch.mailserver import Inbox, mail_server
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade
from tileserver.store.nightly import backups_in
from tileserver.watch import worker as worker_module
from tileserver.watch.channels.mail import Smtp
from tileserver.watch.messages.receipts import Receipts
from tileserver.watch.worker import Round, Worker

_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)", re.IGNORECASE)
FULL = os.strerror(errno.ENOSPC)


class Disk:
    """A disk that is full from its n-th write on, until there is room again."""

    def __init__(self) -> None:
        self.writes = 0
        self.full_from: int | None = None

    def write(self, error: Callable[[], Exception]) -> None:
        self.writes += 1
        if self.full_from is not None and self.writes >= self.full_from:
            raise error()

    def statement(self, _c: Any, _k: Any, statement: str, *_: Any) -> None:
        if _WRITES.match(statement):
            self.write(lambda: sqlite3.OperationalError("database or disk is full"))

    def commit(self, _connection: Any) -> None:
        self.write(lambda: sqlite3.OperationalError("database or disk is full"))

    def file(self, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self.write(lambda: OSError(errno.ENOSPC, FULL))
        return real(*arguments, **options)


class House:
    """A worker whose disk is full."""

    def __init__(self, folder: Path, address: str, transport: Smtp, patch: pytest.MonkeyPatch) -> None:
        self.disk = Disk()
        self.case = Case(folder, address, transport)
        self.database = Database(address)
        self.backups = folder / "backups"
        event.listen(self.database.engine, "connect", hurry)
        event.listen(self.database.engine, "before_cursor_execute", self.disk.statement)
        event.listen(self.database.engine, "commit", self.disk.commit)
        patch.setattr(worker_module, "observe", observe)
        for name in ("write", "fsync", "replace", "mkdir"):
            patch.setattr(os, name, partial(self.disk.file, getattr(os, name)))
        scenes = cast("Any", SimpleNamespace(catalog=SimpleNamespace(position=object)))
        self.worker = Worker(
            scenes, self.database, "http://here", None, transport, Receipts(folder / "sent"),
            lambda: self.case.now, backups=self.backups,
        )  # fmt: skip
        patch.setattr(worker_module, "present", self.present)
        self.count = 0

    def present(self, scenes: Any, wanted: Any) -> Any:
        return present(scenes, wanted, count=self.count)

    def round(self) -> Round | None:
        try:
            return self.worker.round()
        except ComeoError as error:
            assert any(each in str(error) for each in ("disk is full", "disk I/O error", FULL))
            return None

    def stage(self, count: int) -> list[Any]:
        """Rounds until nothing is left to do; the state then."""
        self.count = count
        while True:
            before = self.case.state(self.database)
            done = self.round()
            assert done is not None
            assert not done.failed
            if not done.observed and not done.sent and self.case.state(self.database) == before:
                return before


@pytest.fixture
def server() -> Iterator[tuple[Inbox, Smtp]]:
    with mail_server() as running:
        yield running


def whole(
    folder: Path, server: tuple[Inbox, Smtp], patch: pytest.MonkeyPatch
) -> tuple[list[list[Any]], Counter[str], list[int]]:
    """States of the stages without any failure, who was told how often, and writes of each stage."""
    address = str(folder / "whole.sqlite")
    prepare(address)
    with patch.context() as own:
        house = House(folder / "whole", address, server[1], own)
        states, writes = [], []
        for count in STAGES:
            before = house.disk.writes
            states.append(house.stage(count))
            writes.append(house.disk.writes - before)
        house.database.close()
    told = Counter(recipients[0] for recipients, _ in server[0].taken)
    server[0].taken.clear()
    return states, told, writes


@pytest.mark.parametrize("share", [3, 20])
def test_a_disk_that_is_full_at_any_write(
    tmp_path: Path, server: tuple[Inbox, Smtp], monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    """Of each stage every fortieth write is once the first that fails; `range(40)` takes five minutes."""
    inbox, transport = server
    states, told, writes = whole(tmp_path, server, monkeypatch)
    assert min(writes) > 20
    for number in range(1 + share, max(writes) + 1, 40):
        address = str(tmp_path / f"{number}.sqlite")
        prepare(address)
        with monkeypatch.context() as own:
            house = House(tmp_path / str(number), address, transport, own)
            for count, state in zip(STAGES, states, strict=True):
                house.count = count
                house.disk.full_from = house.disk.writes + number
                for _ in range(3):
                    house.round()
                house.disk.full_from = None
                house.case.now += PUT_OFF / 60  # five minutes: what was put off by its worker's end
                assert house.stage(count) == state, f"write {number} of {count} scenes"
            assert len(backups_in(house.backups)) == 1
            house.database.close()
        assert Counter(recipients[0] for recipients, _ in inbox.taken) == told
        inbox.taken.clear()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, where the system lets us have one."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    try:
        done = subprocess.run(command, check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount on this machine")
    if done.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_disk_that_is_really_full(
    small_disk: Path, tmp_path: Path, server: tuple[Inbox, Smtp], monkeypatch: pytest.MonkeyPatch
) -> None:
    states, told, _ = whole(tmp_path, server, monkeypatch)
    address = str(small_disk / "comeo.sqlite")
    prepare(address)
    ballast = small_disk / "ballast"
    refused = 0
    with monkeypatch.context() as own:
        house = House(small_disk / "work", address, server[1], own)
        for count, state in zip(STAGES, states, strict=True):
            house.count = count
            for left in (0, 4, 16, 64):  # kB
                _fill(ballast, small_disk, left << 10)
                done = house.round()
                refused += done is None or bool(done.failed)
            ballast.unlink()
            house.case.now += PUT_OFF / 60
            found = house.stage(count)
            assert [found[each] for each in (0, 2, 4)] == [state[each] for each in (0, 2, 4)], (
                "messages, alerts, dates"
            )
        house.database.close()
    assert refused >= len(STAGES), "it was full"
    assert Counter(recipients[0] for recipients, _ in server[0].taken) == told


def _fill(ballast: Path, disk: Path, left: int) -> None:
    """Take all room but for so many bytes."""
    facts = os.statvfs(disk)
    free = facts.f_bavail * facts.f_bsize + (ballast.stat().st_size if ballast.exists() else 0)
    ballast.write_bytes(bytes(max(0, free - left)))


def test_a_migration_without_room_changes_nothing(small_disk: Path) -> None:
    """The copy before it does not fit: the database stays as it was."""
    path = small_disk / "comeo.sqlite"
    database = Database(str(path))
    upgrade(database, "0001")
    before = path.read_bytes()
    _fill(small_disk / "ballast", small_disk, 8 << 10)
    with pytest.raises(ComeoError, match="cannot be copied"):
        upgrade(database)
    assert path.read_bytes() == before
    (small_disk / "ballast").unlink()
    assert upgrade(database) is not None
    database.close()
