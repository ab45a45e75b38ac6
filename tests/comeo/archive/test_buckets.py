"""Archives in buckets: the same pixels, of one state of an object, and a sentence whatever a store does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from comeo.archive import open_archive
from comeo.archive.stores import open_file
from comeo.archive.stores.buckets import find, list_page
from comeo.archive.stores.file import ByteFile
from comeo.archive.stores.objects import publish
from comeo.errors import ArchiveError, OutOfReachError, ReplacedError, passes
from comeo.places import ObjectAddress, address_of
from comeo.scene import Window
from tests.buckets import Bucket
from tests.comeo.archive.contract import ByteFileTests

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture
def path() -> Path:
    return SAMPLES / "S2A_T32TMT_20190530_L2A.zarr.zip"


@pytest.fixture
def other() -> Path:
    return SAMPLES / "S2_UTM37N_lake.zarr.zip"


@pytest.fixture
def short_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are so small that opening them would fetch all."""
    monkeypatch.setattr("comeo.archive.stores.objects.TAIL_BYTES", 100)


class TestObjectFile(ByteFileTests):
    """An object."""

    @pytest.fixture(autouse=True)
    def own(self, bucket: Bucket) -> None:
        self.bucket = bucket

    @contextmanager
    def opened(self, folder: Path) -> Iterator[ByteFile]:
        """Put it there."""
        yield open_file(self.bucket.put("file", self.content))


@pytest.mark.usefixtures("short_tail")
def test_an_archive_in_a_bucket_is_the_same(path: Path, bucket: Bucket) -> None:
    with open_archive(bucket.put("a.zarr.zip", path)) as far, open_archive(path) as near:
        assert far.info() == near.info()
        assert far.etag == near.etag
        assert far.path is None
        for level in near.groups["r10m"].levels:
            part = Window(0, 0, min(level.height, 300), min(level.width, 300))
            np.testing.assert_array_equal(far.read(level, part), near.read(level, part))


@pytest.mark.usefixtures("short_tail")
def test_bytes_of_two_objects_are_never_mixed(path: Path, other: Path, bucket: Bucket) -> None:
    """The one that replaces another is found when it is opened anew, and not before."""
    place = bucket.put("a.zarr.zip", path)
    with open_archive(place) as archive:
        bucket.put("a.zarr.zip", other)
        with pytest.raises(ReplacedError, match=r"a\.zarr\.zip has changed while it was in use"):
            archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 10, 10))
    with open_archive(place) as again, open_archive(other) as near:
        assert again.etag == near.etag


