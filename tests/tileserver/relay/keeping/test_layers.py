"""A scene comes layer by layer; what is damaged on the way is found; cuts cost nothing."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from comeo.archive import open_archive
from comeo.errors import NotHereError
from comeo.scene import Window
from tests.tileserver.relay.keeping.relayed import HERE, Relayed
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import SPEED, Journal
from tileserver.relay.keeping.runner import Runner


def test_all_of_a_scene_comes_as_it_was(relayed: Relayed, archive: Path) -> None:
    relayed.run()
    assert relayed.path().read_bytes() == archive.read_bytes()
    assert not relayed.part().exists()
    assert [each.state for each in relayed.kept()] == ["whole"]
    assert [note.removeprefix("scene: ") for note in relayed.notes] == [
        "head is here", "coarse is here", "area is here",
    ]  # fmt: skip
    line = relayed.broken()
    assert line.given == archive.stat().st_size
    relayed.run()
    assert line.given == archive.stat().st_size


def test_an_area_comes_sharp_and_nothing_else(relayed: Relayed, archive: Path) -> None:
    relayed.define(subscription=HERE)
    relayed.run()
    with open_archive(relayed.part()) as found, open_archive(archive) as whole:
        assert found.layers == ("head", "coarse", "area")
        assert 0.06 < found.completeness < 0.2
        level, same = (one.groups["r10m"].levels[0] for one in (found, whole))
        window = Window(700, 300, 64, 64)
        assert np.array_equal(found.read(level, window), whole.read(same, window))
        coarse, same = (one.groups["r10m"].levels[1] for one in (found, whole))
        everything = Window(0, 0, coarse.height, coarse.width)
        assert np.array_equal(found.read(coarse, everything), whole.read(same, everything))
        with pytest.raises(NotHereError):
            found.read(level, Window(2000, 2000, 64, 64))
        assert found.whole_etag == whole.etag
    assert relayed.broken().given < 1.15 * relayed.kept()[0].published


def test_layers_appear_as_a_whole(relayed: Relayed, archive: Path) -> None:
    """Whenever the line is cut, readers see layers that are here, and no other byte."""
    relayed.define(subscription=HERE.replace('area"]', 'all"]'))
    line, seen = relayed.broken(), set()
    pieces = 0

    def look(_: int, data: bytes) -> bytes:
        nonlocal pieces
        pieces += 1
        if relayed.part().exists() and relayed.kept()[0].layers:
            with open_archive(relayed.part()) as found:
                assert found.layers == relayed.kept()[0].layers
                assert found.completeness == pytest.approx(
                    relayed.kept()[0].published / archive.stat().st_size
                )
                seen.add(found.layers)
        return data if pieces % 2 else data[:1000]

    line.on_read = look
    relayed.run_through()
    assert seen == {("head",), ("head", "coarse"), ("head", "coarse", "area")}
    assert relayed.path().read_bytes() == archive.read_bytes()
    assert line.given == archive.stat().st_size  # nothing came twice


@pytest.mark.parametrize("seed", range(6))
def test_cuts_cost_no_byte(relayed: Relayed, archive: Path, seed: int) -> None:
    chance, line = random.Random(seed), relayed.broken()
    line.on_read = lambda _, data: data[: chance.randint(0, len(data))] if chance.random() < 0.4 else data
    relayed.run_through()
    assert relayed.path().read_bytes() == archive.read_bytes()
    assert line.given == archive.stat().st_size


def test_a_line_that_is_back_is_found_within_two_seconds(relayed: Relayed) -> None:
    line, time = relayed.broken(), relayed.time
    back_at = time.seconds + 300
    resumed = []

    def cut(_: int, data: bytes) -> bytes:
        if time.seconds < back_at:
            return b""
        resumed.append(time.seconds)
        return data

    def sleep(seconds: float) -> None:
        if relayed.path().exists():
            raise KeyboardInterrupt
        time.sleep(seconds)

    line.on_read = cut
    with pytest.raises(KeyboardInterrupt), relayed.running(sleep=sleep) as runner:
        runner.run()
    assert back_at <= resumed[0] <= back_at + 2
    assert sum("the link broke" in note for note in relayed.notes) < 7  # not at each of 200 tries


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_are_found(relayed: Relayed, archive: Path, seed: int) -> None:
    """Wherever a byte is flipped on the way, it is asked for again."""
    chance, line = random.Random(seed), relayed.broken()
    at = chance.randrange(archive.stat().st_size)
    flipped: list[int] = []

    def flip(place: int, data: bytes) -> bytes:
        if not flipped and place <= at < place + len(data):
            flipped.append(at)
            changed = bytearray(data)
            changed[at - place] ^= 1 << chance.randrange(8)
            return bytes(changed)
        return data

    line.on_read = flip
    relayed.run()
    assert flipped
    assert relayed.path().read_bytes() == archive.read_bytes()
    assert any("came damaged; they are asked for again" in note for note in relayed.notes)


@pytest.mark.parametrize(
    ("where", "layers"), [("tail", ()), ("coarse", ("head",)), ("native", ("head", "coarse"))]
)
def test_a_scene_that_is_always_damaged_is_marked(
    relayed: Relayed, where: str, layers: tuple[str, ...]
) -> None:
    (document,) = relayed.origin.documents
    at = {"tail": document["bytes"] - 100, "coarse": document["coarse"] + 500, "native": 5000}[where]

    def flip(place: int, data: bytes) -> bytes:
        changed = bytearray(data)
        if place <= at < place + len(data):
            changed[at - place] ^= 255
        return bytes(changed)

    relayed.broken().on_read = flip
    relayed.run()
    (kept,) = relayed.kept()
    assert (kept.state, kept.layers) == ("faulty", layers)
    assert "came damaged 3 times" in (kept.problem or "")
    assert any("it is not asked for again" in note for note in relayed.notes)
    assert sum(start <= at < stop for _, start, stop in relayed.broken().reads) == 3
    count = len(relayed.broken().reads)
    relayed.run()
    assert len(relayed.broken().reads) == count
    if layers:
        with open_archive(relayed.part()) as found:
            assert found.layers == layers


def test_another_archive_than_was_signed_is_found_at_the_end(relayed: Relayed) -> None:
    """All checksums fit, and yet it is not what the line says."""
    (document,) = relayed.origin.documents
    document["sha256"] = "0" * 64
    relayed.origin.write()
    relayed.run()
    (kept,) = relayed.kept()
    assert kept.state == "faulty"
    assert not relayed.path().exists()


def test_what_a_quota_allows_comes_and_the_rest_the_next_day(relayed: Relayed, archive: Path) -> None:
    relayed.define(link='[link]\ndaily = "300 kB"')
    line = relayed.broken()
    days = []
    for _ in range(6):
        before = line.wire.total
        relayed.run()
        days.append(line.wire.total - before)
        relayed.run()  # remembered: nothing more comes on this day
        assert line.wire.total - before - days[-1] < 2000
        relayed.time.sleep(86_400)
        if relayed.path().exists():
            break
    assert len(days) == 5
    assert all(250_000 < count <= 302_000 for count in days[:-1])
    assert relayed.path().read_bytes() == archive.read_bytes()
    assert line.given == archive.stat().st_size


def test_a_window_holds_its_rate(relayed: Relayed) -> None:
    relayed.define(link="[link]\nwindows = [ { kbps = 64 } ]")
    before = relayed.time.seconds
    relayed.run()
    assert relayed.path().exists()
    size = relayed.path().stat().st_size
    assert relayed.time.seconds - before == pytest.approx(size / 8000, rel=0.1)


def test_a_closed_link_is_not_used(relayed: Relayed) -> None:
    relayed.define(link='[link]\nwindows = [ { from = "01:00", to = "02:00" } ]')  # it is 12:00
    relayed.run()
    assert not relayed.broken().wire.total
    relayed.time.sleep(13.2 * 3600)
    relayed.run()
    assert relayed.path().exists()


def test_only_one_runs(relayed: Relayed) -> None:
    with relayed.running() as runner:
        assert isinstance(runner, Runner)
        with pytest.raises(Exception, match="has a relay running already; end that one first"):
            relayed.run()


def test_there_has_to_be_room(relayed: Relayed) -> None:
    relayed.define(disk='[disk]\nmost = "100 kB"\nfree = 0')
    relayed.run()
    (kept,) = relayed.kept()
    assert kept.layers == ("head", "coarse")
    assert any("has no room for" in note for note in relayed.notes)


@pytest.mark.parametrize(("speed", "together"), [(None, False), (1_000, False), (1_000_000, True)])
def test_overviews_come_with_their_head_where_that_is_sooner(
    relayed: Relayed, archive: Path, speed: int | None, together: bool
) -> None:
    """Packed, a head takes fewer bytes, and on a quick line that is far the request takes longer."""
    relayed.origin.documents.clear()
    line = relayed.origin.put(relayed.origin.root / "scene.zarr.zip", pack=True)
    relayed.define(subscription='[[subscription]]\nname = "all"\nlayers = ["coarse"]')
    folder = Folder(relayed.root / "relay")
    folder.make()
    if speed is not None:
        journal = Journal(folder.journal)
        journal.set_fact(SPEED, str(speed))
        journal.close()
    relayed.run()
    (kept,) = relayed.kept()
    assert kept.layers == ("head", "coarse")
    assert [note.removeprefix("scene: ") for note in relayed.notes] == ["head is here", "coarse is here"]
    reads = [(start, stop) for _, start, stop in relayed.broken().reads]
    assert reads == [(line["coarse"], line["bytes"] if together else line["tail"])]
    assert len(relayed.broken().heads) == (0 if together else 1)
