import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.errors import ComeoError
from tileserver.ingest.document import Quality, Retry
from tileserver.ingest.journal import Journal, Row
from tileserver.ingest.orders import OPEN, UNDER_WAY, Done, Found, State

PLAIN = (Quality(),)
TWO = (Quality(), Quality(name="fine", ratio=25))
SOON = Retry(tries=3, first_seconds=0, most_seconds=0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


def product(scene: str, day: int = 1, version: str = "1", updated: float = 0.0) -> Found:
    return Found(scene, version, f"/in/{scene}", updated, datetime(2020, 5, day, tzinfo=UTC), f"r-{scene}")


def done(name: str) -> Done:
    return Done(f"{name}.zarr.zip", "e", 10, 1.0)


def begun(journal: Journal, *, backfill: bool = False) -> Row:
    row = journal.next(backfill=backfill)
    assert row is not None
    return row


def test_a_product_is_entered_once_for_each_quality(journal: Journal) -> None:
    assert journal.add("s", product("a"), TWO, 0) == 2
    assert journal.add("s", product("a"), TWO, 0) == 0
    assert journal.add("other source", product("a"), PLAIN, 0) == 1


def test_the_newest_acquisition_comes_first_and_backfill_apart(journal: Journal) -> None:
    after = datetime(2020, 5, 10, tzinfo=UTC).timestamp()
    for day in (3, 20, 12, 7):
        journal.add("s", product(f"day{day}", day), PLAIN, after)
    assert [begun(journal).scene, begun(journal).scene] == ["day20", "day12"]
    assert journal.next(backfill=False) is None
    assert [begun(journal, backfill=True).scene, begun(journal, backfill=True).scene] == ["day7", "day3"]


def test_a_failure_waits_longer_each_time_and_ends_dead(journal: Journal) -> None:
    journal.add("s", product("a"), PLAIN, 0)
    key = begun(journal).key
    assert journal.failed(key, "it broke", Retry(tries=2, first_seconds=1000)) is State.FAILED
    assert journal.next(backfill=False) is None
    assert journal.row(key).due > time.time() + 900
    assert journal.failed(key, "it broke", Retry(tries=2)) is State.DEAD
    assert journal.in_state(State.DEAD)[0].fault == "it broke"
    assert journal.retry(["other"]) == 0
    assert journal.retry(["a"]) == 1
    assert begun(journal).tries == 0


def test_only_the_latest_version_is_still_to_be_made(journal: Journal) -> None:
    journal.add("s", product("a", version="05.11", updated=20), PLAIN, 0)
    journal.add("s", product("a", version="05.00", updated=10), PLAIN, 0)
    assert begun(journal).version == "05.11"
    assert journal.next(backfill=False) is None
    assert journal.in_state(State.SKIPPED)[0].version == "05.00"


def test_what_was_under_way_is_found_again_and_its_try_does_not_count(journal: Journal) -> None:
    journal.add("s", product("a"), TWO, 0)
    first, second = begun(journal), begun(journal)
    journal.compressing(first.key)
    journal.verified(second.key, done("a"))
    again = Journal(journal.path)  # as after a kill
    assert again.recover() == 1
    assert again.counts() == {State.FOUND: 1, State.VERIFIED: 1}
    assert begun(again).tries == 0
    again.close()


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database" * 200)
    with pytest.raises(ComeoError, match="move it away to begin anew"):
        Journal(path)
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(ComeoError, match="another version of this program"):
        Journal(path)


MOVES = ("next", "compressing", "verified", "published", "failed", "skipped", "waiting", "recover", "retry")
AFTER = {
    State.FOUND: {State.FETCHING, State.SKIPPED, State.FOUND},
    State.FETCHING: {State.COMPRESSING, State.VERIFIED, State.FAILED, State.DEAD, State.SKIPPED, State.FOUND},
    State.COMPRESSING: {State.VERIFIED, State.FAILED, State.DEAD, State.SKIPPED, State.FOUND},
    State.VERIFIED: {State.PUBLISHED, State.SKIPPED},
    State.FAILED: {State.FETCHING, State.SKIPPED, State.FOUND},
    State.DEAD: {State.FOUND},
    State.PUBLISHED: set(),
    State.SKIPPED: set(),
}


@settings(max_examples=40)
@given(st.lists(st.sampled_from(MOVES), max_size=12))
def test_states_only_move_as_they_may(tmp_path_factory: pytest.TempPathFactory, moves: list[str]) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal.sqlite")
    journal.add("s", product("a"), PLAIN, 0)
    row = journal.versions(_of("a"))[0]
    for move in moves:
        before = journal.row(row.key).state
        if move == "next":
            journal.next(backfill=False)
        elif move == "verified" and before in UNDER_WAY:
            journal.verified(row.key, done("a"))
        elif move == "failed" and before in UNDER_WAY:
            journal.failed(row.key, "it broke", SOON)
        elif move in ("skipped", "waiting"):
            getattr(journal, move)(row.key, "why")
        elif move in ("compressing", "published"):
            getattr(journal, move)(row.key)
        elif move in ("recover", "retry"):
            getattr(journal, move)()
        after = journal.row(row.key).state
        assert after == before or after in AFTER[before]
        assert (after in OPEN) == (after not in (State.PUBLISHED, State.DEAD, State.SKIPPED))
    journal.close()


def _of(scene: str) -> Row:
    return Row(0, "", scene, "", "", "", 0, 0, False, "", State.FOUND, 0, 0, "", "", "", 0, 0, 0, 0)
