"""Both catalogues give the same answers, whatever scenes have in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from shapely.geometry import LineString, box

from tests.tileserver.catalog.rows import various
from tests.tileserver.databases import PostgreSQL
from tileserver.catalog import BBox, Catalog, Cursor, Hit, Order, Search, SortKey, SqliteCatalog
from tileserver.catalog.filters import (
    And,
    Comparison,
    Condition,
    Entry,
    Folded,
    In,
    Like,
    Meets,
    Missing,
    Not,
    Or,
    Property,
    Some,
)
from tileserver.catalog.postgres import PostgresCatalog

SCENES = 400
PLATFORM, CLOUDS = Property("platform", "text"), Property("eo:cloud_cover", "number")
INSTRUMENTS, TIME = Property("instruments", "list"), Property("datetime", "instant")
BOXES: list[BBox | None] = [
    None, (0.0, -90.0, 8.25, 90.0), (8.5, -10.0, 8.6, 20.0), (179.9, -90.0, -179.9, 90.0),
    (-180.0, -90.0, -179.9, 90.0), (-180.0, -90.0, 180.0, 90.0), (1.0 + 5e-7, -90.0, 1.5, 90.0),
    (181.0 - 360, -90.0, 182.0 - 360, 90.0),
]  # fmt: skip
CONDITIONS: list[Condition] = [
    Comparison(PLATFORM, "=", "sentinel-2a"),
    Comparison(PLATFORM, ">", "sentinel-2a"),
    Comparison(Folded(PLATFORM), "=", "strasse"),
    Not(Comparison(Folded(PLATFORM), "=", "strasse")),
    Like(Folded(PLATFORM), "sentinel-2_"),
    Like(PLATFORM, "s%\\"),
    Like(PLATFORM, "_tra\\ße%"),
    Comparison(CLOUDS, "<", 12.5),
    Not(Comparison(CLOUDS, "<", 12.5)),
    In(CLOUDS, (0.0, 99.25)),
    In(Property("id", "text"), ("s0001", "S0000é", "s0002")),
    Missing(CLOUDS),
    Missing(PLATFORM),
    Some(INSTRUMENTS, Comparison(Entry(), "=", "msi")),
    Some(INSTRUMENTS, Comparison(Folded(Entry()), "=", "msi")),
    Not(Some(INSTRUMENTS, Like(Entry(), "m%"))),
    Missing(INSTRUMENTS),
    Comparison(TIME, "<=", datetime(2016, 6, 1, 10, tzinfo=UTC)),
    Not(Comparison(TIME, "<=", datetime(2016, 6, 1, 10, tzinfo=UTC))),
    Comparison(Property("collection", "text"), "<", Property("id", "text")),
    Meets(box(8.0, -20, 9.2, 40)),
    Not(Meets(LineString([(0, -80), (9, 78)]))),
    Or((Meets(box(-180, -90, -179, 0)), And((Meets(box(0, 0, 20, 20)), Comparison(CLOUDS, ">=", 3.0))))),
]


class Pair(NamedTuple):
    """Two catalogues with the same scenes."""

    sqlite: Catalog
    postgres: Catalog


@pytest.fixture(scope="module")
def pair(postgres: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    root = tmp_path_factory.mktemp("none")
    one = SqliteCatalog([root], tmp_path_factory.mktemp("catalog") / "catalog.sqlite", 1e9)
    two = PostgresCatalog([root], postgres.make(), 1e9)
    for catalog in (one, two):
        catalog.refresh(force=True)
        assert catalog._ledger.write(list(various(SCENES))) == []
    yield Pair(one, two)
    one.close()
    two.close()


def everything(catalog: Catalog, search: Search, order: Order, page: int = 60) -> list[Hit]:
    """All hits, page by page."""
    out: list[Hit] = []
    after: Cursor | None = None
    while found := catalog.hits(search, page, after, order):
        out += found
        after = found[-1].cursor
    return out


@pytest.mark.parametrize(
    "keys", [(), ("datetime",), ("id",), ("collection", "datetime"), ("sat:relative_orbit", "platform")]
)
@pytest.mark.parametrize("descending", [False, True])
def test_pages_in_every_order(pair: Pair, keys: tuple[str, ...], descending: bool) -> None:
    order = Order(tuple(SortKey(key, descending) for key in keys))
    found = [everything(catalog, Search(), order) for catalog in pair]
    assert [one.record for one in found[0]] == [one.record for one in found[1]]
    assert len(found[0]) == SCENES


@pytest.mark.parametrize("narrow", [0.0, 360.0], ids=["counted first", "counted as they are met"])
@pytest.mark.parametrize("collections", [None, ("ocean",), ("ocean", "forest"), ("none",)])
def test_searches(
    pair: Pair, collections: tuple[str, ...] | None, narrow: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tileserver.catalog.postgres.queries.NARROW", narrow)
    times = (None, datetime(2016, 3, 1, tzinfo=UTC))
    orders = (Order((SortKey("datetime", True),)), Order((SortKey("datetime"),)))
    for bbox, start, order in itertools.product(BOXES, times, orders):
        for end in (None, datetime(2016, 6, 1, 10, tzinfo=UTC)):
            search = Search(collections, None, bbox, start, end)
            found = [[hit.record for hit in catalog.hits(search, SCENES, None, order)] for catalog in pair]
            assert found[0] == found[1], search
            assert pair.postgres.count(search) == pair.sqlite.count(search) == len(found[0])
            assert pair.postgres.count(search, 7) == pair.sqlite.count(search, 7) == min(7, len(found[0]))


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_conditions(pair: Pair, condition: Condition) -> None:
    for bbox in (None, (0.0, -90.0, 8.25, 90.0)):
        search = Search(bbox=bbox, filter=condition)
        found = [[hit.record for hit in catalog.hits(search, SCENES)] for catalog in pair]
        assert found[0] == found[1]
        assert pair.postgres.count(search) == len(found[0])
    assert pair.postgres.count(Search(filter=condition)) < SCENES


@pytest.mark.parametrize("narrow", [0.0, 360.0], ids=["counted first", "counted as they are met"])
def test_in_a_large_place_scenes_are_met_in_their_order(
    pair: Pair, narrow: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tileserver.catalog.postgres.queries.FEW", 10)
    monkeypatch.setattr("tileserver.catalog.postgres.queries.NARROW", narrow)
    for bbox in BOXES:
        order = Order((SortKey("datetime", True),))
        found = [everything(catalog, Search(bbox=bbox), order, 7) for catalog in pair]
        assert [one.record for one in found[0]] == [one.record for one in found[1]]


def test_summaries(pair: Pair) -> None:
    assert pair.postgres.collections() == pair.sqlite.collections()
    for search in (Search(), Search(("ocean",)), Search(bbox=BOXES[3]), Search(filter=CONDITIONS[0])):
        assert pair.postgres.coverage(search) == pair.sqlite.coverage(search)
        one, two = (catalog.band_sets(search) for catalog in pair)
        assert [(each.bands, each.scenes) for each in one] == [(each.bands, each.scenes) for each in two]
    for name in ("ocean", "forest", "none"):
        assert pair.postgres.days(name) == pair.sqlite.days(name)


def test_documents_and_feeds(pair: Pair) -> None:
    for hit in pair.postgres.hits(Search(), 20):
        assert pair.postgres.item(hit.record) == pair.sqlite.item(hit.record)
        assert list(pair.postgres.info(hit.record)) == list(pair.sqlite.info(hit.record))
    one, two = (catalog.changes(None, SCENES) for catalog in pair)
    assert one.changes == two.changes
    assert (one.next.seq, one.more) == (two.next.seq, two.more)
