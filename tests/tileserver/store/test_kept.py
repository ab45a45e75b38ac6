"""The store of what users give: names, bounds, expiry, several processes."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comeo.errors import ComeoError
from tileserver.errors import BusyError, ConflictError
from tileserver.store import kept as store
from tileserver.store.kept import Kept


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "kept.sqlite")


def test_a_text_has_one_name_and_is_found_by_it(kept: Kept) -> None:
    text = kept.give("draft", b"a")
    assert text.name.startswith("draft-")
    assert len(text.name) == 14
    assert kept.give("draft", b"a").name == text.name
    assert kept.give("draft", b"b").name != text.name
    found = kept.find("draft", text.name)
    assert found is not None
    assert found.body == b"a"
    assert kept.find("link", text.name) is None


def test_names_that_meet_are_told_apart(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_short", lambda kind, body, attempt: f"same{attempt}")
    assert kept.give("link", b"a").name == "same0"
    assert kept.give("link", b"b").name == "same1"
    assert kept.give("link", b"a").name == "same0"


def test_drafts_are_forgotten_after_a_day(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    draft, link = kept.give("draft", b"a"), kept.give("link", b"a")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + store.DAY + 1)
    assert kept.find("draft", draft.name) is None
    assert kept.find("link", link.name) is not None


def test_old_drafts_give_way_and_links_do_not(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST", {"draft": 3, "link": 1, "published": 1})
    names = [kept.give("draft", bytes([number])).name for number in range(5)]
    assert [kept.find("draft", name) is not None for name in names] == [False, False, True, True, True]
    kept.give("link", b"a")
    with pytest.raises(BusyError, match="no room for more"):
        kept.give("link", b"b")
    assert kept.give("link", b"a").name, "one that is there needs no room"
    monkeypatch.setattr(store, "MOST", {"draft": 100, "link": 1, "published": 1})
    monkeypatch.setattr(store, "MOST_BYTES", {"draft": 100, "link": 1, "published": 1})
    kept.give("draft", b"x" * 99)
    assert [kept.find("draft", name) is not None for name in names[2:]] == [False, False, True]


def test_what_is_published_never_changes(kept: Kept) -> None:
    assert kept.publish("a@1.0.0", b"one", listed=True)
    assert not kept.publish("a@1.0.0", b"one", listed=True)
    with pytest.raises(ConflictError, match="raise the version"):
        kept.publish("a@1.0.0", b"two", listed=True)
    assert kept.publish("a@1.1.0", b"two", listed=False)
    kept.publish("ab@1.0.0", b"other", listed=True)
    assert [each.name for each in kept.versions("a")] == ["a@1.0.0", "a@1.1.0"]
    assert [each.name for each in kept.listed()] == ["a@1.0.0", "ab@1.0.0"]
    assert kept.set_state("a@1.0.0", "deprecated")
    found = kept.find("published", "a@1.0.0")
    assert found is not None
    assert found.state == "deprecated"
    assert not kept.set_state("b@1.0.0", "deprecated")


def _give(path: Path, start: int) -> None:
    kept = Kept(path)
    for number in range(20):
        kept.give("draft", f"{start + number}".encode())


def test_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_give, args=(path, 20 * number)) for number in range(2)]
    for each in processes:
        each.start()
    for each in processes:
        each.join(60)
        assert each.exitcode == 0
    kept = Kept(path)
    given = [kept.find("draft", store._short("draft", f"{number}".encode(), 0)) for number in range(40)]
    assert all(given)


def test_a_file_that_is_no_store_is_said(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ComeoError, match="COMEO_STORE"):
        Kept(path)
    with pytest.raises(ComeoError, match="COMEO_STORE"):
        Kept(tmp_path / "missing" / "kept.sqlite")


def test_a_file_that_goes_is_made_anew(kept: Kept) -> None:
    """Threads that had not opened it yet found no table in the new one."""
    kept.give("link", b"a")
    kept.path.unlink()
    with ThreadPoolExecutor(1) as other:
        assert other.submit(kept.find, "link", "aaaaaaaa").result() is None
        assert other.submit(kept.listed).result() == []


def test_a_file_that_breaks_is_a_sentence(kept: Kept) -> None:
    kept.give("link", b"a")
    with kept.path.open("r+b") as file:
        file.write(b"\xff" * 4096)
    with ThreadPoolExecutor(1) as other, pytest.raises(ComeoError, match="COMEO_STORE"):
        other.submit(kept.find, "link", "aaaaaaaa").result()
