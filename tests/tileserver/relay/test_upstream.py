"""Upstreams are taken from as far as they can be believed: what is wrong with them is said in a sentence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from comeo.archive import open_archive
from comeo.errors import ComeoError
from tests.buckets import Bucket
from tests.tileserver.relay.conftest import SCENES
from tests.tileserver.relay.feeds import SHORT, make_log, origin, put
from tests.tileserver.relay.hostile import files_of, serving
from tileserver.relay.feed.keys import SigningKey
from tileserver.relay.feed.layout import FEED, INDEX, OPEN
from tileserver.relay.feed.lines import PutLine, write_index, write_line
from tileserver.relay.feed.packing import pack
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream import (
    BucketUpstream,
    ChangedError,
    FeedError,
    FolderUpstream,
    HttpUpstream,
    NewEpochError,
    RewoundError,
    UnreachableError,
    Upstream,
    UpstreamError,
)

SAMPLE = Path(__file__).resolve().parents[3] / "samples/S2_romania_2016-08-25.zarr.zip"
OTHER = SAMPLE.with_name("S2_romania_2016-08-05.zarr.zip")
pytestmark = pytest.mark.usefixtures("short_segments")


Made = Callable[[Path, Trust], Upstream]


class Mirrored(BucketUpstream):
    """A bucket that has what a folder has, whenever it is asked."""

    def __init__(self, folder: Path, bucket: Bucket, trust: Trust) -> None:
        super().__init__(bucket.address("a b"), trust)
        self._folder, self._bucket = folder, bucket

    def read(self, href: str, etag: str, start: int, stop: int) -> Iterator[bytes]:
        self._mirror()
        return super().read(href, etag, start, stop)

    def part_of_model(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        self._mirror()
        return super().part_of_model(sha256, start, stop)

    def _get(self, path: str, most: int) -> bytes:
        self._mirror()
        return super()._get(path, most)

    def _mirror(self) -> None:
        found = {
            f"a b/{path.relative_to(self._folder)}": path
            for path in self._folder.rglob("*")
            if path.is_file()
        }
        for page in self._bucket.client.list("a b"):
            for key in {one["path"] for one in page} - set(found):
                self._bucket.delete(key)
        for key, path in found.items():
            self._bucket.put(key, path)


@pytest.fixture(params=["folder", "server", "bucket"])
def upstream_of(request: pytest.FixtureRequest) -> Iterator[Made]:
    """Makes upstreams of a folder, which is read as it is, by way of a web server, or in a bucket."""
    running: list[Any] = []
    bucket: Bucket | None = request.getfixturevalue("bucket") if request.param == "bucket" else None

    def make(folder: Path, trust: Trust) -> Upstream:
        if request.param == "folder":
            return FolderUpstream(folder, trust)
        if bucket is not None:
            return Mirrored(folder, bucket, trust)
        server = serving(files_of(folder))
        running.append(server)
        return HttpUpstream(server.__enter__(), trust)

    yield make
    for server in running:
        server.__exit__(None, None, None)


def rewrite(folder: Path, change: Callable[[list[bytes]], Iterable[bytes]], name: str = OPEN) -> None:
    """Change the lines of a file of the feed."""
    path = folder / name
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def test_lines_come_in_their_order_from_anywhere(published: Path, upstream_of: Made) -> None:
    upstream = upstream_of(published, Trust())
    everything = list(upstream.lines(0))
    assert [line.seq for line in everything] == list(range(1, 10))
    assert [line.id for line in everything if isinstance(line, PutLine)] == SCENES
    for after in range(10):
        assert list(upstream.lines(after)) == everything[after:]
    assert upstream.wire.received > 1000


def test_a_feed_that_goes_on_while_it_is_read(published: Path, tmp_path: Path, upstream_of: Made) -> None:
    """Segments close between the index and the open one: nothing is wrong with that."""
    upstream = upstream_of(published, Trust())
    came = []
    for line in upstream.lines(0):
        came.append(line.seq)
        if line.seq == 5:
            writer = make_log(tmp_path)
            with writer.writing():
                writer.tell([put(f"later-{number}") for number in range(5)])
    assert came == list(range(1, came[-1] + 1))
    assert came[-1] >= 9
    assert [line.seq for line in upstream.lines(came[-1])] == list(range(came[-1] + 1, 17))


def _other_bbox(lines: list[bytes]) -> list[bytes]:
    document = json.loads(lines[0])
    return [rfc8785.dumps({**document, "bbox": [1, 1, 2, 2]}) + b"\n", *lines[1:]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_other_bbox, "line 9 of the feed is not signed by the origin's key"),
        (lambda lines: [], "are not of one time"),
        (lambda lines: [lines[0][:-5]], "are not of one time"),
        (lambda lines: [b"{}\n"], "are not of one time"),
        (lambda lines: [lines[0][:1] + b'"a":1,' + lines[0][1:]], "is not signed"),
        (lambda lines: [b"[" * 5000 + b"\n"], "are not of one time"),
        (lambda lines: [lines[0][:-2] + b" " * 9000 + b"}\n"], "has more than 8192 bytes"),
        (lambda lines: [b'{"seq":9,"x":NaN,"sig":"x"}\n'], "is not signed"),
    ],
)
def test_lines_that_must_not_be_believed(
    change: Callable[[list[bytes]], Iterable[bytes]], words: str, published: Path, upstream_of: Made
) -> None:
    rewrite(published, change)
    with pytest.raises(UpstreamError, match=words):
        list(upstream_of(published, Trust()).lines(0))


def test_a_line_that_is_no_object(published: Path, upstream_of: Made) -> None:
    name = published / FEED / "000001.ndjson.zst"
    for raw, words in ((b"[1]\n", "is no JSON object"), (b"[" * 5000 + b"\n", "is not JSON")):
        name.write_bytes(pack(raw))
        with pytest.raises(FeedError, match=words):
            list(upstream_of(published, Trust()).lines(0))


@pytest.mark.parametrize(
    ("order", "words"),
    [((0, 2, 1, 3), "has line 3 where 2 is due"), ((0, 0, 1, 2, 3), "has line 1 where 2 is due"),
     ((0, 1, 3), "has line 4 where 3 is due"), ((0, 1, 2), "line 4 of the feed is missing")],
)  # fmt: skip
def test_lines_that_are_left_out_or_out_of_order(
    order: tuple[int, ...], words: str, published: Path, upstream_of: Made
) -> None:
    """Each is signed, and yet the feed is not what the origin has published."""
    every = _lines_of(published, 1)
    name = published / FEED / "000001.ndjson.zst"
    name.write_bytes(pack(b"".join(every[index] for index in order)))
    with pytest.raises(FeedError, match=words):
        list(upstream_of(published, Trust()).lines(0))


def _lines_of(folder: Path, segment: int) -> list[bytes]:
    from tileserver.relay.feed.packing import unpack

    packed = (folder / FEED / f"{segment:06}.ndjson.zst").read_bytes()
    return unpack(packed, 1 << 20, "x").splitlines(keepends=True)


def _forged(folder: Path, private: Path, *documents: dict[str, Any], **index: Any) -> None:
    """Write lines and an index by the origin's own key: an origin that lies."""
    key = SigningKey.open(private / "origin.key")
    known = json.loads((folder / INDEX).read_bytes())
    del known["sig"]
    raw = [write_line(each, known["origin"], known["epoch"], key) for each in documents]
    shutil.rmtree(folder / FEED)
    (folder / FEED).mkdir()
    (folder / OPEN).write_bytes(b"".join(raw))
    (folder / INDEX).write_bytes(write_index({**known, "last": len(raw), **index}, key))


