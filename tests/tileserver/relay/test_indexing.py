"""Archives of a bucket by its feed: what a listing finds, as it was published, and nothing that is a lie."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mercantile
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from comeo.places import address_of
from comeo.settings import SettingsError
from tests.buckets import Bucket
from tests.tileserver.conftest import serving
from tests.tileserver.relay.feeds import NOW
from tileserver.app import create_app
from tileserver.catalog import SqliteCatalog
from tileserver.catalog.reading import READER
from tileserver.relay.errors import FeedError
from tileserver.relay.feed import layout, packs
from tileserver.relay.feed.following import Follower, object_href
from tileserver.relay.feed.keys import SigningKey
from tileserver.relay.feed.layout import FEED, HEADS, INDEX, OPEN, ROOT
from tileserver.relay.feed.log import About
from tileserver.relay.feed.packs import read_pack, write_pack
from tileserver.relay.indexing.index import FeedIndex
from tileserver.relay.publishing import BucketLog
from tileserver.settings import Settings

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
LAKE = SAMPLES / "S2_UTM37N_lake.zarr.zip"
NAMES = ("S2_romania_2016-08-05", "S2_romania_2016-08-15", "S2_romania_2016-08-25")


class Indexed:
    """A bucket with an origin, and a catalogue that follows its feed.

    Attributes:
        bucket: That archives lie in.
        root: Of the origin.
    """

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.bucket, self.folder = bucket, folder
        self.root = bucket.address("data")
        self.index = FeedIndex(folder / "feeds")
        self.catalog = SqliteCatalog((self.root,), folder / "feed.sqlite", 0, index=self.index)
        self.listed = SqliteCatalog((self.root,), folder / "listed.sqlite", 0)
        (folder / "private").mkdir()

    def publish(self) -> None:
        """As `comeo relay publish` does."""
        log = BucketLog(address_of(self.root), self.folder / "private", About("Here", "", 0))
        with log.writing():
            self.listed.refresh(force=True)
            one = Follower(self.listed, log, object_href(address_of(self.root)), lambda: NOW)
            while one.step():
                pass

    def look(self) -> list[str]:
        """Ids of the scenes that are found now."""
        self.catalog.refresh(force=True)
        return self.scenes(self.catalog)

    def scenes(self, catalog: SqliteCatalog) -> list[str]:
        return sorted(one.id for one in catalog.changes(None, 1000).changes if not one.gone)

    def put(self, name: str, key: str = "") -> None:
        self.bucket.put(f"data/{key or name}.zarr.zip", SAMPLES / f"{name}.zarr.zip")

    def rewrite(self, change: Callable[[list[dict[str, Any]]], None], **index: Any) -> None:
        """Let the origin, who has the key, tell something else."""
        key = SigningKey.open(self.folder / "private/origin.key")
        told = json.loads(self.bucket.get(f"data/{INDEX}"))
        about = {"origin": told["origin"], "epoch": told["epoch"]}
        lines = [json.loads(line) for line in self.bucket.get(f"data/{OPEN}").splitlines()]
        change(lines)
        written = b""
        for seq, line in enumerate(lines, 1):
            own = {name: value for name, value in line.items() if name != "sig"} | {"seq": seq}
            written += rfc8785.dumps({**own, "sig": key.sign("line", {**own, **about})}) + b"\n"
        self.bucket.put(f"data/{OPEN}", written)
        told = {name: value for name, value in told.items() if name != "sig"} | {"last": len(lines)} | index
        self.bucket.put(f"data/{INDEX}", rfc8785.dumps({**told, "sig": key.sign("index", told)}))


@pytest.fixture
def indexed(bucket: Bucket, tmp_path: Path) -> Iterator[Indexed]:
    READER.close()
    made = Indexed(bucket, tmp_path)
    yield made
    made.index.close()
    READER.close()


def test_what_the_feed_tells_is_what_a_listing_finds(indexed: Indexed) -> None:
    indexed.put(NAMES[0])
    indexed.put(NAMES[1], "deep er/ü")
    indexed.publish()
    assert indexed.look() == indexed.scenes(indexed.listed) == [*NAMES[:2]]
    for name in NAMES[:2]:
        one, other = (
            next(
                record
                for change in each.changes(None, 9).changes
                if (record := each.get(change.collection, change.id)) is not None and record.id == name
            )
            for each in (indexed.catalog, indexed.listed)
        )
        assert one == other
        assert indexed.catalog.item(one) == indexed.listed.item(other)
        assert indexed.catalog.info(one) == indexed.listed.info(other)


def test_what_comes_changes_and_goes_is_found_when_it_was_published(indexed: Indexed) -> None:
    indexed.put(NAMES[0], "a")
    indexed.publish()
    assert indexed.look() == [NAMES[0]]
    indexed.put(NAMES[1], "b")
    assert indexed.look() == [NAMES[0]]
    indexed.publish()
    assert indexed.look() == [*NAMES[:2]]
    indexed.put(NAMES[2], "a")
    indexed.publish()
    assert indexed.look() == [*NAMES[1:]]
    indexed.bucket.delete("data/b.zarr.zip")
    indexed.publish()
    assert indexed.look() == [NAMES[2]]


def test_heads_are_enough_whether_together_single_or_damaged(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing but heads in the bucket all scenes are found; without heads, by the archives."""
    for module in (layout, packs):
        monkeypatch.setattr(module, "PACK", 2)
    monkeypatch.setattr("tileserver.relay.publishing.PACK", 2)
    for name in NAMES:
        indexed.put(name)
    indexed.publish()
    keys = sorted(one["path"] for page in indexed.bucket.client.list(f"data/{HEADS}") for one in page)
    (pack,) = [key for key in keys if key.endswith(".pack")]
    assert len(read_pack(indexed.bucket.get(pack))) == 2
    for name in NAMES:
        indexed.bucket.delete(f"data/{name}.zarr.zip")
    assert indexed.look() == [*NAMES]
    assert indexed.catalog.broken() == {}
    for name in NAMES:
        indexed.put(name)
    for key in keys:
        indexed.bucket.put(key, b"[]\n damaged")
    again = SqliteCatalog((indexed.root,), indexed.folder / "again.sqlite", 0, index=indexed.index)
    again.refresh(force=True)
    assert indexed.scenes(again) == [*NAMES]


