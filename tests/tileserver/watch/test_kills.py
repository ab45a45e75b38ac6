"""A worker that is killed anywhere loses nothing and does nothing twice; `make soak` kills a thousand."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.tileserver.databases import PostgreSQL
from tests.tileserver.watch.kills import files, of_server, run


def test_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    tally = run(30, seed=0, folder=tmp_path, prepared=partial(files, tmp_path))
    assert tally.wrong == []
    assert tally.kills >= 30


def test_nothing_is_lost_or_done_twice_with_postgresql(tmp_path: Path, postgres: PostgreSQL) -> None:
    tally = run(12, seed=0, folder=tmp_path, prepared=partial(of_server, postgres))
    assert tally.wrong == []
    assert tally.kills >= 12
