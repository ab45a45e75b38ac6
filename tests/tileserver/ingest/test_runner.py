import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from comeo.archive import open_archive
from comeo.errors import ComeoError, SourceError
from tests.tileserver.ingest.products import (
    QUICK,
    Inline,
    archives,
    document,
    ingest,
    name_of,
    write_product,
)
from tileserver.ingest.document import Limits, read_source
from tileserver.ingest.executors import LOST
from tileserver.ingest.finding import Look, finder_of
from tileserver.ingest.journal import Journal
from tileserver.ingest.orders import DiskFullError, Done, Found, Order, State
from tileserver.ingest.pressure import Pressure
from tileserver.ingest.runner import Runner, journal_path, only_runner
from tileserver.ingest.shelves import FolderShelf

FINE = '[[quality]]\nname = "fine"\ncodec = "dct"\nstep = 20\ncollection = "fine"\n'


def test_products_become_archives_once_newest_first(tmp_path: Path) -> None:
    path = document(tmp_path, filled=3)
    first = Inline()
    journal = ingest(path, first)
    assert journal.counts() == {State.PUBLISHED: 3}
    assert archives(tmp_path) == [name_of(number) for number in range(3)]
    assert [Path(order.place).stem for order in first.orders] == [name_of(2), name_of(1), name_of(0)]
    second = Inline()
    ingest(path, second)
    assert second.orders == []
    assert not list((tmp_path / "out.ingest" / "progress").iterdir())


def test_without_its_journal_nothing_is_made_twice(tmp_path: Path) -> None:
    path = document(tmp_path, filled=2)
    ingest(path).close()
    before = {each.name: each.stat().st_ino for each in (tmp_path / "out").iterdir()}
    shutil.rmtree(tmp_path / "out.ingest")
    assert ingest(path).counts() == {State.PUBLISHED: 2}
    assert {each.name: each.stat().st_ino for each in (tmp_path / "out").iterdir()} == before


def test_two_qualities_know_each_other(tmp_path: Path) -> None:
    ingest(document(tmp_path, quality=QUICK + FINE, filled=1))
    plain, fine = sorted((tmp_path / "out").iterdir(), key=lambda each: each.stat().st_size)
    with open_archive(plain) as coarse, open_archive(fine) as other:
        assert (coarse.id, other.id) == (name_of(0), f"{name_of(0)}-fine")
        assert {each.item["properties"]["comeo:source"] for each in (coarse, other)} == {name_of(0)}
        assert coarse.item["properties"]["comeo:alternates"] == [{"collection": "fine", "id": other.id}]
        own = {"collection": coarse.item["collection"], "id": coarse.id}
        assert other.item["properties"]["comeo:alternates"] == [own]


def test_a_changed_product_replaces_its_archive(tmp_path: Path) -> None:
    path = document(tmp_path, filled=1)
    ingest(path).close()
    (before,) = (tmp_path / "out").iterdir()
    write_product(tmp_path / "in" / f"{name_of(0)}.tif", seed=7)
    journal = ingest(path)
    (after,) = (tmp_path / "out").iterdir()
    assert after.name != before.name
    assert archives(tmp_path) == [name_of(0)]
    assert journal.counts() == {State.PUBLISHED: 1, State.SKIPPED: 1}


def test_a_killed_service_leaves_an_old_archive_that_the_next_one_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = document(tmp_path, filled=1)
    ingest(path)
    write_product(tmp_path / "in" / f"{name_of(0)}.tif", seed=7)

    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(FolderShelf, "remove", killed)
        with pytest.raises(KilledError):
            ingest(path)
    assert len(list((tmp_path / "out").iterdir())) == 2
    ingest(path)
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_two_products_of_one_id_do_not_hide_each_other(tmp_path: Path) -> None:
    executor = Inline()
    ingest(document(tmp_path, filled=1), executor)
    other = write_product(tmp_path / "other" / f"{name_of(0)}.tif", seed=9)
    with pytest.raises(SourceError, match=r"is the id of .* already, which is of another product"):
        executor.work(replace(executor.orders[0], place=str(other)))
    assert len(archives(tmp_path)) == 1


def test_a_bad_product_is_tried_again_then_dead_and_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = document(tmp_path, "[retry]\ntries = 2\nfirst_seconds = 0", filled=1)
    (tmp_path / "in" / "broken.tif").write_bytes(b"no TIFF")
    with caplog.at_level(logging.WARNING, "comeo.ingest"):
        journal = ingest(path)
        journal.close()
        journal = ingest(path)
    assert journal.counts() == {State.DEAD: 1, State.PUBLISHED: 1}
    (dead,) = journal.in_state(State.DEAD)
    assert "broken.tif" in dead.fault
    assert "`comeo ingest retry` tries it again" in caplog.text
    write_product(tmp_path / "in" / "broken.tif", seed=3)  # mended: another version
    journal.close()
    assert ingest(path).counts() == {State.PUBLISHED: 2, State.SKIPPED: 1}


