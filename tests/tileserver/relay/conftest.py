"""An origin that tests of reading it share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tileserver.relay.feeds import origin, shorten_segments

SCENES = [f"scene-{number}" for number in range(7)]


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of a few lines, and no proxy."""
    shorten_segments(monkeypatch)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def published(short_segments: None, tmp_path: Path) -> Path:
    """Root of an origin with lines in two closed segments and an open one."""
    return origin(tmp_path, *SCENES)
