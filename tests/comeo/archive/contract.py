"""The contracts of stores, files and sinks as tests: an implementation's test class inherits them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comeo.archive.stores import Sink, Store, open_sink, open_store
from comeo.archive.stores.base import MAX_METADATA_BYTES
from comeo.archive.stores.file import ByteFile
from comeo.errors import ArchiveError

OBJECTS = {
    "zarr.json": b'{"zarr_format": 3}',
    "r10m/zarr.json": b"{}",
    "r10m/0/data/zarr.json": b'{"a": "\xc3\xa9"}',
    "r10m/0/data/c/0/0/0": bytes(range(256)) * 300,
    "r10m/0/data/c/0/0/1": b"x",
    "r10m/0/data/c/0/1/0": bytes(100_000),
}
SHARD = "r10m/0/data/c/0/0/0"


def write(final: Path, objects: dict[str, bytes] | None = None) -> Path:
    """Write objects as an archive of the form that the name has."""
    sink = open_sink(final)
    for key, data in (OBJECTS if objects is None else objects).items():
        sink.write(key, data)
    sink.finish()
    sink.publish(replace=True)
    return final


def content(path: Path) -> dict[str, bytes]:
    """All objects of an archive."""
    store = open_store(path)
    out = {key: store.metadata(key) for key in store.keys()}  # noqa: SIM118 - a store is no mapping
    store.close()
    return out


class StoreTests:
    """Tests that every store has to pass."""

    suffix = ".zarr.zip"

    @contextmanager
    def opened(self, path: Path) -> Iterator[Store]:
        """Open a store of what lies at a path; remote ones serve it first."""
        store = open_store(path)
        yield store
        store.close()

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return write(tmp_path / f"a{self.suffix}")

    @pytest.fixture
    def store(self, path: Path) -> Iterator[Store]:
        with self.opened(path) as store:
            yield store

    def test_keys_and_sizes(self, store: Store) -> None:
        assert store.keys() == sorted(OBJECTS)
        for key, data in OBJECTS.items():
            blob = store.get(key)
            assert blob is not None
            assert blob.size == len(data)
        assert store.size >= sum(map(len, OBJECTS.values()))
        assert store.name.endswith(self.suffix)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ranges=st.lists(st.tuples(st.integers(0, 70_000), st.integers(0, 6800)), max_size=8))
    def test_ranges(self, store: Store, ranges: list[tuple[int, int]]) -> None:
        blob = store.get(SHARD)
        assert blob is not None
        expected = [OBJECTS[SHARD][offset : offset + length] for offset, length in ranges]
        assert blob.read_many(ranges) == expected
        assert [blob.read(*one) for one in ranges] == expected

    @pytest.mark.parametrize("one", [(-1, 1), (0, -1), (0, 76_801), (76_800, 1), (1 << 40, 1)])
    def test_ranges_outside_an_object_are_refused(self, store: Store, one: tuple[int, int]) -> None:
        blob = store.get(SHARD)
        assert blob is not None
        with pytest.raises(ArchiveError):
            blob.read(*one)

    def test_metadata_are_whole(self, store: Store) -> None:
        for key in ("zarr.json", "r10m/0/data/zarr.json"):
            assert store.metadata(key) == OBJECTS[key]

    @pytest.mark.parametrize("key", ["", "r10m", "r10m/0/data/c/0/9/9", "../a", "/etc/passwd", "ZARR.JSON"])
    def test_what_is_missing_is_none_and_missing_metadata_an_error(self, store: Store, key: str) -> None:
        assert store.get(key) is None
        with pytest.raises(ArchiveError, match=store.name.rpartition("/")[2]):
            store.metadata(key)

    def test_absurdly_large_metadata_are_refused(self, tmp_path: Path) -> None:
        large = {"zarr.json": bytes(MAX_METADATA_BYTES + 1)}
        with (
            self.opened(write(tmp_path / f"large{self.suffix}", large)) as store,
            pytest.raises(ArchiveError, match="larger"),
        ):
            store.metadata("zarr.json")

    def test_a_closed_store_says_so_and_its_blobs_can_still_be_read(self, path: Path) -> None:
        with self.opened(path) as store:
            blob = store.get(SHARD)
            assert blob is not None
            store.close()
            store.close()
            assert blob.read(3, 5) == OBJECTS[SHARD][3:8]
            for use in (store.keys, lambda: store.get(SHARD), lambda: store.metadata("zarr.json")):
                with pytest.raises(ArchiveError, match="closed"):
                    use()

    def test_threads_read_at_once(self, store: Store) -> None:
        wrong: list[str] = []

        def read(first: int) -> None:
            for key, data in OBJECTS.items():
                blob = store.get(key)
                offset = min(first, len(data) - 1)
                if blob is None or blob.read(offset, 1) != data[offset : offset + 1]:
                    wrong.append(key)

        threads = [threading.Thread(target=read, args=(number * 7919,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_a_copy_has_the_same_fingerprint(self, path: Path, tmp_path: Path) -> None:
        """Written later, elsewhere, under another name: a mirror answers with the ETag of its origin."""
        (tmp_path / "mirror").mkdir()
        copy = write(tmp_path / "mirror" / f"b{self.suffix}")
        with self.opened(path) as one, self.opened(copy) as other:
            assert one.fingerprint == other.fingerprint
            assert len(one.fingerprint) == 32
            assert int(one.fingerprint, 16)

    @pytest.mark.parametrize(
        "change",
        [
            {"zarr.json": b'{"zarr_format": 4}'},
            {"r10m/0/data/c/0/0/1": b"y"},
            {SHARD: OBJECTS[SHARD][:-1] + b"\0"},
            {SHARD: OBJECTS[SHARD][1:]},
            {"r10m/0/data/c/0/1/1": b"more"},
        ],
    )
    def test_another_content_has_another_fingerprint(
        self, path: Path, tmp_path: Path, change: dict[str, bytes]
    ) -> None:
        other = write(tmp_path / f"other{self.suffix}", {**OBJECTS, **change})
        with self.opened(path) as one, self.opened(other) as changed:
            assert one.fingerprint != changed.fingerprint

    def test_a_missing_object_has_another_fingerprint(self, path: Path, tmp_path: Path) -> None:
        fewer = {key: data for key, data in OBJECTS.items() if key != "r10m/0/data/c/0/0/1"}
        other = write(tmp_path / f"other{self.suffix}", fewer)
        with self.opened(path) as one, self.opened(other) as changed:
            assert one.fingerprint != changed.fingerprint


class ByteFileTests(ABC):
    """Tests that every file has to pass."""

    content = bytes(range(251)) * 1000

    @contextmanager
    @abstractmethod
    def opened(self, folder: Path) -> Iterator[ByteFile]:
        """Open a file of `content`."""
        yield NotImplemented

    @pytest.fixture
    def file(self, tmp_path: Path) -> Iterator[ByteFile]:
        with self.opened(tmp_path) as file:
            yield file

    def test_ranges(self, file: ByteFile) -> None:
        assert file.size == len(self.content)
        ranges = [(0, 10), (250_000, 1000), (5, 0), (100_000, 50_000), (99_000, 2000), (file.size, 0)]
        expected = [self.content[offset : offset + length] for offset, length in ranges]
        assert file.read_many(ranges) == expected
        assert [file.read(*one) for one in ranges] == expected

    def test_what_is_kept_is_the_same(self, file: ByteFile) -> None:
        file.keep_from(1000)
        assert file.read(999, 3) == self.content[999:1002]
        assert file.read(1000, 5) == self.content[1000:1005]

    def test_what_is_read_ahead_is_the_same(self, file: ByteFile) -> None:
        whole = file.read(0, file.size)
        for first, second in (((0, 10), (500, 40)), ((3, 7), (10, 0)), ((file.size - 2, 2), (5, 5))):
            assert file.read_ahead(first, second) == whole[first[0] : sum(first)]
            assert file.read(*second) == whole[second[0] : sum(second)]
            assert file.read(second[0] + 1, 9) == whole[second[0] + 1 : second[0] + 10]

    def test_a_stream(self, file: ByteFile) -> None:
        with file.stream() as stream:
            assert stream.read() == self.content
            stream.seek(-10, 2)
            assert stream.read(20) == self.content[-10:]


class SinkTests:
    """Tests that every sink has to pass."""

    suffix = ".zarr.zip"

    @pytest.fixture
    def final(self, tmp_path: Path) -> Path:
        return tmp_path / "new" / f"a{self.suffix}"

    @pytest.fixture
    def sink(self, final: Path) -> Sink:
        return open_sink(final)

    def test_nothing_has_the_final_name_until_it_is_published(self, sink: Sink, final: Path) -> None:
        sink.write("zarr.json", b"{}")
        assert sink.path.name.startswith(".")
        sink.finish()
        assert not final.exists()
        store = open_store(sink.path)  # to be verified
        assert store.metadata("zarr.json") == b"{}"
        store.close()
        sink.publish(replace=True)
        assert [path.name for path in final.parent.iterdir()] == [final.name]

    def test_what_was_written_is_read(self, tmp_path: Path) -> None:
        store = open_store(write(tmp_path / f"a{self.suffix}"))
        for key, data in OBJECTS.items():
            blob = store.get(key)
            assert blob is not None
            assert blob.read(0, blob.size) == data

    def test_the_size_is_known_before(self, sink: Sink, final: Path) -> None:
        for key, data in OBJECTS.items():
            expected = sink.size + sink.cost(key, len(data))
            sink.write(key, data)
            assert sink.size == expected
        sink.finish()
        sink.publish(replace=True)
        assert open_store(final).size == sink.size

    def test_an_older_archive_is_replaced(self, sink: Sink, final: Path) -> None:
        write(final, {"zarr.json": b"older", "gone": b"x"})
        sink.write("zarr.json", b"newer")
        sink.finish()
        sink.publish(replace=True)
        store = open_store(final)
        assert store.keys() == ["zarr.json"]
        assert store.metadata("zarr.json") == b"newer"
        assert [path.name for path in final.parent.iterdir()] == [final.name]

    def test_who_reads_the_older_archive_reads_on(self, sink: Sink, final: Path) -> None:
        store = open_store(write(final))
        blob = store.get(SHARD)
        assert blob is not None
        sink.write("zarr.json", b"newer")
        sink.finish()
        sink.publish(replace=True)
        assert blob.read(0, blob.size) == OBJECTS[SHARD]

    def test_discarding_leaves_nothing(self, sink: Sink, final: Path) -> None:
        sink.write(SHARD, OBJECTS[SHARD])
        sink.discard()
        sink.discard()
        assert list(final.parent.iterdir()) == []

    def test_the_same_objects_give_the_same_bytes(self, tmp_path: Path) -> None:
        first, second = (write(tmp_path / f"{name}{self.suffix}") for name in "ab")
        assert _content(first) == _content(second)

    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(ArchiveError, match=r"a\.zarr.* cannot be written"):
            open_sink(tmp_path / "file" / f"a{self.suffix}")


def _content(path: Path) -> dict[str, bytes]:
    """Bytes of an archive's files, by relative name."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}
