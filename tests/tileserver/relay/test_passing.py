"""A relay is an origin for the next one: lines go on as they are, proved by their writer, and never round."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import rfc8785

from tests.tileserver.relay.feeds import each_line, make_log, origin, put
from tileserver.relay.feed.keys import SigningKey
from tileserver.relay.feed.layout import OPEN
from tileserver.relay.feed.lines import DropLine, Index, Line, PassedLine, PutLine, href_of, told, write_line
from tileserver.relay.feed.passing import Passed, passed, passing
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream import FeedError, FolderUpstream


def read(folder: Path, trust: Trust | None = None) -> tuple[Index, list[Line]]:
    upstream = FolderUpstream(folder, trust or Trust())
    return upstream.index(), list(upstream.lines(0))


def relayed(folder: Path, upstream: Path) -> tuple[Path, list[bool]]:
    """A relay that passes on all of an upstream, and whether each line went on."""
    writer = make_log(folder)
    index, lines = read(upstream)
    with writer.writing():
        documents = [passing(writer.origin, each, href) for each, href in _told(index, lines)]
        writer.tell([each for each in documents if each is not None])
    return folder / "public", [each is not None for each in documents]


def _told(index: Index, lines: list[Line]) -> Iterator[tuple[Passed, str | None]]:
    for line in lines:
        if (found := passed(line, index)) is not None:
            yield found, f"here/{line.seq}.zarr.zip" if isinstance(told(line), PutLine) else None


def test_lines_go_on_as_they_were_signed(tmp_path: Path) -> None:
    first = origin(tmp_path / "a", "s", "t")
    index, originals = read(first)
    second, went_on = relayed(tmp_path / "b", first)
    third, _ = relayed(tmp_path / "c", second)
    assert went_on == [True, True]
    for folder, hops in ((second, 1), (third, 2)):
        _, lines = read(folder)
        for line, original in zip(lines, originals, strict=True):
            assert isinstance(line, PassedLine)
            assert told(line) == original
            assert line.line.written == original.written
            assert (line.source.origin, line.source.key) == (index.origin, index.key)
            assert len(set(line.via)) == hops
            assert href_of(line) == f"here/{line.seq}.zarr.zip"
    assert not any(relayed(tmp_path / "a", third)[1]), "the origin has written them"
    assert not any(relayed(tmp_path / "b", third)[1]), "the relay has passed them on"
    assert len(list(each_line(first))) == 2


def test_drops_go_on(tmp_path: Path) -> None:
    first = origin(tmp_path / "a", "s")
    writer = make_log(tmp_path / "a")
    with writer.writing():
        writer.drop(("s2", "s"), "withdrawn")
    second, went_on = relayed(tmp_path / "b", first)
    assert went_on == [True, True]
    last = told(read(second)[1][-1])
    assert isinstance(last, DropLine)
    assert last.why == "withdrawn"


def _tampered(folder: Path, private: Path, line: dict[str, object]) -> None:
    writer = make_log(private.parent)
    with writer.writing():
        raw = write_line(line, writer.origin, writer.epoch, SigningKey.open(private / "origin.key"))
    (folder / OPEN).write_bytes(raw)


@pytest.mark.parametrize("change", ["line", "key", "epoch"])
def test_a_relay_cannot_forge_what_it_passes_on(change: str, tmp_path: Path) -> None:
    second, _ = relayed(tmp_path / "b", origin(tmp_path / "a", "s"))
    trust = Trust(tmp_path / "trust.json")
    read(second, trust)
    document = json.loads((second / OPEN).read_bytes())
    del document["sig"]
    other = SigningKey.make()
    if change == "line":
        document["line"]["bytes"] = 6000
    elif change == "epoch":
        document["source"]["epoch"] += 1
    else:
        source, line = document["source"], document["line"]
        del line["sig"]
        source["key"] = other.text
        named = {"origin": source["origin"], "epoch": source["epoch"]}
        document["line"] = {**line, "sig": other.sign("line", {**line, **named})}
    _tampered(second, tmp_path / "b/private", document)
    words = "with another key than before" if change == "key" else "passed on for .* is not signed"
    with pytest.raises(FeedError, match=words):
        read(second, Trust(tmp_path / "trust.json"))


def test_members_of_later_versions_stay_signed(tmp_path: Path) -> None:
    """A reader of this version leaves them alone, and passes them on."""
    folder = tmp_path / "a"
    writer = make_log(folder)
    with writer.writing():
        writer.tell([put("s", have=["head"])])
    second, _ = relayed(tmp_path / "b", folder / "public")
    (line,) = read(second)[1]
    content = told(line)
    assert isinstance(content, PutLine)
    assert content.written["have"] == ["head"]
    raw = (second / OPEN).read_bytes().replace(b'"have":["head"]', b'"have":["tail"]')
    (second / OPEN).write_bytes(raw)
    with pytest.raises(FeedError, match="is not signed"):
        read(second)


def test_lines_are_canonical(tmp_path: Path) -> None:
    for raw in each_line(origin(tmp_path, "s", "t")):
        assert raw == rfc8785.dumps(json.loads(raw))


def test_too_many_relays_end_the_way(tmp_path: Path) -> None:
    upstream = origin(tmp_path / "0", "s")
    for number in range(1, 17):
        upstream, went_on = relayed(tmp_path / str(number), upstream)
        assert went_on == [True]
    assert relayed(tmp_path / "17", upstream)[1] == [False]


def test_a_line_that_comes_back_is_not_told_again() -> None:
    found = Passed({"origin": "a", "epoch": 1, "key": "k"}, ("b", "c"), {"op": "drop"})
    assert [passing(each, found) is None for each in "abcd"] == [True, True, True, False]
    assert passing("d", found, "x.zip") == {
        "op": "pass", "source": found.source, "via": ["b", "c", "d"], "line": found.line, "href": "x.zip",
    }  # fmt: skip