def test_an_archive_that_was_opened_before_takes_no_request(
    path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blocks do, and where those have gone, so has what was kept of it."""
    monkeypatch.setattr("comeo.archive.stores.objects.TAIL_BYTES", 12_000)  # its metadata, and no block
    place = bucket.put("a.zarr.zip", path)
    with open_archive(place) as archive:
        etag = archive.etag
    bucket.delete("a.zarr.zip")
    with open_archive(place, etag) as again:
        assert again.id == path.name.removesuffix(".zarr.zip")
        with pytest.raises(ArchiveError, match="does not exist"):
            again.read(again.groups["r10m"].levels[0], Window(0, 0, 10, 10))
    with pytest.raises(ArchiveError, match="does not exist"):
        open_archive(place, etag)


@pytest.mark.usefixtures("short_tail")
def test_an_object_that_went_while_it_was_read_is_missing(path: Path, bucket: Bucket) -> None:
    with open_archive(bucket.put("a.zarr.zip", path)) as archive:
        bucket.delete("a.zarr.zip")
        with pytest.raises(ArchiveError, match="does not exist") as error:
            archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 10, 10))
        assert passes(error.value)


@pytest.mark.parametrize(
    "key", ["a b.zarr.zip", "ü/é.zarr.zip", "50%25.zarr.zip", "a+b=c&d?e#f.zarr.zip", "a/.b/c.zarr.zip"]
)
def test_keys_are_taken_as_they_are(key: str, path: Path, bucket: Bucket) -> None:
    with open_archive(bucket.put_odd(key, path.read_bytes())) as archive:
        assert archive.id == path.name.removesuffix(".zarr.zip")
    assert [each.address.key for each in list_page(address_of(bucket.address()))[0]] == [key]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("s3://", "an address in a bucket is"),
        ("s3://bucket", "is a bucket; name an archive in it"),
        ("s3:///a.zarr.zip", "an address in a bucket is"),
        ("s3://key:secret@bucket/a.zarr.zip", "an address in a bucket is"),
        ("s3://Bad Bucket/a.zarr.zip", "an address in a bucket is"),
        ("s3://../a.zarr.zip", "an address in a bucket is"),
        ("s3://bucket/../a.zarr.zip", "no key that can be read"),
        ("s3://bucket/a//b.zarr.zip", "no key that can be read"),
        ("s3://bucket/a\nb.zarr.zip", "no key that can be read"),
        (f"s3://bucket/{'a' * 1025}", "no key that can be read"),
    ],
)
def test_what_is_no_address_is_a_sentence(place: str, words: str) -> None:
    with pytest.raises(ArchiveError, match=words) as error:
        open_archive(place)
    assert "secret" not in str(error.value)


def test_what_is_missing_is_named(bucket: Bucket) -> None:
    with pytest.raises(ArchiveError, match=r"s3://bucket-\d+/no\.zarr\.zip does not exist; check its key"):
        open_archive(bucket.address("no.zarr.zip"))
    with pytest.raises(OutOfReachError, match="there is no bucket never-made; check its name"):
        open_archive("s3://never-made/a.zarr.zip")
    with pytest.raises(OutOfReachError, match="there is no bucket never-made"):
        list_page(ObjectAddress("never-made", ""))
    with pytest.raises(OutOfReachError, match="there is no bucket never-made"):
        find(ObjectAddress("never-made", "a.zarr.zip"))


@pytest.mark.parametrize("content", [b"", b"short", bytes(70_000)])
def test_an_object_that_is_no_archive_is_refused(content: bytes, bucket: Bucket) -> None:
    with pytest.raises(ArchiveError, match=r"is empty|not an archive|is cut short"):
        open_archive(bucket.put("a.zarr.zip", content))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "cannot be read now: HTTP error"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "AWS_ENDPOINT_URL is no address of a server"),
        ({"AWS_ENDPOINT_URL": "http://[::1"}, "AWS_ENDPOINT_URL is no address of a server"),
        ({"AWS_ENDPOINT_URL": "http://a b/"}, "AWS_ENDPOINT_URL is no address of a server"),
        ({"AWS_ALLOW_HTTP": "false"}, "set AWS_ALLOW_HTTP=true"),
        ({"AWS_SKIP_SIGNATURE": "maybe"}, "cannot be read now: failed to parse"),
    ],
)
def test_what_the_environment_says_wrongly_is_a_sentence(
    said: dict[str, str], words: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comeo.archive.stores.buckets._RETRIES", 0)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArchiveError, match=words) as error:
        open_archive(bucket.address("a.zarr.zip"))
    assert "\n" not in str(error.value)
    assert "testing" not in str(error.value)


def test_a_public_bucket_needs_no_credentials(
    path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bucket.put_odd("a.zarr.zip", path.read_bytes(), x_amz_acl="public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with open_archive(place) as archive:
        assert archive.id == path.name.removesuffix(".zarr.zip")


def test_what_is_published_is_never_replaced(path: Path, other: Path, bucket: Bucket) -> None:
    address = address_of(bucket.address("a/b.zarr.zip"))
    assert find(address) is None
    publish(path, address)
    assert [find(address)] == list_page(address_of(bucket.address("a")))[0]
    assert bucket.get("a/b.zarr.zip") == path.read_bytes()
    with pytest.raises(ArchiveError, match="exists already, and objects are not replaced"):
        publish(other, address)
    publish(path, address)  # whose answer was lost
    assert bucket.get("a/b.zarr.zip") == path.read_bytes()


def test_a_large_archive_comes_in_parts_and_is_never_replaced(
    path: Path, other: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comeo.archive.stores.buckets._ONE_REQUEST", 1000)
    address = address_of(bucket.address("a/b.zarr.zip"))
    publish(path, address)
    with pytest.raises(ArchiveError, match="exists already"):
        publish(other, address)
    assert bucket.get("a/b.zarr.zip") == path.read_bytes()
    assert [each.address.key for each in list_page(address_of(bucket.address()))[0]] == ["a/b.zarr.zip"]


def test_publishing_into_no_bucket_says_so(path: Path, object_store: int) -> None:
    with pytest.raises(ArchiveError, match="there is no bucket never-made"):
        publish(path, ObjectAddress("never-made", "a.zarr.zip"))


def test_a_listing_goes_on_page_by_page(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comeo.archive.stores.buckets.PAGE", 2)
    for key in ("f/a", "f/b", "f/c", "f/d", "g/e", "fa"):
        bucket.put(key, key.encode())
    folder = address_of(bucket.address("f/"))
    first, after = list_page(folder)
    second, then = list_page(folder, after)
    assert [each.address.key for each in (*first, *second)] == ["f/a", "f/b", "f/c", "f/d"]
    assert list_page(folder, then) == ([], None)
    assert first[0].size == 3
    assert first[0].etag != first[1].etag


@pytest.mark.parametrize("key", ["../b.zarr.zip", "a//b.zarr.zip"])
def test_a_key_that_is_no_path_is_named(key: str, path: Path, bucket: Bucket) -> None:
    bucket.put("a.zarr.zip", path)
    bucket.put_odd(key, b"")
    with pytest.raises(ArchiveError, match="which is no path; rename that, or") as error:
        list_page(address_of(bucket.address()))
    assert repr(key) in str(error.value)


def test_a_forked_process_says_that_it_cannot(bucket: Bucket, path: Path) -> None:
    """The client's threads stay behind, and would be waited for for ever."""
    place = bucket.put("a.zarr.zip", path)
    open_archive(place).close()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            open_archive(place)
        except ArchiveError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert "start a new one" in said.read()


def test_a_store_that_refuses_is_a_sentence(
    path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bucket.put("a.zarr.zip", path)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(OutOfReachError, match=r"the store refuses .*; check AWS_ACCESS_KEY_ID and"):
        open_archive(place)


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ArchiveError, match=r"pip install 'comeo\[objects\]'"):
        open_archive("s3://bucket/a.zarr.zip")
