"""Archives over HTTP: the same pixels from few bytes, and a sentence whatever a server does."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from comeo.archive import open_archive
from comeo.archive.stores import remote
from comeo.archive.stores.file import TAIL_BYTES
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.scene import Window
from tests.comeo.archive.ranges import Answer, Misdeed, serving
from tests.scenes import array_group, array_scene, corner_cut, landscape

SIDE = 1500


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = landscape(3, SIDE, SIDE)
    scene = array_scene(array_group(values, corner_cut(values.shape)))
    return compress(scene, tmp_path_factory.mktemp("remote") / "a.zarr.zip", step=20.0)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_PAUSE_SECONDS", 0.001)


def test_a_remote_archive_is_the_same(path: Path) -> None:
    with serving(path.read_bytes()) as server, open_archive(server.url) as far, open_archive(path) as near:
        assert far.info() == near.info()
        assert far.item == near.item
        assert far.etag == near.etag
        for group in near.groups.values():
            for level in group.levels:
                whole = Window(0, 0, level.height, level.width)
                np.testing.assert_array_equal(far.read(level, whole), near.read(level, whole))


def test_only_what_is_looked_at_is_fetched(path: Path) -> None:
    content = path.read_bytes()
    assert len(content) > 1_000_000
    with serving(content) as server, open_archive(server.url) as archive:
        assert len(server.ranges) == 1
        assert server.sent == TAIL_BYTES
        level = archive.groups["r10m"].levels[0]
        archive.read(level, Window(10, 10, 100, 100))
        opened = server.sent
        assert len(server.ranges) <= 4
        assert opened < TAIL_BYTES + len(content) / 20
        archive.read(level, Window(20, 20, 1, 1))  # the block again, but not the index
        assert len(server.ranges) <= 5


def test_a_shards_header_and_index_are_fetched_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once; the payload of a block is the next request, and the last."""
    monkeypatch.setattr(remote, "TAIL_BYTES", 100)
    with zipfile.ZipFile(path) as archive_zip:
        shard = archive_zip.getinfo("r10m/0/data/c/0/0/0")
    start = shard.header_offset + 30 + len(shard.filename)
    with serving(path.read_bytes()) as server, open_archive(server.url) as archive:
        before = len(server.ranges)
        assert archive.payload(archive.groups["r10m"].levels[0], 0, 0)
        *both, payload = server.ranges[before:]
        header, index = sorted(both)
        assert header == (shard.header_offset, start)
        assert index[1] == start + shard.file_size
        assert payload[1] < index[0]


def test_blocks_beside_each_other_are_fetched_at_once(path: Path) -> None:
    with serving(path.read_bytes()) as server, open_archive(server.url) as archive:
        level = archive.groups["r10m"].levels[0]
        archive.read(level, Window(0, 0, 1, 1))
        before = len(server.ranges)
        archive.read(level, Window(0, 0, 1, 1024))
        assert len(server.ranges) == before + 1


def test_a_directory_longer_than_the_tail_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "TAIL_BYTES", 100)
    with serving(path.read_bytes()) as server, open_archive(server.url) as far, open_archive(path) as near:
        assert far.info() == near.info()


def test_a_busy_server_is_asked_again(path: Path) -> None:
    def busy_once(answer: Answer, number: int) -> Answer:
        return Answer(503, {}, b"") if number == 1 else answer

    with serving(path.read_bytes(), busy_once) as server, open_archive(server.url) as archive:
        assert archive.id == "test-scene"


def without(name: str) -> Misdeed:
    return lambda answer, _: Answer(
        answer.status, {key: value for key, value in answer.headers.items() if key != name}, answer.body
    )


def given(
    status: int = 206, body: Callable[[bytes], bytes] = bytes, pause: float = 0, **headers: str
) -> Misdeed:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda answer, _: Answer(status, {**answer.headers, **named}, body(answer.body), pause)


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        (given(200), "does not support range requests"),
        (given(404), "answers 404"),
        (given(416), "answers 416"),
        (given(503), "answers 503"),
        (without("Content-Range"), "does not say which bytes"),
        (given(Content_Range="bytes 0-9/*"), "does not say which bytes"),
        (given(Content_Range="bytes 5-2/10"), "other bytes"),
        (given(Content_Range="bytes 0-99999999/100000000"), "other bytes"),
        (given(Content_Range="bytes 99999999999990-99999999999999/100000000000000"), "other bytes"),
        (given(Content_Range=f"bytes 0-{'9' * 5000}/9"), "does not say which bytes"),
        (given(Content_Encoding="gzip"), "does not say which bytes"),
        (given(body=lambda body: body[:-1]), "bytes of"),
        (given(body=lambda body: body[:-1], Content_Length="65536"), "cannot be reached"),
        (given(body=lambda body: body + b"x"), "more than"),
        (given(body=lambda body: bytes(len(body))), "ZIP directory is missing"),
        (given(302, Location="ftp://127.0.0.1/"), "cannot be"),
        (given(302, Location="http://127.0.0.1:1/"), "cannot be reached"),
        (given(302, Location="/"), "cannot be fetched"),
    ],
)
def test_a_server_that_misbehaves_gives_a_sentence(path: Path, misdeed: Misdeed, words: str) -> None:
    with serving(path.read_bytes(), misdeed) as server:
        with pytest.raises(ArchiveError, match=words) as error:
            open_archive(server.url)
        assert "\n" not in str(error.value)
        assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        (given(ETag='"two"'), "has changed"),
        (given(Content_Range="bytes 0-9/10"), "has changed"),
        (given(body=lambda body: bytes(len(body))), "another name where its data lie|damaged"),
    ],
)
def test_a_file_that_changes_is_noticed(path: Path, misdeed: Misdeed, words: str) -> None:
    def later(answer: Answer, number: int) -> Answer:
        return misdeed(answer, number) if number > 1 else answer

    with serving(path.read_bytes(), later) as server:
        corner_is_refused(server.url, words)


def test_a_trickle_is_cut_off(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte every so often keeps each single read from timing out."""
    monkeypatch.setattr(remote, "_PATIENCE_SECONDS", 0.3 - TAIL_BYTES / remote._SLOWEST)
    began = time.monotonic()
    slow = given(pause=0.05)
    with serving(path.read_bytes(), slow) as server, pytest.raises(ArchiveError, match="too slowly"):
        open_archive(server.url)
    assert time.monotonic() - began < 5


def test_damage_is_named_as_on_disk(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    with serving(bytes(content)) as server:
        corner_is_refused(server.url, r"scene.zarr.zip: block \(0, 0\) of r10m/0 is damaged")


def test_entries_that_overlap_what_they_are_not_are_refused(path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(buffer, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, source.read(info))
        shard = next(info for info in target.infolist() if "/c/" in info.filename)
        shard.header_offset += 10
        shard.compress_size = shard.file_size = shard.file_size - 10
    with serving(buffer.getvalue()) as server:
        corner_is_refused(server.url, "another name where its data lie")


@pytest.mark.parametrize(
    "url", ["http://", "http://127.0.0.1:1/a", "http://[::1/a", "https://nowhere.invalid/a", "http://a b/"]
)
def test_addresses_that_lead_nowhere_give_a_sentence(url: str) -> None:
    began = time.monotonic()
    with pytest.raises(ArchiveError):
        open_archive(url)
    assert time.monotonic() - began < 10


def corner_is_refused(url: str, words: str) -> None:
    """The archive opens, and reading its first block fails."""
    with open_archive(url) as archive, pytest.raises(ArchiveError, match=words):
        archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 10, 10))
