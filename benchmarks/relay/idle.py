"""What a relay costs that waits all day: bytes of a poll, counted over several, and as many as a day has.

A relay that has everything reads the feed of `comeo serve` again and again. In earnest each request waits
there for 240 seconds; here it waits for one, and a day is as many of them as it has of those. What is counted
is what the relay's own budget counts, headers of TCP and IP included. That nothing is sent while a request
waits is so by default: TCP's keep-alive begins after two hours.

Run with: python -m benchmarks.relay idle [--output FOLDER]
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.relay.line import origin
from benchmarks.relay.skeleton import skeleton
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.runner import LONG_POLL_SECONDS
from tileserver.relay.keeping.source import INDEX_SECONDS
from tileserver.relay.upstream.server import HttpUpstream

POLLS: Final = 30
DAY: Final = 86_400
GOAL: Final = 200_000


def report() -> Iterator[str]:
    """A table."""
    with tempfile.TemporaryDirectory() as name, origin(Path(name)) as (port, key, archives):
        skeleton(archives / "scene.zarr.zip", "S2A_20200501_T32TMT_L2A")
        upstream = HttpUpstream(f"http://127.0.0.1:{port}/", Trust(None, key))
        last = 0
        while not last:
            upstream.index()
            last = max((line.seq for line in upstream.lines(0)), default=0)
        before = upstream.wire.total
        for _ in range(POLLS):
            if [*upstream.lines(last, 1.0)]:
                raise RuntimeError("there are news")
        poll = (upstream.wire.total - before) / POLLS
        before = upstream.wire.total
        upstream.index()
        index = upstream.wire.total - before
        upstream.close()
    polls, looks = DAY / LONG_POLL_SECONDS, DAY / INDEX_SECONDS
    day = polls * poll + looks * index
    yield (
        f"{POLLS} polls without news, each answered after 1 s; a day has {polls:.0f} of "
        f"{LONG_POLL_SECONDS:.0f} s, and {looks:.0f} looks at the index."
    )
    yield ""
    yield "| a poll | the index | a day | of the goal, 200 kB |"
    yield "|---|---|---|---|"
    yield f"| {poll:.0f} B | {index} B | {day / 1e3:.1f} kB | {day / GOAL:.0%} |"
