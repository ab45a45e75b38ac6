"""A relay that is killed at any point: a few dozen times here, hundreds by `make soak`."""

from __future__ import annotations

from pathlib import Path

from tests.tileserver.relay.kills import run


def test_a_killed_relay_shows_nothing_wrong_and_loses_nothing(tmp_path: Path, archive: Path) -> None:
    kills, wrong = run(36, 7, tmp_path, archive)
    assert kills >= 36
    assert not wrong
