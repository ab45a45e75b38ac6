"""Bytes that a site costs a year: 73 dates of 5 × 5 km, as a relay fetches them from a server.

A relay takes a few dates, archives of full size (`benchmarks.relay.skeleton`), and of one of a whole product
(`benchmarks.full_product`), without clear pixels, sites spread over it, from `comeo serve` over HTTP; what is
counted is what its own budget counts: bytes both ways with the headers of HTTP, TCP and IP, as the system
counts packets, the feed and its index among them. The year is 73 times what a date took of that.

Run with: python -m benchmarks.relay year [--data FOLDER] [--output FOLDER]
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.full_product import full_scene
from benchmarks.relay.line import origin
from benchmarks.relay.skeleton import skeleton
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.assembly import defined, running
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.notices import Notices
from tileserver.relay.upstream.server import HttpUpstream

Box = tuple[float, float, float, float]
DATES: Final = 73
TAKEN: Final = 2
WITHIN: Final = (8.030, 47.600, 8.0964, 47.645)
"""5.0 × 5.0 km, within a shard, as three of four sites are."""
ACROSS: Final = (8.170, 47.470, 8.2364, 47.515)
"""Likewise, where four shards meet: all of their indexes are needed."""
GOAL: Final = 8_000_000
PRODUCT: Final = (7.70, 46.95, 9.08, 47.80)
"""The product, but for what its slanted edges cut off."""
SIDE: Final = 5
"""So many sites a row and a column are spread over it."""
CASES: Final = {
    "head and area of 10 m": (WITHIN, 'layers = ["area"]\nbands = ["B04"]'),
    "the same where four shards meet": (ACROSS, 'layers = ["area"]\nbands = ["B04"]'),
    "head and area of all bands": (WITHIN, 'layers = ["area"]'),
    "head, overviews and area of 10 m": (WITHIN, 'layers = ["coarse", "area"]\nbands = ["B04"]'),
}


def fetched(port: int, key: str, folder: Path, site: Box, terms: str, dates: int) -> tuple[int, int]:
    """Bytes on the wire that a relay of the site takes, and bytes of archives that it then has."""
    folder.mkdir()
    url = f"http://127.0.0.1:{port}/"
    (folder / "RELAY.toml").write_text(
        f'folder = "relay"\n[origin]\nurl = "{url}"\nkey = "{key}"\n[disk]\nfree = 0\n'
        f'[[subscription]]\nname = "site"\narea = {[*site]}\n{terms}\n'
    )
    upstream = HttpUpstream(url, Trust(None, key))
    relay = defined(folder / "RELAY.toml")
    with running(relay, Notices(), [(url, upstream)]) as runner:
        runner.run(once=True)
    upstream.close()
    journal = Journal(relay.folder.journal, create=False)
    try:
        scenes, spent = [*journal.scenes()], journal.spent()
    finally:
        journal.close()
    if len(scenes) != dates or any("area" not in each.layers for each in scenes):
        raise RuntimeError("not all dates have come")
    return sum(wire for wire, _ in spent.values()), sum(each.published for each in scenes)


def report(data: Path) -> Iterator[str]:
    """A table."""
    with tempfile.TemporaryDirectory() as name, origin(Path(name)) as (port, key, archives):
        yield f"| {DATES} dates of 5 × 5 km | a date, on the wire | and on the disk | a year | of 8 MB |"
        yield "|---|---|---|---|---|"
        shutil.copy(full_scene(data), archives / ".product")
        (archives / ".product").rename(archives / "product.zarr.zip")
        yield from spread(port, key, Path(name) / "product")
    with tempfile.TemporaryDirectory() as name, origin(Path(name)) as (port, key, archives):
        sizes = []
        for day in range(1, TAKEN + 1):
            hidden = Path(name) / f"{day}.zarr.zip"
            skeleton(hidden, f"S2A_202005{day:02}_T32TMT_L2A", day)
            sizes.append(hidden.stat().st_size)
            hidden.rename(archives / f"S2A_202005{day:02}_T32TMT_L2A.zarr.zip")
        whole = sum(sizes) / len(sizes)
        yield from rows(port, key, Path(name) / "skeletons")
        yield row("whole archives, without headers", whole, whole)


def spread(port: int, key: str, folder: Path) -> Iterator[str]:
    """Rows of a table: what sites all over a product took, on average and at the most."""
    folder.mkdir()
    terms = CASES["head and area of 10 m"][1]
    took = [
        fetched(port, key, folder / f"site-{number}", site, terms, 1) for number, site in enumerate(sites())
    ]
    over = sum(DATES * wire > GOAL for wire, _ in took)
    what = f"head and area of 10 m, of a product: {len(took)} sites"
    wire, here = (sum(each) / len(took) for each in zip(*took, strict=True))
    yield row(f"{what}, mean", wire, here)
    yield row(f"{what}, the most ({over} take over 8 MB)", *max(took))


def sites() -> Iterator[Box]:
    """Boxes of 5.0 × 5.0 km, spread evenly over the product."""
    west, south, east, north = PRODUCT
    width, height = WITHIN[2] - WITHIN[0], WITHIN[3] - WITHIN[1]
    for i in range(SIDE):
        for j in range(SIDE):
            x, y = west + (east - west) * (i + 0.5) / SIDE, south + (north - south) * (j + 0.5) / SIDE
            yield (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def rows(port: int, key: str, folder: Path) -> Iterator[str]:
    """Rows of a table: what so many dates of skeletons took."""
    folder.mkdir()
    for number, (what, (site, terms)) in enumerate(CASES.items()):
        wire, here = fetched(port, key, folder / f"case-{number}", site, terms, TAKEN)
        yield row(what, wire / TAKEN, here / TAKEN)


def row(what: str, wire: float, here: float) -> str:
    """A row of a table: bytes of a date, on the wire and on the disk."""
    year = DATES * wire
    return (
        f"| {what} | {wire / 1e3:,.1f} kB | {here / 1e3:,.1f} kB | {year / 1e6:.2f} MB | {year / GOAL:.0%} |"
    )
