"""Logs: JSON for programs, text for people, requests only where wanted."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tileserver.conftest import Server
from tests.tileserver.places import tile_url
from tileserver.logs import JsonLines, TextLines, configure


@pytest.fixture
def loggers() -> Iterator[list[logging.Logger]]:
    """Loggers of both packages, which are left as they were."""
    found = [logging.getLogger(name) for name in ("tileserver", "comeo")]
    states = [(one.handlers, one.propagate, one.level) for one in found]
    yield found
    for one, (handlers, propagate, level) in zip(found, states, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def record(**fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("tileserver.x", logging.WARNING, "x.py", 1, "archive %s", ("left out",), None)
    made.fields = fields
    return made


def test_a_line_for_programs() -> None:
    line = json.loads(JsonLines().format(record(archive="Größe", bytes=5)))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning", "logger": "tileserver.x", "message": "archive left out", "archive": "Größe",
        "bytes": 5,
    }  # fmt: skip


def test_a_line_for_people() -> None:
    line = TextLines().format(record(archive="torn.zarr.zip", bytes=5))
    assert line.partition(" ")[2] == "WARNING archive left out archive=torn.zarr.zip bytes=5"


def test_the_last_configuration_holds(loggers: list[logging.Logger]) -> None:
    configure("json")
    configure("text")
    for one in loggers:
        assert [type(handler.formatter) for handler in one.handlers] == [TextLines]
        assert not one.propagate


def test_requests_are_logged_only_where_that_is_set(
    server: Server, archives: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "tileserver"):
        server(archives).get(tile_url())
        assert "request" not in caplog.messages
        server(archives, access_log=True).get(tile_url())
    (logged,) = [entry for entry in caplog.records if entry.message == "request"]
    fields: dict[str, Any] = logged.fields  # type: ignore[attr-defined]
    assert fields["path"] == tile_url()
    assert fields["status"] == 200
