"""The bad line is as bad as it says, and no worse."""

from __future__ import annotations

import contextlib
import http.client
import random
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests import badline
from tests.badline import Weather, bad_line
from tests.ranges import serving

DATA = random.Random(1).randbytes(200_000)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "data").write_bytes(DATA)
    with serving(folder) as (url, *_):
        yield int(url.rpartition(":")[2].strip("/"))


def fetch(port: int, seconds: float = 10) -> bytes:
    """What comes of the file before the line fails."""
    found = bytearray()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    with contextlib.closing(client), contextlib.suppress(OSError, http.client.HTTPException):
        client.request("GET", "/data")
        answer = client.getresponse()
        while piece := answer.read1(4096):
            found += piece
    return bytes(found)


def test_a_good_line_carries_all_and_counts_it(port: int) -> None:
    with bad_line(port, Weather(latency=0.01)) as line:
        assert fetch(line.port) == DATA
    assert len(DATA) < line.down_bytes < len(DATA) + 1000
    assert line.connections == 1


def test_a_rate_is_kept(port: int) -> None:
    """200 kB take four seconds of 400 kbit/s: by a line that is cut after one, at most a quarter has come."""
    with bad_line(port, Weather(kbps=400, cut_every=1.0)) as line:
        found = fetch(line.port)
    assert DATA.startswith(found)
    assert 0 < len(found) < 60_000


def test_timers_that_are_late_cost_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 pieces of 11.68 ms, each told 1.5 ms too late, take their 1.168 s; a pause is not made up for."""
    now = [1000.0]

    async def late(seconds: float) -> None:
        now[0] += max(seconds, 0) + 0.0015

    def carry(pieces: int) -> float:
        began = now[0]
        for _ in range(pieces):
            with contextlib.suppress(StopIteration):
                line._pay("down", badline.PIECE).send(None)
        return now[0] - began

    monkeypatch.setattr(badline, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(badline, "asyncio", SimpleNamespace(sleep=late))
    line = badline.BadLine(0, Weather(kbps=1000))
    line._free["down"] = now[0]
    assert carry(100) == pytest.approx(1.168, abs=0.003)
    now[0] += 60
    assert carry(100) == pytest.approx(1.168, abs=0.025)


def test_a_line_that_is_down_takes_nobody(port: int) -> None:
    with bad_line(port, Weather(down=30.0)) as line:
        line.cut()
        assert fetch(line.port) == b""
        assert line.connections == 0


@pytest.mark.parametrize("weather", [Weather(half_close_after=50_000), Weather(stall_after=50_000)])
def test_it_ends_or_stalls_after_some_bytes(port: int, weather: Weather) -> None:
    with bad_line(port, weather) as line:
        found = fetch(line.port, 3)
    assert DATA.startswith(found)
    assert 49_000 < len(found) < 55_000


def test_flipped_bits_are_counted(port: int) -> None:
    with bad_line(port, Weather(flips=1e-4, seed=3)) as line:
        found = fetch(line.port)
    wrong = sum(one != other for one, other in zip(found, DATA, strict=False))
    assert 1 <= wrong <= line.flipped < 100
