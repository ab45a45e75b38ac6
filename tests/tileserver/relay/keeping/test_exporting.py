"""A disk that is carried: an origin is copied onto it, in as many goes as it takes, and taken from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from comeo.errors import ComeoError
from tests.tileserver.conftest import Server
from tests.tileserver.listening import listening
from tests.tileserver.relay.feeds import each_line
from tests.tileserver.relay.keeping.relayed import Relayed
from tests.tileserver.relay.origins import FolderOrigin
from tileserver.cli.main import cli
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.exporting import Since, export, reason_against
from tileserver.relay.keeping.notices import Notices
from tileserver.relay.upstream import FolderUpstream

SAMPLES = Path(__file__).resolve().parents[4] / "samples"
NAMES = ("S2_romania_2016-03-18", "S2_romania_2016-05-07", "S2_romania_2016-08-05")


def add(origin: FolderOrigin, name: str) -> bytes:
    folder = origin.root / "archives"
    folder.mkdir(exist_ok=True)
    path = Path(shutil.copy(SAMPLES / f"{name}.zarr.zip", folder))
    origin.put(path)
    return path.read_bytes()


@pytest.fixture
def origin(tmp_path: Path) -> FolderOrigin:
    """An origin of three small archives."""
    (tmp_path / "origin").mkdir()
    made = FolderOrigin(tmp_path / "origin")
    for name in NAMES:
        add(made, name)
    return made


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "disk"


class Watched(FolderUpstream):
    """An origin that takes down what is read of it, and whose power fails after some bytes."""

    def __init__(self, origin: FolderOrigin) -> None:
        super().__init__(origin.root, Trust(None, origin.key.text))
        self.reads: list[tuple[str, int]] = []
        self.left = 1 << 40

    def read(self, href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        self.reads.append((Path(href).name.split(".")[0], start))
        for whole in super().read(href, etag, start, stop):
            for piece in (whole[place : place + 1000] for place in range(0, len(whole), 1000)):
                if self.left < len(piece):
                    raise KeyboardInterrupt
                self.left -= len(piece)
                yield piece


def copied(
    upstream: FolderUpstream, disk: Path, since: Since = 0, most: int | None = None
) -> tuple[int, int, int]:
    """Archives that are on a disk now, bytes that were written, and archives without room."""
    done = export(upstream, disk, since, most, Notices())
    assert done.refused == []
    return done.archives, done.new, done.left


def size(name: str) -> int:
    return (SAMPLES / f"{name}.zarr.zip").stat().st_size


def taken(origin: FolderOrigin, disk: Path, tmp_path: Path) -> dict[str, bytes]:
    """What a relay whose line is down takes from a disk."""
    relayed = Relayed(origin, tmp_path / "far")
    relayed.root.mkdir(exist_ok=True)
    relayed.define(url="https://origin.invalid/")
    words = ["relay", "import", str(relayed.root / "RELAY.toml"), str(disk)]
    said = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    found = (relayed.root / "relay/archives").rglob("*.zarr.zip")
    return {path.name.split(".")[0]: path.read_bytes() for path in found}


def originals(*names: str) -> dict[str, bytes]:
    return {name: (SAMPLES / f"{name}.zarr.zip").read_bytes() for name in names}


def test_what_is_exported_is_imported_elsewhere(origin: FolderOrigin, disk: Path, tmp_path: Path) -> None:
    words = ["relay", "export", str(origin.root), str(disk), "--since", "LAST", "--max", "64G"]
    said = CliRunner().invoke(cli, [*words, "--key", origin.key.text], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert "3 archives" in said.output
    for path in disk.rglob("*"):
        assert reason_against(path.relative_to(disk).as_posix()) is None
    assert taken(origin, disk, tmp_path) == originals(*NAMES)
    again = CliRunner().invoke(cli, words[:4], catch_exceptions=False)
    assert "0 of them new" in again.output


def test_a_cut_leaves_what_can_be_imported_and_is_gone_on_from(
    origin: FolderOrigin, disk: Path, tmp_path: Path
) -> None:
    upstream = Watched(origin)
    upstream.left = size(NAMES[2]) + 4000
    with pytest.raises(KeyboardInterrupt):
        copied(upstream, disk)
    assert taken(origin, disk, tmp_path) == originals(NAMES[2]), "the newest, and no half of the next"
    upstream.left = 1 << 40
    assert copied(upstream, disk) == (3, size(NAMES[1]) - 4000 + size(NAMES[0]), 0)
    assert upstream.reads == [(NAMES[2], 0), (NAMES[1], 0), (NAMES[1], 4000), (NAMES[0], 0)]
    assert not [*disk.rglob("*.part")]
    assert taken(origin, disk, tmp_path) == originals(*NAMES)


def test_a_part_that_is_not_what_was_sent_is_sent_anew(origin: FolderOrigin, disk: Path) -> None:
    """As a cut of power leaves on file systems without a journal."""
    upstream = Watched(origin)
    upstream.left = 5000
    with pytest.raises(KeyboardInterrupt):
        copied(upstream, disk)
    (part,) = disk.rglob("*.part")
    part.write_bytes(b"\0" * 5000)
    upstream.left = 1 << 40
    copied(upstream, disk)
    assert (disk / "archives" / f"{NAMES[2]}.zarr.zip").read_bytes() == originals(NAMES[2])[NAMES[2]]


def test_without_room_for_all_the_newest_come(origin: FolderOrigin, disk: Path, tmp_path: Path) -> None:
    most = size(NAMES[2]) + size(NAMES[1])
    assert copied(Watched(origin), disk, "last", most) == (2, most, 1)
    assert taken(origin, disk, tmp_path) == originals(NAMES[1], NAMES[2])
    assert copied(Watched(origin), disk, "last") == (3, size(NAMES[0]), 0), (
        "what was left counts as new still"
    )


def test_since_the_last_time_only_what_is_new_comes(origin: FolderOrigin, disk: Path, tmp_path: Path) -> None:
    copied(Watched(origin), disk, "last")
    before = taken(origin, disk, tmp_path)
    shutil.rmtree(disk / "archives")  # it has come back empty
    new = "S2_romania_2016-08-25"
    add(origin, new)
    origin.drop(NAMES[0], "expired")
    assert copied(Watched(origin), disk, "last") == (1, size(new), 0)
    assert taken(origin, disk, tmp_path) == {**before, **originals(new)}
    assert copied(Watched(origin), disk, 2)[0] == 2, (
        "as asked: lines behind the second, without what was dropped"
    )


def test_another_epoch_and_another_origin(origin: FolderOrigin, disk: Path, tmp_path: Path) -> None:
    copied(Watched(origin), disk)
    origin.epoch = 2
    origin.write()
    assert copied(Watched(origin), disk, "last") == (3, 0, 0)
    assert FolderUpstream(disk, Trust()).index().epoch == 2
    (tmp_path / "other").mkdir()
    other = FolderOrigin(tmp_path / "other")
    other.write()
    with pytest.raises(ComeoError, match="is a copy of another origin"):
        copied(Watched(other), disk)


def test_what_is_published_is_no_disk(origin: FolderOrigin) -> None:
    words = ["relay", "export", str(origin.root), str(origin.root / "x")]
    with pytest.raises(ComeoError, match=r"lies in .*, which is published"):
        CliRunner().invoke(cli, words, catch_exceptions=False)


def test_segments_are_copied_once(published: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = FolderUpstream(published, Trust())
    done = export(upstream, disk, 0, None, Notices())
    assert [*each_line(disk)] == [*each_line(published)]
    assert len(done.refused) == 7, "this origin has lost its archives"
    get, asked = upstream._get, list[str]()

    def noted(path: str, most: int) -> bytes:
        asked.append(path)
        return get(path, most)

    monkeypatch.setattr(upstream, "_get", noted)
    export(upstream, disk, 0, None, Notices())
    assert asked
    assert not [path for path in asked if path.endswith(".zst")]


def test_a_server_is_copied_like_a_folder(server: Server, disk: Path, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    shutil.copy(SAMPLES / f"{NAMES[0]}.zarr.zip", tmp_path / "served")
    client = server(tmp_path / "served", relay=True, relay_folder=tmp_path / "private", threads=2)
    with listening(client.application) as port:
        words = ["relay", "export", f"http://127.0.0.1:{port}/", str(disk)]
        said = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert "1 archives" in said.output
    (archive,) = disk.rglob("archive")
    assert archive.read_bytes() == originals(NAMES[0])[NAMES[0]]


@pytest.mark.parametrize(
    "href", ["a/CON", "nul.zip", "a%3Cb", "x%22", "a%2A.zip", "dir./x", "x%20", "lpt1.zarr.zip", "n" * 245]
)
def test_names_that_such_a_disk_cannot_have(href: str) -> None:
    assert reason_against(href) is not None


def test_two_archives_of_one_name_on_such_a_disk(tmp_path: Path, disk: Path) -> None:
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    for folder, name in (("a", NAMES[0]), ("A", NAMES[1])):
        (origin.root / folder).mkdir()
        origin.put(Path(shutil.copy(SAMPLES / f"{name}.zarr.zip", origin.root / folder / "x.zarr.zip")))
    done = export(Watched(origin), disk, 0, None, Notices())
    assert done.archives == 1
    assert "are one name on such a disk" in done.refused[0]
