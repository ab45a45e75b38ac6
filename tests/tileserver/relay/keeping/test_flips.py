"""Flipped bytes are found before anything is published: a sample here, 10 000 by `make soak`."""

from __future__ import annotations

from pathlib import Path

from tests.parts import long_archive
from tests.tileserver.relay.flips import STEPS, run


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    archive = long_archive(tmp_path)
    flipper = run(10 * len(STEPS), 3, tmp_path / "relay", archive)
    assert not flipper.missed
    assert sum(flipper.found.values()) == 10 * len(STEPS)
