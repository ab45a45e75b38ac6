"""Scenes that are replaced, dropped, told anew, wanted no more, or let go of."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from comeo.archive import open_archive
from comeo.errors import ComeoError
from tests.tileserver.relay.keeping.relayed import HERE, SAMPLE, Relayed, altered, copy_of
from tests.tileserver.relay.origins import NOW, FolderOrigin
from tileserver.relay.errors import UnreachableError
from tileserver.relay.feed.lines import moment
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.assembly import running
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.notices import Notices
from tileserver.relay.keeping.status import speed_of_line, status
from tileserver.relay.keeping.verifying import verify
from tileserver.relay.upstream.folder import FolderUpstream


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
            small.origin.put(
                altered(SAMPLE, small.origin.root / f"{name}.zarr.zip", name), c="optical", id=name
            )
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
    with running(small.relay, Notices(), [("second", upstream)], clock=small.time.clock) as runner:
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
