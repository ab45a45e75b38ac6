"""What people look at is written down within bounds, and let go of."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.view.missing import MissingBlock
from tests.tileserver.relay.origins import NOW
from tileserver.relay.keeping.looks import KEPT, Looks, LooksError, Waiting


def block(number: int, scene: str = "scene") -> MissingBlock:
    return MissingBlock("optical", scene, "0" * 32, "r10m", 0, number, 0)


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    return Looks(tmp_path / "looks.sqlite", most=5)


def test_nothing_is_written_by_reading(looks: Looks, tmp_path: Path) -> None:
    assert looks.newest(NOW) == {}
    assert looks.waiting(NOW) == Waiting(0, 0)
    assert not [*tmp_path.iterdir()]


def test_the_same_block_counts_once_from_its_last_look_on(looks: Looks) -> None:
    looks.put({block(1): 100, block(2): 200}, NOW)
    looks.put({block(3): 300}, NOW + timedelta(seconds=1))
    looks.put({block(1): 90}, NOW + timedelta(seconds=2))
    assert [*looks.newest(NOW)] == [block(1), block(3), block(2)]
    assert looks.waiting(NOW) == Waiting(3, 590)


def test_the_oldest_give_way_where_there_are_too_many(looks: Looks) -> None:
    for number in range(9):
        looks.put({block(number): 1}, NOW + timedelta(seconds=number))
    assert [each.row for each in looks.newest(NOW)] == [8, 7, 6, 5, 4]
    looks.put({block(number): 1 for number in range(20, 40)}, NOW + timedelta(minutes=1))
    assert looks.waiting(NOW).places == 5


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10**6)), max_size=60),
    st.sets(st.integers(0, 30), max_size=10),
)
def test_what_waits_are_the_last_that_were_looked_at(
    tmp_path_factory: pytest.TempPathFactory, seen: list[tuple[int, int]], gone: set[int]
) -> None:
    looks = Looks(tmp_path_factory.mktemp("looks") / "looks.sqlite", most=5)
    expected: dict[MissingBlock, int] = {}
    for second, (number, count) in enumerate(seen):
        looks.put({block(number): count}, NOW + timedelta(seconds=second))
        expected.pop(block(number), None)
        expected = dict([*expected.items(), (block(number), count)][-5:])
    looks.remove(map(block, gone))
    left = [each for each in reversed(expected.items()) if each[0].row not in gone]
    assert [*looks.newest(NOW).items()] == left


def test_looks_are_let_go_of_after_a_day_and_where_a_clock_was_set_back(looks: Looks) -> None:
    looks.put({block(1): 1}, NOW)
    assert looks.waiting(NOW + KEPT).places == 1
    assert looks.waiting(NOW + KEPT + timedelta(seconds=1)).places == 0
    looks.put({block(2): 1}, NOW)
    assert looks.newest(NOW - KEPT - timedelta(seconds=1)) == {}


def test_who_writes_is_never_waited_for_long(looks: Looks, tmp_path: Path) -> None:
    looks.put({block(1): 1}, NOW)
    other = sqlite3.connect(tmp_path / "looks.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LooksError, match=r"looks\.sqlite cannot be used now"):
        looks.put({block(2): 1}, NOW)
    other.execute("ROLLBACK")
    other.close()
    assert [*looks.newest(NOW)] == [block(1)]


def test_a_damaged_file_is_begun_anew(looks: Looks, tmp_path: Path) -> None:
    (tmp_path / "looks.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(LooksError, match="damaged, and begun anew"):
        looks.newest(NOW)
    looks.put({block(1): 1}, NOW)
    assert [*looks.newest(NOW)] == [block(1)]
