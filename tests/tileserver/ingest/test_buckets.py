"""Archives that a service puts into a bucket."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from comeo.archive import open_archive
from comeo.archive.stores.buckets import list_page
from comeo.errors import ComeoError, OutOfReachError, SourceError
from comeo.places import address_of
from tests.buckets import Bucket
from tests.tileserver.ingest.products import Inline, document, ingest, name_of, write_product
from tileserver.ingest import runner
from tileserver.ingest.document import read_source
from tileserver.ingest.orders import State
from tileserver.ingest.shelves import BucketShelf, FolderShelf, Shelf


def into(place: str, folder: Path, text: str = "", *, filled: int = 0, state: str = "state") -> Path:
    """SOURCE.toml of a folder of products, whose archives go into a bucket."""
    path = document(folder, f'state = "{state}"\n{text}', filled=filled)
    path.write_text(path.read_text().replace('output = "out"', f'output = "{place}"'))
    return path


def ids(place: str) -> list[str]:
    """Ids in the names of all objects below an address."""
    found, _ = list_page(address_of(place))
    assert all(each.address.name.endswith(".zarr.zip") for each in found)
    return [each.address.name.partition(".")[0] for each in found]


@pytest.mark.parametrize("folder", ["", "scenes/s2"])
def test_products_become_objects_once(tmp_path: Path, bucket: Bucket, folder: str) -> None:
    place = bucket.address(folder)
    path = into(place, tmp_path, filled=2)
    journal = ingest(path)
    assert journal.counts() == {State.PUBLISHED: 2}
    assert ids(place) == [name_of(0), name_of(1)]
    made = journal.in_state(State.PUBLISHED)[0]
    with open_archive(f"{place.rstrip('/')}/{made.archive}") as archive:
        assert (f"{archive.id}.tif", archive.etag) == (made.scene, made.etag)
    elsewhere = into(place, tmp_path, state="lost")  # another service, or one whose journal is lost
    assert {row.etag for row in ingest(elsewhere).in_state(State.PUBLISHED)} == {
        row.etag for row in journal.in_state(State.PUBLISHED)
    }
    assert ids(place) == [name_of(0), name_of(1)]
    assert not list(tmp_path.glob("out*"))


def test_a_changed_product_replaces_its_object(tmp_path: Path, bucket: Bucket) -> None:
    path = into(bucket.address(), tmp_path, filled=1)
    (before,) = ingest(path).in_state(State.PUBLISHED)
    write_product(tmp_path / "in" / f"{name_of(0)}.tif", seed=7)
    (after,) = ingest(path).in_state(State.PUBLISHED)
    assert before.archive != after.archive
    found, _ = list_page(address_of(bucket.address()))
    assert [each.address.name for each in found] == [after.archive]


@pytest.fixture
def changed(tmp_path: Path, bucket: Bucket) -> Path:
    """SOURCE.toml of a product that is another one since its archive was made."""
    path = into(bucket.address(), tmp_path, filled=1)
    ingest(path)
    write_product(tmp_path / "in" / f"{name_of(0)}.tif", seed=7)
    return path


def test_a_bucket_that_does_not_answer_has_the_old_object_removed_later(
    changed: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(BucketShelf, "remove", _away)
        with pytest.raises(ComeoError, match="could not be removed: the store is away"):
            ingest(changed)
    assert len(ids(bucket.address())) == 2
    journal = ingest(changed)
    assert journal.counts() == {State.PUBLISHED: 1, State.SKIPPED: 1}
    assert len(ids(bucket.address())) == 1


def test_a_service_that_goes_on_removes_it_without_being_started_again(
    changed: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PUBLISH_SECONDS", 0.0)
    remove = BucketShelf.remove
    refused: list[str] = []

    def once(shelf: BucketShelf, name: str) -> None:
        if not refused:
            refused.append(name)
            _away(shelf, name)
        remove(shelf, name)

    monkeypatch.setattr(BucketShelf, "remove", once)
    assert ingest(changed).counts() == {State.PUBLISHED: 1, State.SKIPPED: 1}
    assert len(refused) == len(ids(bucket.address())) == 1


def _away(_: Shelf, __: str) -> None:
    raise OutOfReachError("the store is away")


def test_two_products_of_one_id_do_not_hide_each_other(tmp_path: Path, bucket: Bucket) -> None:
    executor = Inline()
    ingest(into(bucket.address(), tmp_path, filled=1), executor)
    other = write_product(tmp_path / "other" / f"{name_of(0)}.tif", seed=9)
    with pytest.raises(SourceError, match=r"is the id of .* already, which is of another product"):
        executor.work(replace(executor.orders[0], place=str(other)))
    assert ids(bucket.address()) == [name_of(0)]


def test_a_quota_counts_what_the_bucket_has(tmp_path: Path, bucket: Bucket) -> None:
    bucket.put("other.zarr.zip", b"x" * 5000)
    path = into(bucket.address(), tmp_path, "[limits]\nmax_bytes = 4000", filled=1)
    with pytest.raises(ComeoError, match=f"{bucket.address()} has 5,000 bytes of archives"):
        ingest(path)
    assert ids(bucket.address()) == ["other"]


def test_a_shelf_tells_names_of_one_beginning_from_all_others(tmp_path: Path, bucket: Bucket) -> None:
    names = ["a.1", "a.2", "a", "ab.1", "b.1", "A.1", "a.é"]
    shelves: tuple[Shelf, ...] = (BucketShelf(address_of(bucket.address("x"))), FolderShelf(tmp_path))
    for name in names:
        bucket.put(f"x/{name}", b"1")
        (tmp_path / name).write_bytes(b"1")
    for shelf in shelves:
        assert sorted(shelf.beginning("a.")) == ["a.1", "a.2", "a.é"]
        assert shelf.has("a")
        assert not shelf.has("c")
        shelf.remove("a")
        shelf.remove("a")
        assert not shelf.has("a")


def test_a_journal_has_to_have_a_folder(tmp_path: Path) -> None:
    path = into("s3://bucket-x/scenes", tmp_path)
    assert read_source(path).state == tmp_path / "state"
    path.write_text(path.read_text().replace('state = "state"', ""))
    with pytest.raises(SourceError, match="state is missing: a folder of this machine for the journal"):
        read_source(path)


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    for place, words in (
        ("s3://X/y", "an address in a bucket is"),
        ("s3://bucket-x/a//b", "'a//b' is no key"),
    ):
        with pytest.raises(SourceError, match=f"output: {words}"):
            read_source(into(place, tmp_path))
    path = into("x", tmp_path)
    path.write_text(path.read_text().replace('output = "x"', 'output = ["bucket-x", "y"]'))
    with pytest.raises(SourceError, match="output"):
        read_source(path)


@pytest.mark.slow
def test_the_command_and_its_processes(tmp_path: Path, bucket: Bucket) -> None:
    path = into(bucket.address("scenes"), tmp_path, filled=2)
    command = [sys.executable, "-m", "tileserver.cli", "ingest", str(path), "--once", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "2 published\n"), done.stderr
    assert ids(bucket.address("scenes")) == [name_of(0), name_of(1)]
