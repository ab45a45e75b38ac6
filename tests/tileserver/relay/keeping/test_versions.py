"""Scenes that are replaced, dropped, told anew, wanted no more, or let go of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from comeo.archive import open_archive
from comeo.errors import ComeoError
from tests.tileserver.relay.keeping.relayed import HERE, Relayed, altered, copy_of
from tests.tileserver.relay.origins import NOW, FolderOrigin
from tileserver.relay.errors import UnreachableError, UpstreamError
from tileserver.relay.feed.lines import Line, moment
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.assembly import running, upstream_of
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.runner import Told
from tileserver.relay.keeping.status import speed_of_line, status
from tileserver.relay.keeping.verifying import verify
from tileserver.relay.upstream.folder import FolderUpstream

SAMPLE = Path("samples/S2_romania_2017-01-02.zarr.zip")


@pytest.fixture
def small(tmp_path: Path) -> Relayed:
    """A relay of an origin with a scene of 15 kB."""
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    origin.put(copy_of(SAMPLE, origin, "a"), c="optical", id="scene", t=moment(NOW))
    found = Relayed(origin, tmp_path)
    found.define()
    return found


def test_a_newer_version_takes_the_place_when_it_is_here(small: Relayed, archive: Path) -> None:
    small.run()
    old = small.path().read_bytes()
    new = altered(SAMPLE, small.origin.root / "b.zarr.zip")
    small.origin.put(new, c="optical", id="scene")
    line, size = small.broken(), new.stat().st_size
    seen = []

    def look(_: int, data: bytes) -> bytes:
        assert small.path().read_bytes() == old  # the old one is served until then
        seen.append(len(data))
        return data

    line.on_read = look
    small.run()
    assert sum(seen) == size
    assert small.path().read_bytes() == new.read_bytes()
    assert [each.aside for each in small.kept()] == [False]
    assert not [*(small.root / "relay/aside").glob("*/*")]


def test_a_newer_version_is_served_once_it_shows_as_much(relayed: Relayed, archive: Path) -> None:
    relayed.define(subscription=HERE)
    relayed.run()
    new = altered(archive, relayed.origin.root / "b.zarr.zip")
    relayed.origin.put(new)
    relayed.run()
    with open_archive(relayed.part()) as found, open_archive(new) as whole:
        assert found.whole_etag == whole.etag
        assert found.layers == ("head", "coarse", "area")
    assert len(relayed.kept()) == 1


def test_a_scene_that_changes_on_the_way_begins_anew(small: Relayed) -> None:
    line = small.broken()
    line.on_read = lambda _, data: data[:3000]
    small.run()
    assert small.kept()[0].received.total == 3000
    altered(SAMPLE, small.origin.root / "a.zarr.zip")
    line.on_read = lambda _, data: data
    small.run()
    assert not small.path().exists()
    small.origin.put(small.origin.root / "a.zarr.zip", c="optical", id="scene")
    small.run()
    assert small.path().read_bytes() == (small.origin.root / "a.zarr.zip").read_bytes()
    assert len(small.kept()) == 1


@pytest.mark.parametrize(
    ("policy", "why", "at_once", "later"),
    [
        ("mirror", "expired", False, False),
        ("keep", "expired", True, True),
        ("keep-days 3", "expired", True, False),
        ("keep", "withdrawn", False, False),
        ("mirror", "replaced", True, False),
    ],
)
def test_what_the_origin_drops(small: Relayed, policy: str, why: str, at_once: bool, later: bool) -> None:
    small.define(top=f'drops = "{policy}"')
    small.run()
    small.origin.drop("scene", why)
    small.run()
    assert small.path().exists() is at_once
    small.time.sleep(4 * 86_400)
    small.run()
    assert small.path().exists() is later
    assert bool(small.kept()) is later


def test_a_new_list_is_compared_and_nothing_fetched_again(small: Relayed) -> None:
    small.origin.put(altered(SAMPLE, small.origin.root / "b.zarr.zip"), c="optical", id="gone")
    small.run()
    assert small.path("gone").exists()
    given = small.broken().given
    small.origin.epoch = 2
    documents, small.origin.documents = small.origin.documents, []
    small.origin.write()  # as a log does that begins anew
    small.run()
    assert small.path("gone").exists()
    assert any("which is empty yet" in note for note in small.notes)
    small.origin.documents = documents
    small.time.sleep(3600)
    small.origin.documents = small.origin.documents[:1]
    small.origin.write()
    small.run()
    assert small.broken().given == given
    assert small.path().exists()
    assert not small.path("gone").exists()


def test_a_new_list_numbers_scenes_anew(small: Relayed) -> None:
    for name in ("second", "third"):
        small.origin.put(altered(SAMPLE, small.origin.root / f"{name}.zarr.zip", name), c="optical", id=name)
    small.run()
    line = small.broken()
    given, documents = line.given, small.origin.documents
    small.origin.epoch = 2
    small.origin.documents = [{**documents[2], "seq": 1}, {**documents[0], "seq": 2}]
    newer = altered(SAMPLE, small.origin.root / "newer.zarr.zip", "newer")
    small.origin.put(newer, c="optical", id="second")
    small.origin.documents = [
        {**each, "seq": number} for number, each in enumerate(small.origin.documents[::-1], 1)
    ]
    small.origin.write()
    small.time.sleep(3600)
    small.run()
    assert small.path().exists()
    assert small.path("third").exists()
    assert small.path("second").read_bytes() == newer.read_bytes()
    assert line.given - given == newer.stat().st_size
    small.origin.drop("third", "withdrawn")
    small.time.sleep(3600)
    small.run()
    assert not small.path("third").exists()


@pytest.mark.parametrize("later", [(), ("new", "newer")], ids=["shorter", "longer"])
def test_a_new_list_that_begins_while_the_relay_runs_is_read_from_the_first(
    small: Relayed, later: tuple[str, ...]
) -> None:
    other = altered(SAMPLE, small.origin.root / "b.zarr.zip")
    small.origin.put(other, c="optical", id="gone")
    with small.running() as runner:
        runner.run(once=True)
        assert small.path("gone").exists()
        small.origin.epoch, small.origin.documents = 2, small.origin.documents[:1]
        small.origin.write()
        for name in later:
            small.origin.put(other, c="optical", id=name)
        for _ in range(2):  # it is noticed, then compared
            small.time.sleep(120)
            runner.run(once=True)
        assert not small.path("gone").exists()
        assert all(small.path(name).exists() for name in ("scene", *later))
    assert all(each.confirmed for each in small.kept())


def test_a_new_list_that_is_still_being_written_drops_nothing(small: Relayed) -> None:
    small.origin.put(altered(SAMPLE, small.origin.root / "b.zarr.zip"), c="optical", id="later")
    small.run()
    given = small.broken().given
    documents = small.origin.documents
    small.origin.epoch, small.origin.whole, small.origin.documents = 2, False, documents[:1]
    small.origin.write()
    for _ in range(2):
        small.run()
        assert small.path("later").exists()
        small.time.sleep(3600)
    small.origin.documents = documents
    small.origin.write()
    small.run()
    small.time.sleep(3600)
    small.origin.whole = True
    small.origin.write()
    small.run()
    assert small.broken().given == given
    assert small.path().exists()
    assert small.path("later").exists()
    assert all(each.confirmed for each in small.kept())


def test_other_subscriptions_have_the_feed_read_again(small: Relayed) -> None:
    small.define(subscription='[[subscription]]\nname = "radar"\ncollections = ["radar"]')
    small.run()
    assert not small.kept()
    small.define()
    small.run()
    assert small.path().exists()


def test_a_scene_of_two_origins_is_of_the_first(small: Relayed, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = FolderOrigin(tmp_path / "second")
    second.put(copy_of(SAMPLE, second, "other"), c="optical", id="scene")
    small.run()
    upstream = FolderUpstream(second.root, Trust(None, second.key.text))
    with running(small.relay, Told(), [("second", upstream)], clock=small.time.clock) as runner:
        runner.run(once=True)
    assert [each.origin for each in small.kept()] == [small.origin.uuid]


def test_an_old_scene_fades_to_its_overview(relayed: Relayed, archive: Path) -> None:
    relayed.define(subscription='[[subscription]]\nname = "all"\nkeep = "30d"')
    relayed.run()
    assert relayed.path().exists()
    relayed.time.sleep(31 * 86_400)
    relayed.run()
    assert not relayed.path().exists()
    with open_archive(relayed.part()) as found:
        assert found.layers == ("head", "coarse")
    assert relayed.part().stat().st_blocks * 512 < 120_000
    given = relayed.broken().given
    relayed.run()
    assert relayed.broken().given == given


def test_a_scene_that_is_kept_so_long_goes(small: Relayed) -> None:
    small.define(subscription='[[subscription]]\nname = "all"\nkeep = "30d"\nfade = "nothing"')
    small.run()
    small.time.sleep(31 * 86_400)
    small.run()
    assert not small.path().exists()
    assert not small.kept()
    small.run()
    assert not small.path().exists()


def test_the_oldest_fade_when_there_is_too_much(relayed: Relayed, archive: Path) -> None:
    relayed.define(subscription=HERE.replace('"area"]', '"all"]'), disk='[disk]\nmost = "2 MB"\nfree = 0')
    relayed.run()
    newer = altered(archive, relayed.origin.root / "newer.zarr.zip")
    relayed.origin.put(newer, id="newer", t=moment(NOW + timedelta(days=1)))
    relayed.run()
    assert relayed.path("newer").exists()
    with open_archive(relayed.part()) as found:
        assert found.layers == ("head", "coarse", "area")


def test_what_is_damaged_on_the_disk_is_found_and_mended(relayed: Relayed, archive: Path) -> None:
    relayed.run()
    data = bytearray(archive.read_bytes())
    data[5000] ^= 1
    relayed.path().write_bytes(data)
    journal = Journal(relayed.root / "relay/relay.sqlite")
    folder = relayed.relay.folder
    (found,) = verify(journal, folder, mend=False)
    assert 0 < found.bad < 100_000
    (found,) = verify(journal, folder, mend=True)
    with open_archive(relayed.part()) as part:
        assert part.layers == ("head", "coarse")
    journal.close()
    given = relayed.broken().given
    relayed.run()
    assert relayed.path().read_bytes() == archive.read_bytes()
    assert relayed.broken().given - given == found.bad


def test_a_file_that_is_lost_comes_again(small: Relayed) -> None:
    small.run()
    small.path().unlink()
    small.run()
    assert small.path().read_bytes() == (small.origin.root / "a.zarr.zip").read_bytes()
    assert any("is no longer there; it is fetched again" in note for note in small.notes)


def test_a_feed_that_is_not_signed_is_not_believed(small: Relayed) -> None:
    path = small.origin.root / "relay/v1/feed/open.ndjson"
    path.write_bytes(path.read_bytes().replace(b'"scene"', b'"other"'))
    small.run()
    assert not small.kept()
    assert any("nothing more is taken from it" in note for note in small.notes)


def test_the_state_is_told(relayed: Relayed, archive: Path) -> None:
    relayed.define(link='[link]\ndaily = "300 kB"')
    relayed.run()
    journal = Journal(relayed.root / "relay/relay.sqlite", create=False)
    found = status(relayed.relay, journal, relayed.time.now)
    journal.close()
    assert found["scenes"] == {"coarse": 1}
    assert 250_000 < found["spent"]["today"] <= found["spent"]["daily"]
    assert found["spent"]["useful"] == found["bytes"]["here"] == relayed.broken().given
    assert [each["layer"] for each in found["coming"]] == ["area", "rest"]
    assert found["coming"][0]["ends"] > moment(NOW + timedelta(days=3))
    assert found["origins"][0]["line"] == 1


def test_an_origin_that_is_not_there_is_waited_for(small: Relayed) -> None:
    shutil.move(small.origin.root, small.root / "away")
    with pytest.raises(UnreachableError, match="is not there; plug in the disk"):
        small.broken()


def test_a_disk_that_is_carried_brings_what_the_link_has_told_of(small: Relayed) -> None:
    """An older copy of the origin on a disk brings archives; later the link brings what is new."""
    from click.testing import CliRunner

    from tileserver.cli.main import cli

    shutil.copytree(small.origin.root, small.root / "disk")
    small.origin.put(altered(SAMPLE, small.origin.root / "b.zarr.zip"), c="optical", id="newer")
    small.define(link="[link]\nwindows = [ { kbps = 0 } ]")
    definition = str(small.root / "RELAY.toml")
    for _ in range(2):  # lines first, as nothing is known; then there is nothing more
        result = CliRunner().invoke(cli, ["relay", "import", definition, str(small.root / "disk")])
        assert result.exit_code == 0, result.output
    assert small.path().read_bytes() == (small.origin.root / "a.zarr.zip").read_bytes()
    small.define()
    small.run()
    assert small.path("newer").exists()
    assert all(Path(href).name != "a.zarr.zip" for href, _, _ in small.broken().reads)
    result = CliRunner().invoke(cli, ["relay", "import", definition, str(small.root / "disk")])
    assert result.exit_code == 0, result.output
    (small.root / "other").mkdir()
    other = FolderOrigin(small.root / "other")
    other.write()
    with pytest.raises(ComeoError, match=r"is of no origin that RELAY\.toml has"):
        CliRunner().invoke(cli, ["relay", "import", definition, str(other.root)], catch_exceptions=False)


def test_the_speed_of_the_line_is_learned(relayed: Relayed, archive: Path) -> None:
    line = relayed.broken()

    def slow(_: int, data: bytes) -> bytes:
        relayed.time.sleep(len(data) / 20_000)
        return data

    line.on_read = slow
    relayed.run()
    journal = Journal(relayed.root / "relay/relay.sqlite")
    assert 18_000 < speed_of_line(journal) < 22_000
    journal.close()


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


def test_an_archive_that_is_refused_holds_up_no_other(
    small: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.origin.put(altered(SAMPLE, small.origin.root / "b.zarr.zip"), c="optical", id="other")
    line = small.broken()
    read = line.read

    def refused(href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        if href == "a.zarr.zip":
            raise UpstreamError("the origin refuses it (403)")
        return read(href, etag, start, stop)

    monkeypatch.setattr(line, "read", refused)
    _run_for(small, 120)
    assert small.path("other").exists()
    monkeypatch.undo()
    _run_for(small, 600)
    assert small.path().exists()


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
        relay, Told(note=messages.append), upstreams, clock=time.clock, ticks=time.ticks, sleep=time.sleep
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
