"""Origins that refuse, lie, do not answer, begin anew, or are not what they were; a journal that is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comeo.errors import ComeoError
from tests.tileserver.relay.keeping.relayed import SAMPLE, Relayed, altered
from tests.tileserver.relay.origins import FolderOrigin
from tileserver.relay.errors import UnreachableError, UpstreamError
from tileserver.relay.feed.lines import Line
from tileserver.relay.keeping.assembly import running, upstream_of
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.notices import Notices


class _EndedError(Exception):
    """The time of a test is over."""


def _run_for(relayed: Relayed, seconds: float, at: Callable[[float], None] = lambda _: None) -> None:
    """Run it until so much time is over, and call something whenever it waits."""
    end = relayed.time.seconds + seconds

    def sleep(wait: float) -> None:
        relayed.time.sleep(wait)
        at(relayed.time.seconds)
        if relayed.time.seconds > end:
            raise _EndedError

    with pytest.raises(_EndedError), relayed.running(sleep=sleep) as runner:
        runner.run()


def _refuses(small: Relayed, monkeypatch: pytest.MonkeyPatch, error: UpstreamError) -> list[float]:
    """Have the origin give another archive, but of the first one an error; when that was asked for."""
    small.origin.put(altered(SAMPLE, small.origin.root / "b.zarr.zip"), c="optical", id="other")
    line, asked = small.broken(), list[float]()
    read = line.read

    def refused(href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        if href == "a.zarr.zip":
            asked.append(small.time.seconds)
            raise error
        return read(href, etag, start, stop)

    monkeypatch.setattr(line, "read", refused)
    return asked


def test_an_archive_that_is_refused_holds_up_no_other(
    small: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuses(small, monkeypatch, UpstreamError("the origin refuses it (403)"))
    _run_for(small, 120)
    assert small.path("other").exists()
    monkeypatch.undo()
    _run_for(small, 600)
    assert small.path().exists()


@pytest.mark.parametrize("error", [UpstreamError("403"), UnreachableError("the link broke")])
def test_a_run_that_is_to_end_brings_what_is_not_refused(
    small: Relayed, monkeypatch: pytest.MonkeyPatch, error: UpstreamError
) -> None:
    _refuses(small, monkeypatch, error)
    small.run()
    assert small.path("other").exists() != isinstance(error, UnreachableError)


def test_an_archive_that_never_answers_holds_up_no_other(
    small: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _refuses(small, monkeypatch, UnreachableError("it answers 502"))
    _run_for(small, 60)
    assert small.path("other").exists()
    assert len(asked) == 10
    assert "nothing comes of scene; it is tried again in 5 minutes" in small.notes
    monkeypatch.undo()
    _run_for(small, 600)
    assert small.path().exists()


def test_a_line_that_is_down_puts_no_scene_off(small: Relayed, monkeypatch: pytest.MonkeyPatch) -> None:
    small.origin.put(altered(SAMPLE, small.origin.root / "b.zarr.zip"), c="optical", id="other")
    line = small.broken()

    def down(*_: object) -> Iterator[bytes]:
        raise UnreachableError("the line is down")

    with small.running() as runner:
        runner._poll()
    monkeypatch.setattr(line, "read", down)
    monkeypatch.setattr(line, "head", down)
    cut, back = small.time.seconds + 5, small.time.seconds + 600

    def at(now: float) -> None:
        if now >= back:
            monkeypatch.undo()
        elif now >= cut:  # the feed, too, once it is known
            monkeypatch.setattr(line, "lines", down)
            monkeypatch.setattr(line, "index", down)

    _run_for(small, 605, at)
    assert not [note for note in small.notes if "nothing comes" in note]
    assert small.path().exists()
    assert small.path("other").exists()


def test_what_was_wrong_with_a_feed_is_forgotten_once_it_is_right(small: Relayed) -> None:
    documents, problems = small.origin.documents, []

    def at(now: float) -> None:
        problems.append(_problem(small))
        set_back = not any(problems)
        small.origin.documents = [] if set_back else documents
        small.origin.write()

    _run_for(small, 20_000, at)
    assert any(each and "set back" in each for each in problems)
    assert problems[-1] is None


def _problem(small: Relayed) -> str | None:
    journal = Journal(small.root / "relay/relay.sqlite")
    try:
        return journal.origins()[small.origin.uuid].problem
    finally:
        journal.close()


def test_an_archive_of_another_scene_is_not_served_in_its_place(small: Relayed) -> None:
    small.origin.documents[0]["id"] = "lie"
    small.origin.write()
    small.run()
    assert not small.path("lie").exists()
    (kept,) = small.kept("lie")
    assert (kept.state, kept.problem) == ("faulty", "its archive says that it is scene of optical")


def _origins(small: Relayed, *others: FolderOrigin | Path) -> list[str]:
    """Run a relay by its command, with others named before its own origin; what it says."""
    tables = "".join(
        f'[[origin]]\nurl = "file://{each if isinstance(each, Path) else each.root}"\n'
        f'key = "{(small.origin if isinstance(each, Path) else each).key.text}"\n'
        for each in others
    )
    path = small.root / "RELAY.toml"
    path.write_text(small.origin.definition().replace("[origin]", f"{tables}[[origin]]"))
    messages: list[str] = []
    relay = small.relay
    upstreams = [
        (each.url, upstream_of(each, relay.folder, copy=each.url in relay.terms.copies))
        for each in relay.terms.origins
    ]
    time = small.time
    with running(
        relay, Notices(note=messages.append), upstreams, clock=time.clock, ticks=time.ticks, sleep=time.sleep
    ) as runner:
        runner.run(once=True)
    time.sleep(3600)
    return messages


def test_an_origin_that_is_named_before_another_is_not_taken_for_it(small: Relayed, tmp_path: Path) -> None:
    _origins(small)
    (tmp_path / "near").mkdir()
    near = FolderOrigin(tmp_path / "near")
    near.put(altered(SAMPLE, near.root / "b.zarr.zip"), c="optical", id="near")
    assert not any("nothing more is taken" in each for each in _origins(small, near))
    assert small.path("near").exists()


def test_a_disk_in_the_list_may_be_older_than_the_link(small: Relayed, tmp_path: Path) -> None:
    disk = Path(shutil.copytree(small.origin.root, tmp_path / "usb"))
    small.origin.put(altered(SAMPLE, small.origin.root / "b.zarr.zip"), c="optical", id="newer")
    for _ in range(2):
        messages = _origins(small, disk)
        assert not any("nothing more is taken" in each or "has changed" in each for each in messages)
    assert small.path().exists()
    assert small.path("newer").exists()


def test_a_long_feed_is_read_within_the_quota(small: Relayed) -> None:
    small.origin.documents += [
        {"op": "drop", "c": "optical", "id": f"gone-{number}", "why": "expired", "seq": number}
        for number in range(2, 900)
    ]
    small.origin.write()
    small.define(link='[link]\ndaily = "100 kB"')
    line = small.broken()
    lines = line.lines

    def costly(after: int, wait: float = 0) -> Iterator[Line]:
        for each in lines(after, wait):
            line.wire.received += 400
            yield each

    line.lines = costly  # type: ignore[method-assign]
    read = []
    for _ in range(5):
        small.run()
        journal = Journal(small.root / "relay/relay.sqlite")
        read.append(journal.origins()[small.origin.uuid].cursor)
        journal.close()
        small.time.sleep(86_400)
    assert read[0] == 400
    assert read[-1] == 899
    assert small.path().exists()


def test_a_journal_that_was_lost_costs_no_whole_archive(small: Relayed) -> None:
    damaged = altered(SAMPLE, small.origin.root / "b.zarr.zip")
    small.origin.put(damaged, c="optical", id="damaged")
    small.run()
    data = bytearray(small.path("damaged").read_bytes())
    data[9000] ^= 1
    small.path("damaged").write_bytes(data)
    journal = small.root / "relay/relay.sqlite"
    journal.write_bytes(b"no journal")
    with pytest.raises(ComeoError, match="where it is damaged, remove it, and run the relay"):
        small.run()
    for path in journal.parent.glob("relay.sqlite*"):
        path.unlink()
    given = small.broken().given
    small.run()
    assert small.broken().given - given == damaged.stat().st_size
    assert small.path("damaged").read_bytes() == damaged.read_bytes()
    assert [each.state for name in ("scene", "damaged") for each in small.kept(name)] == ["whole", "whole"]
