"""A feed in a bucket: whoever is killed at whatever write, and whoever else publishes, it reads well."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from comeo.archive.stores import buckets
from comeo.errors import ComeoError
from comeo.places import address_of
from tests.buckets import Bucket
from tests.tileserver.relay.feeds import KilledError, put
from tileserver.catalog.reading import READER
from tileserver.cli.main import cli
from tileserver.relay import publishing
from tileserver.relay.feed.layout import FEED, HEADS, INDEX, OPEN
from tileserver.relay.feed.lines import CheckLine, DropLine, Line, PutLine, told
from tileserver.relay.feed.log import About
from tileserver.relay.feed.trust import Trust
from tileserver.relay.publishing import BucketLog
from tileserver.relay.upstream import BucketUpstream

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
NAMES = ("S2_romania_2016-08-25", "S2_romania_2016-08-05")


@pytest.fixture(autouse=True)
def own_process(object_store: int) -> Iterator[None]:
    """The process that reads archives has the environment of when it was started."""
    READER.close()
    yield
    READER.close()


def run(*words: object) -> str:
    result = CliRunner().invoke(cli, ["relay", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def failing(*words: object) -> str:
    with pytest.raises(ComeoError) as raised:
        CliRunner().invoke(cli, ["relay", *map(str, words)], catch_exceptions=False, standalone_mode=False)
    return str(raised.value)


def log_of(bucket: Bucket, private: Path) -> BucketLog:
    private.mkdir(exist_ok=True)
    return BucketLog(address_of(bucket.address("data")), private, About("Here", "CC-BY-4.0", 0))


def tell(log: BucketLog, *scenes: str, etag: str = "a") -> None:
    """Tell of scenes, with heads, and publish."""
    with log.writing():
        for scene in scenes:
            line = put(scene, etag=etag, packed=4)
            log.keep_head(line["etag"], b"head")
            log.tell([line])


def lines_of(bucket: Bucket) -> list[Line]:
    """All lines as a reader finds them who checks all."""
    return list(BucketUpstream(bucket.address("data"), Trust()).lines(0))


def scenes_of(bucket: Bucket) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines_of(bucket):
        content = told(line)
        if isinstance(content, PutLine):
            found[content.id] = content.etag[0]
        elif isinstance(content, DropLine):
            del found[content.id]
    return found


def keys_of(bucket: Bucket, below: str = "data/relay") -> set[str]:
    return {one["path"] for page in bucket.client.list(below) for one in page}


class CutStore:
    """The store's changes as the publisher makes them, of which one is the last.

    Args:
        after: Changes until then.
        done: Whether the store still does the one that the publisher does not live to see the end of.
    """

    def __init__(self, after: int, *, done: bool) -> None:
        self.left, self.done, self.killed = after, done, False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(publishing, "_AT_ONCE", 1)
        for name in ("put", "remove"):
            monkeypatch.setattr(publishing, name, self._counted(getattr(publishing, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any) -> Any:
            self.left -= 1
            if not self.killed and self.left < 0:
                self.killed = True
                if self.done:
                    call(*given)
            if self.killed:
                raise KilledError
            return call(*given)

        return counted


def test_a_bucket_becomes_an_origin(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(f"data/{NAMES[0]}.zarr.zip", SAMPLES / f"{NAMES[0]}.zarr.zip")
    bucket.put(f"data/deep er/{NAMES[1]}.zarr.zip", SAMPLES / f"{NAMES[1]}.zarr.zip")
    bucket.put("other/broken.zarr.zip", b"not looked at")
    place, private = bucket.address("data"), tmp_path / "private"
    assert "--private" in failing("publish", place)
    said = run("publish", place, "--private", private, "--name", "Here", "--licence", "CC-BY-4.0")
    assert "2 archives, 2 new lines" in said
    upstream = BucketUpstream(place, Trust(key=said.split()[-1]))
    index = upstream.index()
    assert (index.name, index.licence, index.wait) == ("Here", "CC-BY-4.0", 0)
    for line in upstream.lines(0):
        assert isinstance(line, PutLine)
        whole = (SAMPLES / f"{line.id}.zarr.zip").read_bytes()
        assert b"".join(upstream.read(line.href, line.etag, 0, line.bytes)) == whole
        assert line.packed is not None
        assert upstream.head(line.etag, line.packed, line.bytes - line.tail) == whole[line.tail :]
    assert len(upstream.model(index.models[0])) > 100_000
    assert not [key for key in keys_of(bucket, "data") if "origin" in key]


def test_what_is_in_step_is_not_written_and_what_changes_is_told(bucket: Bucket, tmp_path: Path) -> None:
    key = bucket.put("data/a.zarr.zip", SAMPLES / f"{NAMES[0]}.zarr.zip").removeprefix(f"s3://{bucket.name}/")
    words = ("publish", bucket.address("data/"), "--private", tmp_path / "private")
    run(*words)
    before = bucket.get(f"data/{INDEX}")
    assert "1 archives, 0 new lines" in run(*words)
    assert bucket.get(f"data/{INDEX}") == before
    bucket.put(key, SAMPLES / f"{NAMES[1]}.zarr.zip")
    run(*words)
    assert [*scenes_of(bucket)] == [NAMES[1]]
    assert len(keys_of(bucket, f"data/{HEADS}")) == 1
    bucket.delete(key)
    run(*words, "--gone", "withdrawn")
    last = lines_of(bucket)[-1]
    assert isinstance(last, DropLine)
    assert last.why == "withdrawn"
    assert keys_of(bucket, f"data/{HEADS}") == set()
    collection = next(one.c for one in lines_of(bucket) if isinstance(one, PutLine))
    run("withdraw", bucket.address("data"), collection, NAMES[0], "--private", tmp_path / "private")
    assert len(lines_of(bucket)) == len(keys_of(bucket)) + 2 == 5


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize(("done", "kept"), [(False, True), (True, True), (True, False)])
def test_a_publisher_that_is_killed_at_any_write(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool, kept: bool
) -> None:
    """Of two segments that close: the index tells what it told, all of it reads, and the next one goes on."""
    number, killed = 0, True
    while killed:
        for key in keys_of(bucket, "data"):
            bucket.delete(key)
        private = tmp_path / f"private-{number}"
        tell(log_of(bucket, private), "p", "q")
        before = lines_of(bucket)
        store = CutStore(number, done=done)
        with monkeypatch.context() as cut, contextlib.suppress(KilledError):
            store.install(cut)
            tell(log_of(bucket, private), "r", "s", "t", "u", "p", "v", "w", etag="b")
        killed = store.killed
        meanwhile = lines_of(bucket)
        assert meanwhile[: len(before)] == before
        if not kept:  # a machine that has the key, and nothing else
            shutil.rmtree(private / "feed")
        tell(log_of(bucket, private), "x", etag="c")
        after = lines_of(bucket)
        assert after[: len(meanwhile)] == meanwhile
        assert [line.seq for line in after] == [*range(1, len(after) + 1)]
        found, expected = scenes_of(bucket), {"q": "a", **dict.fromkeys("rstupvw", "b"), "x": "c"}
        if kept:
            assert found == expected
        assert found.items() <= (expected | {"p": found["p"]}).items()
        number += 1
    assert number > 6, "claim, heads, segments, open segment and index are written in so many changes"


@pytest.mark.usefixtures("short_segments")
def test_of_two_publishers_one_is_told_and_goes_on_behind_the_other(bucket: Bucket, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    tell(log_of(bucket, first), "p")
    shutil.copytree(first, second)
    late, there = log_of(bucket, first), {}

    def publish_late() -> None:
        with late.writing():
            late.tell([put("late")])
            tell(log_of(bucket, second), "q", "r", "s", "t")
            there.update({key: bucket.get(key) for key in keys_of(bucket)})

    with pytest.raises(ComeoError, match="another publisher is writing"):
        publish_late()
    assert {key: bucket.get(key) for key in keys_of(bucket)} == there
    with log_of(bucket, first).writing():
        pass
    tell(log_of(bucket, first), "late")
    assert [*scenes_of(bucket)] == ["p", "q", "r", "s", "t", "late"]
    assert sum(isinstance(line, CheckLine) for line in lines_of(bucket)) == 2


@pytest.mark.usefixtures("short_segments")
def test_a_publisher_that_has_slept_too_long_replaces_nothing(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    tell(log_of(bucket, first), "p")
    shutil.copytree(first, second)
    slept: list[Any] = []

    def sleeping(address: Any, data: bytes, state: str | None) -> str:
        if address.key.endswith("000001.ndjson.zst") and not slept:
            slept.append(address)
            tell(log_of(bucket, second), "q", "r", "s", "t")
        return buckets.put(address, data, state)

    monkeypatch.setattr(publishing, "put", sleeping)
    with pytest.raises(ComeoError, match="another publisher is writing"):
        tell(log_of(bucket, first), "a", "b", "c", "d")
    assert [*scenes_of(bucket)] == ["p", "q", "r", "s", "t"]


def test_whose_feed_it_is(bucket: Bucket, tmp_path: Path) -> None:
    tell(log_of(bucket, tmp_path / "first"), "p")
    with pytest.raises(ComeoError, match="the feed of another origin"):
        tell(log_of(bucket, tmp_path / "second"), "q")
    other = BucketLog(address_of(bucket.address("elsewhere")), tmp_path / "first", About())
    with pytest.raises(ComeoError, match="is that of s3://"), other.writing():
        pass
    bucket.put(f"data/{INDEX}", b"{}")
    with pytest.raises(ComeoError, match="is not a usable index"):
        tell(log_of(bucket, tmp_path / "first"), "q")


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("ended_by", ["index", "key"])
def test_a_new_epoch_takes_the_place_of_the_former(bucket: Bucket, tmp_path: Path, ended_by: str) -> None:
    private = tmp_path / "private"
    tell(log_of(bucket, private), "p", "q", "r", "s", "t", "u", "v", "w")
    before = BucketUpstream(bucket.address("data"), Trust()).index()
    if ended_by == "index":
        bucket.delete(f"data/{INDEX}")
    else:
        (private / "origin.key").unlink()
    tell(log_of(bucket, private), "x", "y", "z", "o")
    after = BucketUpstream(bucket.address("data"), Trust()).index()
    assert (after.origin, after.key == before.key) == (before.origin, ended_by == "index")
    assert after.epoch > before.epoch
    assert [*scenes_of(bucket)] == ["x", "y", "z", "o"]
    tell(log_of(bucket, private), "n", "m", "l", "k", "j")  # over a segment that is left of the former
    assert [*scenes_of(bucket)] == [*"xyzonmlkj"]


@pytest.mark.usefixtures("short_segments")
def test_a_feed_that_is_damaged_in_the_bucket_is_not_gone_on_from(bucket: Bucket, tmp_path: Path) -> None:
    tell(log_of(bucket, tmp_path / "private"), "p", "q", "r", "s", "t")
    shutil.rmtree(tmp_path / "private/feed")
    bucket.put(f"data/{FEED}/000001.ndjson.zst", bucket.get(f"data/{OPEN}"))
    with pytest.raises(ComeoError, match="has a damaged feed"):
        tell(log_of(bucket, tmp_path / "private"), "u")


def test_a_bucket_that_is_not_there_or_refuses_is_a_sentence(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    assert "there is no bucket" in failing("publish", "s3://never-made/a", "--private", private)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert "the store refuses" in failing("publish", bucket.address("data"), "--private", private)


def test_a_relay_and_a_disk_take_from_a_bucket(bucket: Bucket, tmp_path: Path) -> None:
    sample = SAMPLES / f"{NAMES[0]}.zarr.zip"
    bucket.put("data/deep er/a.zarr.zip", sample)
    said = run("publish", bucket.address("data"), "--private", tmp_path / "private")
    (tmp_path / "RELAY.toml").write_text(
        f'folder = "relay"\n[origin]\nurl = "{bucket.address("data")}"\nkey = "{said.split()[-1]}"\n'
        '[[subscription]]\nname = "all"\nlayers = ["all"]\n'
    )
    run("run", tmp_path / "RELAY.toml", "--once")
    (came,) = (tmp_path / "relay/archives").rglob("*.zarr.zip")
    assert came.read_bytes() == sample.read_bytes()
    assert "1 archives" in run("export", bucket.address("data"), tmp_path / "disk")
    assert (tmp_path / "disk/deep er/a.zarr.zip").read_bytes() == sample.read_bytes()