def test_a_check_line_that_says_something_else(tmp_path: Path, upstream_of: Made) -> None:
    folder = origin(tmp_path)
    lines = [{**put(f"s{number}"), "seq": number} for number in range(1, SHORT)]
    _forged(folder, tmp_path / "private", *lines, {"op": "check", "seq": SHORT, "sha256": "0" * 64})
    content = (folder / OPEN).read_bytes()
    (folder / FEED / "000001.ndjson.zst").write_bytes(pack(content))
    with pytest.raises(FeedError, match="are not those that the origin has published"):
        list(upstream_of(folder, Trust()).lines(0))


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"id": "../../etc/passwd"}, "id"), ({"id": "a/b"}, "id"), ({"id": ".hidden"}, "id"),
        ({"id": "nul\0"}, "id"), ({"id": "c:x"}, "id"), ({"c": "..\\up"}, "c: "),
        ({"href": "../secret.zip"}, "below the origin's root"), ({"href": "/etc/passwd"}, "href"),
        ({"href": "http://evil.example/x"}, "href"), ({"href": "a/%2e%2e/b"}, "href"),
        ({"href": "a%2fb"}, "href"), ({"href": "a?b"}, "href"), ({"href": "a//b"}, "href"),
        ({"bytes": 1 << 32}, "bytes"), ({"bytes": 0}, "bytes"), ({"tail": 6000}, "parts do not lie"),
        ({"coarse": 4500}, "parts do not lie"), ({"etag": "A" * 32}, "etag"),
        ({"sha256": "0" * 63}, "sha256"),
        ({"bbox": [0, 91, 1, 92]}, "bbox"), ({"bbox": [0, 2, 1, 1]}, "south lies above"),
        ({"clear_map": "AAAA"}, "clear_map"), ({"cloud": 101}, "cloud"), ({"ratio": 0}, "ratio"),
        ({"t": "yesterday"}, "t: "), ({"model": "../x"}, "model"),
    ],
)  # fmt: skip
def test_an_origin_that_lies_in_lines_of_its_own(
    members: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = origin(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("tileserver.relay.feed.lines._LINE", _Anything())
        _forged(folder, tmp_path / "private", {**put("s"), "seq": 1, **members})
    with pytest.raises(FeedError, match=words):
        list(FolderUpstream(folder, Trust()).lines(0))


class _Anything:
    def validate_json(self, raw: bytes) -> None:
        """Let it pass."""


def test_an_index_that_is_old_foreign_or_unsigned(published: Path, tmp_path: Path, upstream_of: Made) -> None:
    old = shutil.copytree(published, tmp_path / "old")
    writer = make_log(tmp_path)
    with writer.writing():
        writer.tell([put("later")])
    trust = Trust(tmp_path / "kept/trust.json")
    assert upstream_of(published, trust).index().last == 10
    again = Trust(tmp_path / "kept/trust.json")  # as after a restart
    with pytest.raises(RewoundError, match=r"has come to line 9 .* and line 10 .* was seen: it was set back"):
        upstream_of(old, again).index()
    other = origin(tmp_path / "other", "scene")
    with pytest.raises(FeedError, match=r"signs with ed25519:.*, not with ed25519:.*state the new key"):
        upstream_of(other, again).index()
    with pytest.raises(FeedError, match="signs with"):
        upstream_of(published, Trust(key=SigningKey.make().text)).index()
    index = json.loads((published / INDEX).read_bytes())
    (published / INDEX).write_bytes(rfc8785.dumps({**index, "last": 8}))
    with pytest.raises(FeedError, match="is not signed by the key that it names"):
        upstream_of(published, Trust()).index()


def test_another_origin_with_the_same_key_is_another_one(tmp_path: Path) -> None:
    folder = origin(tmp_path, "a")
    trust = Trust()
    FolderUpstream(folder, trust).index()
    _forged(folder, tmp_path / "private", origin="00000000-0000-0000-0000-000000000001")
    with pytest.raises(FeedError, match="there is another origin"):
        FolderUpstream(folder, trust).index()


def test_a_key_that_was_announced_takes_the_place_of_the_former(tmp_path: Path) -> None:
    folder, file = origin(tmp_path, "a"), tmp_path / "trust.json"
    FolderUpstream(folder, Trust(file)).index()
    (tmp_path / "private/origin.key").unlink()
    origin(tmp_path, "a")
    with pytest.raises(FeedError, match="signs with"):
        FolderUpstream(folder, Trust(file)).index()
    stated = SigningKey.open(tmp_path / "private/origin.key").text
    assert FolderUpstream(folder, Trust(file, stated)).index().key == stated
    assert FolderUpstream(folder, Trust(file)).index().key == stated


@pytest.mark.parametrize("key", ["", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 44, "ed25519:" + "!" * 44])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(ComeoError, match="a key is written ed25519: and 44 characters of Base64"):
        Trust(key=key)


def test_a_new_epoch_is_said_once_and_read_from_the_first_line(
    published: Path, tmp_path: Path, upstream_of: Made
) -> None:
    upstream = upstream_of(published, Trust())
    assert upstream.index().last == 9
    (published / INDEX).unlink()
    origin(tmp_path, "a")
    with pytest.raises(NewEpochError, match="begun its log anew"):
        list(upstream.lines(9))
    assert [line.seq for line in upstream.lines(0)] == [1]


def test_a_place_that_the_feed_does_not_reach(published: Path, upstream_of: Made) -> None:
    with pytest.raises(RewoundError, match="ends with line 9, and 12 was seen"):
        list(upstream_of(published, Trust()).lines(12))


def test_a_compressed_bomb_is_not_unpacked(published: Path, upstream_of: Made) -> None:
    bomb = pack(b"\n" * (64 << 20))
    (published / FEED / "000001.ndjson.zst").write_bytes(bomb)
    assert len(bomb) < 100_000
    with pytest.raises(FeedError, match="unpacks to more than 8192000 bytes"):
        list(upstream_of(published, Trust()).lines(0))
    (published / FEED / "000001.ndjson.zst").write_bytes(bomb[:100])
    with pytest.raises(FeedError, match=r"cut short|unpacks to more"):
        list(upstream_of(published, Trust()).lines(0))


@pytest.fixture
def archived(tmp_path: Path) -> Path:
    """A folder with an archive, and a feed of it."""
    public = origin(tmp_path)
    shutil.copy(SAMPLE, public / "scene.zarr.zip")
    return public


def test_bytes_of_an_archive(archived: Path, upstream_of: Made) -> None:
    data = SAMPLE.read_bytes()
    with open_archive(SAMPLE) as archive:
        etag = archive.etag
    upstream = upstream_of(archived, Trust())
    for start, stop in ((0, len(data)), (0, 1), (1000, 9000), (len(data) - 1, len(data))):
        pieces = list(upstream.read("scene.zarr.zip", etag, start, stop))
        assert b"".join(pieces) == data[start:stop]
        assert max(map(len, pieces)) <= 1 << 16
    with pytest.raises(ChangedError, match=r"scene\.zarr\.zip"):
        list(upstream.read("scene.zarr.zip", etag, len(data), len(data) + 5))
    with pytest.raises(UpstreamError, match="below the origin's root"):
        list(upstream.read("../private/origin.key", etag, 0, 1))
    with pytest.raises(UpstreamError, match=r"no gone\.zarr\.zip"):
        list(upstream.read("gone.zarr.zip", etag, 0, 1))
    os.utime(archived / "scene.zarr.zip", ns=(1, 1))
    (archived / "scene.zarr.zip").write_bytes(data[:-1] + b"\1")
    with pytest.raises(ChangedError, match=r"scene\.zarr\.zip"):
        list(upstream.read("scene.zarr.zip", etag, 0, 10))
    (archived / "scene.zarr.zip").write_bytes(OTHER.read_bytes())
    with open_archive(OTHER) as archive:
        new = archive.etag
    assert b"".join(upstream.read("scene.zarr.zip", new, 0, 10)) == OTHER.read_bytes()[:10]
    with pytest.raises(ChangedError, match=r"scene\.zarr\.zip"):
        list(upstream.read("scene.zarr.zip", etag, 0, 10))


def test_parts_of_a_model(archived: Path, upstream_of: Made) -> None:
    digest, data = "ab" * 32, bytes(range(251)) * 600
    (archived / "relay/v1/models").mkdir(exist_ok=True)
    (archived / f"relay/v1/models/{digest}").write_bytes(data)
    upstream, size = upstream_of(archived, Trust()), len(data)
    for start, stop in ((0, 9), (1000, 100_000), (size - 5, size + 5), (size, size + 9)):
        assert b"".join(upstream.part_of_model(digest, start, stop)) == data[start:stop]
    with pytest.raises(UpstreamError, match="0" * 64 + "|404"):
        list(upstream.part_of_model("0" * 64, 0, 9))


def test_a_folder_does_not_follow_links_that_leave_it(archived: Path, tmp_path: Path) -> None:
    upstream = FolderUpstream(archived, Trust())
    (tmp_path / "secret").write_text("secret")
    (archived / "link").symlink_to(tmp_path / "secret")
    (archived / "out").symlink_to(tmp_path)
    for href in ("link", "out/secret"):
        with pytest.raises(UpstreamError, match="is a link that leaves the folder"):
            list(upstream.read(href, "0" * 32, 0, 1))
    (archived / INDEX).unlink()
    (archived / INDEX).symlink_to(tmp_path / "secret")
    with pytest.raises(UpstreamError, match="is a link that leaves the folder"):
        upstream.index()
    (archived / INDEX).unlink()
    os.mkfifo(archived / INDEX)
    with pytest.raises(UpstreamError, match="not a regular file"):
        upstream.index()


def test_a_disk_that_is_not_plugged_in(archived: Path, tmp_path: Path) -> None:
    upstream = FolderUpstream(f"file://{archived}", Trust())
    assert upstream.index().last == 0
    archived.rename(tmp_path / "away")
    with pytest.raises(UnreachableError):
        upstream.index()
    with pytest.raises(UnreachableError, match="plug in the disk"):
        FolderUpstream(archived, Trust())
    with pytest.raises(ComeoError, match="is no folder of this machine"):
        FolderUpstream("file://server/share", Trust())


@pytest.mark.parametrize("address", ["", "ftp://x/", "http://", "http://x/?a=b", "http://[::1", "file:///x"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(ComeoError, match="is no address of an origin"):
        HttpUpstream(address, Trust())


def test_credentials_are_in_no_message() -> None:
    with pytest.raises(UnreachableError) as caught:
        HttpUpstream("http://user:secret@127.0.0.1:9/", Trust()).index()
    assert "secret" not in str(caught.value)


def test_bytes_on_the_wire_are_those_of_the_connection(published: Path) -> None:
    """No fewer than what HTTP has, and little more."""
    seen = []

    def counting(path: str, headers: dict[str, str]) -> Iterable[bytes]:
        pieces = list(files_of(published)(path, headers))
        seen.append(sum(map(len, pieces)))
        return pieces

    with serving(counting) as address:
        upstream = HttpUpstream(address, Trust())
        list(upstream.lines(0))
    assert sum(seen) <= upstream.wire.received <= sum(seen) * 1.04 + len(seen) * 600
    assert upstream.wire.total > upstream.wire.received


def test_a_segment_that_was_closed_by_a_writer_that_was_killed(
    published: Path, tmp_path: Path, upstream_of: Made
) -> None:
    """Before it wrote the index: that tells of lines which are in the closed segment by now."""
    before = (published / INDEX).read_bytes()
    lines = list(FolderUpstream(published, Trust()).lines(0))
    with make_log(tmp_path).writing() as held:
        assert held
    log = make_log(tmp_path)
    with log.writing():
        log.tell([put(f"more-{number}") for number in range(4)])
    (published / INDEX).write_bytes(before)
    upstream = upstream_of(published, Trust())
    assert list(upstream.lines(0)) == lines
    assert dict(upstream.files(lambda _: False))[INDEX] == before  # type: ignore[attr-defined]


def test_an_object_that_is_replaced_while_it_is_read(bucket: Bucket) -> None:
    upstream = BucketUpstream(bucket.address("data"), Trust())
    bucket.put("data/a.zarr.zip", b"a" * 1000)
    assert b"".join(upstream.read("a.zarr.zip", "0" * 32, 0, 500)) == b"a" * 500
    bucket.put("data/a.zarr.zip", b"b" * 1000)
    for _ in range(2):
        with pytest.raises(ChangedError, match="changed while it was in use"):
            list(upstream.read("a.zarr.zip", "0" * 32, 500, 1000))
    assert b"".join(upstream.read("a.zarr.zip", "1" * 32, 500, 1000)) == b"b" * 500
    bucket.delete("data/a.zarr.zip")
    with pytest.raises(ChangedError, match="has no a"):
        list(upstream.read("a.zarr.zip", "0" * 32, 500, 1000))


def test_a_bucket_that_is_not_there_or_refuses(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UpstreamError, match=r"see whether `comeo relay publish` has written a feed there"):
        BucketUpstream(bucket.address(), Trust()).index()
    bucket.put(INDEX, b"x" * 100_000)
    with pytest.raises(UpstreamError, match="more than 65536 bytes"):
        BucketUpstream(bucket.address(), Trust()).index()
    with pytest.raises(ComeoError, match="an address in a bucket is"):
        BucketUpstream("s3://Bad/a", Trust())
    bucket.put("a.zarr.zip", b"archive")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(UnreachableError, match="the store refuses"):
        list(BucketUpstream(bucket.address(), Trust()).read("a.zarr.zip", "0" * 32, 0, 5))


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nkey ed25519:other", "a\u2028b"])
def test_a_name_that_would_write_over_a_terminal(name: str, published: Path, tmp_path: Path) -> None:
    index = json.loads((published / INDEX).read_bytes())
    key = SigningKey.open(tmp_path / "private/origin.key")
    document = {**{part: value for part, value in index.items() if part != "sig"}, "name": name}
    (published / INDEX).write_bytes(rfc8785.dumps({**document, "sig": key.sign("index", document)}))
    with pytest.raises(FeedError, match="cannot be believed: name"):
        FolderUpstream(published, Trust()).index()


def test_a_cache_that_keeps_segments_of_a_former_epoch(published: Path, tmp_path: Path) -> None:
    files, kept = files_of(published), dict[str, list[bytes]]()

    def cached(path: str, headers: dict[str, str]) -> Iterable[bytes]:
        if ".ndjson.zst" not in path:
            return files(path, headers)
        return kept.setdefault(path, [*files(path, headers)])

    with serving(cached) as address:
        assert len([*HttpUpstream(address, Trust()).lines(0)]) == 9
        (published / INDEX).unlink()
        for path in (published / FEED).glob("*.zst"):
            path.unlink()
        origin(tmp_path, *(f"new-{number}" for number in range(7)))
        first, *_ = HttpUpstream(address, Trust()).lines(0)
    assert isinstance(first, PutLine)
    assert first.id == "new-0"
    assert len(kept) >= 2