def test_many_lines_of_several_segments(indexed: Indexed) -> None:
    """Of which a closed one is left of by a look that could not go on."""
    indexed.put(NAMES[0])
    indexed.publish()
    log = BucketLog(address_of(indexed.root), indexed.folder / "private", About())
    with log.writing():
        log.tell([{"op": "drop", "c": "c", "id": f"gone-{n}", "why": "expired"} for n in range(1100)])
    indexed.put(NAMES[1])
    segment = f"data/{FEED}/000001.ndjson.zst"
    closed = indexed.bucket.get(segment)
    indexed.bucket.delete(segment)
    assert indexed.look() == []
    assert "has no relay/v1/feed/000001" in indexed.catalog.faults[indexed.root]
    indexed.bucket.put(segment, closed)
    assert indexed.look() == [NAMES[0]]
    indexed.publish()
    assert indexed.look() == [*NAMES[:2]]


def hostile(part: str, value: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(lines: list[dict[str, Any]]) -> None:
        lines[0][part] = value

    return change


LIES: list[tuple[Callable[[list[dict[str, Any]]], None], str]] = [
    (hostile("href", "../other/a.zarr.zip"), "cannot be believed: put.href: an href is a path below"),
    (hostile("href", "%2e%2e/other.zarr.zip"), "cannot be believed: put.href"),
    (hostile("href", "s3://other/a.zarr.zip"), "cannot be believed: put.href"),
    (hostile("href", "b%FF.txt"), "which is no archive"),
    (hostile("bytes", -5), "cannot be believed: put.bytes"),
    (hostile("bytes", 1 << 40), "cannot be believed: put.bytes"),
    (hostile("object", 'a"\r\nX: y'), "cannot be believed: put.object"),
    (hostile("etag", "../../x"), "cannot be believed: put.etag"),
    (list.clear, "has no lines yet"),
]


def test_a_feed_that_lies_is_not_taken_and_what_was_found_stands(
    indexed: Indexed, caplog: pytest.LogCaptureFixture
) -> None:
    indexed.put(NAMES[0], "a")
    indexed.publish()
    assert indexed.look() == [NAMES[0]]
    files = {key: indexed.bucket.get(f"data/{key}") for key in (INDEX, OPEN)}
    for epoch, (change, words) in enumerate(LIES, 1 << 39):
        for key, content in files.items():
            indexed.bucket.put(f"data/{key}", content)
        indexed.rewrite(lambda _: None, epoch=epoch)
        indexed.rewrite(change)  # with lines of that epoch
        with caplog.at_level(logging.WARNING, "tileserver"):
            assert indexed.look() == [NAMES[0]]
        (fault,) = indexed.catalog.faults.values()
        assert re.search(words, fault), fault
    assert "bucket not looked at" in caplog.text


def test_archives_that_are_others_than_the_feed_tells_of_are_named(indexed: Indexed) -> None:
    for key, name in zip("abc", NAMES, strict=True):
        indexed.put(name, key)
    indexed.publish()

    def change(lines: list[dict[str, Any]]) -> None:
        lines[0]["etag"] = "0" * 32
        lines[1]["bytes"] += 1000
        lines[2]["object"] = "0" * 32

    indexed.rewrite(change)
    found = indexed.look()
    broken = indexed.catalog.broken()
    assert found == [NAMES[1], NAMES[2]], (
        "sizes and states of objects that are wrong cost a request, no scene"
    )
    assert broken == {"a.zarr.zip": "a.zarr.zip is another archive than the feed tells of; publish again"}


def test_an_endless_feed_and_one_that_was_set_back(indexed: Indexed) -> None:
    indexed.put(NAMES[0])
    indexed.publish()
    before = {key: indexed.bucket.get(f"data/{key}") for key in (INDEX, OPEN)}
    indexed.put(NAMES[1])
    indexed.publish()
    assert indexed.look() == [*NAMES[:2]]
    for key, content in before.items():
        indexed.bucket.put(f"data/{key}", content)
    assert indexed.look() == [*NAMES[:2]]
    assert "it was set back" in indexed.catalog.faults[indexed.root]
    again = FeedIndex(indexed.folder / "feeds")  # after a restart
    with pytest.raises(SettingsError, match="it was set back"):
        again.check(indexed.root)
    again.close()
    indexed.bucket.put(f"data/{INDEX}", b"[" * 70_000)
    assert indexed.look() == [*NAMES[:2]]
    assert "more than 65536 bytes" in indexed.catalog.faults[indexed.root]
    with pytest.raises(SettingsError, match="more than 65536 bytes"):
        indexed.index.check(indexed.root)


def test_another_key_is_refused(indexed: Indexed) -> None:
    indexed.put(NAMES[0])
    indexed.publish()
    assert indexed.look() == [NAMES[0]]
    (indexed.folder / "private/origin.key").unlink()
    indexed.put(NAMES[1])
    indexed.publish()
    assert indexed.look() == [NAMES[0]]
    assert "to believe it all the same, remove" in indexed.catalog.faults[indexed.root]
    next((indexed.folder / "feeds").iterdir()).unlink()
    assert indexed.look() == [*NAMES[:2]]


def test_who_listed_before_reads_nothing_again(indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed.put(NAMES[0])
    indexed.publish()
    monkeypatch.setattr(indexed.index, "read", lambda _: pytest.fail("nothing has changed"))
    same = SqliteCatalog((indexed.root,), indexed.folder / "listed.sqlite", 0, index=indexed.index)
    same.refresh(force=True)
    assert indexed.scenes(same) == [NAMES[0]]


def test_a_server_by_the_feed(bucket: Bucket, indexed: Indexed) -> None:
    settings = Settings(
        buckets=(indexed.root,), bucket_index="feed", catalog=indexed.folder / "served.sqlite"
    )
    with pytest.raises(
        SettingsError, match=r"see whether `comeo relay publish` .* \(COMEO_BUCKET_INDEX=feed\)"
    ):
        create_app(settings)
    bucket.put(f"data/{LAKE.name}", LAKE)
    indexed.publish()
    client = serving(
        indexed.folder, indexed.folder / "served", paths=(), buckets=(indexed.root,), bucket_index="feed"
    )
    (item,) = client.get("/stac/search").get_json()["features"]
    about = client.get(f"/collections/{item['collection']}/items/{item['id']}/tilejson.json").get_json()
    west, south, east, north = about["bounds"]
    x, y, z = mercantile.tile((west + east) / 2, (south + north) / 2, about["maxzoom"])
    assert client.get(about["tiles"][0].format(x=x, y=y, z=z)).status_code == 200
    assert ROOT not in str(client.get("/stac/search").get_json())


@given(
    st.lists(
        st.tuples(st.text("0123456789abcdef", min_size=32, max_size=32), st.binary(min_size=1)), max_size=9
    )
)
def test_heads_come_out_of_a_pack_as_they_went_in(heads: list[tuple[str, bytes]]) -> None:
    assert read_pack(write_pack(heads)) == dict(heads)


@given(st.binary())
def test_a_pack_that_is_none_is_refused(data: bytes) -> None:
    try:
        found = read_pack(data)
    except FeedError:
        return
    assert sum(map(len, found.values())) <= len(data)
