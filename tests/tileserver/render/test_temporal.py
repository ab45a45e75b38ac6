"""Times and intervals."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from comeo.errors import ParameterError
from tileserver.render.temporal import parse_interval, rfc3339


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        (None, None, None),
        ("2024-05-01", "2024-05-01T00:00:00Z", "2024-05-01T23:59:59.999999Z"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z", "2024-05-01T08:00:00Z"),
        ("2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.123456Z", "2024-05-01T10:00:00.123456Z"),
        ("../2024-05-01", None, "2024-05-01T23:59:59.999999Z"),
        ("2024-05-01/..", "2024-05-01T00:00:00Z", None),
        ("2024-05-01/", "2024-05-01T00:00:00Z", None),
        ("2024-05-01/2024-05-02", "2024-05-01T00:00:00Z", "2024-05-02T23:59:59.999999Z"),
    ],
)
def test_times(text: str | None, start: str | None, end: str | None) -> None:
    found = [moment and rfc3339(moment) for moment in parse_interval(text)]
    assert found == [start, end]


@pytest.mark.parametrize(
    "text",
    ["", "..", "../..", "/", "a/b", "2024-05-01/2024-04-01", "2024-13-01", "2024-05-01T25:00:00Z", "2024",
     "2024-05-01T10:00:00", "1/2/3", "2024-05-01T10:00:00+99:00", "9999-12-31T23:59:59-23:59", "0000-01-01"],
)  # fmt: skip
def test_times_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParameterError):
        parse_interval(text)


def test_times_are_written_in_utc() -> None:
    assert rfc3339(datetime(2024, 5, 1, 10, tzinfo=UTC)) == "2024-05-01T10:00:00Z"
