"""The contract of catalogues as tests: an implementation's test class inherits `CatalogTests`."""

from __future__ import annotations

import os
import shutil
import threading
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from shapely.geometry import box

from comeo.errors import ParameterError
from tileserver.catalog import Catalog, Cursor, Order, Record, Search, SortKey
from tileserver.catalog.filters import (
    Always,
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
from tileserver.errors import BusyError, GoneError

ID, PLATFORM, TIME = Property("id", "text"), Property("platform", "text"), Property("datetime", "instant")
WHOLE_WORLD = (-180.0, -90.0, 180.0, 90.0)
DAY = timedelta(days=1)
CONDITIONS: list[tuple[Condition, set[str]]] = [
    (Always(True), {"old", "middle", "new", "undated", "radar", "plain"}),
    (Always(False), set()),
    (Comparison(ID, "=", "old"), {"old"}),
    (Comparison("old", "<", ID), {"radar", "plain", "undated"}),
    (Comparison(PLATFORM, "=", "sentinel-2a"), {"old", "middle", "new", "radar"}),
    (Not(Comparison(PLATFORM, "=", "sentinel-2b")), {"old", "middle", "new", "radar"}),  # not unknown
    (Missing(PLATFORM), {"plain", "undated"}),
    (Not(Missing(PLATFORM)), {"old", "middle", "new", "radar"}),
    (Or((Missing(PLATFORM), Comparison(ID, "=", "old"))), {"plain", "undated", "old"}),
    (And((Like(ID, "%d%"), Like(ID, "_ld"))), {"old"}),
    (Like(PLATFORM, "SENTINEL%"), set()),
    (Like(Folded(PLATFORM), "sentinel\\-2_"), {"old", "middle", "new", "radar"}),
    (In(ID, ("old", "new", "gone")), {"old", "new"}),
    (Comparison(TIME, ">", datetime(2020, 5, 10, 10, 30, tzinfo=UTC)), {"new", "plain"}),
    (Not(Comparison(TIME, ">", datetime(2020, 5, 10, 10, 30, tzinfo=UTC))), {"old", "middle", "radar"}),
    (Comparison(Property("platform", "number"), "<", 5.0), set()),  # of another kind
    (Comparison(Property("gsd", "number"), ">", 9.5), {"old", "middle", "new", "undated", "radar", "plain"}),
    (Some(Property("platform", "list"), Comparison(Entry(), "=", "sentinel-2a")),
     {"old", "middle", "new", "radar"}),
    (Not(Some(Property("instruments", "list"), Always(True))), set()),  # no list at all
    (Meets(box(8.5, 47, 9, 48)), {"old", "middle", "new", "undated", "radar", "plain"}),
    (Not(Meets(box(8.5, 47, 9, 48))), set()),
    (Meets(box(0, 0, 1, 1)), set()),
]  # fmt: skip


class CatalogTests(ABC):
    """Tests that every catalogue has to pass, on a folder that it may change.

    The folder holds `old`, `middle` and `new` of the collection `optical`, `radar` and `plain`, from archives
    of other modules' fixtures, and `undated`, of unknown time.
    """

    @abstractmethod
    def open(self, root: Path) -> Catalog:
        """Open a catalogue of a folder; a second one of the same folder may share its data."""

    @pytest.fixture
    def root(self, own_archives: Path, undated: Path) -> Path:
        shutil.copy(undated, own_archives)
        return own_archives

    @pytest.fixture
    def catalog(self, root: Path) -> Catalog:
        catalog = self.open(root)
        catalog.refresh(force=True)
        return catalog

    def test_a_scene_is_found_by_its_name(self, catalog: Catalog, root: Path) -> None:
        record = catalog.get("optical", "middle")
        assert record is not None
        assert (record.collection, record.id) == ("optical", "middle")
        assert record.path == str(root / "middle.zarr.zip")
        assert record.datetime == datetime(2020, 5, 10, 10, 30, tzinfo=UTC)
        assert [band.name for band in record.bands] == ["B02", "B03", "B04", "B08", "B8A", "B11"]
        assert catalog.get("optical", "missing") is None
        assert catalog.get("radar", "middle") is None

    def test_an_unknown_time_is_none(self, catalog: Catalog) -> None:
        record = catalog.get("optical", "undated")
        assert record is not None
        assert record.datetime is None

    def test_the_newest_come_first_and_the_undated_last(self, catalog: Catalog) -> None:
        found = ids(catalog.search(Search(), 10))
        assert (found[0], found[-1]) == ("plain", "undated")
        assert ids(catalog.search(Search(("optical",)), 2)) == ["new", "middle"]

    @pytest.mark.parametrize("keys", [(), ("datetime",), ("id",), ("collection",), ("platform", "datetime")])
    @pytest.mark.parametrize("descending", [False, True])
    def test_pages_in_any_order_have_each_scene_once(
        self, catalog: Catalog, keys: tuple[str, ...], descending: bool
    ) -> None:
        order = Order(tuple(SortKey(key, descending) for key in keys))
        whole = [hit.record for hit in catalog.hits(Search(), 100, None, order)]
        paged: list[Record] = []
        after: Cursor | None = None
        while page := catalog.hits(Search(), 1, after, order):
            paged += [hit.record for hit in page]
            after = page[-1].cursor
        assert paged == whole
        assert len(whole) == 6
        if keys[:1] == ("id",):
            assert ids(whole) == sorted(ids(whole), reverse=descending)
        if keys[:1] == ("datetime",):
            times = [record.datetime for record in whole]
            assert times[-1] is None
            known = [time for time in times if time]
            assert known == sorted(known, reverse=descending)

    def test_a_cursor_of_another_order_is_refused(self, catalog: Catalog) -> None:
        cursor = catalog.hits(Search(), 1)[0].cursor
        with pytest.raises(ParameterError):
            catalog.hits(Search(), 1, cursor, Order(()))

    def test_a_sort_key_that_is_not_a_name_is_refused(self, catalog: Catalog) -> None:
        with pytest.raises(ParameterError):
            catalog.hits(Search(), 1, None, Order((SortKey("x'; DROP TABLE items --"),)))

    def test_times_are_inclusive_and_leave_out_the_undated(self, catalog: Catalog) -> None:
        record = catalog.get("optical", "middle")
        assert record is not None
        moment = record.datetime
        assert moment is not None
        tick = timedelta(microseconds=1)
        optical = ("optical",)
        assert ids(catalog.search(Search(optical, start=moment, end=moment), 10)) == ["middle"]
        assert ids(catalog.search(Search(optical, start=moment + tick), 10)) == ["new"]
        assert ids(catalog.search(Search(optical, end=moment - tick), 10)) == ["old"]
        assert ids(catalog.search(Search(optical, start=moment - 1000 * DAY), 10)) == ["new", "middle", "old"]

    def test_places(self, catalog: Catalog) -> None:
        record = catalog.get("optical", "old")
        assert record is not None
        west, south, east, north = record.bbox
        for bbox in (
            (west, south, west, south),
            (east, north, 20.0, 60.0),
            WHOLE_WORLD,
            (170.0, south, west + 0.001, north),
        ):
            assert "old" in ids(catalog.search(Search(bbox=bbox), 10))
        for bbox in (
            (east + 0.1, south, 20.0, north),
            (170.0, south, -170.0, north),
            (west, north + 1, east, 90.0),
        ):
            assert "old" not in ids(catalog.search(Search(bbox=bbox), 10))

    def test_conditions(self, catalog: Catalog) -> None:
        for condition, found in CONDITIONS:
            search = Search(filter=condition)
            assert set(ids(catalog.search(search, 10))) == found, condition
            assert catalog.count(search) == len(found)
            near = replace(search, collections=("optical",), bbox=WHOLE_WORLD)
            assert set(ids(catalog.search(near, 10))) == found - {"radar", "plain"}

    def test_counts_agree_with_pages(self, catalog: Catalog) -> None:
        assert catalog.count() == 6
        for search in (Search(), Search(("optical",)), Search(ids=("old", "radar")), Search(("none",))):
            assert catalog.count(search) == len(list(catalog.records(search)))

    def test_documents(self, catalog: Catalog) -> None:
        record = catalog.get("radar", "radar")
        assert record is not None
        assert catalog.item(record)["id"] == "radar"
        assert catalog.info(record)["groups"]["r10m"]["bands"] == ["VV", "VH"]
        for gone in (replace(record, id="missing"), replace(record, signature="of another archive")):
            for document in (catalog.item, catalog.info):
                with pytest.raises(BusyError, match="gone or is being replaced"):
                    document(gone)

    def test_collections_are_summed_up(self, catalog: Catalog) -> None:
        assert catalog.collection_names() == ["optical", "plain", "radar"]
        assert [one.id for one in catalog.collections()] == catalog.collection_names()
        optical = catalog.collection("optical")
        assert optical is not None
        assert optical.count == 4
        assert (optical.start, optical.end) == (
            datetime(2020, 5, 1, 10, 30, tzinfo=UTC),
            datetime(2020, 5, 20, 10, 30, tzinfo=UTC),
        )
        assert {band.name for band in optical.bands} == {"B02", "B03", "B04", "B08", "B8A", "B11"}
        assert [(one.id, one.reason) for one in optical.odd] == [
            ("undated", "it has no B02, B03, B04, B08, B11, B8A")
        ]
        assert catalog.collection("none") is None

    def test_a_collection_that_has_gone_is_forgotten(self, catalog: Catalog, root: Path) -> None:
        assert catalog.collection("radar") is not None
        (root / "radar.zarr.zip").unlink()
        catalog.refresh(force=True)
        assert catalog.collection("radar") is None
        assert "radar" not in catalog.collection_names()

    def test_coverage_days_and_bands(self, catalog: Catalog) -> None:
        coverage = catalog.coverage(Search(("radar",)))
        assert coverage is not None
        assert coverage.count == 1
        assert list(coverage.by_crs) == ["EPSG:32632"]
        assert catalog.coverage(Search(("none",))) is None
        assert catalog.days("optical") == ["2020-05-01", "2020-05-10", "2020-05-20"]
        assert catalog.days("none") == []
        sets = catalog.band_sets(Search(("optical",)))
        assert [(one.bands[0].name, one.scenes) for one in sets] == [("B02", 3), ("DN", 1)]
        assert [one.newest for one in sets] == [("optical", "new"), ("optical", "undated")]
        assert catalog.band_sets(Search(("none",))) == ()

    def test_the_revision_grows_with_every_change(self, catalog: Catalog, root: Path) -> None:
        seen = [catalog.revision()]
        (root / "old.zarr.zip").rename(root / "renamed.zarr.zip")
        catalog.refresh(force=True)
        seen.append(catalog.revision())
        (root / "renamed.zarr.zip").unlink()
        catalog.refresh(force=True)
        seen.append(catalog.revision())
        record = catalog.get("radar", "radar")
        assert record is not None
        catalog.refuse(record, "a test")
        seen.append(catalog.revision())
        assert all(before < after for before, after in pairwise(seen))
        catalog.refresh(force=True)
        assert catalog.revision() == seen[-1]

    def test_the_feed_tells_of_each_scene_that_is_there(self, catalog: Catalog) -> None:
        page = catalog.changes(None, 100)
        assert not page.more
        assert page.next == catalog.position()
        records = {(one.collection, one.id): one for one in catalog.records(Search())}
        assert {(one.collection, one.id) for one in page.changes} == set(records)
        for change in page.changes:
            record = records[change.collection, change.id]
            assert (change.etag, change.datetime) == (record.etag, record.datetime)
            assert change.bytes == Path(record.path).stat().st_size
        assert catalog.changes(page.next, 100) == ([], page.next, False)

    def test_the_feed_goes_on_where_a_page_ended(self, catalog: Catalog, root: Path) -> None:
        told = catalog.position()
        (root / "old.zarr.zip").unlink()
        shutil.copy(root / "new.zarr.zip", root / "middle.zarr.zip")  # another scene, which is there already
        catalog.refresh(force=True)
        page = catalog.changes(told, 100)
        assert [(one.id, one.gone) for one in page.changes] == [("old", True), ("middle", True)]
        assert [one.seq for one in page.changes] == sorted(one.seq for one in page.changes)
        first = catalog.changes(told, 1)
        assert first.more
        rest = catalog.changes(first.next, 1)
        assert [*first.changes, *rest.changes] == page.changes
        assert (rest.next, rest.more) == (page.next, False)

    def test_a_feed_of_another_epoch_is_begun_anew(self, catalog: Catalog) -> None:
        before = catalog.position()
        with pytest.raises(GoneError, match="not been reached"):
            catalog.changes(before._replace(seq=before.seq + 1), 1)
        catalog.rebuild()
        assert catalog.position().epoch != before.epoch
        with pytest.raises(GoneError, match="without `after`"):
            catalog.changes(before, 1)
        assert len(catalog.changes(None, 100).changes) == 6

    def test_it_keeps_itself_up_to_date(self, catalog: Catalog, root: Path) -> None:
        """Nobody calls `refresh`; the catalogue is opened with the shortest time between two looks."""
        (root / "old.zarr.zip").unlink()
        assert catalog.get("optical", "old") is None
        shutil.copy(root / "new.zarr.zip", root / "broken.zarr.zip")
        assert list(catalog.broken()) == ["broken.zarr.zip"]
        (root / "plain.zarr.zip").unlink()
        assert catalog.count() == 4
        (root / "middle.zarr.zip").unlink()
        assert ids(catalog.search(Search(("optical",)), 10)) == ["new", "undated"]

    def test_a_refused_archive_comes_back_when_it_changes(self, catalog: Catalog, root: Path) -> None:
        record = catalog.get("optical", "old")
        assert record is not None
        catalog.refuse(record, "it is damaged")
        catalog.refresh(force=True)
        assert catalog.get("optical", "old") is None
        assert catalog.broken() == {"old.zarr.zip": "it is damaged"}
        os.utime(root / "old.zarr.zip", ns=(1, 1))
        catalog.refresh(force=True)
        again = catalog.get("optical", "old")
        assert again is not None
        catalog.refuse(record, "of the archive that was there before")
        assert catalog.get("optical", "old") == again
        assert catalog.broken() == {}

    def test_it_can_be_rebuilt(self, catalog: Catalog) -> None:
        before = list(catalog.records(Search()))
        catalog.rebuild()
        assert list(catalog.records(Search())) == before

    def test_a_second_one_of_the_folder_agrees(self, catalog: Catalog, root: Path) -> None:
        second = self.open(root)
        second.refresh(force=True)
        assert list(second.records(Search())) == list(catalog.records(Search()))
        catalog.close()
        assert catalog.count() == second.count()

    def test_threads_share_it(self, catalog: Catalog) -> None:
        found: list[list[Record]] = []

        def read() -> None:
            found.extend(list(catalog.records(Search())) for _ in range(10))
            catalog.close()

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 40
        assert all(records == found[0] for records in found)

    def test_a_child_process_has_it_too(self, catalog: Catalog) -> None:
        expected = catalog.count()
        pid = os.fork()
        if not pid:
            os._exit(0 if catalog.count() == expected else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert catalog.count() == expected


def ids(records: list[Record]) -> list[str]:
    """Ids of records, in their order."""
    return [record.id for record in records]
