"""A log numbers densely, survives a kill at any point, has one writer, and is in step with its catalogue."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.errors import ComeoError
from tests.tileserver.relay.feeds import (
    SHORT,
    CutDisk,
    KilledError,
    MemoryCatalog,
    each_line,
    facts_of,
    follower,
    make_log,
    put,
    shorten_segments,
)
from tileserver.relay.feed import following
from tileserver.relay.feed.layout import HEADS, INDEX, OPEN
from tileserver.relay.feed.lines import CheckLine, DropLine, PutLine, told
from tileserver.relay.feed.log import Log
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream import FolderUpstream

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("pqrst"), st.sampled_from("abc")),
        st.tuples(st.just("remove"), st.sampled_from("pqrst"), st.just("")),
        st.tuples(st.just("lose"), st.just(""), st.just("")),
        st.tuples(st.just("follow"), st.just(""), st.just("")),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


def follow(catalog: MemoryCatalog, writer: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    with writer.writing():
        one = follower(catalog, writer, monkeypatch)
        while one.step():
            pass


def act(catalog: MemoryCatalog, action: tuple[str, str, str]) -> None:
    kind, scene, etag = action
    if kind == "put":
        catalog.put(scene, etag)
    elif kind == "remove":
        catalog.remove(scene)
    elif kind == "lose":
        catalog.lose_journal()


def state_by(folder: Path) -> dict[str, str]:
    """Scenes with their ETags, as a reader finds them who checks all."""
    found: dict[str, str] = {}
    for line in FolderUpstream(folder, Trust()).lines(0):
        content = told(line)
        if isinstance(content, PutLine):
            found[content.id] = content.etag
        elif isinstance(content, DropLine):
            assert found.pop(content.id), "what is dropped has been there"
    return found


@settings(max_examples=40, deadline=None)
@given(actions=ACTIONS, cuts=st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_a_kill_loses_nothing_and_numbers_nothing_twice(
    actions: list[tuple[str, str, str]], cuts: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        shorten_segments(patch)
        folder, catalog = Path(name), MemoryCatalog()
        follow(catalog, make_log(folder), patch)
        published: list[bytes] = []
        left = list(cuts)
        for action in [*actions, ("follow", "", "")]:
            act(catalog, action)
            if action[0] != "follow":
                continue
            if left:
                with pytest.MonkeyPatch.context() as cut:
                    CutDisk(left.pop()).install(cut)
                    with contextlib.suppress(KilledError):
                        follow(catalog, make_log(folder), patch)
            now = list(each_line(folder / "public"))
            assert now[: len(published)] == published, "what was published stays as it was"
            published = now
        follow(catalog, make_log(folder), patch)
        assert state_by(folder / "public") == catalog.scenes
        after = list(each_line(folder / "public"))
        assert after[: len(published)] == published
        assert [json.loads(line)["seq"] for line in after] == list(range(1, len(after) + 1))
        assert not list(folder.rglob(".*.writing"))


def test_a_kill_at_each_call_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While lines are told that close a segment, and one that follows it."""
    shorten_segments(monkeypatch)
    calls, killed = 0, True
    while killed:
        folder, catalog = tmp_path / str(calls), MemoryCatalog()
        for scene in "pq":
            catalog.put(scene, "a")
        follow(catalog, make_log(folder), monkeypatch)
        published = list(each_line(folder / "public"))
        for scene in "rstuvw":
            catalog.put(scene, "b")
        catalog.remove("p")
        disk = CutDisk(calls)
        with monkeypatch.context() as cut, contextlib.suppress(KilledError):
            disk.install(cut)
            follow(catalog, make_log(folder), cut)
        killed = disk.killed
        meanwhile = list(each_line(folder / "public"))
        assert meanwhile[: len(published)] == published
        follow(catalog, make_log(folder), monkeypatch)
        assert list(each_line(folder / "public"))[: len(meanwhile)] == meanwhile
        assert state_by(folder / "public") == catalog.scenes
        assert not list(folder.rglob(".*.writing"))
        calls += 1
    assert calls > 40, "lines, segments, index and place are written in so many calls"


def test_what_went_before_the_journal_was_lost_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, writer = MemoryCatalog(), make_log(tmp_path)
    for scene in "pq":
        catalog.put(scene, "a")
    follow(catalog, writer, monkeypatch)
    catalog.remove("p")
    catalog.lose_journal()
    follow(catalog, writer, monkeypatch)
    assert state_by(tmp_path / "public") == {"q": "a" * 32}
    assert writer.last == 3, "what is as it was is not told again"


def test_the_one_writer_is_one(tmp_path: Path) -> None:
    one, other = make_log(tmp_path), make_log(tmp_path)
    with one.writing() as first:
        with other.writing(wait=False) as second:
            assert (first, second) == (True, False)
        one.tell([put("a")])
    with other.writing(wait=False) as second:
        assert second
        assert other.told[("s2", "a")] == "a" * 32
        other.tell([put("b")])
    with one.writing():
        assert one.last == 2