def test_the_filter_leaves_out(tmp_path: Path) -> None:
    path = document(tmp_path, "[filter]\nsince = 2020-05-02\nuntil = 2020-05-03", filled=3)
    journal = ingest(path)
    assert archives(tmp_path) == [name_of(1)]
    faults = {row.fault for row in journal.in_state(State.SKIPPED)}
    assert faults == {
        "it was acquired on 2020-05-01, before 2020-05-02", "it was acquired on 2020-05-03, after 2020-05-03",
    }  # fmt: skip


@pytest.mark.parametrize(("west", "count"), [(8.0, 1), (20.0, 0)])
def test_an_area_leaves_out(tmp_path: Path, west: float, count: int) -> None:
    ingest(document(tmp_path, f"[filter]\nbbox = [{west}, 47, {west + 2}, 48]", filled=1))
    assert len(archives(tmp_path)) == count


def test_backfill_has_its_share(tmp_path: Path) -> None:
    now = time.time()
    path = document(tmp_path, "fresh_days = 10\nbackfill_share = 0.25")
    for number in range(8):
        day = time.strftime("%Y%m%d", time.gmtime(now - 86_400 * (number % 5)))
        write_product(tmp_path / "in" / f"S2A_32TMT_{day}_{number}_L2A.tif", number)
        write_product(tmp_path / "in" / f"{name_of(number)}.tif", number + 20)

    class Named(Inline):
        def work(self, order: Order) -> Done:
            raise SourceError("not now")

    executor, source = Named(), read_source(path)
    journal = Journal(journal_path(source))
    runner = Runner(source, journal, finder_of(source, journal), executor)
    assert runner._look()  # all of it is known before the first order
    runner.run(once=True)
    old = ["_2020" in order.place for order in executor.orders]
    assert len(old) == 16
    assert old[:8] == [True, False, False, False, True, False, False, False]


def test_a_full_disk_waits_and_no_try_is_counted(tmp_path: Path) -> None:
    path = document(tmp_path, filled=2)
    full = [True]

    class Full(Inline):
        def work(self, order: Order) -> Done:
            if full.pop() if full else False:
                raise DiskFullError("the disk of the archives is full")
            return super().work(order)

    journal = ingest(path, Full())
    assert journal.counts() == {State.PUBLISHED: 2}
    assert {row.tries for row in journal.in_state(State.PUBLISHED)} == {0}


def test_a_quota_of_the_folder_stops_the_service_until_there_is_room(tmp_path: Path) -> None:
    path = document(tmp_path, filled=4)
    ingest(path).close()
    size = max(each.stat().st_size for each in (tmp_path / "out").iterdir())
    shutil.rmtree(tmp_path / "out")
    shutil.rmtree(tmp_path / "out.ingest")
    path.write_text(path.read_text().replace("[[", f"[limits]\nmax_bytes = {2 * size + 10}\n[[", 1))
    with pytest.raises(ComeoError, match=r"max_bytes is .*; remove some, or raise it"):
        ingest(path)
    assert len(archives(tmp_path)) == 2
    path.write_text(path.read_text().replace(f"{2 * size + 10}", f"{20 * size}"))
    assert ingest(path).counts() == {State.PUBLISHED: 4}


def test_free_disk_is_kept(tmp_path: Path) -> None:
    path = document(tmp_path, '[limits]\nmin_free = "8 EB"', filled=1)
    with pytest.raises(ComeoError, match=r"min_free is .*; make room"):
        ingest(path)
    assert archives(tmp_path) == []


def test_a_backlog_is_worked_off_before_more_is_looked_for(tmp_path: Path) -> None:
    path = document(tmp_path, "[limits]\nmax_backlog = 2", filled=5)
    assert ingest(path).counts() == {State.PUBLISHED: 5}


def test_there_is_one_service_a_folder(tmp_path: Path) -> None:
    path = document(tmp_path)
    other = tmp_path / "OTHER.toml"
    other.write_text(f'state = "elsewhere"\n{path.read_text()}')
    for each in (path, other):
        with only_runner(read_source(path)), pytest.raises(ComeoError, match="works on out; end that one"):
            ingest(each)


