"""Stores, files and sinks of all kinds, held to their contracts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from comeo.archive import open_archive
from comeo.archive.stores import Store, open_sink, open_store
from comeo.archive.stores.file import ByteFile, LocalFile
from comeo.archive.stores.remote import RemoteFile
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.scene import Window
from tests.comeo.archive.contract import SHARD, ByteFileTests, SinkTests, StoreTests
from tests.comeo.archive.ranges import Answer, serving
from tests.scenes import array_group, array_scene, landscape


class TestZipStore(StoreTests):
    """A ZIP file on disk."""

    def test_a_file_cut_short_is_refused(self, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(ArchiveError, match="cut short"):
            open_store(path)


class TestRemoteStore(StoreTests):
    """A ZIP file on an HTTP server."""

    @contextmanager
    def opened(self, path: Path) -> Iterator[Store]:
        """Serve the file."""
        with serving(path.read_bytes()) as server:
            store = open_store(server.url.replace("scene.zarr.zip", path.name))
            yield store
            store.close()


class TestFolderStore(StoreTests):
    """A folder."""

    suffix = ".zarr"

    @pytest.mark.parametrize("change", ["gone", "longer"])
    def test_an_object_that_changes_while_in_use_is_an_error_and_not_a_hole(
        self, path: Path, change: str
    ) -> None:
        with self.opened(path) as store:
            if change == "gone":
                (path / SHARD).unlink()
            else:
                (path / SHARD).write_bytes(bytes(100_000))
            with pytest.raises(ArchiveError, match=SHARD):
                store.get(SHARD)

    def test_a_touched_folder_has_the_same_fingerprint(self, path: Path) -> None:
        with self.opened(path) as one:
            (path / SHARD).touch()
            with self.opened(path) as other:
                assert one.fingerprint == other.fingerprint


class TestLocalFile(ByteFileTests):
    """A file on disk."""

    @contextmanager
    def opened(self, folder: Path) -> Iterator[ByteFile]:
        """Write it."""
        (folder / "file").write_bytes(self.content)
        yield LocalFile(folder / "file")

    def test_it_keeps_its_content_when_another_takes_its_name(self, file: ByteFile, tmp_path: Path) -> None:
        (tmp_path / "other").write_bytes(b"other")
        (tmp_path / "other").replace(tmp_path / "file")
        assert file.read(0, 10) == self.content[:10]

    def test_a_file_cut_short_is_noticed(self, file: ByteFile, tmp_path: Path) -> None:
        with (tmp_path / "file").open("r+b") as out:
            out.truncate(100)
        with pytest.raises(ArchiveError, match="cut short"):
            file.read(90, 20)


class TestRemoteFile(ByteFileTests):
    """A file on an HTTP server."""

    @contextmanager
    def opened(self, folder: Path) -> Iterator[ByteFile]:
        """Serve it."""
        with serving(self.content) as server:
            yield RemoteFile(server.url)


class TestZipSink(SinkTests):
    """Into a ZIP file."""


class TestFolderSink(SinkTests):
    """Into a folder."""

    suffix = ".zarr"


def test_a_name_that_is_not_an_archives_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"must end in \.zarr\.zip"):
        open_sink(tmp_path / "a.tif")


def test_a_shard_that_takes_long_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request hangs; the blocks of a shard whose index is known, and of another, are read meanwhile."""
    monkeypatch.setattr("comeo.archive.stores.remote.TAIL_BYTES", 100)
    path = compress(array_scene(array_group(landscape(2, 300, 4400))), tmp_path / "a.zarr.zip", step=400.0)
    stuck, released = threading.Event(), threading.Event()
    hold = threading.Event()

    def slow_once(answer: Answer, _: int) -> Answer:
        if hold.is_set():
            hold.clear()
            stuck.set()
            assert released.wait(60)
        return answer

    with serving(path.read_bytes(), slow_once) as server, open_archive(server.url) as archive:
        level = archive.groups["r10m"].levels[0]
        assert level.grid[1] > level.shard[1]
        archive.payload(level, 0, 0)
        hold.set()
        waiting = threading.Thread(target=archive.payload, args=(level, 0, level.grid[1] - 1))
        waiting.start()
        assert stuck.wait(60)
        assert archive.payload(level, 1, 0)
        coarse = archive.groups["r10m"].levels[-1]
        archive.read(coarse, Window(0, 0, 1, 1))
        assert waiting.is_alive()
        released.set()
        waiting.join()