def test_segments_close_with_a_line_that_proves_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_segments(monkeypatch)
    writer = make_log(tmp_path)
    with writer.writing():
        writer.tell([put(f"scene-{number}") for number in range(7)])
    names = sorted(path.name for path in (tmp_path / "public/relay/v1/feed").iterdir())
    assert names == ["000001.ndjson.zst", "000002.ndjson.zst", "open.ndjson"]
    first = (tmp_path / "public/relay/v1/feed/000001.ndjson.zst").read_bytes()
    lines = list(FolderUpstream(tmp_path / "public", Trust()).lines(0))
    assert [line.seq for line in lines if isinstance(line, CheckLine)] == [SHORT, 2 * SHORT]
    with writer.writing():
        writer.tell([put("scene-8")])
    assert (tmp_path / "public/relay/v1/feed/000001.ndjson.zst").read_bytes() == first


@pytest.mark.parametrize("damage", ["open", "segment", "index", "key"])
def test_a_damaged_log_is_begun_anew_in_a_later_epoch(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no reader takes its numbers for those of the former one."""
    shorten_segments(monkeypatch)
    catalog = MemoryCatalog()
    for scene in "pqrst":
        catalog.put(scene, "a")
    follow(catalog, make_log(tmp_path), monkeypatch)
    public, trust = tmp_path / "public", Trust()
    before = FolderUpstream(public, trust).index()
    if damage == "open":
        (public / OPEN).write_bytes((public / OPEN).read_bytes()[:-20])
    elif damage == "segment":
        (public / "relay/v1/feed/000001.ndjson.zst").unlink()
    elif damage == "index":
        (public / INDEX).unlink()
    else:
        (tmp_path / "private/origin.key").unlink()
        trust = Trust()
    follow(catalog, make_log(tmp_path), monkeypatch)
    after = FolderUpstream(public, trust).index()
    assert (after.origin, after.epoch > before.epoch) == (before.origin, True)
    assert state_by(public) == catalog.scenes


def test_the_index_says_whether_all_is_told_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no reader takes for gone what a log that was begun anew does not name yet."""
    monkeypatch.setattr(following, "_PAGE", 2)
    catalog = MemoryCatalog()
    for scene in "pqrst":
        catalog.put(scene, "a")
    wholes = []
    for _ in range(3):
        writer = make_log(tmp_path)  # by another process each time
        with writer.writing():
            follower(catalog, writer, monkeypatch).step()
        wholes.append(FolderUpstream(tmp_path / "public", Trust()).index().whole)
    assert wholes == [False, False, True]
    catalog.put("u", "a")
    follow(catalog, make_log(tmp_path), monkeypatch)
    assert FolderUpstream(tmp_path / "public", Trust()).index().whole


def test_a_clock_that_was_set_back_makes_no_earlier_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tileserver.relay.feed.state.time.time", lambda: 1e9)
    writer = make_log(tmp_path)
    with writer.writing():
        first = writer.epoch
    (tmp_path / "public" / INDEX).unlink()
    monkeypatch.setattr("tileserver.relay.feed.state.time.time", lambda: 5e8)
    with writer.writing():
        assert writer.epoch > first


def test_what_readers_would_refuse_is_not_written(tmp_path: Path) -> None:
    writer = make_log(tmp_path)
    with writer.writing(), pytest.raises(ComeoError, match=r"\.\./up cannot be told of in a feed: .*id"):
        writer.tell([put("good"), put("../up")])
    with writer.writing():
        assert (writer.last, writer.told) == (0, {})


def test_an_archive_that_cannot_be_read_now_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, writer = MemoryCatalog(), make_log(tmp_path)
    catalog.put("p", "a")
    one = follower(catalog, writer, monkeypatch)

    def failing(record: Any) -> Any:
        raise OSError(5, "Input/output error")

    with writer.writing():
        monkeypatch.setattr(following, "facts_of", failing)
        one.step()
        assert writer.last == 0
        assert one.is_behind()
        catalog.put("p", "b")  # told by the feed of changes as well, and yet once
        monkeypatch.setattr(following, "facts_of", facts_of)
        one.step()
        assert (writer.last, writer.told[("s2", "p")]) == (1, "b" * 32)
        assert not one.is_behind()


def test_heads_are_there_as_long_as_their_lines_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, writer = MemoryCatalog(), make_log(tmp_path)

    def heads() -> dict[str, bytes]:
        return {path.name[:1]: path.read_bytes() for path in (tmp_path / "public" / HEADS).iterdir()}

    for scene, etag in (("p", "a"), ("q", "b"), ("p", "c"), ("p", "a")):
        catalog.put(scene, etag)
        follow(catalog, writer, monkeypatch)
    assert heads() == {"a": b"a" * 32, "b": b"b" * 32}
    catalog.remove("q")
    again = make_log(tmp_path)
    follow(catalog, again, monkeypatch)
    assert heads() == {"a": b"a" * 32}
    (line,) = [told(each) for each in FolderUpstream(tmp_path / "public", Trust()).lines(3)][:1]
    assert isinstance(line, PutLine)
    assert line.packed == 32


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    writer = make_log(tmp_path)
    with writer.writing():
        pass
    key = tmp_path / "private/origin.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with (
        pytest.raises(ComeoError, match="can be read by others; run `chmod 600"),
        make_log(tmp_path).writing(),
    ):
        pass
    key.chmod(0o600)
    key.write_text("odd")
    with pytest.raises(ComeoError, match="no private key in PEM"), make_log(tmp_path).writing():
        pass