def test_a_lost_worker_is_said_and_its_product_tried_again(tmp_path: Path) -> None:
    from concurrent.futures.process import BrokenProcessPool

    path = document(tmp_path, filled=1)
    lost = [True]

    class Lossy(Inline):
        def work(self, order: Order) -> Done:
            if lost:
                lost.clear()
                raise BrokenProcessPool("a process ended")
            return super().work(order)

    journal = ingest(path, Lossy())
    (row,) = journal.in_state(State.FAILED)
    assert (row.tries, row.fault) == (1, LOST)
    assert journal.retry() == 1
    assert ingest(path, Lossy()).counts() == {State.PUBLISHED: 1}


def test_a_folder_that_is_not_mounted_is_said(tmp_path: Path) -> None:
    with pytest.raises(ComeoError, match="is no folder, or is not mounted"):
        ingest(document(tmp_path))


def test_a_product_with_an_older_date_of_its_file_still_replaces(tmp_path: Path) -> None:
    path = document(tmp_path, filled=1)
    ingest(path).close()
    (before,) = (tmp_path / "out").iterdir()
    product = write_product(tmp_path / "in" / f"{name_of(0)}.tif", seed=7)
    os.utime(product, (0, 0))
    assert ingest(path).counts() == {State.PUBLISHED: 1, State.SKIPPED: 1}
    assert before not in list((tmp_path / "out").iterdir())


def test_a_product_that_is_put_back_replaces_what_came_between(tmp_path: Path) -> None:
    path = document(tmp_path, filled=1)
    ingest(path).close()
    (before,) = (tmp_path / "out").iterdir()
    product = tmp_path / "in" / f"{name_of(0)}.tif"
    shutil.copy2(product, tmp_path / "kept")
    write_product(product, seed=7)
    ingest(path).close()
    shutil.copy2(tmp_path / "kept", product)
    assert ingest(path).counts() == {State.PUBLISHED: 1, State.SKIPPED: 1}
    assert list((tmp_path / "out").iterdir()) == [before]


def test_another_filter_counts_for_what_was_left_out_before(tmp_path: Path) -> None:
    ingest(document(tmp_path, "[filter]\nuntil = 2000-01-01", filled=2))
    again = Inline()
    ingest(document(tmp_path, "[filter]\nuntil = 2000-01-01"), again)
    assert again.orders == []
    assert ingest(document(tmp_path)).counts() == {State.PUBLISHED: 2}


def test_a_quality_that_is_no_longer_wanted_ends_nothing(tmp_path: Path) -> None:
    path = document(tmp_path, quality=QUICK + FINE, filled=1)
    source = read_source(path)
    journal = Journal(journal_path(source))
    finder = finder_of(source, journal)
    for product in finder.products(Look()):
        journal.add(finder.name, product, source.quality, 0)
    journal.close()
    assert ingest(document(tmp_path)).counts() == {State.PUBLISHED: 1, State.SKIPPED: 1}
    assert ingest(document(tmp_path, quality=QUICK + FINE)).counts() == {State.PUBLISHED: 2}


def test_nodata_may_be_no_number(tmp_path: Path) -> None:
    assert ingest(document(tmp_path, "[read]\nnodata = nan", filled=1)).counts() == {State.PUBLISHED: 1}


def test_without_workers_nothing_is_said_to_be_done(tmp_path: Path) -> None:
    executor = Inline()
    executor.slots = 0
    with pytest.raises(ComeoError, match="no worker of Dask is there"):
        ingest(document(tmp_path, filled=1), executor)


def test_a_full_disk_of_the_journal_is_one_sentence(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    (pages,) = journal._database.execute("PRAGMA page_count").fetchone()
    journal._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ComeoError, match="cannot be written: database or disk is full; check its disk"):
        journal.set_mark("large", "x" * 1_000_000)
    assert journal.mark("large") is None
    journal.close()


def test_a_folder_of_archives_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "gone")
    said = Pressure(shelf, Limits()).fault(0)
    assert said is not None
    assert "cannot be used: No such file or directory" in said


@pytest.mark.parametrize("backlog", [1, 4])
def test_a_source_is_not_asked_while_enough_is_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backlog: int
) -> None:
    path = document(tmp_path, f"[limits]\nmax_backlog = {backlog}", filled=6)
    source = read_source(path)
    journal = Journal(journal_path(source))
    finder, looks = finder_of(source, journal), []
    products = finder.products

    def noted(look: Look) -> Iterator[Found]:
        looks.append(look.past)
        return products(look)

    monkeypatch.setattr(finder, "products", noted)
    runner = Runner(source, journal, finder, Inline())
    assert runner._look() is False
    assert runner._look() is False  # which asks nothing: all of it is waiting still
    assert looks == [True]
    for _ in range(backlog):
        row = journal.next(backfill=True) or journal.next(backfill=False)
        assert row is not None
        journal.skipped(row.key, "")
        runner._look()
    assert looks == {1: [True, True], 4: [True, False, False, False, True]}[backlog]
    journal.close()
