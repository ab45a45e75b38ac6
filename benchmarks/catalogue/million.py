"""Run with: python -m benchmarks.catalogue.million [--scenes N] [--postgres ADDRESS] [--output FOLDER].

A million scenes that no archive has, in PostgreSQL and in SQLite: what a tile asks of the catalogue, and
pages of a STAC search by the server's own routes. Without an address a PostgreSQL is started for it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from benchmarks.catalogue.synthetic import FIRST_DAY, PLACES, key_of, rows
from tests.tileserver.databases import PostgreSQL
from tileserver import Settings, create_app
from tileserver.app import scenes_of
from tileserver.catalog import Catalog, Search
from tileserver.catalog.postgres import PostgresCatalog
from tileserver.catalog.sqlite import SqliteCatalog

ROOT = Path(__file__).resolve().parents[2]
MORE = "bytes, kind, footprint, properties, folded, number"
NEVER = 1e9
"""Seconds between two looks at the folder, which is empty."""
Answer = Callable[[], object]


def fill_sqlite(catalog: SqliteCatalog, count: int) -> None:
    """Write scenes past the indexer, in one transaction."""
    with catalog._database.transaction() as db:
        db.executemany(f"INSERT INTO items VALUES ({', '.join('?' * 13)})", map(tuple, rows(count)))
    catalog._database.connection.execute("ANALYZE")


def fill_postgres(catalog: PostgresCatalog, count: int) -> None:
    """Write scenes past the indexer, by COPY; the triggers write the feed of changes as ever."""
    from tileserver.catalog.postgres.facts import Kind, as_json, facts_of  # noqa: PLC0415

    columns = "path, signature, collection, id, datetime, west, south, east, north, etag"
    kinds: dict[UUID, Kind] = {}
    with catalog._database.transaction() as db:
        db.execute("SET LOCAL statement_timeout = 0")
        db.execute(
            "CREATE TEMP TABLE given (LIKE items INCLUDING GENERATED, item text, info text) ON COMMIT DROP"
        )
        copy = f"COPY given ({columns}, {MORE}, item, info) FROM STDIN"
        with db.cursor().copy(copy) as writer:
            for number, row in enumerate(rows(count), 1):
                if number % 100_000 == 0:
                    print(f"{number:,} of {count:,} scenes written", file=sys.stderr, flush=True)
                facts = facts_of(row.collection, row.id, row.box, row.bands, row.item, row.info)
                digest = facts.kind.digest
                kinds[digest] = facts.kind
                writer.write_row(
                    (*row[:10], facts.size, digest, facts.footprint, as_json(facts.properties),
                     as_json(facts.folded), number, row.item, row.info)
                )  # fmt: skip
        for digest, kind in kinds.items():
            values = [digest, kind.collection, kind.bands, kind.crs, as_json(kind.facts)]
            db.execute("INSERT INTO kinds VALUES (%s, %s, %s, %s, %s)", values)
        db.execute(
            f"INSERT INTO items ({columns}, {MORE}) OVERRIDING SYSTEM VALUE "
            f"SELECT {columns}, {MORE} FROM given"
        )
        db.execute("INSERT INTO documents SELECT number, item, info FROM given")
    with catalog._database.connection() as db:
        db.execute("SET statement_timeout = 0")
        db.execute("VACUUM ANALYZE")  # as the server does by itself in the background
        db.execute("RESET statement_timeout")


def boxes(chance: random.Random, side: float) -> Iterator[tuple[float, float, float, float]]:
    """Boxes around places where there are scenes."""
    while True:
        west, south = chance.choice(PLACES)
        yield west + 0.3, south + 0.3, west + 0.3 + side, south + 0.3 + side


def lookups(catalog: Catalog, count: int, chance: random.Random) -> dict[str, Answer]:
    """What tiles ask of a catalogue."""
    tiles = boxes(chance, 0.09)  # of zoom 12
    wide = boxes(chance, 1.4)  # of zoom 8

    def scene() -> object:
        return catalog.get(*key_of(chance.randrange(count))), catalog.position()

    def mosaic(places: Iterator[tuple[float, float, float, float]], start: datetime | None = None) -> Answer:
        return lambda: (
            catalog.hits(Search(("sentinel-2-l2a",), None, next(places), start), 100), catalog.position()
        )  # fmt: skip

    return {
        "tile of a scene": scene,
        "tile of a collection, zoom 12": mosaic(tiles),
        "tile of a collection, zoom 12, since 2024": mosaic(tiles, datetime(2024, 1, 1, tzinfo=UTC)),
        "tile of a collection, zoom 8": mosaic(wide),
    }


def searches(fetch: Callable[[str], Any], count: int, chance: random.Random) -> dict[str, Answer]:
    """Pages of a STAC search, as clients ask for them."""
    near, country = boxes(chance, 0.1), boxes(chance, 8.0)
    followed = fetch(f"/stac/search?{urlencode({'limit': 1000})}")["links"]
    further = next(link["href"] for link in followed if link["rel"] == "next").split("/", 3)[3]

    def page(**query: object) -> Answer:
        def ask() -> object:
            words = {name: value() if callable(value) else value for name, value in query.items()}
            return fetch(f"/stac/search?{urlencode(words)}")

        return ask

    def box(places: Iterator[tuple[float, float, float, float]]) -> Callable[[], str]:
        return lambda: ",".join(map(str, next(places)))

    def month() -> str:
        start = FIRST_DAY + timedelta(days=chance.randrange(3600))
        return f"{start:%Y-%m-%d}/{start + timedelta(days=30):%Y-%m-%d}"

    return {
        "newest 10": page(),
        "a place": page(bbox=box(near)),
        "a place, a month": page(bbox=box(near), datetime=month),
        "a place, few clouds": page(bbox=box(near), filter="eo:cloud_cover < 10"),
        "a country": page(bbox=box(country)),
        "a country, a month, few clouds": page(
            bbox=box(country), datetime=month, filter="eo:cloud_cover < 10"
        ),
        "Africa": page(bbox="-20,-35,50,37"),
        "Africa, a month": page(bbox="-20,-35,50,37", datetime=month),
        "Africa, few clouds": page(bbox="-20,-35,50,37", filter="eo:cloud_cover < 10"),
        "a collection, a month": page(collections="sentinel-1-rtc", datetime=month),
        "one platform": page(filter="platform = 'sentinel-2b'"),
        "least clouds first": page(sortby="eo:cloud_cover"),
        "oldest first": page(sortby="datetime"),
        "ids": page(ids=lambda: ",".join(key_of(chance.randrange(count))[1] for _ in range(3))),
        "ocean without scenes": page(bbox="-150,-50,-140,-40"),
        "page after 1000": lambda: fetch("/" + further.replace("limit=1000", "limit=10")),
    }


def measure(questions: dict[str, Answer], repeats: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each question, asked in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in questions}
    for turn in range(repeats + 5):
        for name, ask in questions.items():
            began = time.perf_counter()
            ask()
            if turn >= 5:
                seconds[name].append(time.perf_counter() - began)
    return {
        name: {
            "median_ms": 1000 * statistics.median(taken),
            "p95_ms": 1000 * statistics.quantiles(taken, n=20)[18],
        }
        for name, taken in seconds.items()
    }


def run(catalog: Path | str, count: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Fill a catalogue, and ask."""
    (folder / "archives").mkdir(exist_ok=True)
    app = create_app(
        Settings(paths=(folder / "archives",), catalog=catalog, workers=1, scan_seconds=NEVER, static=folder)
    )
    opened = scenes_of(app).catalog
    began = time.perf_counter()
    if isinstance(opened, PostgresCatalog):
        fill_postgres(opened, count)
    elif isinstance(opened, SqliteCatalog):
        fill_sqlite(opened, count)
    filled = time.perf_counter() - began
    client = app.test_client()

    def fetch(path: str) -> Any:
        answer = client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
        return json.loads(answer.data)

    began = time.perf_counter()
    fetch("/stac/collections")
    summed = time.perf_counter() - began
    found = {
        **measure(lookups(opened, count, random.Random(1)), repeats),
        **measure(searches(fetch, count, random.Random(2)), repeats),
    }
    opened.close()
    return {"filled_s": filled, "collections_ms": 1000 * summed, "requests": found}


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    kinds = results["catalogues"]
    lines = [
        "# A million scenes",
        "",
        f"{results['scenes']:,} scenes that no archive has, on {len(PLACES):,} places of 1° over ten years, "
        f"in three collections; median and 95th percentile of {results['repeats']} requests each, asked in "
        "turn by one client in the server's process. Searches are whole answers of `/stac/search`; "
        "where more than 10 000 scenes are found their number is left out.",
        "",
        "| request | " + " | ".join(f"{name}, median | 95 %" for name in kinds) + " |",
        "|---|" + "---:|" * 2 * len(kinds),
    ]
    for request in next(iter(kinds.values()))["requests"]:
        cells = (
            f"{kind['requests'][request][each]:.1f} ms"
            for kind in kinds.values()
            for each in ("median_ms", "p95_ms")
        )
        lines.append(f"| {request} | {' | '.join(cells)} |")
    firsts = ", ".join(f"{name} {kind['collections_ms']:.0f} ms" for name, kind in kinds.items())
    lines += ["", f"All collections summed up for the first time after a change: {firsts}; then kept."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write benchmarks/results/catalogue_million.*."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--postgres", help="Address of an empty database; else a server is started.")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as left:
        folder = Path(name)
        address = arguments.postgres
        if address is None:
            server = PostgreSQL.found("-c shared_buffers=1GB")
            left.callback(server.close)
            address = server.make()
        for kind, catalog in (("PostgreSQL", address), ("SQLite", folder / "catalog.sqlite")):
            found[kind] = run(catalog, arguments.scenes, arguments.repeats, folder)
            print(json.dumps({kind: found[kind]}, indent=1), flush=True)
    results = {"scenes": arguments.scenes, "repeats": arguments.repeats, "catalogues": found}
    print(table(results))
    (arguments.output / "catalogue_million.md").write_text(table(results))
    (arguments.output / "catalogue_million.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
