"""A service of ingest that is killed at any point: a few times here, hundreds by `make soak`."""

from pathlib import Path

from tests.tileserver.ingest.kills import run


def test_a_killed_service_leaves_nothing_half_and_loses_nothing(tmp_path: Path) -> None:
    kills, wrong = run(8, 5, tmp_path)
    assert kills >= 8
    assert not wrong
